"""One text frame from a server: taken apart, and judged by its form alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .shapes import DURABLE, JSON, NIL, Dialect, is_object, misfits, shapes
from .verdicts import Broken, Finding

__all__ = ["Frame", "judged", "parse"]

_KEYS: Final = ["sender_id", "event", "params"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame from a server; `text` is what came over the wire, `fields` the whole object."""

    text: str
    fields: dict[str, JSON]

    @property
    def event(self) -> str:
        return str(self.fields.get("event"))

    @property
    def params(self) -> JSON:
        return self.fields.get("params")

    @property
    def ref(self) -> JSON:
        return self.fields.get("ref")

    @property
    def offset(self) -> JSON:
        return self.fields.get("offset")

    @property
    def conversation(self) -> str | None:
        """The conversation that the frame is about, if it is about one."""
        if not is_object(self.params):
            return None
        new = self.event in ("conversation_created", "new_conversation_invitation")
        return self.params.get("id" if new else "conversation_id")

    def get(self, key: str) -> JSON:
        """A value among the params.

        Raises:
            Broken: it is not there.
        """
        if not is_object(self.params) or key not in self.params:
            raise Broken(f"The params of {self.event} must have the key {key!r}.")
        return self.params[key]


def parse(text: str | bytes) -> Frame:
    """Takes a frame apart.

    Raises:
        Broken: it is not a JSON object in a text frame (S2.1).
    """
    if isinstance(text, bytes):
        raise Broken("A frame must be a text frame, not a binary one (S2.1).")
    try:
        fields = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except ValueError:
        raise Broken(f"A frame must be JSON, and this is not: {text[:200]!r} (S2.1).") from None
    if not is_object(fields):
        raise Broken(f"A frame must be a JSON object, and this is not: {text[:200]!r} (S2.1).")
    return Frame(text, fields)


def judged(frame: Frame, dialect: Dialect) -> Iterator[Finding]:
    """All that is wrong with the form of a frame."""
    for clause, sentence in (*_envelope(frame, dialect), *_params(frame, dialect)):
        yield Finding(clause, sentence, frame.text)


def _envelope(frame: Frame, dialect: Dialect) -> Iterator[tuple[str, str]]:
    keys = [key for key in frame.fields if key in _KEYS]
    if sorted(keys) != sorted(_KEYS):
        yield "S2.1", "A frame must have the keys sender_id, event and params."
    elif keys != _KEYS:
        yield "S2.2", "The keys of a frame must come in the order sender_id, event, params."
    if frame.fields.get("sender_id") != NIL:
        yield "S2.2", "The sender_id of a frame from the server must be N."
    for key in frame.fields.keys() - set(_KEYS):
        if dialect == "base":
            yield "S2.1", f"A frame must not have the key {key!r} on the base wire."


def _params(frame: Frame, dialect: Dialect) -> Iterator[tuple[str, str]]:
    shape = shapes(dialect).get(frame.event)
    if shape is None:
        yield "S2.1", f"There is no event {frame.event!r} on this wire."
        return
    yield from misfits(frame.params, shape, f"{frame.event}.params", exact=dialect == "base")
    if dialect == "v1":
        duplicate = is_object(frame.params) and "duplicate" in frame.params
        durable = frame.event in DURABLE and not duplicate
        if durable != ("offset" in frame.fields):
            yield "V3.2" if durable else "V2.2" if duplicate else "V3.2", _about_offset(frame.event, durable)
        elif durable and not (type(frame.offset) is int and frame.offset >= 1):
            yield "V3.2", "An offset must be an integer from 1."


def _about_offset(event: str, durable: bool) -> str:
    return f"{event} must carry an offset." if durable else f"This {event} must not carry an offset."


def _without_doubles(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key comes twice")
    return fields


def _no_constant(name: str) -> JSON:
    raise ValueError(f"{name} is not JSON")
