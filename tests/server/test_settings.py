"""Settings: each wrong value is refused with a sentence that names it, and none is ever guessed or shown (R1.3)."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey
from vetchat_server.settings import Settings, misspelt

from tests.databases import sqlite_url
from tests.running import SECRET, running_server
from tests.server.conftest import Vetchat

MANY = ["many", "-1", "0", "1.5", "nan", "1e3", "0x10"]
TIMES = ["soon", "-1", "0", "nan", "inf"]

WRONG = {
    "port": ["http", "-1", "65536", "80.5"],
    "open": ["perhaps", "2"],
    "rate_limit": ["many", "-1", "nan", "inf"],
    "rate_burst": MANY,
    "max_refusals": MANY,
    "max_connections_per_user": MANY,
    "max_frame_bytes": MANY,
    "max_providers": MANY,
    "outbox_frames": MANY,
    "outbox_bytes": MANY,
    "max_waiting_for_hello": MANY,
    "max_resume_frames": MANY,
    "handshake_timeout": TIMES,
    "hello_timeout": TIMES,
    "heartbeat_interval": TIMES,
    "tell_disconnects": ["perhaps", "2"],
    "direct": ["perhaps", "2"],
    "log_level": ["loud", "INFO!", "0"],
    "allowed_origins": [
        "clinic.example",
        "*",
        "https://",
        "https://clinic.example/chat",
        "https://a.example b.example",
    ],
    "database": [
        "nonsense",
        "mysql://root@127.0.0.1/vetchat",
        "sqlite://relative.sqlite3",
        "sqlite:///",
        "sqlite://host/path",
        "postgres://",
        "postgres://host",
        "postgres:///name",
        "postgres://host:port/name",
        "postgres://host:99999/name",
        "postgres://host/name?sslmode=require",
        "postgres://[::1/name",
    ],
}
"""Values that make no sense, by the setting's name."""


LIMITS = {
    "max_frame_bytes": 131_072,
    "rate_limit": 20,
    "rate_burst": 200,
    "max_refusals": 100,
    "max_connections_per_user": 20,
    "handshake_timeout": 10,
    "outbox_frames": 1_000,
    "outbox_bytes": 1_048_576,
    "max_waiting_for_hello": 1_000,
}


@pytest.fixture
def refused(vetchat: Vetchat, tmp_path: Path) -> Iterator[Vetchat]:
    """Starts a server that must refuse: its port is taken, so that a setting which is let through shows at once."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]

        def serve(*words: str, **settings: object) -> tuple[int, str]:
            status, said = vetchat("serve", *words, **{"port": port, "database": sqlite_url(tmp_path)} | settings)
            assert status != 0
            assert "Traceback" not in said
            assert "Cannot listen" not in said, f"this was let through: {settings}"
            assert said.startswith("Error: ")
            return status, said

        yield serve
    assert not list(tmp_path.glob("*.sqlite3")), "a server that refuses to start leaves no database behind"


def test_there_is_a_wrong_value_for_every_setting_that_has_any() -> None:
    anything_goes = {"host", "jwt_secret", "jwt_keys", "jwt_issuer", "jwt_audience"}
    assert set(WRONG) == set(Settings.model_fields) - anything_goes


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_value_that_makes_no_sense_is_refused_by_its_name(refused: Vetchat, name: str, value: str) -> None:
    _, said = refused(**{name: value})
    assert f"VETCHAT_{name.upper()}: " in said
    assert len(said.splitlines()) == 1


def test_everything_that_is_wrong_is_told_at_once(refused: Vetchat) -> None:
    _, said = refused(rate_limit="many", log_level="loud", outbox_frames=0)
    assert [line.removeprefix("Error: ").split(":")[0] for line in said.splitlines()] == [
        "VETCHAT_RATE_LIMIT",
        "VETCHAT_OUTBOX_FRAMES",
        "VETCHAT_LOG_LEVEL",
    ]


def test_an_option_that_makes_no_sense_is_refused_too(vetchat: Vetchat, refused: Vetchat) -> None:
    assert "--port" in vetchat("serve", "--port", "http")[1]
    assert "VETCHAT_PORT: " in refused("--port", "65536")[1]
    assert "VETCHAT_DATABASE: " in refused("--database", "nonsense")[1]


@pytest.mark.clause("R1.3")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "chat.example"])
def test_open_mode_on_an_address_that_others_reach_must_be_told_so_explicitly(refused: Vetchat, host: str) -> None:
    for words, settings in ((["--host", host], {}), ([], {"host": host})):
        _, said = refused(*words, **settings)
        assert "VETCHAT_OPEN" in said
        assert "VETCHAT_JWT_SECRET" in said


@pytest.mark.clause("R1.3")
@pytest.mark.parametrize("settings", [{"open": "true"}, {"jwt_secret": SECRET}], ids=["open", "jwt"])
def test_an_address_that_others_reach_is_listened_on_with_tokens_or_when_told_so(
    vetchat: Vetchat, settings: dict[str, str]
) -> None:
    status, said = vetchat("serve", host="192.0.2.1", **settings)  # which is nobody's (RFC 5737)
    assert status != 0
    assert said.startswith("Error: Cannot listen on 192.0.2.1 port 8000: ")


def test_an_address_that_is_not_this_machines_is_refused(vetchat: Vetchat) -> None:
    for host in ("192.0.2.1", "no-such-host.invalid", "2001:db8::1", "not an address"):
        status, said = vetchat("serve", host=host, jwt_secret=SECRET)
        assert status != 0
        assert said.startswith(f"Error: Cannot listen on {host} port 8000: ")
        assert "Traceback" not in said


def test_a_port_that_is_taken_is_refused(vetchat: Vetchat, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        status, said = vetchat("serve", port=port, database=sqlite_url(tmp_path))
    assert status != 0
    assert said.startswith(f"Error: Cannot listen on 127.0.0.1 port {port}: ")


# -- secrets and keys --------------------------------------------------------------------------------------------------


@pytest.mark.clause("R1.3")
@pytest.mark.parametrize("secret", ["hunter2", "x" * 31, "é" * 15])
def test_a_secret_that_is_too_short_is_refused_and_not_shown(refused: Vetchat, secret: str) -> None:
    _, said = refused(jwt_secret=secret)
    assert "at least 32 bytes" in said
    assert secret not in said


def test_a_secret_is_not_shown_when_something_else_is_wrong(refused: Vetchat) -> None:
    _, said = refused(jwt_secret=SECRET, rate_limit="many", database="postgres://vet:hunter2@host:port/name")
    assert SECRET not in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "password", ["hunter2", "hunter2/x", "hunter2#x", "hunter2?x", "hunter2[", "hunter2@x", "hunter2:7"]
)
@pytest.mark.parametrize("rest", ["host:port/name", "host", "host/name?sslmode=on", "[::1/name"])
def test_a_database_password_is_not_shown_however_the_url_is_broken(refused: Vetchat, password: str, rest: str) -> None:
    _, said = refused(database=f"postgres://vet:{password}@{rest}")
    assert "hunter2" not in said


def test_a_database_that_cannot_be_reached_is_told_without_its_password(vetchat: Vetchat, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for words in (
        ["serve", "--port", "0"],
        ["migrate"],
        ["new-epoch"],
        ["revoke", "b81d4f92-6c37-4e5a-9d20-74f0c3a1e802"],
    ):
        status, said = vetchat(*words, database=f"postgres://vet:hunter2@127.0.0.1:{port}/vetchat")
        assert status != 0
        assert "database" in said or "stored" in said
        assert "hunter2" not in said
        assert "Traceback" not in said


def test_tokens_are_verified_by_one_thing(refused: Vetchat, tmp_path: Path) -> None:
    keys = tmp_path / "keys.pem"
    keys.write_bytes(RSAKey.generate_key(2048).as_pem(private=False))
    assert "not both" in refused(jwt_secret=SECRET, jwt_keys=keys)[1]
    assert "exclude" in refused(jwt_secret=SECRET, open="true")[1]
    assert "exclude" in refused(jwt_keys=keys, open="true")[1]


@pytest.mark.clause("R1.3")
@pytest.mark.parametrize("name", ["jwt_secret", "jwt_keys", "jwt_issuer", "jwt_audience"])
def test_an_empty_variable_about_tokens_does_not_let_everybody_in(refused: Vetchat, name: str) -> None:
    assert f"VETCHAT_{name.upper()} is empty." in refused(**{name: ""})[1]


def test_keys_that_are_none_are_refused(refused: Vetchat, tmp_path: Path) -> None:
    assert "JWT keys" in refused(jwt_keys=tmp_path / "nowhere")[1]
    for content in (
        b"",
        b"no keys",
        json.dumps({"keys": []}).encode(),
        ECKey.generate_key("P-384").as_pem(private=False),
    ):
        (tmp_path / "keys").write_bytes(content)
        assert "JWT keys" in refused(jwt_keys=tmp_path / "keys")[1]
    shared = OctKey.generate_key(256)
    (tmp_path / "keys").write_text(json.dumps({"keys": [shared.as_dict()]}))
    _, said = refused(jwt_keys=tmp_path / "keys")
    assert "JWT keys" in said
    assert str(shared.as_dict()["k"]) not in said


# -- what is right -----------------------------------------------------------------------------------------------------


def test_without_any_setting_a_server_is_open_on_loopback(monkeypatch: pytest.MonkeyPatch, vetchat: Vetchat) -> None:
    settings = Settings()  # pyright: ignore[reportCallIssue]
    assert (settings.host, settings.port, settings.open_mode) == ("127.0.0.1", 8000, True)
    assert settings.database.startswith("sqlite:///")
    assert settings.origins().loopback_only


@pytest.mark.clause("R1.7")
@pytest.mark.clause("R2.7", "V1.3")
def test_the_limits_are_those_of_the_clauses_unless_told_otherwise() -> None:
    assert {name: Settings.model_fields[name].default for name in LIMITS} == LIMITS


def test_origins_are_listed_with_commas_and_compared_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = " https://Clinic.example/ ,http://localhost:3000,, capacitor://localhost"
    monkeypatch.setenv("VETCHAT_ALLOWED_ORIGINS", listed)
    allowed = Settings().origins().allowed  # pyright: ignore[reportCallIssue]
    assert allowed == {"https://clinic.example", "http://localhost:3000", "capacitor://localhost"}


@pytest.mark.clause("R2.7", "V1.2", "V3.4")
def test_every_limit_reaches_the_part_that_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    others = {"port", "open", "tell_disconnects", "direct", "log_level", "database", "allowed_origins"}
    for number, name in enumerate(sorted(set(WRONG) - others), 100):
        monkeypatch.setenv(f"VETCHAT_{name.upper()}", str(number))
    settings = Settings()  # pyright: ignore[reportCallIssue]
    terms, limits = settings.terms(), settings.limits()
    assert (limits.burst, limits.refusals_per_minute) == (settings.rate_burst, settings.max_refusals)
    assert limits.connections_per_user == settings.max_connections_per_user
    assert (limits.outbox_frames, limits.outbox_bytes) == (settings.outbox_frames, settings.outbox_bytes)
    assert limits.waiting_for_hello == settings.max_waiting_for_hello
    assert (terms.frame_bytes, terms.providers) == (settings.max_frame_bytes, settings.max_providers)
    assert (terms.commands_per_second, terms.resume_frames) == (settings.rate_limit, settings.max_resume_frames)
    assert terms.heartbeat_interval == settings.heartbeat_interval * 1_000
    assert terms.hello_timeout == settings.hello_timeout * 1_000


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("VETCHAT_JWT_SECRT", "VETCHAT_JWT_SECRET"),
        ("VETCHAT_ALLOWED_ORIGIN", "VETCHAT_ALLOWED_ORIGINS"),
        ("Vetchat_Log_Levl", "VETCHAT_LOG_LEVEL"),
        ("VETCHAT_PORT", None),
        ("vetchat_port", None),
        ("VETCHAT_TOKEN", None),
        ("VETCHAT_TEST_POSTGRES", None),
        ("PATH", None),
    ],
)
def test_a_variable_that_looks_misspelt_is_found(name: str, meant: str | None) -> None:
    assert list(misspelt([name])) == ([] if meant is None else [(name, meant)])


def test_a_misspelt_variable_is_told_in_the_log(tmp_path: Path) -> None:
    with running_server(sqlite_url(tmp_path), jwt_secrt="x" * 32) as server:
        assert "VETCHAT_JWT_SECRET" in server.log
        assert "x" * 32 not in server.log
