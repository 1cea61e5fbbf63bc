"""Who decides what happens next where more than one thing may: a seed, a script, or everything in turn."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Choose(Protocol):
    """Picks one of several things that may happen next.

    Called with how many there are (two or more), it returns an index below that. `state` tells, when asked, everything
    that the future depends on: two moments with equal states have equal futures.
    """

    def __call__(self, options: int, state: Callable[[], Hashable], /) -> int: ...


class Seeded:
    """Picks at random; the same seed picks the same, for ever."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeats a run, keeps no secret

    def __call__(self, options: int, state: Callable[[], Hashable], /) -> int:
        return self._random.randrange(options)


class Scripted:
    """Picks what a list says, and the first of the options once the list has ended.

    Raises:
        IndexError: the list picks what is not there; it was written for another scenario.
    """

    def __init__(self, picks: Sequence[int] = ()) -> None:
        self._picks = iter(picks)

    def __call__(self, options: int, state: Callable[[], Hashable], /) -> int:
        return range(options)[next(self._picks, 0)]


class KnownState(Exception):
    """An exploration has been in this state before, on another way, so this way need not be followed further."""


class _Way:
    """One way through a scenario: a prefix that was picked before, then the first option at every new choice."""

    def __init__(self, prefix: Sequence[int], known: set[Hashable]) -> None:
        self._prefix = prefix
        self._known = known
        self._taken: list[tuple[int, int]] = []

    def __call__(self, options: int, state: Callable[[], Hashable], /) -> int:
        pick = 0
        if len(self._taken) < len(self._prefix):
            pick = self._prefix[len(self._taken)]
        else:
            now = state()
            if now in self._known:
                raise KnownState
            self._known.add(now)
        self._taken.append((pick, options))
        return pick

    @property
    def picks(self) -> list[int]:
        return [pick for pick, _ in self._taken]

    def following(self) -> list[int] | None:
        """The prefix of the next way: the last choice that had an option left takes it; None after the last way."""
        taken = list(self._taken)
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return None
        return [*(pick for pick, _ in taken[:-1]), taken[-1][0] + 1]


def explore(scenario: Callable[[Choose], T]) -> Iterator[tuple[list[int], T]]:
    """Runs a scenario in every way it can go, and yields the picks and the result of each.

    A way that comes into a state that an earlier one was in ends there: what follows is known. The scenario must do
    the same whenever the same is picked, and let `KnownState` pass.
    """
    known: set[Hashable] = set()
    prefix: list[int] | None = []
    while prefix is not None:
        way = _Way(prefix, known)
        try:
            result = scenario(way)
        except KnownState:
            pass
        else:
            yield way.picks, result
        prefix = way.following()
