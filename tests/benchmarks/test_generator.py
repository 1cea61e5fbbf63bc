"""The load generator counts what really happens: on a real server, and on servers that lie. Nothing is timed."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from anyio import fail_after
from websockets.asyncio.server import ServerConnection, serve

from benchmarks import environment, seeding
from benchmarks.contenders import VETCHAT
from benchmarks.load.plan import Load, Reading, Result, Resuming, Storm, Target, Traffic, Wire, to_json
from tests.conformance.peer import new_id
from tests.running import ServerProcess, running_server

pytestmark = pytest.mark.anyio

PATIENCE = 60.0
ROOT = Path(__file__).parents[2]
CLOSED = Traffic(conversations=5, members=3, in_flight=5, warmup=0.1, seconds=0.4, patience=1)


@pytest.fixture(scope="session", autouse=True)
def generator() -> None:
    """The environment in which the generator runs."""
    environment.make()


async def generate(target: Target, load: Load) -> Result:
    """What the generator, in a process of its own, makes of a load."""
    process = await asyncio.create_subprocess_exec(
        environment.PYTHON,
        *("-m", "benchmarks.load"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        with fail_after(PATIENCE):
            said, complaint = await process.communicate(to_json(target, load).encode() + b"\n")
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, complaint.decode()
    return Result(**json.loads(said))


def target(server: ServerProcess, wire: Wire = "json") -> Target:
    return Target(url=f"ws://127.0.0.1:{server.port}", pid=server.pid, wire=wire)


def stored(server: ServerProcess) -> int:
    """How many messages the server has in its database."""
    return seeding.count(server.database, VETCHAT.count)


# -- a real server -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "load",
    [
        CLOSED,
        Traffic(conversations=5, rate=100, warmup=0.1, seconds=0.4),
        Traffic(conversations=5, in_flight=5, hostile=True, stalled=1, idle=3, warmup=0.1, seconds=0.4),
    ],
    ids=["a closed loop", "an open loop", "among hostile peers"],
)
async def test_on_a_real_server_every_message_arrives_everywhere_and_is_stored(
    load: Traffic, open_server: ServerProcess
) -> None:
    before = stored(open_server)
    result = await generate(target(open_server), load)
    assert result.faults == []
    assert 0 < result.stored == stored(open_server) - before


@pytest.mark.parametrize("load", [replace(CLOSED, says="relay"), replace(CLOSED, says="echo")], ids=["typing", "ping"])
async def test_on_a_real_server_what_is_not_stored_is_counted_too(load: Traffic, open_server: ServerProcess) -> None:
    result = await generate(target(open_server, "v1"), load)
    assert result.faults == []
    assert result.figures["messages_per_s"] > 0


async def test_everybody_who_comes_back_in_a_storm_is_announced_once(open_server: ServerProcess) -> None:
    result = await generate(target(open_server), Storm(conversations=20))
    assert result.faults == []


async def test_a_database_filled_by_sql_reads_like_any_other(database: str) -> None:
    epoch = await asyncio.to_thread(seeding.seed, database, 1_000, 5)
    with running_server(database, secret=None, rate_limit=0) as server:
        read = await generate(target(server), Reading(messages=1_000, askers=2, seconds=0.6))
        # The first conversation's 500 messages follow the five starts, then come the others'.
        resumed = await generate(target(server, "v1"), Resuming(epoch=epoch, frames=1_000, seconds=0.1, since=5))
    assert (read.faults, resumed.faults) == ([], [])


# -- servers that lie --------------------------------------------------------------------------------------------------


class Liar:
    """A chat that keeps nothing and, at every tenth message, does what it should not."""

    def __init__(self, lie: str) -> None:
        self._lie = lie
        self._members: dict[str, ServerConnection] = {}
        self._rooms: dict[str, list[ServerConnection]] = {}
        self._messages = count(1)

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        user_id = parse_qs(urlsplit(connection.request.path).query)["user_id"][0]
        self._members[user_id] = connection
        async for text in connection:
            frame = json.loads(text)
            if frame["event"] == "new_conversation":
                await self._open(connection, frame["params"]["providers"])
            else:
                await self._publish(connection, frame["params"])

    async def _open(self, owner: ServerConnection, providers: list[str]) -> None:
        vets = [self._members[user_id] for user_id in providers]
        name = new_id()
        self._rooms[name] = [owner, *vets]
        await tell("conversation_created", {"id": name}, owner)
        await tell("new_conversation_invitation", {"id": name}, *vets)

    async def _publish(self, author: ServerConnection, message: dict[str, str]) -> None:
        members = self._rooms[message["conversation_id"]]
        match self._lie if next(self._messages) % 10 == 0 else "nothing":
            case "loses one":
                await tell("message_sent", message, *members[:-1])
            case "doubles one":
                await tell("message_sent", message, *members, members[-1])
            case "refuses":
                await tell("error", {"message": "No."}, author)
            case "hangs up":
                await members[-1].close(1011)
            case _:
                await tell("message_sent", message, *members)


async def tell(event: str, params: dict[str, str], *connections: ServerConnection) -> None:
    for connection in connections:
        await connection.send(json.dumps({"event": event, "params": params}))


@asynccontextmanager
async def lying(lie: str) -> AsyncGenerator[Target]:
    async with serve(Liar(lie).serve, "127.0.0.1", 0, compression=None) as server:
        yield Target(url=f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", pid=os.getpid())


@pytest.mark.parametrize(
    ("lie", "fault"),
    [
        ("loses one", "never came"),
        ("doubles one", "came after message"),
        ("refuses", "answered with an error: No."),
        ("hangs up", "closed a connection (code 1011)"),
    ],
)
async def test_a_server_that_lies_voids_the_run(lie: str, fault: str) -> None:
    async with lying(lie) as liar:
        result = await generate(liar, CLOSED)
    assert any(fault in one for one in result.faults), result.faults


async def test_a_server_that_does_not_lie_does_not_void_it() -> None:
    async with lying("nothing") as honest:
        result = await generate(honest, CLOSED)
    assert result.faults == []


def test_the_lock_pins_what_is_asked_for_with_hashes_and_without_addresses() -> None:
    asked = environment.LOCK.with_suffix(".in").read_text(encoding="utf-8")
    lock = environment.LOCK.read_text(encoding="utf-8")
    for line in asked.splitlines():
        if line and not line.startswith("#"):
            name = line.partition(">")[0]
            assert f"\n{name}==" in lock, name
    assert lock.count("--hash=sha256:") > lock.count("==")
    assert "://" not in lock
