"""The one way out of a connection: bounded, in order, nothing dropped in silence (V5.3)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol


class Writable(Protocol):
    """The sending half of a WebSocket."""

    def write(self, payload: bytes) -> bool:
        """Writes a text frame at once if the peer keeps up; False if not, and then it must be sent."""
        ...

    async def send(self, payload: bytes) -> None:
        """Sends a text frame, waiting for the peer to read; raises `Disconnected`."""
        ...


class Outbox:
    """Writes encoded frames at once while the peer keeps up; else keeps them, in order, until a task has sent them.

    `frames` and `size` (bytes) are the most that may wait behind others; a frame of any size fits an empty outbox
    (R2.7). Answers to a connection's own commands and what it pulls itself do not count: whoever pushes them waits for
    `answered` before the next.

    `wrote` is called whenever a frame that waited was sent; `full` when one did not fit and `broke` when sending broke,
    after both of which nothing is written.
    """

    def __init__(
        self,
        *,
        frames: int,
        size: int,
        wrote: Callable[[], None],
        full: Callable[[], None],
        broke: Callable[[Exception], None],
    ) -> None:
        self._frames = frames
        self._size = size
        self._wrote = wrote
        self._full = full
        self._broke = broke
        self._closed = False
        self._socket: Writable | None = None
        self._writer: asyncio.Task[None] | None = None
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._counted = 0
        self._bytes = 0
        self._moved: asyncio.Event | None = None

    def open(self, socket: Writable) -> None:
        """The peer can be written to from now on; what was pushed before has waited for this."""
        if self._closed:
            return
        self._socket = socket
        if self._queue:
            self._start(socket)

    def close(self) -> None:
        """Nothing is written any more."""
        self._socket, self._closed = None, True
        if self._writer is not None:
            self._writer.cancel()

    def push(self, payload: bytes, *, counted: bool) -> None:
        """Writes a frame or puts it at the end; if it does not fit, the connection must end (V5.3)."""
        if self._socket is None or self._writer is not None or not self._socket.write(payload):
            self._keep(payload, counted)

    def _keep(self, payload: bytes, counted: bool) -> None:
        """Puts a frame that cannot be written now at the end."""
        if self._closed:
            return
        if counted:
            if self._queue and not self._has_room(len(payload)):
                self.close()
                self._full()
                return
            self._counted += 1
            self._bytes += len(payload)
        self._queue.append((payload, counted))
        if self._socket is not None and self._writer is None:
            self._start(self._socket)

    def _has_room(self, size: int) -> bool:
        """Whether one more frame may wait behind others; the first one waits behind nobody (R2.7)."""
        first, counted = self._queue[0]
        frames, waiting = (self._counted - 1, self._bytes - len(first)) if counted else (self._counted, self._bytes)
        return frames < self._frames and waiting + size <= self._size

    def _start(self, socket: Writable) -> None:
        """Has one task send as long as something waits; a callback may start it, which anyio does not allow."""
        self._writer = asyncio.create_task(self._send(socket))

    async def _send(self, socket: Writable) -> None:
        """Sends what waits. When it breaks it stays the writer: what comes later must not pass what waits."""
        try:
            while self._queue:
                await socket.send(self._queue[0][0])
                self._sent()
            self._writer = None
        except asyncio.CancelledError:
            if self._socket is None:  # closed
                raise
            self._broke(ConnectionAbortedError("The server below cancelled a frame that was being sent."))
        except Exception as failure:  # noqa: BLE001 - whose outbox it is decides what it means
            self._broke(failure)

    def _sent(self) -> None:
        """The first frame has been sent."""
        payload, counted = self._queue.popleft()
        if counted:
            self._counted -= 1
            self._bytes -= len(payload)
        if self._moved is not None:
            self._moved.set()
            self._moved = None
        self._wrote()

    @property
    def answers(self) -> int:
        """How many answers wait to be written."""
        return len(self._queue) - self._counted

    async def answered(self) -> None:
        """Waits until every answer pushed so far has been written."""
        while self.answers:
            await self._progress()

    async def emptied(self) -> None:
        """Waits until everything pushed so far has been written."""
        while self._queue:
            await self._progress()

    async def _progress(self) -> None:
        if self._moved is None:
            self._moved = asyncio.Event()
        await self._moved.wait()
