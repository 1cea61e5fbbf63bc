"""What waits to be written to one connection: bounded, in order, nothing dropped in silence (V5.3)."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A frame's text, its size in bytes, and whether it counts against the bound."""

    text: str
    size: int
    counted: bool


class Outbox:
    """A queue of encoded frames between delivery, which never waits, and the socket, which may.

    Frames in the bound: `frames` and `size` (bytes) are the most that may wait behind others; a frame of any size fits
    an empty outbox (R2.7). Answers to a connection's own commands and what it pulls itself do not count: whoever pushes
    them waits for `answered` before the next.
    """

    def __init__(self, *, frames: int, size: int) -> None:
        self._frames = frames
        self._size = size
        self._queue: deque[Waiting] = deque()
        self._counted = 0
        self._bytes = 0
        self._filled = asyncio.Event()
        self._answers = 0
        self._answered = asyncio.Event()
        self._answered.set()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def push(self, text: str, *, counted: bool = True) -> bool:
        """Puts a frame at the end; False if it does not fit, and then the connection must end (V5.3)."""
        size = len(text) if text.isascii() else len(text.encode())
        if counted:
            if self._queue and (self._counted >= self._frames or self._bytes + size > self._size):
                return False
            self._counted += 1
            self._bytes += size
        else:
            self._answers += 1
            self._answered.clear()
        self._queue.append(Waiting(text, size, counted))
        self._filled.set()
        self._emptied.clear()
        return True

    async def next(self) -> str:
        """The frame that waits longest; it stays in the outbox until `done`, for it is not written yet."""
        while not self._queue:
            self._filled.clear()
            await self._filled.wait()
        return self._queue[0].text

    def done(self) -> None:
        """The frame that `next` gave has been written."""
        waiting = self._queue.popleft()
        if waiting.counted:
            self._counted -= 1
            self._bytes -= waiting.size
        else:
            self._answers -= 1
            if not self._answers:
                self._answered.set()
        if not self._queue:
            self._emptied.set()

    async def answered(self) -> None:
        """Waits until every answer pushed so far has been written."""
        await self._answered.wait()

    async def emptied(self) -> None:
        """Waits until everything pushed so far has been written."""
        await self._emptied.wait()
