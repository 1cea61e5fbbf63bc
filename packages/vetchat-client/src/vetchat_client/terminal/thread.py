"""One conversation, as far as the terminal knows it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vetchat_protocol import events

from ..chat import Conversation, History, Message


@dataclass
class Thread:
    """A conversation, the part of its messages that is loaded, who is there, and what one is about to say.

    `messages` are the oldest first, without a gap once the events that a page has overtaken have come; `complete` says
    that nothing older exists. `outbox` holds what is on its way to the server, `returned` what was refused and is to be
    edited again. `unread` counts what others have written; `new_from` is the `seq` after which everything was new when
    the conversation was opened. `typing` says until when (s of a monotonic clock) somebody is. The troubles are
    sentences on why something was not sent or loaded.
    """

    me: str
    info: Conversation
    messages: list[Message] = field(default_factory=list[Message])
    loaded: bool = False
    complete: bool = False
    unread: int = 0
    read_seq: int = 0
    new_from: int | None = None
    markers: dict[str, int] = field(default_factory=dict[str, int])
    present: set[str] = field(default_factory=set[str])
    typing: dict[str, float] = field(default_factory=dict[str, float])
    outbox: list[str] = field(default_factory=list[str])
    returned: list[str] = field(default_factory=list[str])
    draft: str = ""
    trouble: str = ""
    history_trouble: str = ""
    _known: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.update(self.info)

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def activity(self) -> tuple[int, int]:
        """What the newest conversation has most of: the place in the log, or the time on the base wire."""
        return (self.info.last_offset or 0, self.info.last_updated_timestamp)

    @property
    def last_seq(self) -> int:
        """The `seq` of the newest message, 0 without one or on the base wire."""
        return self.info.last_seq or 0

    @property
    def unsent(self) -> list[str]:
        """What was typed and is not stored: on its way, or not finished."""
        return [*self.outbox, *self.returned, *([self.draft] if self.draft.strip() else [])]

    def update(self, info: Conversation) -> None:
        """What the server's list of conversations says now."""
        self.info = info
        self.read_seq = max(self.read_seq, info.read_seq or 0)
        if info.unread_count is not None:
            self.unread = info.unread_count

    def forget(self) -> None:
        """Some events are missing: what is loaded may have gaps, and who is there is not known any more."""
        self.messages, self._known = [], set()
        self.loaded = self.complete = False
        self.present.clear()
        self.typing.clear()

    # -- messages ----------------------------------------------------------------------------------------------------

    def turn(self, page: History) -> None:
        """Adds the newest page of the history, or one that is older than what there is, or overlaps it."""
        self._splice(page.messages[::-1])
        self.complete = self.complete or not page.has_more
        self.loaded = True

    def add(self, message: Message) -> None:
        """Adds a message that was just stored, unless it is there already."""
        if message.id not in self._known:
            self._known.add(message.id)
            self.messages.insert(bisect_right(self.messages, _order(message), key=_order), message)

    def happened(self, message: Message, offset: int | None) -> None:
        """A message was stored: adds it, and brings what is known of the conversation up to date."""
        self.add(message)
        self.typing.pop(message.sender_id, None)
        if offset is not None and offset <= (self.info.last_offset or 0):
            return  # the list of conversations, which was loaded later, knows of it
        self.info = self.info.model_copy(
            update={
                "last_message": message.content,
                "last_updated_timestamp": message.timestamp,
                "last_seq": message.seq,
                "last_offset": offset,
            }
        )
        if message.sender_id != self.me:
            self.unread += message.seq is None or message.seq > self.read_seq
        elif message.seq == self.read_seq + 1:
            self.read_seq += 1  # as the server does (V4.2)

    def _splice(self, page: Sequence[Message]) -> None:
        """Puts a run of messages, the oldest first, where it belongs.

        Only the first page may be newer than what there is: then it has overtaken events, which still come.
        """
        there = {message.id for message in page}
        common = [index for index, message in enumerate(self.messages) if message.id in there]
        if common:
            before, after = common[0], common[-1] + 1
        else:
            before = after = bisect_left(self.messages, _order(page[-1]), key=_order) if page and not self.loaded else 0
        among = [message for message in self.messages[before:after] if message.id not in there]
        self.messages[before:after] = [*page, *among]
        self._known |= there

    # -- reading -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """One looks at it from now on."""
        self.new_from = self.read_seq if self.unread and self.last_seq else None

    def marked(self, user_id: str, seq: int) -> None:
        """Somebody has read up to there; if that is oneself, on whatever device, less is unread (V4.2)."""
        self.markers[user_id] = max(seq, self.markers.get(user_id, 0))
        if user_id != self.me:
            return
        self.read_seq = max(seq, self.read_seq)
        if self.messages and (self.messages[0].seq or 0) <= self.read_seq + 1:
            self.unread = sum(message.sender_id != self.me for message in self.newer_than(self.read_seq))
        else:
            self.unread = min(self.unread, max(0, self.last_seq - self.read_seq))

    def newer_than(self, seq: int) -> Iterable[Message]:
        """The loaded messages with a larger `seq`."""
        return (message for message in self.messages if (message.seq or 0) > seq)

    # -- being there -------------------------------------------------------------------------------------------------

    def heard(self, event: events.Typing, now: float) -> None:
        """Somebody types, or has stopped (V4.1); `now` is in s."""
        if event.params.state == "active":
            self.typing[event.params.user_id] = now + event.params.expires_in_ms / 1_000
        else:
            self.typing.pop(event.params.user_id, None)

    def typists(self, now: float) -> list[str]:
        """Who types; `now` is in s."""
        return [user_id for user_id, until in self.typing.items() if until > now]

    # -- writing -----------------------------------------------------------------------------------------------------

    def give_back(self, why: str) -> None:
        """Nothing of what is on its way goes out, so that nothing comes before what was refused."""
        self.returned += self.outbox
        self.outbox.clear()
        self.trouble = why

    def editable(self, draft: str) -> str:
        """A draft, behind what was returned, which is taken by that."""
        text = "\n".join([*self.returned, *([draft] if draft.strip() else [])])
        self.returned.clear()
        self.draft = text
        return text


def _order(message: Message) -> tuple[int, int]:
    """What a later message has more of: its number, or on the base wire its time."""
    return (message.seq or 0, message.timestamp)
