"""Virtual time on trio: a clock that jumps to the next deadline as soon as nothing is left to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from time import perf_counter
from typing import Any, Final

from trio.abc import Clock

from .deadlock import Deadlock

PATIENCE: Final = 1.0
"""How long to wait for trio's own sockets, in seconds of real time."""


class VirtualClock(Clock):
    """Begins at zero. It stands still while tasks run, and while `busy` says that a thread does.

    trio's own `MockClock` would jump although a thread works. Trio asks for the time to sleep when no task can run.

    Raises (from running):
        Deadlock: every task waits, and there is no deadline to wait for.
    """

    def __init__(self, busy: Callable[[], bool]) -> None:
        self._now = 0.0
        self._waiting_since: float | None = None
        self._busy = busy

    def start_clock(self) -> None:
        """It has begun."""

    def current_time(self) -> float:
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        busy = self._busy()
        if deadline == math.inf and not busy:
            return self._patience()
        self._waiting_since = None
        if busy:
            return math.inf
        self._now = max(self._now, deadline)
        return 0.0

    def _patience(self) -> float:
        """Trio wakes its own tasks by a socket now and then; nobody else comes from there."""
        if self._waiting_since is None:
            self._waiting_since = perf_counter()
        left = self._waiting_since + PATIENCE - perf_counter()
        if left <= 0:
            raise Deadlock
        return left


@contextmanager
def repeatable(seed: int) -> Generator[None]:
    """Lets trio schedule by a seed; there is no public way to do that, and Hypothesis and pytest-trio do the same."""
    scheduler: Any = import_module("trio._core._run")
    before, sorts = scheduler._r.getstate(), scheduler._ALLOW_DETERMINISTIC_SCHEDULING  # noqa: SLF001
    scheduler._r.seed(seed)  # noqa: SLF001
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001
    try:
        yield
    finally:
        scheduler._r.setstate(before)  # noqa: SLF001
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = sorts  # noqa: SLF001
