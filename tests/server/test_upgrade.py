"""The upgrade request: which web pages may connect, which dialect is spoken, where a token is found (R1.5, R1.7)."""

import pytest
from vetchat_protocol.codec import Dialect
from vetchat_server import Credentials, Origins
from vetchat_server.upgrade import Denied, Upgrade, is_loopback

LISTED = "https://app.example"
CLINIC = Origins(frozenset({LISTED, "capacitor://localhost"}))
OPEN = Origins(loopback_only=True)


def request(*subprotocols: str, headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> Upgrade:
    return Upgrade(headers or {}, query or {}, subprotocols)


def allowed(origins: Origins, **headers: str) -> bool:
    """Whether an upgrade with these headers passes; if not, it is refused with 403."""
    try:
        origins.check(request(headers=headers))
    except Denied as denied:
        return denied.status != 403
    return True


# -- origins with tokens -----------------------------------------------------------------------------------------------


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("clinic.example", "https://clinic.example"),
        ("clinic.example", "http://clinic.example"),
        ("clinic.example:443", "https://clinic.example"),
        ("clinic.example", "https://clinic.example:443"),
        ("clinic.example:80", "http://clinic.example"),
        ("clinic.example:8000", "http://clinic.example:8000"),
        ("CLINIC.example", "https://Clinic.Example"),
        ("[2001:db8::1]:8000", "http://[2001:DB8::1]:8000"),
        ("[::1]", "http://[::1]"),
        ("elsewhere.example", LISTED),
        ("elsewhere.example", "https://APP.example/"),
        ("elsewhere.example", "capacitor://localhost"),
    ],
)
def test_the_servers_own_origin_and_the_listed_ones_may_connect(host: str, origin: str) -> None:
    assert allowed(CLINIC, host=host, origin=origin)


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("clinic.example", "https://evil.example"),
        ("clinic.example", "https://clinic.example.evil.example"),
        ("clinic.example", "https://evilclinic.example"),
        ("clinic.example", "https://clinic.example:8443"),
        ("clinic.example:8000", "http://clinic.example"),
        ("clinic.example:80", "https://clinic.example"),
        ("clinic.example", "https://clinic.example@evil.example"),
        ("[::1]:8000", "http://[::2]:8000"),
        ("clinic.example", "null"),
        ("clinic.example", ""),
        ("clinic.example", "clinic.example"),
        ("clinic.example", "//clinic.example"),
        ("clinic.example", "file://"),
        ("clinic.example", "chrome-extension://clinic.example"),
        ("clinic.example", "ws://clinic.example"),
        ("clinic.example", "http://app.example"),
        ("clinic.example", "https://app.example:444"),
        ("clinic.example", "https://app.example.evil.example"),
        ("clinic.example", "http://["),
        ("clinic.example", "http://clinic.example:port"),
        ("clinic.example:99999", "http://evil.example:99999"),
        ("[", "http://["),
        ("", "http://"),
        ("", "http://clinic.example"),
    ],
)
def test_any_other_origin_is_refused_however_it_is_written(host: str, origin: str) -> None:
    assert not allowed(CLINIC, host=host, origin=origin)


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize("host", ["clinic.example", "10.0.0.7:8000", "[2001:db8::1]", ""])
def test_a_program_that_sends_no_origin_may_connect(host: str) -> None:
    assert allowed(CLINIC, host=host)


# -- open mode ---------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R1.7", "R1.3")
@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "a.localhost"]
)
@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173", "http://a.localhost"]
)
def test_in_open_mode_any_page_of_this_machine_may_connect(host: str, origin: str) -> None:
    assert allowed(OPEN, host=host, origin=origin)
    assert allowed(OPEN, host=host)


@pytest.mark.clause("R1.7", "R1.3")
@pytest.mark.parametrize(
    "host",
    [
        "clinic.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evillocalhost",
        "10.0.0.1",
        "[",
        "",
        "[::2]",
    ],
)
def test_in_open_mode_a_host_that_is_not_this_machine_is_refused(host: str) -> None:
    assert not allowed(OPEN, host=host), "or a page elsewhere could rebind its name to this machine"
    assert not allowed(OPEN, host=host, origin="http://localhost")


@pytest.mark.clause("R1.7", "R1.3")
@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost.evil.example", "null", "", "http://[", "http://10.0.0.1", "file://"],
)
def test_in_open_mode_a_page_of_another_machine_is_refused(origin: str) -> None:
    assert not allowed(OPEN, host="localhost:8000", origin=origin)


@pytest.mark.clause("R1.7")
def test_in_open_mode_a_listed_origin_may_connect() -> None:
    origins = Origins(frozenset({LISTED}), loopback_only=True)
    assert allowed(origins, host="localhost:8000", origin=LISTED)
    assert not allowed(origins, host="clinic.example", origin=LISTED)


@pytest.mark.clause("R1.3")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "clinic.example", "", "127.1"])
def test_an_address_that_others_may_reach_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


# -- dialects and tokens -----------------------------------------------------------------------------------------------


def test_without_a_subprotocol_the_base_wire_is_spoken() -> None:
    assert request().dialect() is Dialect.BASE


def test_the_extension_is_spoken_when_it_is_among_the_subprotocols_offered() -> None:
    assert request("vetchat.v1").dialect() is Dialect.V1
    assert request("chat", "vetchat.v1", "vetchat.v2").dialect() is Dialect.V1


@pytest.mark.parametrize("subprotocols", [["vetchat.v2"], ["VetChat.V1"], ["chat", "vetchat"]])
def test_only_unknown_subprotocols_are_refused_with_400(subprotocols: list[str]) -> None:
    with pytest.raises(Denied) as denied:
        request(*subprotocols).dialect()
    assert denied.value.status == 400


@pytest.mark.clause("R1.5")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_is_found_in_the_header_first(scheme: str) -> None:
    upgrade = request(query={"token": "other", "name": "Ann"}, headers={"authorization": f"{scheme}  abc "})
    assert upgrade.credentials() == Credentials("abc", {"name": "Ann"})


@pytest.mark.clause("R1.5")
@pytest.mark.parametrize("header", ["Basic YTpi", "abc", ""])
def test_a_token_is_found_in_the_query_when_the_header_brings_none(header: str) -> None:
    upgrade = request(query={"token": "abc", "name": "Ann"}, headers={"authorization": header})
    assert upgrade.credentials() == Credentials("abc", {"name": "Ann"})


@pytest.mark.clause("R1.5")
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer"}, {"authorization": "Bearer  "}])
def test_an_empty_token_is_none(headers: dict[str, str]) -> None:
    assert request(headers=headers, query={"token": ""}).credentials() == Credentials(None, {})
