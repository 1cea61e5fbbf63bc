"""What uvicorn lacks in a WebSocket: never stuck on a peer that does not read, and cheap while it does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import GeneratorType
from typing import Any, Final, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from vetchat_protocol.codec import SUBPROTOCOL
from vetchat_protocol.errors import NO_PONG
from websockets.frames import apply_mask  # pyright: ignore[reportPrivateImportUsage]
from websockets.http11 import Request
from websockets.protocol import State
from websockets.streams import StreamReader

CLOSE_TIMEOUT: Final = 2.0
"""How long a closed connection may take to say goodbye before it is aborted, in seconds (V5.4)."""

BREATH: Final = 0.5
"""How long to wait after each piece of what a peer still sends to a connection that was closed, in seconds."""

DIRECT: Final = "vetchat.direct"
"""The ASGI extension under which our own server offers itself: past ASGI, frames go in and out without detours."""


_AT_EOF: Final = StreamReader.at_eof.__code__
"""Where the parser of websockets waits for the first byte of a frame."""


class Inbox:
    """What came from a peer and was not taken yet: as much of an `asyncio.Queue` as uvicorn uses, for one reader."""

    __slots__ = ("_loop", "_reader", "messages")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.messages: deque[Any] = deque()
        self._reader: asyncio.Future[None] | None = None

    def empty(self) -> bool:
        return not self.messages

    def put_nowait(self, message: Any) -> None:
        self.messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> Any:
        """The next message; cancelling loses none."""
        while not self.messages:
            self._reader = self._loop.create_future()
            await self._reader
        return self.messages.popleft()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Never waits for ever on a peer that does not read: its close cannot be held up, and what lingers is aborted.

    If it is `direct`, it offers itself to the application, which may then read and write past ASGI: it is called when
    something has come, and takes it without waiting.
    """

    __slots__ = ("_arrived", "_between", "_direct", "_inbox", "subprotocol")  # beside the many in uvicorn's dict

    def __init__(self, *args: Any, direct: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.subprotocol: str | None = None
        self._direct = direct
        self._inbox = Inbox(self.loop)
        self._between = False  # as `_between_messages` said when the parser had last read something
        self._arrived: Callable[[], None] | None = None
        self.queue = cast("asyncio.Queue[Any]", self._inbox)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self._direct and self.handshake_initiated and not self.close_sent:
            cast("dict[str, dict[str, object]]", self.scope)["extensions"][DIRECT] = self

    def data_received(self, data: bytes) -> None:
        """Takes what the peer sends; after our close slowly, so that one that only talks gets to listen (V5.4)."""
        text = self._whole_text(data)
        if text is None:
            super().data_received(data)
            self._between = self._between_messages()
            if self.close_sent and not self.transport.is_closing():
                self.transport.pause_reading()
                self.loop.call_later(BREATH, self._read_on)
        else:
            self._hand_on({"type": "websocket.receive", "text": text})
        if self._arrived is not None:
            self._arrived()

    def _whole_text(self, data: bytes) -> str | None:
        """The text, if the data is exactly one frame with a whole text message (RFC 6455, section 5.2), as most is.

        Everything else is left to the parser of websockets: what is split, joined, long, of another kind, or wrong.
        """
        if not self._between or self.close_sent or len(data) < 6 or data[0] != 0x81 or not 0x80 <= data[1] <= 0xFE:
            return None
        size, start = data[1] & 0x7F, 6
        if size == 126:
            size, start = int.from_bytes(data[2:4]), 8
        if len(data) != start + size or size > self.config.ws_max_size:
            return None
        try:
            return str(apply_mask(data[start:], data[start - 4 : start]), "utf-8")
        except UnicodeDecodeError:
            return None

    def _between_messages(self) -> bool:
        """Whether the parser has nothing left of what came, and what comes next begins a message."""
        place: object = self.conn.parser
        while isinstance(place, GeneratorType) and place.gi_yieldfrom is not None:
            place = place.gi_yieldfrom
        waiting = isinstance(place, GeneratorType) and place.gi_code is _AT_EOF
        return waiting and self.conn.current_size is None and self.conn.state is State.OPEN

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._arrived is not None:
            self._arrived()

    def send_receive_event_to_app(self) -> None:
        """Hands a message on; reading stops only while another one waits. To stop at each, as uvicorn does, is dear."""
        first, paused = not self._inbox.messages, self.read_paused
        self.read_paused = paused or first
        super().send_receive_event_to_app()
        if first:
            self.read_paused = paused

    def _hand_on(self, message: dict[str, object]) -> None:
        """The same for a message that did not come through the parser."""
        if self._inbox.messages and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
        self._inbox.put_nowait(message)

    def listen(self, arrived: Callable[[], None]) -> None:
        """Calls `arrived`, from now on, when something may be taken; it must not fail."""
        self._arrived = arrived

    def take(self) -> Any:
        """The next ASGI message, None while there is none."""
        messages = self._inbox.messages
        if not messages:
            return None
        message = messages.popleft()
        if self.read_paused and not messages:
            self.read_paused = False
            self.transport.resume_reading()
        return message

    def write_text(self, payload: bytes) -> bool:
        """Writes one text frame (RFC 6455, section 5.2) that many peers may get; False when it has to wait its turn."""
        if not self.writable.is_set() or self.close_sent or self.disconnected or self.conn.extensions:
            return False
        size = len(payload)
        if size < 126:
            header = bytes((0x81, size))
        elif size < 65_536:
            header = b"\x81\x7e" + size.to_bytes(2)
        else:
            header = b"\x81\x7f" + size.to_bytes(8)
        self.transport.write(header + payload)
        return True

    async def send(self, message: Any) -> None:
        """Sends an ASGI message; a close does not wait for room in the socket's buffer, which a stuck peer denies.

        Raises:
            ClientDisconnected: the connection has been closed already, by the peer or for what the peer did.
        """
        closing = message["type"] == "websocket.close"
        if self.close_sent:
            if closing:
                return
            raise ClientDisconnected
        if closing:
            self.writable.set()
        elif message["type"] == "websocket.accept":
            self.subprotocol = message.get("subprotocol")
        await super().send(message)
        if self.handshake_complete and hasattr(self, "request"):
            del self.request, self.response  # their headers would be kept for as long as the connection lasts
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # refused, which uvicorn would report as an application's mistake
        if closing and self.close_timer is not None:
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """No pong came: says so with the code of the dialect (V5.2), and aborts if even that cannot be written."""
        self.pong_timer = None
        self.pending_ping_payload = None
        if self.close_sent or self.transport.is_closing():
            return
        code = NO_PONG.code if self.subprotocol == SUBPROTOCOL else NO_PONG.base_code
        self.conn.fail(code, NO_PONG.reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
        self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)
