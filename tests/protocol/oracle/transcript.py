"""A connection's transcript as the oracle reads it. Imports nothing of what it judges."""

from dataclasses import dataclass
from typing import Literal, Protocol

from tests.conformance import shapes as base
from tests.conformance.v1 import shapes as v1
from tests.protocol.oracle.ledger import JSON


class Line(Protocol):
    """What happened, when (ms), how far the log had come, the frame's text, and whether it was sent as an answer."""

    @property
    def kind(self) -> Literal["opened", "said", "heard", "closed"]: ...
    @property
    def at(self) -> int: ...
    @property
    def head(self) -> int: ...
    @property
    def text(self) -> str | bytes: ...
    @property
    def answers(self) -> bool: ...


@dataclass(frozen=True)
class Heard:
    """A frame that was heard, known to be well formed on its wire; `ref` and `offset` only v1 has."""

    event: str
    params: JSON
    ref: str | None
    offset: int | None
    line: Line


def parse(line: Line, *, is_v1: bool) -> Heard:
    """Judges the shape of a frame: on the base wire exactly the seed's keys and events (S2.1, S2.2)."""
    assert isinstance(line.text, str), "S2.1: a frame is text"
    if is_v1:
        frame = v1.parse(line.text)
        return Heard(frame.event, frame.params, frame.ref, frame.offset, line)
    plain = base.parse(line.text)
    return Heard(plain.event, plain.params, None, None, line)
