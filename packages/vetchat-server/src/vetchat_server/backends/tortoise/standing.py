"""How conversations stand: what a commit must know of those that it touches, kept in memory for the next one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

REMEMBERED: Final = 10_000
"""How many conversations are kept in memory, at about a KiB each."""

STRIDE: Final = 65_536
"""How far ahead of its log a conversation's `changed_upto` is set, so that few commits have to move it (V3.3)."""


def bound(offset: int) -> int:
    """The `changed_upto` of a conversation whose latest entry would lie beyond the one it has."""
    return offset + STRIDE


@dataclass(slots=True, eq=False)
class Reader:
    """How far one participant has read, how much it wrote, how much of that up to where it read; `row` is its row."""

    row: int
    read_seq: int
    sent: int
    sent_at_read: int

    def wrote(self, seq: int) -> None:
        """One's own message moves the read position only if nothing before it is unread (V4.2)."""
        self.sent += 1
        if self.read_seq == seq - 1:
            self.read_seq = seq
            self.sent_at_read = self.sent


@dataclass(slots=True)
class Thread:
    """A conversation that the batch touches; none of its log entries lies beyond `changed_upto`."""

    last_seq: int
    updated_at: int
    changed_upto: int = 0
    readers: dict[str, Reader] = field(default_factory=dict[str, Reader])


class Standing:
    """How the latest conversations stood at one position of the log.

    Whoever writes moves the log's head. So what was kept holds for as long as the head has not moved since, and one
    look at it, under its lock, tells.
    """

    def __init__(self) -> None:
        self._position: int | None = None
        self._threads: dict[str, Thread] = {}

    def take(self, conversation_ids: Iterable[str], position: int) -> dict[str, Thread]:
        """Those that are remembered, if the head is where it was; nothing is, until they are kept again."""
        if position != self._position:
            self._threads.clear()
        self._position = None
        return {name: self._threads.pop(name) for name in conversation_ids if name in self._threads}

    def keep(self, threads: Mapping[str, Thread], position: int) -> None:
        """What was committed: so these stand now, and all others as before."""
        self._threads |= threads
        self._position = position
        for name in list(islice(self._threads, max(0, len(self._threads) - REMEMBERED))):
            del self._threads[name]
