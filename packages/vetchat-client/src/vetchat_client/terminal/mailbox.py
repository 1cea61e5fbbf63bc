"""All of one's conversations, and the names of those who take part."""

from __future__ import annotations

from collections.abc import Iterable

from vetchat_protocol import Role, events
from vetchat_protocol.client import Disconnected, Item, Resumed
from vetchat_protocol.models import UNKNOWN_NAME

from ..chat import Conversation
from .text import one_line
from .thread import Thread


class Mailbox:
    """What happened so far, in the shape in which it is shown. Nothing in here waits or sends."""

    def __init__(self, me: str, role: Role) -> None:
        self.me = me
        self.role = role
        self.threads: dict[str, Thread] = {}
        self._names: dict[str, str] = {}

    def listed(self) -> list[Thread]:
        """The conversations, the most recently active first."""
        return sorted(self.threads.values(), key=lambda thread: thread.activity, reverse=True)

    def load(self, conversations: Iterable[Conversation]) -> None:
        """Takes over what the server's list says of these."""
        for info in conversations:
            if (thread := self.threads.get(info.id)) is None:
                self.threads[info.id] = Thread(self.me, info)
            else:
                thread.update(info)

    def forget(self) -> None:
        """Events are missing: everything has to be loaded anew."""
        for thread in self.threads.values():
            thread.forget()

    def take(self, item: Item, now: float) -> None:
        """Something happened; `now` is in s of a monotonic clock."""
        match item:
            case events.ConversationCreated() | events.NewConversationInvitation():
                self._begun(item)
            case events.MessageSent(params=message):
                if thread := self.threads.get(message.conversation_id):
                    thread.happened(message, item.offset)
            case events.ReadMarker(params=marker):
                if thread := self.threads.get(marker.conversation_id):
                    thread.marked(marker.user_id, marker.seq)
            case events.Typing():
                if thread := self.threads.get(item.params.conversation_id):
                    thread.heard(item, now)
            case events.UserJoined() | events.UserLeft() | events.PresenceState():
                self._moved(item)
            case Disconnected() | Resumed():
                self._alone()
            case _:
                pass

    def _begun(self, event: events.ConversationCreated | events.NewConversationInvitation) -> None:
        info = event.params
        if info.id not in self.threads:
            offset = info.last_offset if info.last_offset is not None else event.offset
            self.load([info.model_copy(update={"last_offset": offset})])

    def _moved(self, event: events.UserJoined | events.UserLeft | events.PresenceState) -> None:
        """Somebody came or went; that tells names, too."""
        params = event.params
        users = params.users if isinstance(params, events.PresenceStateParams) else (params,)
        self._names |= {user.user_id: user.display_name for user in users if user.display_name != UNKNOWN_NAME}
        thread = self.threads.get(params.conversation_id)
        if thread is None:
            return
        there = {user.user_id for user in users if user.user_id != self.me}
        match event:
            case events.UserLeft():
                thread.present -= there
                thread.typing.pop(event.params.user_id, None)
            case events.UserJoined():
                thread.present |= there
            case events.PresenceState():
                thread.present = there

    def _alone(self) -> None:
        """Nobody is known to be there until the server says so."""
        for thread in self.threads.values():
            thread.present.clear()
            thread.typing.clear()

    # -- how it is called ----------------------------------------------------------------------------------------------

    def name(self, user_id: str) -> str:
        """What somebody is called, on one line; without a name, by the beginning of the id."""
        if user_id == self.me:
            return "You"
        return one_line(self._names.get(user_id, ""), 32) or user_id[:8]

    def others(self, thread: Thread) -> list[tuple[str, str]]:
        """Everybody else who takes part, with the part they play."""
        info = thread.info
        parts = [(info.client, "owner"), *((provider, "vet") for provider in info.providers)]
        return [(user_id, part) for user_id, part in parts if user_id != self.me]

    def part(self, thread: Thread, user_id: str) -> str:
        """Who somebody is in this conversation; the server vouches for it, unlike for a name."""
        return "owner" if user_id == thread.info.client else "vet"

    def title(self, thread: Thread) -> str:
        """A conversation by whom it is with."""
        names = [
            self.name(user_id) for user_id, part in self.others(thread) if self.role is Role.CLIENT or part == "owner"
        ]
        return ", ".join(names) or "No vet yet"
