"""The socket's own side: how a peer is read, and what that costs."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState
from vetchat_protocol.models import Role
from vetchat_protocol.session import Terms
from vetchat_server import asgi
from vetchat_server.websocket import Inbox, WebSocketProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.streams import StreamReader

from tests.server.serving import LocalServer, serving

pytestmark = pytest.mark.anyio


@dataclass
class Reading:
    """Whether a peer was still read after each of its messages, or several that came together."""

    stopped: list[bool] = field(default_factory=list[bool])


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    noted, receive = Reading(), WebSocketProtocol.data_received

    def note(protocol: WebSocketProtocol, data: bytes) -> None:
        receive(protocol, data)
        if data[0] & 0x0F == Opcode.TEXT:
            noted.stopped.append(protocol.read_paused)

    monkeypatch.setattr(WebSocketProtocol, "data_received", note)
    return noted


@pytest.fixture
def local(reading: Reading) -> Iterator[LocalServer]:
    with serving() as local:
        yield local


@pytest.fixture(params=[True, False], ids=["past ASGI", "through ASGI"])
def either(request: pytest.FixtureRequest) -> Iterator[LocalServer]:
    with serving(direct=request.param, terms=Terms(commands_per_second=0)) as local:
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
    """A transport that keeps what is written to it, and what is asked of it."""

    def __init__(self) -> None:
        self.data = b""
        self.reading = True
        self.closed = False

    def write(self, data: bytes) -> None:
        self.data += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed


def protocol() -> tuple[WebSocketProtocol, Written]:
    """A protocol that has not been shaken hands with, and what it writes."""
    config = asgi.configure(object(), frame_bytes=1_000, heartbeat_interval=25, handshake_timeout=10)
    config.load()
    made, written = WebSocketProtocol(config, ServerState(), {}, direct=True), Written()
    made.transport = cast("asyncio.Transport", written)
    return made, written


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 131_072])
async def test_a_frame_of_any_size_is_written_as_rfc_6455_says(size: int) -> None:
    writing, written = protocol()
    assert writing.write_text(b"x" * size)
    reader = StreamReader()
    reader.feed_data(written.data)
    with pytest.raises(StopIteration) as end:
        next(Frame.parse(reader.read_exact, mask=False))
    assert end.value.value == Frame(Opcode.TEXT, b"x" * size)
    assert reader.buffer == b""


async def test_what_is_said_is_the_same_past_asgi_and_through_it(either: LocalServer) -> None:
    async with await either.connect(Role.PROVIDER) as vet, await either.connect() as owner:
        conversation = await owner.create(vet.user_id)
        await vet.expect("new_conversation_invitation")
        long = "ä" * 8_000
        for text in ("Rex is limping.", long):
            said = await owner.say(conversation["id"], text)
            assert await vet.expect("message_sent") == said
        assert await vet.contents(conversation["id"]) == ["Rex is limping.", long]


@pytest.mark.clause("R2.6", "R5.7")
async def test_what_comes_together_is_answered_in_order_and_a_peer_that_goes_is_missed(either: LocalServer) -> None:
    async with await either.connect(Role.PROVIDER) as vet:
        async with await either.connect() as owner:
            conversation = await owner.create(vet.user_id)
            await vet.expect("new_conversation_invitation")
            contents = [str(number) for number in range(2_000)]
            for content in contents:
                await owner.send("message", {"conversation_id": conversation["id"], "content": content})
            for content in contents:
                assert (await owner.expect("message_sent"))["content"] == content
                assert (await vet.expect("message_sent"))["content"] == content
        assert (await vet.expect("user_left"))["reason"] == "disconnected"


# -- reading past the parser of websockets -----------------------------------------------------------------------------

UPGRADE = (
    b"GET /ws/ HTTP/1.1\r\nHost: vetchat\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(payload: bytes, first: int = 0x81, mask: bytes = b"Rex!", wide: int = 0) -> bytes:
    """A frame, its length written in at least so many extra bytes (RFC 6455, section 5.2); without a mask, if empty."""
    size, masked = len(payload), 0x80 if mask else 0
    extra = max(wide, 0 if size < 126 else 2)
    length = bytes((masked | {0: size, 2: 126, 8: 127}[extra],)) + (size.to_bytes(extra) if extra else b"")
    return bytes((first,)) + length + mask + bytes(byte ^ key for byte, key in zip(payload, cycle(mask or b"\0")))


TEXT, LAST = 0x01, 0x80
firsts = st.one_of(
    st.just(LAST | TEXT),
    st.sampled_from([0x80, 0x01, 0x00, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0x83]),  # other kinds, parts, and what is wrong
)
payloads = st.one_of(
    st.text(max_size=40).map(str.encode),
    st.binary(max_size=20),
    st.sampled_from([0, 1, 124, 125, 126, 127, 999, 1_000, 1_001]).map(lambda size: b"x" * size),
)
masks = st.sampled_from([b"Rex!", b"\0\0\0\0", b"\xff\x81\x01\x7f", b""])


@st.composite
def what_a_peer_sends(draw: st.DrawFn) -> list[bytes]:
    """Frames, most of them good, in the pieces in which the network brings them: whole, split, or joined."""
    pieces: list[bytes] = []
    for data in draw(st.lists(st.builds(frame, payloads, firsts, masks, st.sampled_from([0, 0, 0, 2, 8])))):
        cut = draw(st.one_of(st.just(0), st.integers(0, len(data))))
        joined = pieces.pop() if pieces and draw(st.booleans()) else b""
        pieces += [joined + data[:cut], data[cut:]]
    return [piece for piece in pieces if piece]


def heard(pieces: list[bytes], *, past: bool, closing: int = -1) -> tuple[list[object], bytes, bool, bool]:
    """What a protocol makes of what a peer sends: its messages, what it writes, and whether it closes and reads on.

    It begins to close by itself before the piece of that number.
    """

    def only_the_parser(_protocol: WebSocketProtocol, _data: bytes) -> None:
        return None

    async def listen() -> tuple[list[object], bytes, bool, bool]:
        reading, written = protocol()
        reading.conn.receive_data(UPGRADE)
        (request,) = reading.conn.events_received()
        reading.conn.send_response(reading.conn.accept(cast("Request", request)))
        reading.conn.data_to_send()
        reading.handshake_complete = True
        reading.data_received(frame(b"first"))  # the parser must have read something before it is passed by
        assert reading.take() == {"type": "websocket.receive", "text": "first"}
        for number, piece in enumerate(pieces):
            if number == closing and not written.closed:
                await reading.send({"type": "websocket.close"})
            if not written.closed:
                reading.data_received(piece)
        still = written.reading
        taken = list(iter(reading.take, None))
        return taken, written.data, written.closed, still

    with pytest.MonkeyPatch.context() as patch:
        if not past:
            patch.setattr(WebSocketProtocol, "_whole_text", only_the_parser)
        return asyncio.run(listen())


@pytest.mark.clause("R2.5", "R2.7")
@settings(max_examples=500, deadline=None)
@given(what_a_peer_sends(), st.integers(-1, 3))
@example([frame(b"Rex", TEXT), frame(b"Rex")], -1)
@example([frame(b"Rex")[:2], frame(b"Rex")], -1)
@example([frame(b"\xff"), frame(b"Rex")], -1)
@example([frame(b"\x03\xe8", 0x88), frame(b"Rex")], -1)
@example([frame(b"Rex", mask=b"") + b"more"], -1)
@example([frame(b"x" * 1_001)], -1)
@example([frame(b"x" * 1_000)] * 3, -1)
@example([frame(b"Rex")] * 3, 1)
def test_what_is_read_past_the_parser_is_what_the_parser_reads(pieces: list[bytes], closing: int) -> None:
    assert heard(pieces, past=True, closing=closing) == heard(pieces, past=False, closing=closing)


def test_a_whole_text_message_is_read_past_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the test above cannot tell, and an update of websockets could end."""
    asked: list[str | None] = []
    whole_text = WebSocketProtocol._whole_text  # pyright: ignore[reportPrivateUsage]

    def noting(reading: WebSocketProtocol, data: bytes) -> str | None:
        asked.append(whole_text(reading, data))
        return asked[-1]

    monkeypatch.setattr(WebSocketProtocol, "_whole_text", noting)
    texts = ["", "Rex", "ä" * 60, "x" * 900]
    heard([frame(text.encode()) for text in texts], past=True)
    assert asked == [None, *texts]
