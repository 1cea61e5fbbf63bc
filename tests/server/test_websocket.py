"""The socket's own side: how a peer is read, and what that costs."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest
from uvicorn.server import ServerState
from vetchat_protocol.models import Role
from vetchat_server import asgi
from vetchat_server.websocket import Inbox, WebSocketProtocol
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

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


class Written:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 131_072])
async def test_a_frame_of_any_size_is_written_as_rfc_6455_says(size: int) -> None:
    config = asgi.configure(object(), frame_bytes=131_072, heartbeat_interval=25, handshake_timeout=10)
    config.load()
    protocol = WebSocketProtocol(config, ServerState(), {}, direct=True)
    written = Written()
    protocol.transport = cast("asyncio.Transport", written)
    assert protocol.write_text(b"x" * size)
    reader = StreamReader()
    reader.feed_data(written.data)
    with pytest.raises(StopIteration) as end:
        next(Frame.parse(reader.read_exact, mask=False))
    assert end.value.value == Frame(Opcode.TEXT, b"x" * size)
    assert reader.buffer == b""


@pytest.mark.parametrize("direct", [True, False])
async def test_what_is_said_is_the_same_past_asgi_and_through_it(direct: bool) -> None:
    with serving(direct=direct) as local:
        async with await local.connect(Role.PROVIDER) as vet, await local.connect() as owner:
            conversation = await owner.create(vet.user_id)
            await vet.expect("new_conversation_invitation")
            long = "ä" * 8_000
            for text in ("Rex is limping.", long):
                said = await owner.say(conversation["id"], text)
                assert await vet.expect("message_sent") == said
            assert await vet.contents(conversation["id"]) == ["Rex is limping.", long]
