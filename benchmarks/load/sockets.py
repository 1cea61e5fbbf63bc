"""WebSocket connections by picows, behind a typed face: the only module that knows the library."""

# The generator's own environment has picows; the project's, in which types are checked, has not.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Protocol

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

TEXT = WSMsgType.TEXT
SMALL_BUFFER = 4_096


class Listener(Protocol):
    """Whom a connection reports to."""

    def received(self, payload: bytes) -> None:
        """A text frame came."""
        ...

    def closed(self, code: int) -> None:
        """The connection is over; `code` is the server's close code, 0 without one."""
        ...


class Socket(WSListener):
    """One connection."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._received = listener.received
        self._transport: WSTransport
        self._code = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == TEXT:
            self._received(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            self._code = int(getattr(frame.get_close_code(), "value", frame.get_close_code()))
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._listener.closed(self._code)

    def send(self, payload: bytes) -> None:
        """Sends a text frame."""
        self._transport.send(TEXT, payload)

    def stop_reading(self) -> None:
        """Takes nothing off the wire any more."""
        self._transport.underlying_transport.pause_reading()

    async def close(self) -> None:
        """Ends the connection with a close frame; returns when it is over."""
        if not self._transport.is_disconnected:
            self._transport.send_close()
            self._transport.disconnect()
            await self._transport.wait_disconnected()


async def connect(url: str, listener: Listener, headers: Mapping[str, str], *, small: bool = False) -> Socket:
    """Opens a connection; a small one has a tiny receive buffer.

    Raises:
        OSError: nobody listens there.
        ConnectionError: the server refused the upgrade.
    """
    try:
        _, opened = await ws_connect(
            lambda: Socket(listener),
            url,
            extra_headers=dict(headers),
            max_frame_size=16 * 1024 * 1024,
            websocket_handshake_timeout=60,
            socket_factory=_small if small else None,
        )
    except OSError:
        raise
    except Exception as refusal:
        raise ConnectionError(f"the server refused the upgrade: {type(refusal).__name__}: {refusal}") from refusal
    assert isinstance(opened, Socket)
    return opened


def _small(_url: object) -> socket.socket:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    one.setblocking(False)
    return one
