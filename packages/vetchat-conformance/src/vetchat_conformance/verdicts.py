"""What becomes of a check: `Broken` fails it, `LeftOut` says what it lacked; both are raised where they are noticed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Broken", "Finding", "LeftOut", "require"]


class Broken(Exception):
    """The server did something else than a clause says; the message is the sentence that the report shows."""


class LeftOut(Exception):
    """A check cannot be made here; the message says what it would need."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A frame, whole in `text`, that breaks a clause by its mere form, whatever check it came up in."""

    clause: str
    sentence: str
    text: str


def require(condition: object, sentence: str) -> None:
    """States what must be true.

    Raises:
        Broken: it is not.
    """
    if not condition:
        raise Broken(sentence)
