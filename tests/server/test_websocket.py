"""The socket's own side: how a peer is read, and what that costs."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from vetchat_server.websocket import Inbox, WebSocketProtocol

from tests.server.serving import LocalServer, serving

pytestmark = pytest.mark.anyio


@dataclass
class Reading:
    """Whether a peer was still read after each of its frames."""

    stopped: list[bool] = field(default_factory=list[bool])


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    noted, hand_on = Reading(), WebSocketProtocol.send_receive_event_to_app

    def note(protocol: WebSocketProtocol) -> None:
        hand_on(protocol)
        noted.stopped.append(protocol.read_paused)

    monkeypatch.setattr(WebSocketProtocol, "send_receive_event_to_app", note)
    return noted


@pytest.fixture
def local(reading: Reading) -> Iterator[LocalServer]:
    with serving() as local:
        yield local


async def test_a_peer_that_waits_for_its_answers_is_read_without_a_stop(local: LocalServer, reading: Reading) -> None:
    async with await local.connect() as peer:
        for _ in range(20):
            assert await peer.conversations() == []
    assert reading.stopped == [False] * 20


@pytest.mark.clause("R2.7")
async def test_a_peer_that_does_not_wait_is_not_read_while_its_frames_do(local: LocalServer, reading: Reading) -> None:
    async with await local.connect() as peer:
        for _ in range(150):
            await peer.send("conversations", {})
        for _ in range(150):
            assert await peer.expect("conversations") == []
    assert True in reading.stopped


async def test_cancelling_whoever_waits_for_a_message_loses_none() -> None:
    inbox = Inbox(asyncio.get_running_loop())
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put_nowait("first")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    inbox.put_nowait("second")
    assert [await inbox.get(), await inbox.get()] == ["first", "second"]
    assert inbox.empty()
