"""An accepted WebSocket as a connection sees it: through ASGI on any server, past it on our own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .connection import Disconnected
from .websocket import WebSocketProtocol

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class AsgiSocket:
    """A WebSocket of any ASGI server; somebody must run `read` as long as it is served."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._message: Any = None
        self._taken = asyncio.Event()
        self._arrived: Callable[[], None] | None = None

    async def read(self) -> None:
        """Reads on whenever the last message was taken, until the peer is gone."""
        message: Any = None
        while message is None or message["type"] == "websocket.receive":
            message = self._message = await self._receive()
            self._taken.clear()
            if self._arrived is not None:
                self._arrived()
            await self._taken.wait()

    def listen(self, arrived: Callable[[], None]) -> None:
        """Calls `arrived`, from now on, whenever something has come."""
        self._arrived = arrived

    def take(self) -> str | bytes | None:
        """The next message that came, None while there is none.

        Raises:
            Disconnected: the peer is gone.
        """
        message, self._message = self._message, None
        self._taken.set()
        return None if message is None else _content(message)

    def write(self, payload: bytes) -> bool:
        """ASGI does not say whether the peer keeps up."""
        return False

    async def send(self, payload: bytes) -> None:
        """Sends a text frame, waiting for the peer to read.

        Raises:
            Disconnected: the peer is gone.
        """
        await _send(self._send, payload)


class DirectSocket:
    """A WebSocket of our own server, which is asked and told past ASGI as long as the peer keeps up."""

    __slots__ = ("_protocol", "listen", "write")

    def __init__(self, protocol: WebSocketProtocol) -> None:
        self._protocol = protocol
        self.listen = protocol.listen
        self.write = protocol.write_text

    def take(self) -> str | bytes | None:
        """The next message that came, None while there is none.

        Raises:
            Disconnected: the peer is gone.
        """
        message = self._protocol.take()
        return None if message is None else _content(message)

    async def send(self, payload: bytes) -> None:
        """Sends a text frame, waiting for the peer to read.

        Raises:
            Disconnected: the peer is gone.
        """
        await _send(self._protocol.send, payload)


def _content(message: Any) -> str | bytes:
    if message["type"] != "websocket.receive":
        raise Disconnected
    text: str | None = message.get("text")
    return message["bytes"] if text is None else text


async def _send(send: Send, payload: bytes) -> None:
    try:
        await send({"type": "websocket.send", "text": payload.decode()})
    except (OSError, RuntimeError) as error:  # uvicorn's after it closed by itself
        raise Disconnected from error
