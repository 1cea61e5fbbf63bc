"""What is special about PostgreSQL: connections break, also at the worst moment, and one server alone writes (R4.7)."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import anyio
import asyncpg
import pytest
from vetchat_protocol.delivery import Origin
from vetchat_protocol.models import Conversation, User
from vetchat_protocol.records import MessageDraft, MessageStored, Record
from vetchat_server import TortoiseStore
from vetchat_server.clock import random_id, system_clock
from vetchat_server.log import Log
from vetchat_server.metrics import Metrics
from vetchat_server.ports import LogHead, OutcomeUnknown, StoreError, StoreInUse, StoreUnavailable
from vetchat_server.testing.drafts import owner, say, stamped, start

from tests.databases import postgres_database, run_sql

pytestmark = pytest.mark.anyio

PATIENCE = 20

GATE = 7
"""The advisory lock that a test holds so that a commit waits; it has one key where the store's own has two."""

HERE = "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
WAITING = f"SELECT pid FROM pg_locks WHERE {HERE} AND objid = {GATE} AND NOT granted"
LOCKS = f"SELECT pid, classid::int AS space, objid::int AS key FROM pg_locks WHERE {HERE} AND objsubid = 2 AND granted"
"""Who holds the store's own lock in this database."""


@pytest.fixture
def url() -> Generator[str]:
    with postgres_database() as url:
        yield url


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[tuple[TortoiseStore, LogHead]]:
    store = TortoiseStore(url)
    try:
        yield store, await store.open()
    finally:
        await store.close()


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of somebody else's."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def ask(url: str, *statements: str) -> object:
    """Runs SQL on a connection of its own; the first value of the last answer."""
    rows = await anyio.to_thread.run_sync(run_sql, url, *statements)
    return next(iter(rows[0].values())) if rows else None


async def contents(store: TortoiseStore, conversation: Conversation) -> list[str]:
    return [message.content for message in reversed(await store.read_messages(conversation.id, 0, 1_000))]


# -- one server at a time ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
async def test_a_second_store_on_the_same_database_is_told_to_keep_away_until_the_first_is_closed(url: str) -> None:
    async with opened(url) as (_, before):
        second = TortoiseStore(url)
        with pytest.raises(
            StoreInUse, match=r"^Another VetChat server is using this database, and only one may\. .+\.$"
        ):
            await second.open()
    assert await second.open() == before
    await second.close()


async def test_two_servers_may_share_a_database_in_schemas_of_their_own(url: str) -> None:
    await ask(url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    async with opened(f"{url}?schema=one") as (one, first), opened(f"{url}?schema=two") as (two, second):
        assert first.epoch != second.epoch
        client = owner()
        conversation = await start(one, client)
        assert list(await one.memberships(client)) == [conversation.id]
        assert list(await two.memberships(client)) == []


async def test_a_server_that_lost_its_lock_to_another_never_writes_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vetchat_server.backends.tortoise.database.LOCK_PATIENCE", 0.1)
    async with opened(url) as (store, _):
        conversation = await start(store, client := owner())
        async with connected(url) as other:
            (lock,) = await other.fetch(LOCKS)
            await other.execute("SELECT pg_terminate_backend($1)", lock["pid"])
            await other.execute("SELECT pg_advisory_lock($1, $2)", lock["space"], lock["key"])
            for _ in range(2):
                with pytest.raises(StoreError):
                    await say(store, conversation, client, "I am still here.")
            assert await other.fetchval("SELECT position FROM log_head") == 1
        assert list(await store.read_messages(conversation.id, 0, 9)) == []
        (record,) = await say(store, conversation, client, "The other has gone.")
        assert record.offset == 2


# -- connections that break --------------------------------------------------------------------------------------------


@pytest.mark.clause("R6.3", "R4.7")
async def test_after_all_connections_broke_between_two_commits_the_store_goes_on(url: str) -> None:
    async with opened(url) as (store, _):
        conversation = await start(store, client := owner())
        said: list[str] = []
        for number in range(3):
            await ask(
                url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            said.append(await persist(store, conversation, client, f"Message {number}"))
            assert await read(store, conversation) == said
        assert await holds_the_lock(url)


async def persist(store: TortoiseStore, conversation: Conversation, client: User, content: str) -> str:
    """Says it until it is stored; what failed was certainly not."""
    with anyio.fail_after(PATIENCE):
        while True:
            try:
                await say(store, conversation, client, content)
            except StoreUnavailable:
                continue
            return content


async def read(store: TortoiseStore, conversation: Conversation) -> list[str]:
    """What the conversation says, read until that works."""
    with anyio.fail_after(PATIENCE):
        while True:
            try:
                return await contents(store, conversation)
            except StoreUnavailable:
                continue


async def holds_the_lock(url: str) -> bool:
    """Whether one connection, the store's writing one, has the lock."""
    async with connected(url) as other:
        return len(await other.fetch(LOCKS)) == 1


WAIT = f"""
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock({GATE}); RETURN NULL; END $$
    """
TRIGGER = """
    CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON log DEFERRABLE INITIALLY {moment}
    FOR EACH ROW EXECUTE FUNCTION wait()
    """


@asynccontextmanager
async def held_up(url: str, moment: str) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """Keeps commits waiting: `IMMEDIATE` among their statements, `DEFERRED` in their COMMIT; gives what kills one."""
    await ask(url, WAIT, TRIGGER.format(moment=moment))
    async with connected(url) as holder:
        await holder.execute(f"SELECT pg_advisory_lock({GATE})")

        async def kill() -> None:
            with anyio.fail_after(PATIENCE):
                while (pid := await holder.fetchval(WAITING)) is None:
                    await anyio.lowlevel.checkpoint()
            await holder.execute("SELECT pg_terminate_backend($1)", pid)

        yield kill
    await ask(url, "DROP FUNCTION wait() CASCADE")


@pytest.mark.clause("R4.7", "R6.3")
@pytest.mark.parametrize(("moment", "failure"), [("IMMEDIATE", StoreUnavailable), ("DEFERRED", OutcomeUnknown)])
async def test_a_backend_killed_during_a_commit_leaves_nothing_and_the_next_commit_works(
    url: str, moment: str, failure: type[StoreError]
) -> None:
    async with opened(url) as (store, _):
        conversation = await start(store, client := owner())
        async with held_up(url, moment) as kill:
            commit = asyncio.create_task(say(store, conversation, client, "Lost."))
            await kill()
            with pytest.raises(failure):
                await commit
            assert list(await store.records_after(1)) == []
        (record,) = await say(store, conversation, client, "Here.")
        assert (record.offset, record.message.seq) == (2, 1)
        assert await contents(store, conversation) == ["Here."]
        assert await holds_the_lock(url)


# -- answers that are lost ---------------------------------------------------------------------------------------------


class LossyProxy:
    """A way to PostgreSQL that, once told to, cuts a connection whose next COMMIT is done before it is answered."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url)
        self.loses_the_next_answer = False
        self.lost = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[str]:
        """The URL of the database by this way."""
        listener = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        async with listener:
            user, _, _ = self._server.netloc.rpartition("@")
            yield urlunsplit(self._server._replace(netloc=f"{user}@127.0.0.1:{port}"))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(self._server.hostname, self._server.port)
        answers = asyncio.create_task(self._copy(from_server, writer))
        try:
            while data := await reader.read(65_536):
                if self.loses_the_next_answer and re.search(rb"Q....COMMIT;\0", data, re.DOTALL):
                    self.loses_the_next_answer = False
                    self.lost += 1
                    answers.cancel()
                    await asyncio.wait([answers])
                    to_server.write(data)
                    await from_server.read(65_536)
                    return
                to_server.write(data)
        finally:
            answers.cancel()
            await asyncio.wait([answers])
            for end in (writer, to_server):
                end.transport.abort()

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()


@pytest.mark.clause("R4.7")
async def test_a_commit_whose_answer_was_lost_is_unknown_and_then_found(url: str) -> None:
    proxy = LossyProxy(url)
    async with proxy.running() as way, opened(way) as (store, _):
        conversation = await start(store, client := owner())
        proxy.loses_the_next_answer = True
        entry = stamped(MessageDraft(conversation.id, client.id, "Stored?"))
        with pytest.raises(OutcomeUnknown):
            await store.commit([entry])
        (record,) = await store.records_after(1)
        assert isinstance(record, MessageStored)
        assert record.message.id == entry.id
        assert proxy.lost == 1
        (after,) = await say(store, conversation, client, "Here.")
        assert after.offset == 3
        assert await holds_the_lock(url)


@pytest.mark.clause("R4.7", "R4.9")
async def test_senders_are_answered_with_what_was_stored_although_the_answer_was_lost(url: str) -> None:
    proxy = LossyProxy(url)
    delivered: list[tuple[Record, Origin | None]] = []
    async with proxy.running() as way, opened(way) as (store, head):
        log = Log(store, delivered.extend, clock=system_clock, new_id=random_id, metrics=Metrics())
        log.head = head.position
        running = asyncio.create_task(log.run())
        try:
            with anyio.fail_after(PATIENCE):
                conversation = await start(store, client := owner())
                log.head = 1
                proxy.loses_the_next_answer = True
                drafts = [MessageDraft(conversation.id, client.id, content) for content in ("One.", "Two.")]
                outcomes = await asyncio.gather(*(log.append(draft, Origin(draft.content)) for draft in drafts))
                assert delivered == [
                    (outcome, Origin(draft.content)) for outcome, draft in zip(outcomes, drafts, strict=True)
                ]
                assert await contents(store, conversation) == ["One.", "Two."]
        finally:
            running.cancel()
    assert proxy.lost == 1


# -- starting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [{"path": "/no_such_database"}, {"netloc": "nobody_known@127.0.0.1:5432"}, {"netloc": "root@127.0.0.1:1"}]
)
async def test_a_database_that_cannot_be_reached_is_refused_in_one_sentence(url: str, change: dict[str, str]) -> None:
    store = TortoiseStore(urlunsplit(urlsplit(url)._replace(**change)))
    with pytest.raises(StoreUnavailable, match=r"^The database cannot be opened: .+\.$"):
        await store.open()


async def test_a_schema_that_is_not_there_is_refused_in_one_sentence(url: str) -> None:
    store = TortoiseStore(f"{url}?schema=nowhere")
    with pytest.raises(StoreUnavailable, match=r"^The database cannot be opened: .+\.$"):
        await store.open()
