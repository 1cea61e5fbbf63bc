"""Order within, concurrency across: what has the same key waits for its turn, what has another does not."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from anyio.abc import TaskGroup

from ..signals import Signal

T = TypeVar("T")


class Lanes(Generic[T]):
    """Hands items to `work`: those of one key one after the other, those of different keys side by side.

    A lane exists for as long as something is in it. One task puts items in, and waits for room before the next.
    """

    def __init__(self, tasks: TaskGroup, work: Callable[[T], Awaitable[None]], bound: int) -> None:
        self._tasks = tasks
        self._work = work
        self._bound = bound
        self._lanes: dict[str | None, deque[T]] = {}
        self._unfinished = 0
        self._finished = Signal()

    def put(self, key: str | None, item: T) -> None:
        """The last in its lane."""
        self._unfinished += 1
        if key in self._lanes:
            self._lanes[key].append(item)
            return
        self._lanes[key] = deque([item])
        self._tasks.start_soon(self._drive, key)

    async def room(self) -> None:
        """Returns once one more would not be too many."""
        while self._unfinished >= self._bound:
            await self._finished.wait()

    async def empty(self) -> None:
        """Returns once everything that was put in is finished."""
        while self._unfinished:
            await self._finished.wait()

    async def _drive(self, key: str | None) -> None:
        lane = self._lanes[key]
        while lane:
            await self._work(lane.popleft())
            self._unfinished -= 1
            self._finished.set()
        del self._lanes[key]
