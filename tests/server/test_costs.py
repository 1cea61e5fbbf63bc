"""What a message costs, in counts that a busy machine cannot falsify; time is measured by benchmarks/."""

import asyncio
import gc
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from vetchat_server import MemoryStore
from vetchat_server.backends.tortoise import TortoiseStore

from tests.conformance.peer import new_id
from tests.databases import sqlite_url
from tests.server.stage import V1, Stage, Wire, staged

pytestmark = pytest.mark.anyio


@pytest.fixture
async def memory() -> AsyncIterator[Stage]:
    async with staged(MemoryStore()) as stage:
        yield stage


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that SQLite runs from here on, once for each row."""
    seen: list[str] = []
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(seen.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    return seen


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(TortoiseStore(sqlite_url(tmp_path))) as stage:
        yield stage


def verbs(statements: list[str]) -> list[str]:
    """The first words."""
    return [statement.split(maxsplit=1)[0].upper() for statement in statements]


# -- statements and commits --------------------------------------------------------------------------------------------


async def test_a_message_asks_the_database_nothing_outside_its_commit(statements: list[str], sqlite: Stage) -> None:
    conversation, owner, _ = await sqlite.consultation()
    statements.clear()
    owner.say("message", conversation_id=conversation, content="Rex will not eat.")
    await owner.until(1)
    seen = verbs(statements)
    assert (seen[0], seen[-1], seen.count("COMMIT")) == ("BEGIN", "COMMIT", 1)
    assert len(seen) <= 9


async def test_a_commit_asks_nothing_about_a_conversation_of_the_one_before(
    statements: list[str], sqlite: Stage
) -> None:
    conversation, owner, _ = await sqlite.consultation()
    owner.say("message", conversation_id=conversation, content="Rex will not eat.")
    await owner.until(1)
    statements.clear()
    owner.clear()
    owner.say("message", conversation_id=conversation, content="Now he does.")
    await owner.until(1)
    assert "SELECT" not in verbs(statements)


async def test_messages_that_wait_together_are_one_commit_with_one_update_a_sender(
    statements: list[str], sqlite: Stage
) -> None:
    conversation, owner, vets = await sqlite.consultation(vets=49)
    statements.clear()
    for wire in (owner, *vets):
        wire.say("message", times=2, conversation_id=conversation, content="All at once.")
    await owner.until(100)
    seen = verbs(statements)
    assert seen.count("COMMIT") == 2, "a sender's next message waits for the one before"
    assert seen.count("INSERT") == 100
    assert sum("UPDATE participants" in statement for statement in statements) == 100
    assert seen.count("UPDATE") == 2 + 100, "the head of the log, and the senders"


async def test_coming_in_takes_as_many_statements_with_many_conversations_as_with_one(
    statements: list[str], sqlite: Stage
) -> None:
    costs: list[int] = []
    vet = new_id()
    statements.clear()
    await sqlite.enter("provider", vet)
    assert len(statements) <= 4
    for conversations in (1, 20):
        for _ in range(conversations):
            owner = await sqlite.enter("client", new_id())
            owner.say("new_conversation", pet_id=new_id(), providers=[vet])
            await owner.until(1)
        statements.clear()
        await sqlite.enter("provider", vet)
        costs.append(len(statements))
    assert costs == [1, 1], "and who has been here before writes nothing"


# -- frames ------------------------------------------------------------------------------------------------------------


async def test_a_message_is_encoded_once_a_dialect_however_many_get_it(memory: Stage) -> None:
    vets = [new_id() for _ in range(20)]
    base = [await memory.enter("provider", vet) for vet in vets]
    v1 = [await memory.enter("provider", vet, V1) for vet in vets]
    owner = await memory.enter("client", new_id())
    owner.say("new_conversation", pet_id=new_id(), providers=vets)
    await owner.until(1)
    conversation = json.loads(owner.frames[0])["params"]["id"]
    for wire in (owner, *base, *v1):
        wire.clear()
    owner.say("message", conversation_id=conversation, content="Hello, everybody.")
    await owner.until(1)
    frames = [wire.frames[-1] for wire in (owner, *base, *v1)]
    assert len(frames) == 41
    assert len({id(frame) for frame in frames}) == 2


# -- wake-ups ----------------------------------------------------------------------------------------------------------


@contextmanager
def wakeups() -> Generator[Counter[str]]:
    """Counts what is put on the event loop's agenda, by its name."""
    seen: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    call_soon = loop.call_soon

    def counting(callback: Any, *arguments: Any, **options: Any) -> asyncio.Handle:
        seen[getattr(callback, "__qualname__", type(callback).__name__)] += 1
        return call_soon(callback, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "call_soon", counting)
        yield seen


async def test_delivering_to_peers_that_keep_up_wakes_nobody(memory: Stage) -> None:
    woken: list[Counter[str]] = []
    for vets in (1, 100):
        conversation, owner, others = await memory.consultation(vets)
        with wakeups() as seen:
            owner.say("message", conversation_id=conversation, content="Hello, everybody.")
            await owner.until(1)
        assert [len(wire.frames) for wire in others] == [1] * vets
        woken.append(seen)
    assert woken[0].total() > 0
    assert woken[0] == woken[1]


async def test_a_command_wakes_no_task_of_its_own(memory: Stage) -> None:
    woken: list[Counter[str]] = []
    for vets in (1, 50):
        conversation, owner, others = await memory.consultation(vets)
        with wakeups() as seen:
            for wire in others:
                wire.say("message", conversation_id=conversation, content="How is Rex?")
            await owner.until(vets)
        woken.append(seen)
    assert woken[0].total() > 0
    assert woken[0] == woken[1], "one for the log, however many commands wait for it"


# -- memory ------------------------------------------------------------------------------------------------------------


async def talk(wires: Sequence[Wire], conversation: str, times: int) -> None:
    """Everybody says something so often, and hears all of it."""
    for _ in range(times):
        for wire in wires:
            wire.say("message", conversation_id=conversation, content="Rex will not eat.")
    for wire in wires:
        await wire.until(times * len(wires))
        wire.clear()


async def test_messages_leave_nothing_in_memory_and_nothing_to_the_garbage_collector(sqlite: Stage) -> None:
    conversation, owner, vets = await sqlite.consultation(vets=49)
    wires = (owner, *vets)
    await talk(wires, conversation, 22)  # the latest 1,000 are kept for those who resume
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        await talk(wires, conversation, 4)
        kept = sys.getallocatedblocks() - before
        garbage = gc.collect()
    finally:
        gc.enable()
    assert kept < 5 * 200  # numbers grow and tables are resized; a record that stays is more than five blocks
    assert garbage < 20
