"""What waits to be written to one connection: bounded, in order, nothing dropped in silence (V5.3)."""

from __future__ import annotations

import asyncio
from collections import deque


class Outbox:
    """A queue of encoded frames between delivery, which never waits, and a peer that does not keep up.

    `frames` and `size` (bytes) are the most that may wait behind others; a frame of any size fits an empty outbox
    (R2.7). Answers to a connection's own commands and what it pulls itself do not count: whoever pushes them waits for
    `answered` before the next.
    """

    def __init__(self, *, frames: int, size: int) -> None:
        self._frames = frames
        self._size = size
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._counted = 0
        self._bytes = 0
        self._moved: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def push(self, payload: bytes, *, counted: bool = True) -> bool:
        """Puts a frame at the end; False if it does not fit, and then the connection must end (V5.3)."""
        if counted:
            if self._queue and not self._has_room(len(payload)):
                return False
            self._counted += 1
            self._bytes += len(payload)
        self._queue.append((payload, counted))
        return True

    def _has_room(self, size: int) -> bool:
        """Whether one more frame may wait behind others; the first one waits behind nobody (R2.7)."""
        first, counted = self._queue[0]
        frames, waiting = (self._counted - 1, self._bytes - len(first)) if counted else (self._counted, self._bytes)
        return frames < self._frames and waiting + size <= self._size

    def first(self) -> bytes:
        """The frame that waits longest; it stays until `written`."""
        return self._queue[0][0]

    def written(self) -> None:
        """The first frame has been written."""
        payload, counted = self._queue.popleft()
        if counted:
            self._counted -= 1
            self._bytes -= len(payload)
        if self._moved is not None:
            self._moved.set()
            self._moved = None

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
