"""Virtual time on asyncio: a loop whose clock jumps to the next timer as soon as nothing is left to do."""

from __future__ import annotations

import asyncio
import math
from asyncio import Future, SelectorEventLoop
from collections.abc import Callable
from selectors import DefaultSelector, SelectorKey
from typing import Any, TypeVar

from .deadlock import Deadlock

T = TypeVar("T")


class VirtualLoop(SelectorEventLoop):
    """Begins at zero. The clock stands still while tasks run, and while `busy` says that a thread does.

    Raises (from running):
        Deadlock: every task waits, and there is no timer to wait for.
    """

    def __init__(self, busy: Callable[[], bool]) -> None:
        self._virtual_now = 0.0
        self._in_executors = 0
        self._busy = busy
        super().__init__(_JumpingSelector(self))
        self._clock_resolution = math.ulp(0.0)

    def time(self) -> float:
        return self._virtual_now

    @property
    def busy(self) -> bool:
        """Whether a thread works for a task, which takes real time."""
        return self._in_executors > 0 or self._busy()

    def jump(self, seconds: float) -> None:
        """Moves the clock. A timer is due from its own time on, not a fixed nanosecond before it: far from zero that
        would be lost in rounding."""
        self._virtual_now += seconds
        self._clock_resolution = math.ulp(self._virtual_now)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> Future[T]:  # pyright: ignore[reportIncompatibleMethodOverride]
        future = super().run_in_executor(executor, func, *args)
        self._in_executors += 1
        future.add_done_callback(self._left_executor)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        self._in_executors += 1
        await super().shutdown_default_executor(*args)
        self._in_executors -= 1

    def _left_executor(self, _: asyncio.Future[Any]) -> None:
        self._in_executors -= 1


class _JumpingSelector(DefaultSelector):
    """Instead of waiting for the next timer it jumps there."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._loop.busy:
            return super().select(None)
        if timeout is None:
            raise Deadlock
        self._loop.jump(timeout)
        return []
