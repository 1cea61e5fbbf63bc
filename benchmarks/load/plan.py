"""What the generator is asked to do. A plan travels to its process as JSON; sizes are counts, times are in seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Final, Literal, Self

OWNER: Final = "00000000-0000-4000-8000-000000000001"
"""Who takes part in the conversations of a seeded database."""

BIG: Final = "00000000-0000-4000-9000-000000000001"
"""The seeded conversation that holds half of all messages."""

Wire = Literal["json", "v1", "socketio"]
Says = Literal["message", "relay", "echo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The server under load: where it listens, its process, the dialect it speaks, and whose database it uses.

    `database` is the name of a PostgreSQL database whose back-ends' CPU is shown beside the server's, or "".
    """

    url: str
    pid: int
    wire: Wire = "json"
    database: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What all loads share: how long to warm up and then to measure."""

    SIZES: ClassVar[tuple[str, ...]] = ()

    warmup: float = 1.0
    seconds: float = 3.0

    def shrunk(self) -> Self:
        """A tenth of it for a tenth of the time: enough to see that everything works."""
        sizes = {name: max(1, getattr(self, name) // 10) for name in self.SIZES if getattr(self, name)}
        return replace(self, warmup=min(self.warmup, 0.3), seconds=min(self.seconds, 1.0), **sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic(Load):
    """Conversations in each of which one member speaks and all members, the speaker too, must hear it.

    Closed loop: `in_flight` messages are on their way at any time, and the next one is sent when a speaker hears its
    own. Open loop: `rate` messages a second are due on a fixed schedule, however the server keeps up.
    The same members have `each` of the conversations with one another, and so fewer connections.
    `idle` further connections only exist; in `stalled` conversations the last member stops reading; `hostile` adds
    peers that send nonsense (a tenth of all frames) and peers that reconnect in a loop. What has not arrived `patience`
    seconds after the end is lost.
    """

    SIZES: ClassVar[tuple[str, ...]] = ("conversations", "in_flight", "rate", "idle", "stalled")

    conversations: int = 200
    each: int = 1
    members: int = 2
    says: Says = "message"
    in_flight: int = 0
    rate: int = 0
    content: int = 64
    idle: int = 0
    stalled: int = 0
    hostile: bool = False
    patience: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm(Load):
    """All members of these conversations of two lose their connections and come back, `at_once` at a time."""

    SIZES: ClassVar[tuple[str, ...]] = ("conversations",)

    conversations: int = 500
    at_once: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle(Load):
    """So many connections that say nothing."""

    SIZES: ClassVar[tuple[str, ...]] = ("connections",)

    connections: int = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Load):
    """History pages and the list of conversations, asked for again and again in a database of so many messages."""

    messages: int
    askers: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Resuming(Load):
    """One user comes back again and again to `frames` missed ones after the offset `since`; `epoch` names the log."""

    frames: int = 10_000
    since: int = 1
    epoch: str = ""


KINDS: Final[Mapping[str, type[Load]]] = {kind.__name__: kind for kind in (Traffic, Storm, Idle, Reading, Resuming)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the generator saw. Every figure's name ends in its unit; a fault makes the run void.

    `stored` is how many messages the server acknowledged, and must therefore have kept.
    """

    figures: dict[str, float]
    faults: list[str]
    stored: int = 0


def to_json(target: Target, load: Load) -> str:
    """A plan as one line."""
    return json.dumps({"target": asdict(target), "kind": type(load).__name__, "load": asdict(load)})


def from_json(text: str) -> tuple[Target, Load]:
    """A plan from its line."""
    plan = json.loads(text)
    return Target(**plan["target"]), KINDS[plan["kind"]](**plan["load"])
