"""A transcript: JSON lines that say, from the server's side, what happens between a client and a server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vetchat_protocol.clauses import CLAUSES

from ..shapes import JSON, is_array, is_object

__all__ = [
    "Accept",
    "Close",
    "Cut",
    "Hear",
    "HearClose",
    "Line",
    "Refuse",
    "Say",
    "Transcript",
    "Wait",
    "Whenever",
]


@dataclass(frozen=True, slots=True)
class Accept:
    """`{"connect": …}`: the client connects. `subprotocol` is what it must offer, `None` for the base wire; `token`,
    a pattern, what it must bring; `query` a pattern for the query.
    """

    subprotocol: str | None
    token: JSON
    query: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Refuse:
    """`{"refuse": 401}`: the client connects and is answered with this HTTP status."""

    status: int


@dataclass(frozen=True, slots=True)
class Hear:
    """`{"client": …}` one frame that must come; `{"in_any_order": […]}` several."""

    patterns: tuple[Mapping[str, JSON], ...]


@dataclass(frozen=True, slots=True)
class Say:
    """`{"server": …}`: the server sends this frame."""

    template: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Whenever:
    """`{"whenever": …, "server": …}`: from here on such a frame may come at any time, and is answered so."""

    pattern: Mapping[str, JSON]
    template: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Wait:
    """`{"wait_ms": 200}`: the server is slow."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class Close:
    """`{"close": {"code", "reason"}}`: the server closes."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Cut:
    """`{"cut": true}`: the line breaks, without a close frame."""


@dataclass(frozen=True, slots=True)
class HearClose:
    """`{"closes": true}`: the client closes."""


Step = Accept | Refuse | Hear | Say | Whenever | Wait | Close | Cut | HearClose


@dataclass(frozen=True, slots=True)
class Line:
    """A step and the number of its line, from 1."""

    number: int
    step: Step


@dataclass(frozen=True, slots=True)
class Transcript:
    """What it is `about`, the `clauses` that the client proves by it, who the `user` is, and its lines."""

    about: str
    clauses: tuple[str, ...]
    user: Mapping[str, JSON]
    lines: tuple[Line, ...]

    @classmethod
    def parse(cls, text: str) -> Transcript:
        """Reads a transcript.

        Raises:
            ValueError: a line is not one of those above; the message names it.
        """
        numbered = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if not numbered:
            raise ValueError("A transcript needs a first line that says what it is about.")
        (first, head), *rest = numbered
        title = _object(first, head)
        unknown = [clause for clause in title.get("clauses", ()) if clause not in CLAUSES]
        if not isinstance(title.get("about"), str) or unknown:
            raise ValueError(f"Line {first} must say what the transcript is about, and name clauses that exist.")
        lines = tuple(Line(number, _step(number, _object(number, line))) for number, line in rest)
        return cls(title["about"], tuple(title.get("clauses", ())), title.get("user", {}), lines)


def _object(number: int, line: str) -> dict[str, JSON]:
    try:
        fields = json.loads(line)
    except ValueError:
        fields = None
    if is_object(fields):
        return fields
    raise ValueError(f"Line {number} is not a JSON object.")


def _step(number: int, fields: dict[str, JSON]) -> Step:
    match fields:
        case {"connect": how} if is_object(how):
            return Accept(how.get("subprotocol"), how.get("token"), how.get("query", {}))
        case {"refuse": int(status)}:
            return Refuse(status)
        case {"whenever": pattern, "server": template} if is_object(pattern) and is_object(template):
            return Whenever(pattern, template)
        case {"client": pattern} if is_object(pattern):
            return Hear((pattern,))
        case {"in_any_order": patterns} if is_array(patterns):
            return Hear(tuple(patterns))
        case {"server": template} if is_object(template):
            return Say(template)
        case {"wait_ms": int(milliseconds)}:
            return Wait(milliseconds)
        case {"close": {"code": int(code), **more}}:
            return Close(code, str(more.get("reason", "")))
        case {"cut": True}:
            return Cut()
        case {"closes": True}:
            return HearClose()
        case _:
            raise ValueError(f"Line {number} is none of the steps that there are: {', '.join(_STEPS)}.")


_STEPS: Final = (
    "connect",
    "refuse",
    "client",
    "in_any_order",
    "server",
    "whenever",
    "wait_ms",
    "close",
    "cut",
    "closes",
)
