"""What one connection hears of one conversation while it is subscribed, judged as it comes.

Imports nothing of what it judges.
"""

from dataclasses import dataclass, field
from typing import Literal

from tests.protocol.oracle.ledger import Entry, Person, Thread

TYPING_MS = 6_000


@dataclass
class Spell:
    """One time of being subscribed.

    Everything with an offset above `floor` must be heard, messages even above `message_floor`; None: not known.
    `told_who_is_there` is set where the extension has said so, so that who was not named was not there (V4.3).
    """

    thread: Thread
    me: Person
    v1: bool
    floor: int | None = None
    message_floor: int | None = None
    told_who_is_there: bool = False
    heard: list[int] = field(default_factory=list[int])
    present: dict[str, bool] = field(default_factory=dict[str, bool])
    typing: dict[str, int] = field(default_factory=dict[str, int])

    def confirm(self, floor: int, message_floor: int, *, told_who_is_there: bool = False) -> None:
        """The subscription is certain from here on."""
        self.floor, self.message_floor = floor, message_floor
        self.told_who_is_there = told_who_is_there

    # -- what is durable -----------------------------------------------------------------------------------------------

    def durable(self, entry: Entry) -> None:
        """A record was heard: after all before it, and never again (R4.9, V3.3)."""
        assert not self.heard or self.heard[-1] < entry.offset, f"R4.9: heard twice or out of order: {entry}"
        if self.heard:
            between = self._due(self.heard[-1], entry.offset - 1)
            assert not between, f"R4.9: {between} fell out before {entry}"
        self.heard.append(entry.offset)
        if entry.kind == "conversation":
            self.present.clear()  # being created or invited counts as the join of everybody who is connected (R5.5)
        if entry.kind == "message":
            sender = entry.shown["sender_id"]
            assert sender not in self.typing, f"V4.1: {sender} still writes when the message comes: {entry}"

    def _due(self, after: int, upto: int) -> list[Entry]:
        kinds = ("conversation", "message", "read") if self.v1 else ("conversation", "message")
        return [one for one in self.thread.entries if after < one.offset <= upto and one.kind in kinds]

    def complete(self, head: int | None = None) -> None:
        """Everything is there that must be, up to the last record heard, or up to `head`."""
        last = head if head is not None else (self.heard[-1] if self.heard else 0)
        for entry in self._due(0, last):
            floor = self.message_floor if entry.kind == "message" else self.floor
            if floor is not None and entry.offset > floor:
                assert entry.offset in self.heard, f"R4.9: never heard: {entry}"

    # -- who is there --------------------------------------------------------------------------------------------------

    def joined(self, user_id: str) -> None:
        self._other(user_id)
        assert self.present.get(user_id) is not True, f"R5.5: {user_id} joined twice"
        self.present[user_id] = True

    def left(self, user_id: str) -> None:
        self._other(user_id)
        assert self.present.get(user_id) is not False, f"R5.5: {user_id} left twice"
        assert user_id not in self.typing, f"V4.1: {user_id} left and still writes"
        self.present[user_id] = False

    def there(self, user_ids: list[str]) -> None:
        """A `presence_state` (V4.3)."""
        assert user_ids, "V4.3: presence_state comes only where somebody else is"
        assert len(set(user_ids)) == len(user_ids), "V4.3: somebody is named twice"
        for user_id in user_ids:
            self._other(user_id)
        for user_id in self.participants:
            known = self.present.get(user_id)
            assert known in (None, user_id in user_ids), f"V4.3: {user_id} is {known} and {user_id in user_ids}"
            self.present[user_id] = user_id in user_ids
        self.told_who_is_there = True

    def nobody_there(self) -> None:
        """No `presence_state` came where one had to come if somebody were there (V4.3)."""
        assert not any(self.present.values()), f"V4.3: no presence_state, and {self.present}"

    def rest(self, there: set[str], online: set[str], at: int) -> None:
        """Nothing is under way: what is known must be so (R5.5), and nobody writes for ever (V4.1)."""
        for user_id in self.participants:
            known = self.present.get(user_id, False if self.told_who_is_there else None)
            is_there = user_id in there
            assert known in (None, is_there), f"R5.5: {self.me.id} takes {user_id} to be {known}, which is {is_there}"
            self.present[user_id] = is_there
        for user_id, since in self.typing.items():
            assert at < since + TYPING_MS, f"V4.1: {user_id} writes for ever"
            assert user_id in online, f"V4.1: {user_id} is gone and still writes"

    @property
    def participants(self) -> list[str]:
        return [one for one in (self.thread.client, *self.thread.providers) if one != self.me.id]

    def _other(self, user_id: str) -> None:
        assert user_id != self.me.id, f"R5.6: {user_id} is told of itself"
        assert user_id in self.participants, f"S5.2: {user_id} does not take part"
        beginning = self.thread.entries[0].offset
        awaited = self.floor is not None and beginning > self.floor and beginning not in self.heard
        assert not awaited, f"R4.14: {user_id} is heard of before the conversation itself"

    # -- who writes ----------------------------------------------------------------------------------------------------

    def writes(self, user_id: str, state: Literal["active", "done"], at: int) -> None:
        self._other(user_id)
        if state == "active":
            self.typing[user_id] = at
        else:
            self.typing.pop(user_id, None)
