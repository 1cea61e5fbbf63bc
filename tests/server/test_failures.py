"""Failing databases, power cuts and shutdowns: what was promised holds, and nothing is half done (R4.7, R6.3)."""

import resource
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import pytest
from anyio import Event, create_task_group, fail_after, sleep, to_thread
from anyio.lowlevel import checkpoint
from websockets.exceptions import ConnectionClosed

from tests.conformance.peer import Peer, People, Refused, by_hand, new_id
from tests.databases import postgres_database, run_sql
from tests.running import ServerProcess, launched_server, running_server

pytestmark = pytest.mark.anyio


async def whole_history(peer: Peer, conversation: str) -> list[Any]:
    """Every stored message, oldest first."""
    messages: list[Any] = []
    for page in count():
        answer = await peer.history(conversation, page)
        messages += answer["messages"]
        if not answer["has_more"]:
            assert answer["total_count"] == len(messages)
            break
    return messages[::-1]


async def talk(peer: Peer, conversation: str) -> None:
    """Sends one message after the other, without waiting for answers, until the connection ends."""
    with suppress(ConnectionClosed):
        for number in count():
            await peer.send("message", {"conversation_id": conversation, "content": f"Message {number}"})
            await checkpoint()  # a send alone need not let anybody else run


async def listen(peer: Peer, heard: dict[str, Any], enough: Event, until: int) -> None:
    """Collects every message heard, by id, until the connection ends."""
    async for frame in peer.frames():
        assert frame.event == "message_sent", f"heard {frame}"
        assert frame.params["id"] not in heard, f"heard twice: {frame}"
        heard[frame.params["id"]] = frame.params
        if len(heard) == until:
            enough.set()


# -- power cuts and shutdowns ------------------------------------------------------------------------------------------


@pytest.mark.clause("R4.7")
async def test_after_a_power_cut_every_message_that_anybody_saw_is_there_once(database: str) -> None:
    heard: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    enough = Event()
    with running_server(database, rate_limit=0) as server:
        async with People(server) as people:
            owner, vet, conversation = await people.consultation()
            with fail_after(20):
                async with create_task_group() as group:
                    group.start_soon(talk, owner, conversation)
                    group.start_soon(listen, owner, heard[0], Event(), 0)
                    group.start_soon(listen, vet, heard[1], enough, 300)
                    await enough.wait()
                    server.kill()
    with running_server(database, rate_limit=0) as server:
        async with People(server) as people:
            owner = await people.client(owner.user_id)
            stored = {message["id"]: message for message in await whole_history(owner, conversation)}
            for seen in heard:
                assert seen.items() <= stored.items()
            contents = [message["content"] for message in stored.values()]
            assert contents == [f"Message {number}" for number in range(len(contents))]
            await owner.say(conversation, "On we go.")


@pytest.mark.clause("R2.6", "R4.7")
async def test_a_shutdown_answers_what_was_begun_closes_with_1001_and_ends_within_10_seconds(database: str) -> None:
    heard: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    enough = Event()
    with launched_server(database, rate_limit=0) as server:
        server.wait_until_healthy()
        bystander = ("Authorization", f"Bearer {server.token(new_id(), 'client')}")
        async with People(server) as people, by_hand(server.ws_url, headers=[bystander]):  # it never answers a close
            owner, vet, conversation = await people.consultation()
            async with create_task_group() as group:
                group.start_soon(talk, owner, conversation)
                group.start_soon(listen, owner, heard[0], Event(), 0)
                group.start_soon(listen, vet, heard[1], enough, 100)
                await enough.wait()
                server.process.send_signal(signal.SIGTERM)
                assert await to_thread.run_sync(server.wait_for_exit, 10) in (0, -signal.SIGTERM)
            assert [peer.socket.close_code for peer in (owner, vet)] == [1001, 1001]
            assert server.tracebacks == []
    with running_server(database, rate_limit=0) as server:
        async with People(server) as people:
            owner = await people.client(owner.user_id)
            stored = [message["id"] for message in await whole_history(owner, conversation)]
            assert stored == list(heard[0]), "what is stored was answered, and what was answered is stored"
            assert set(heard[1]) == set(stored)


@pytest.mark.clause("R6.3")
async def test_a_second_server_on_the_same_database_refuses_to_start_and_says_why(
    server: ServerProcess, people: People
) -> None:
    with launched_server(server.database) as second:
        assert second.wait_for_exit() != 0
        assert second.tracebacks == []
        assert "database" in second.log.lower()
        assert "already" in second.log.lower() or "another" in second.log.lower()
    owner = await people.client()
    await owner.say((await owner.create())["id"])


# -- failing databases -------------------------------------------------------------------------------------------------


@contextmanager
def full_disk(server: ServerProcess) -> Generator[None]:
    """No write reaches the server's database: SQLite may not write files, PostgreSQL says that its disk is full."""
    if server.database.startswith("sqlite"):
        limits = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (512, limits[1]))
        yield
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)
        return
    run_sql(
        server.database,
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file: no space left on device' USING ERRCODE = 'disk_full'; END $$
        """,
        """
        DO $$ DECLARE name regclass; BEGIN
        FOR name IN SELECT relid FROM pg_stat_user_tables LOOP EXECUTE format(
        'CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON %s EXECUTE FUNCTION refuse()', name);
        END LOOP; END $$
        """,
    )
    yield
    run_sql(server.database, "DROP FUNCTION refuse() CASCADE")


@pytest.mark.clause("R6.3", "R4.7", "R6.2", "S6.1")
async def test_a_full_database_is_an_error_to_the_sender_with_nothing_half_done(database: str) -> None:
    with running_server(database, rate_limit=0) as server:
        async with People(server) as people:
            owner, vet, conversation = await people.consultation()
            await owner.say(conversation, "Before.")
            await vet.expect("message_sent")
            await vet.unsubscribe(conversation)
            await owner.expect("user_left")
            with full_disk(server):
                for _ in range(3):
                    message = {"conversation_id": conversation, "content": "Xylophone."}
                    creation = {"pet_id": new_id(), "providers": [vet.user_id]}
                    await vet.refused("message", message)
                    await owner.refused("new_conversation", creation)
                    why = await owner.refused("message", message)
                    assert not [word for word in ("disk", "sql", "refuse", "trigger", "i/o") if word in why.lower()]
                await owner.expect_silence()  # the vet's return was not announced, for it did not happen
                await vet.expect_silence()
            await owner.say(conversation, "After.")
            await vet.expect_silence()
            assert [entry["id"] for entry in await owner.conversations()] == [conversation]
            assert await vet.contents(conversation) == ["Before.", "After."]
        assert "Xylophone" not in server.log
        assert server.tracebacks == []


@pytest.mark.clause("R6.3", "R6.2")
async def test_a_history_that_cannot_be_read_is_an_error_and_subscribes_nobody() -> None:
    with postgres_database() as database, running_server(database, rate_limit=0) as server:
        async with People(server) as people:
            owner, vet, conversation = await people.consultation()
            await vet.unsubscribe(conversation)
            await owner.expect("user_left")
            rename = """
                DO $$ DECLARE name text; BEGIN
                FOR name IN SELECT relname FROM pg_stat_user_tables LOOP
                EXECUTE format('ALTER TABLE %I RENAME TO %I', name, {new_name}); END LOOP; END $$
                """
            run_sql(database, rename.format(new_name="'lost_' || name"))
            why = await vet.refused("conversation_history", {"conversation_id": conversation})
            assert not [word for word in ("relation", "exist", "lost", "table", "sql") if word in why.lower()]
            run_sql(database, rename.format(new_name="substr(name, 6)"))
            await owner.say(conversation, "Can you hear me?")
            await vet.expect_silence()
            assert await vet.contents(conversation) == ["Can you hear me?"]
            await owner.expect("user_joined")


@pytest.mark.clause("R4.7", "R6.3", "R4.9")
async def test_broken_database_connections_lose_nothing_and_double_nothing() -> None:
    with postgres_database() as database, running_server(database, rate_limit=0) as server:
        async with People(server) as people:
            writer = Persistent(people)
            await writer.begin()
            with fail_after(60):
                async with create_task_group() as group:
                    group.start_soon(writer.write)
                    for number in range(8):
                        await writer.until_sent(20 * (number + 1))
                        await to_thread.run_sync(run_sql, database, BREAK_CONNECTIONS)
                    await writer.until_sent(len(writer.sent) + 20)
                    writer.done = True
            stored = [message["content"] for message in await whole_history(writer.peer, writer.conversation)]
            assert len(set(stored)) == len(stored)
            assert set(writer.sent) <= set(stored)
            assert not set(writer.failed) & set(stored)
            assert stored[-1] == writer.sent[-1]
        assert "A message." not in server.log
        assert server.tracebacks == []


BREAK_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Persistent:
    """An owner who writes one message after the other, each a new one, and notes what each was answered with."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.user_id = new_id()
        self.sent: list[str] = []
        self.failed: list[str] = []
        self.done = False
        self.progress = Event()

    async def begin(self) -> None:
        self.peer = await self.people.client(self.user_id)
        self.conversation = (await self.peer.create())["id"]

    async def write(self) -> None:
        while not self.done:
            content = f"A message. {new_id()}"
            try:
                await self.peer.send("message", {"conversation_id": self.conversation, "content": content})
                answer = await self.peer.receive(within=20)
            except (ConnectionClosed, AssertionError):
                assert self.peer.socket.close_code == 1013, "R4.7: an unknown outcome closes with 1013"
                await self.come_back()
            else:
                (self.sent if answer.event == "message_sent" else self.failed).append(content)
                self.progress.set()
                self.progress = Event()

    async def come_back(self) -> None:
        while True:
            with suppress(Refused):
                self.peer = await self.people.client(self.user_id)
                return
            await sleep(0.05)

    async def until_sent(self, number: int) -> None:
        while len(self.sent) < number:
            await self.progress.wait()
