"""What becomes of a connection and of a message when the line fails at some moment; the docs have the table."""

import re
from pathlib import Path

import pytest
from anyio import create_task_group, fail_after
from vetchat_client import Chat, connect

from tests.client.proxy import Direction, Fault, Part, Point, Proxy
from tests.conformance.peer import new_id
from tests.running import ServerProcess

PAGE = Path(__file__).parents[2] / "docs" / "client" / "reconnecting.md"

MOMENTS: dict[str, tuple[Direction, Part]] = {
    "the handshake's request": ("up", "handshake"),
    "the handshake's response": ("down", "handshake"),
    "`hello`": ("up", "frames"),
    "`welcome`": ("down", "frames"),
    "the message": ("up", "frames"),
    "its answer": ("down", "frames"),
}
"""Where the fault strikes; the last two while a message is sent over a connection that is there."""

FAULTS: tuple[Fault, ...] = ("cut", "stall", "half-open", "split")

ATTEMPT: dict[Fault, float] = {"cut": 15.0, "stall": 1.0, "half-open": 1.0, "split": 15.0}
"""How long an attempt to connect may take, in s: little where only that ends it, plenty where nothing should."""

BYTES = (0, 1, 7, 39)
"""How much of it passes before; each of the six is longer than that."""


def promised() -> dict[tuple[str, Fault], str]:
    """The table of the page: moment and fault to outcome."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    header, *rest = next(rows[start:] for start, row in enumerate(rows) if row[1:] == list(FAULTS))
    moments = {row[0]: row[1:] for row in rest if len(row) == len(header) and row[0] in MOMENTS}
    return {(moment, fault): moments[moment][index] for moment in MOMENTS for index, fault in enumerate(FAULTS)}


async def outcome(port: int, fault: Fault, moment: str, byte: int) -> str:
    """Lets a fault strike, and says what the program at this end notices."""
    direction, part = MOMENTS[moment]
    point = Point(direction, part, byte)
    async with Proxy.before(port) as proxy:
        if moment in ("the message", "its answer"):
            return await _while_sending(proxy, fault, point)
        proxy.arm(fault, point)
        async with connect(proxy.url, attempt_timeout=ATTEMPT[fault]) as chat:
            await proxy.struck.wait()
            assert len(await _contents(chat, await _sent(chat, "Hello."))) == 1
            return "connects" if proxy.connections == 1 else "connects again"


async def _while_sending(proxy: Proxy, fault: Fault, point: Point) -> str:
    async with connect(proxy.url, attempt_timeout=ATTEMPT[fault]) as chat:
        conversation = await chat.create_conversation(new_id())
        proxy.arm(fault, point)
        message = await chat.send(conversation.id, "Rex has eaten a sock.")
        assert proxy.struck.is_set()
        assert await _contents(chat, conversation.id) == [message.content]
        if proxy.connections == 1:
            return "stored once"
        return "stored once, recognised" if message.duplicate else "stored once, sent again"


async def _sent(chat: Chat, content: str) -> str:
    conversation = await chat.create_conversation(new_id())
    await chat.send(conversation.id, content)
    return conversation.id


async def _contents(chat: Chat, conversation_id: str) -> list[str]:
    history = await chat.history(conversation_id, limit=100)
    return [message.content for message in history.messages]


@pytest.mark.clause("V2.2", "V3.3", "V5.1", "R4.9")
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_at_each_moment_ends_as_the_page_says(fault: Fault, hasty_server: ServerProcess) -> None:
    seen: dict[tuple[str, int], str] = {}

    async def try_out(moment: str, byte: int) -> None:
        seen[moment, byte] = await outcome(hasty_server.port, fault, moment, byte)

    with fail_after(60):
        async with create_task_group() as tasks:
            for moment in MOMENTS:
                for byte in BYTES:
                    tasks.start_soon(try_out, moment, byte)
    expected = promised()
    assert seen == {(moment, byte): expected[moment, fault] for moment in MOMENTS for byte in BYTES}


@pytest.mark.soak
@pytest.mark.clause("V2.2")
async def test_a_cut_at_any_byte_of_a_message_or_of_its_answer_stores_it_once(hasty_server: ServerProcess) -> None:
    for byte in range(200):
        for moment in ("the message", "its answer"):
            with fail_after(30):
                assert await outcome(hasty_server.port, "cut", moment, byte) == promised()[moment, "cut"]


def test_the_page_shows_every_fault_and_every_moment() -> None:
    assert re.search(r"stored once", PAGE.read_text(encoding="utf-8"))
    assert len(promised()) == len(MOMENTS) * len(FAULTS)
