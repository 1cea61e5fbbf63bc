"""What the application has yet to take: bounded, in order, each durable event once, and how far it has come (V1.2)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..commands import Resume
from ..events import (
    ConversationCreated,
    Event,
    MessageSent,
    NewConversationInvitation,
    PresenceState,
    ReadMarker,
    Typing,
    UserJoined,
    UserLeft,
)

DURABLE = (MessageSent, ConversationCreated, NewConversationInvitation, ReadMarker)
"""The events that stand in the log (V3.2)."""

EPHEMERAL = (UserJoined, UserLeft, Typing, PresenceState)
"""The events that tell who is there, and are not kept."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A notice, not a frame: the connection is gone, and the client is on its way back."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A notice, not a frame: the connection is back and what was missed follows (V3.3).

    Who is there is told anew by `presence_state` (V4.3): forget whoever was there before.
    """


@dataclass(frozen=True, slots=True)
class Reset:
    """A notice, not a frame: events are missing, and nobody will send them again (V3.4).

    Load the conversations and their history anew before you ask for the next event: from then on the position counts
    again (V1.2). `offset` is where the log stood when the stream went on; None on the base wire, which has none.
    """

    offset: int | None = None


Notice = Disconnected | Resumed | Reset
"""What the client itself tells, between the events."""

Item = Event | Notice
"""Whatever an application is told: an event of the protocol, or a notice of the client."""


def happened(event: Event) -> bool:
    """Whether the event tells what happened; the others only answer, and a duplicate was told before (V2.2)."""
    if isinstance(event, MessageSent | ConversationCreated):
        return not event.params.duplicate
    return isinstance(event, DURABLE + EPHEMERAL)


def offset_of(item: Item) -> int | None:
    """The place of a durable event in the log; None for everything else."""
    return item.offset if isinstance(item, DURABLE) else None


class Inbox:
    """At most `bound` events, and between two of them at most one notice of each kind.

    What does not fit is left out and `behind` remembers it: durable events then come again by resuming from `resume`,
    once everything before them has been taken.

    Raises:
        ValueError: nothing would fit.
    """

    def __init__(self, bound: int, resume: Resume | None = None) -> None:
        if bound < 1:
            raise ValueError("A buffer holds at least one event.")
        self._bound = bound
        self._items: deque[Item] = deque()
        self._events = 0
        self._taken: Item | None = None
        self._epoch = resume.epoch if resume else None
        self._seen = resume.offset if resume else None
        self._handled = self._seen
        self._resets = 0
        self._behind = False

    @property
    def full(self) -> bool:
        """Whether the next event would not fit."""
        return self._behind or self._events >= self._bound

    @property
    def behind(self) -> bool:
        """Whether everything has been taken and what was left out can be asked for again."""
        return self._behind and not self._items

    @property
    def resume(self) -> Resume | None:
        """Where the next connection goes on: behind the last event that is in here (V1.2)."""
        return self._position(self._seen)

    @property
    def position(self) -> Resume | None:
        """Where another process would go on: behind the last event that the application is done with (V1.2).

        Behind what was passed over, too, once nothing that came before it is left.
        """
        return self._position(self._handled)

    def _position(self, offset: int | None) -> Resume | None:
        if self._resets or self._epoch is None or offset is None:
            return None
        return Resume(epoch=self._epoch, offset=offset)

    def begin(self, epoch: str, offset: int) -> None:
        """The application's first connection: there is nothing that it could have missed."""
        self._epoch, self._seen, self._handled = epoch, offset, offset

    def recover(self) -> None:
        """The stream goes on where it broke off (V3.3)."""
        self._behind = False
        self.notify(Resumed())

    def reset(self, epoch: str | None, offset: int | None) -> None:
        """The stream goes on, but not where it broke off (V3.4)."""
        self._behind = False
        self._epoch, self._seen = epoch, offset
        self._resets += self.notify(Reset(offset))

    def notify(self, notice: Notice) -> bool:
        """Tells the application something; a notice behind one of its kind replaces it. Whether it is one more."""
        trailing: list[Item] = []
        while self._items and isinstance(self._items[-1], Notice):
            trailing.append(self._items.pop())
        others = [item for item in reversed(trailing) if type(item) is not type(notice)]
        self._items.extend([*others, notice])
        return len(others) == len(trailing)

    def offer(self, event: Event) -> None:
        """Takes an event in, unless it is there already or does not fit."""
        offset = offset_of(event)
        if offset is not None and self._seen is not None and offset <= self._seen:
            return
        if self.full:
            self._behind = True
            return
        self._items.append(event)
        self._events += 1
        self._seen = offset or self._seen

    def pass_over(self, offset: int) -> None:
        """The event at this place is none that the application wants; with all before it, it is done with."""
        if self._behind:
            return
        self._seen = max(offset, self._seen or 0)
        if self._taken is None:
            self._settle()

    def take(self) -> Item | None:
        """The next item, if there is one; asking for it says that the one before has been dealt with."""
        self._settle()
        if self._items:
            self._taken = self._items.popleft()
            self._events -= not isinstance(self._taken, Notice)
        return self._taken

    def _settle(self) -> None:
        if isinstance(self._taken, Reset):
            self._resets -= 1
            self._handled = self._taken.offset
        elif self._taken is not None:
            self._handled = offset_of(self._taken) or self._handled
        self._taken = None
        if not self._items:
            self._handled = self._seen
