"""A check is a small coroutine that plays one scene and proves one or two clauses by it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from inspect import cleandoc
from typing import Literal

from vetchat_protocol.clauses import CLAUSES

from .scene import Scene
from .shapes import Dialect

__all__ = ["Check", "Play", "Profile", "Section", "profile_of"]

Play = Callable[[Scene], Awaitable[None]]
Profile = Literal["base", "v1"]


def profile_of(clause_id: str) -> Profile:
    """The profile that a clause belongs to: clauses of the extension begin with V."""
    return "v1" if clause_id.startswith("V") else "base"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `sentence` is what must be true, `story` what is done to see it.

    It belongs to `vetchat.v1` if one of its clauses does. A `slow` one takes many seconds. One `apart`
    has a user to itself, and so plays beside all others, from the beginning.
    """

    clauses: tuple[str, ...]
    sentence: str
    story: str
    play: Play
    slow: bool
    apart: bool

    @property
    def profile(self) -> Profile:
        return "v1" if any(profile_of(clause) == "v1" for clause in self.clauses) else "base"

    @property
    def dialect(self) -> Dialect:
        return self.profile


class Section:
    """The checks of one section of the clauses, in the order in which they are written."""

    def __init__(self) -> None:
        self._checks: list[Check] = []

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks)

    def check(self, *clauses: str, slow: bool = False, apart: bool = False) -> Callable[[Play], Play]:
        """Registers a coroutine under the clauses that it proves; its name is its sentence, its docstring its story.

        Raises:
            KeyError: there is no such clause.
        """
        ids = tuple(CLAUSES[clause].id for clause in clauses)

        def register(play: Play) -> Play:
            words = str(getattr(play, "__name__", "")).replace("_", " ")
            sentence = f"{words[:1].upper()}{words[1:]}."
            story = " ".join(cleandoc(play.__doc__ or "").split())
            self._checks.append(Check(ids, sentence, story, play, slow, apart))
            return play

        return register
