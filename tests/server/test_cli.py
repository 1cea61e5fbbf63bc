"""The `vetchat` command, its first word and the rest: what operators type."""

import subprocess
import sys
from uuid import UUID

import anyio
import pytest
from vetchat_protocol.errors import Closing
from vetchat_protocol.models import UNKNOWN_NAME, Role
from vetchat_protocol.operations import Identity
from vetchat_protocol.records import ConversationDraft
from vetchat_server import Credentials, JwtAuthenticator, Store, TortoiseStore, secret_key
from vetchat_server.clock import system_clock
from vetchat_server.ports import LogHead
from vetchat_server.testing.drafts import append

from tests.conformance.peer import new_id
from tests.databases import sqlite_url
from tests.running import SECRET
from tests.server.conftest import Vetchat

COMMANDS = ["migrate", "new-epoch", "revoke", "serve", "token"]


# -- the first word ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], []])
def test_help_names_every_command_that_is_installed(vetchat: Vetchat, words: list[str]) -> None:
    status, said = vetchat(*words)
    assert status == 0
    assert set(COMMANDS) <= set(said.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(vetchat: Vetchat, command: str) -> None:
    status, said = vetchat(command, "--help")
    assert status == 0
    assert said.startswith(f"Usage: vetchat {command} ")


def test_an_unknown_command_is_refused_with_those_that_there_are(vetchat: Vetchat) -> None:
    status, said = vetchat("serv")
    assert status == 2
    assert "there is no command 'serv'" in said
    assert "serve" in said


def test_the_version_is_told(vetchat: Vetchat) -> None:
    status, said = vetchat("--version")
    assert status == 0
    assert said.startswith("vetchat 0.")


def test_it_is_a_command_of_its_own_as_well_as_a_module() -> None:
    module = subprocess.run([sys.executable, "-m", "vetchat_protocol.cli", "--help"], capture_output=True, check=True)
    assert b"serve" in module.stdout


# -- token -------------------------------------------------------------------------------------------------------------


def identity(token: str, *, issuer: str | None = None, audience: str | None = None) -> Identity:
    """Whom a server with the same settings lets in by this token."""
    server = JwtAuthenticator([secret_key(SECRET)], issuer=issuer, audience=audience)
    return anyio.run(server.authenticate, Credentials(token))


@pytest.mark.clause("R1.3", "R1.9")
def test_a_token_is_printed_alone_and_says_what_was_asked_for(vetchat: Vetchat) -> None:
    user_id = new_id()
    words = ["--sub", user_id.upper(), "--role", "provider", "--name", "Dr Bell", "--ttl", "60"]
    before = system_clock()
    status, said = vetchat("token", *words, jwt_secret=SECRET)
    assert status == 0
    assert len(said.split()) == 1
    who = identity(said.strip())
    assert (who.user.id, who.user.role, who.user.display_name) == (user_id, Role.PROVIDER, "Dr Bell")
    assert who.expires_at is not None
    assert before + 59_000 < who.expires_at <= system_clock() + 60_000


@pytest.mark.clause("R1.3", "S1.2")
def test_a_token_is_for_a_new_client_and_an_hour_unless_told_otherwise(vetchat: Vetchat) -> None:
    one, two = (identity(vetchat("token", jwt_secret=SECRET)[1].strip()) for _ in range(2))
    assert one.user.id != two.user.id
    assert UUID(one.user.id).version == 4
    assert (one.user.role, one.user.display_name) == (Role.CLIENT, UNKNOWN_NAME)
    assert one.expires_at is not None
    assert one.issued_at is not None
    assert one.expires_at - one.issued_at == 3_600_000


def test_a_token_is_made_for_the_issuer_and_audience_of_the_settings(vetchat: Vetchat) -> None:
    _, said = vetchat("token", jwt_secret=SECRET, jwt_issuer="https://login.example", jwt_audience="chat")
    identity(said.strip(), issuer="https://login.example", audience="chat")
    with pytest.raises(Closing):
        identity(said.strip(), issuer="https://elsewhere.example", audience="chat")


@pytest.mark.parametrize(
    "words", [["--sub", "ann"], ["--sub", str(UUID(int=0))], ["--role", "admin"], ["--ttl", "0"], ["--ttl", "long"]]
)
def test_a_token_that_nobody_would_take_is_not_made(vetchat: Vetchat, words: list[str]) -> None:
    status, said = vetchat("token", *words, jwt_secret=SECRET)
    assert status != 0
    assert words[0] in said
    assert "eyJ" not in said


def test_without_a_secret_no_token_can_be_made(vetchat: Vetchat) -> None:
    status, said = vetchat("token")
    assert status != 0
    assert "VETCHAT_JWT_SECRET" in said
    status, said = vetchat("token", jwt_secret="hunter2")
    assert status != 0
    assert "32 bytes" in said
    assert "hunter2" not in said


# -- the database ------------------------------------------------------------------------------------------------------


class Opened:
    """A store that the test itself has open, as a server would, beside the command."""

    def __init__(self, url: str) -> None:
        self.store: Store = TortoiseStore(url)

    async def __aenter__(self) -> LogHead:
        return await self.store.open()

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()


def head(url: str) -> LogHead:
    async def look() -> LogHead:
        async with Opened(url) as now:
            return now

    return anyio.run(look)


def begin(url: str) -> LogHead:
    """Puts a record into the database."""

    async def start() -> LogHead:
        opened = Opened(url)
        async with opened as before:
            await append(opened.store, ConversationDraft(new_id(), new_id(), ()))
            return before

    return anyio.run(start)


def test_migrate_makes_the_tables_and_is_harmless_when_they_are_there(vetchat: Vetchat, database: str) -> None:
    assert vetchat("migrate", "--database", database) == (0, "The database is up to date; its log has 0 entries.\n")
    before = begin(database)
    assert vetchat("migrate", database=database) == (0, "The database is up to date; its log has 1 entries.\n")
    assert head(database) == LogHead(before.epoch, 1)


@pytest.mark.clause("V3.2", "V3.4")
def test_new_epoch_renames_the_log_and_leaves_what_is_in_it(vetchat: Vetchat, database: str) -> None:
    before = begin(database)
    status, said = vetchat("new-epoch", "--database", database)
    assert status == 0
    after = head(database)
    assert after.epoch != before.epoch
    assert after.position == 1
    assert after.epoch in said


@pytest.mark.clause("V1.6")
def test_revoke_is_stored_at_the_time_of_now_also_while_a_server_runs(vetchat: Vetchat, database: str) -> None:
    user_id = new_id()
    opened = Opened(database)

    async def serve() -> None:
        async with opened:
            before = system_clock()
            status, said = await anyio.to_thread.run_sync(lambda: vetchat("revoke", user_id.upper(), database=database))
            assert (status, user_id in said) == (0, True)
            revoked = await opened.store.revocations()
            assert before <= revoked[user_id] <= system_clock()

    anyio.run(serve)


def test_revoke_refuses_what_is_no_user_and_what_is_no_database(vetchat: Vetchat, database: str) -> None:
    status, said = vetchat("revoke", "ann", database=database)
    assert status != 0
    assert "UUID" in said
    status, said = vetchat("revoke", new_id(), database=database)
    assert status != 0, "this database was never used"
    assert said.startswith("Error: ")
    assert "Traceback" not in said


@pytest.mark.usefixtures("impatient")
def test_a_command_that_needs_the_database_alone_refuses_while_a_server_runs(vetchat: Vetchat, database: str) -> None:
    async def serve() -> None:
        async with Opened(database) as before:
            for command in ("migrate", "new-epoch"):
                status, said = await anyio.to_thread.run_sync(lambda: vetchat(command, database=database))  # noqa: B023
                assert status != 0
                assert said.startswith("Error: Another VetChat server is using this database")
        async with Opened(database) as after:
            assert after == before

    anyio.run(serve)


@pytest.mark.parametrize("command", ["migrate", "new-epoch", "revoke"])
def test_a_database_that_cannot_be_made_is_refused(
    vetchat: Vetchat, command: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("nowhere") / "file"
    file.touch()
    words = [command, new_id()] if command == "revoke" else [command]
    status, said = vetchat(*words, database=sqlite_url(file))
    assert status != 0
    assert said.startswith("Error: ")
    assert "Traceback" not in said
