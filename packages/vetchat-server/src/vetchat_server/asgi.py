"""What uvicorn lacks as a server: dropping slow handshakes, draining before it closes sockets."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .websocket import CLOSE_TIMEOUT, WebSocketProtocol

FORCE_AFTER = 1.0
"""A second signal counts only when it comes at least this many seconds after the first."""


class HttpProtocol(H11Protocol):
    """Drops whoever connects and does not send a whole request within `handshake_timeout` seconds (R2.7)."""

    def __init__(self, *args: Any, handshake_timeout: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._handshake_timeout = handshake_timeout

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._handshake = self.loop.call_later(self._handshake_timeout, self._drop)

    def connection_lost(self, exc: Exception | None) -> None:
        self._handshake.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._handshake.cancel()
        super().handle_websocket_upgrade(event)

    def _drop(self) -> None:
        if self.scope is None:  # pyright: ignore[reportUnnecessaryComparison]
            self.transport.abort()


class Server(uvicorn.Server):
    """Drains before it closes; a second signal, at least a second after the first, ends it at once."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain
        self._signalled: float | None = None
        self._draining: asyncio.Task[None] | None = None
        self.finished = asyncio.Event()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until a signal comes; `finished` is set when everything is closed, also after a failure."""
        self.servers: list[asyncio.Server] = []
        try:
            await super().serve(sockets)
        finally:
            for listening in self.servers:  # uvicorn leaves them open when it is cancelled
                listening.close()
            self.finished.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Takes SIGTERM and SIGINT."""
        now = time.monotonic()
        if self._signalled is None:
            self._signalled = now
        elif now - self._signalled >= FORCE_AFTER:
            self.force_exit = True
            if self._draining is not None:
                self._draining.get_loop().call_soon_threadsafe(self._draining.cancel)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains (V5.4), then lets uvicorn close what is left. The signal has done its work and is not raised again."""
        self._draining = asyncio.create_task(self._finish())
        await asyncio.wait([self._draining])
        await super().shutdown(sockets)
        self._captured_signals.clear()

    async def _finish(self) -> None:
        """Drains, then reads on until each peer has said goodbye or was aborted."""
        await self._drain()
        async with asyncio.timeout(CLOSE_TIMEOUT + 0.5):
            # uvicorn tells nobody when a protocol is gone
            while any(isinstance(one, WebSocketProtocol) for one in self.server_state.connections):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


class WithoutInvalidUtf8(logging.Filter):
    """uvicorn logs a traceback for invalid UTF-8, which is the client's fault and answered by 1007 (R2.5)."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Invalid UTF-8" not in record.getMessage()


def configure(
    app: Any, *, frame_bytes: int, heartbeat_interval: float, handshake_timeout: float, direct: bool = True
) -> uvicorn.Config:
    """How uvicorn serves VetChat; times are in seconds (V5.1, R2.7). `direct` lets frames pass ASGI by.

    Its own logs carry query strings and with them tokens (R1.5), so only its warnings are kept.
    """
    logging.getLogger("uvicorn.error").addFilter(WithoutInvalidUtf8())
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", partial(HttpProtocol, handshake_timeout=handshake_timeout)),
        ws=cast("type[asyncio.Protocol]", partial(WebSocketProtocol, direct=direct)),
        ws_max_size=frame_bytes,
        ws_ping_interval=heartbeat_interval,
        ws_ping_timeout=heartbeat_interval,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # nothing here depends on where a peer is
        server_header=False,
        timeout_graceful_shutdown=2,
    )
