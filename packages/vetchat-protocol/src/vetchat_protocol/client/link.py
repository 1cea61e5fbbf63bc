"""One connection as the client sees it: greeted or not, heard of when, and how far its stream has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..codec import Dialect
from .verdicts import Verdict

HEARTBEAT: Final = 25_000
"""The heartbeat interval where no `welcome` names one, in ms (V1.2)."""


@dataclass(slots=True)
class Link:
    """A connection from its upgrade to its end; times are in ms.

    `patience` is how long the welcome may take, `heartbeat` the interval of signs of life (V1.2), `offset` the last
    durable one that came (V5.1). `return_after` is how long the server, about to restart, wants to be left alone
    (V5.4). Once there is a `verdict` the client has given the connection up itself.
    """

    dialect: Dialect
    heard_at: int
    patience: int
    heartbeat: int
    greeted: bool = False
    probed_at: int | None = None
    offset: int = 0
    return_after: int = 0
    verdict: Verdict | None = None

    def heard(self, now: int) -> None:
        """The server gave a sign of life."""
        self.heard_at = now
        self.probed_at = None

    def silent_at(self, *, waiting: bool) -> int:
        """When the silence is to be acted upon: after two intervals, or after one while an answer is due; and one
        interval after having asked (V1.2)."""
        if not self.greeted:
            return self.heard_at + self.patience
        if self.probed_at is not None:
            return self.probed_at + self.heartbeat
        return self.heard_at + self.heartbeat * (1 if waiting else 2)
