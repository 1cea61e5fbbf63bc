"""The log and everything it says, held in memory: what the simulator runs on and what demos and tests store in.

It has the same operations as the server's `Store`, without waiting and without failing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from .models import Conversation, Listing, Message, Role, User
from .records import (
    ConversationDraft,
    ConversationStarted,
    LogPage,
    MessageDraft,
    MessageStored,
    Outcome,
    ReadDraft,
    ReadMoved,
    Record,
    RoleDraft,
    Stamped,
    Unchanged,
    retried,
)


@dataclass(slots=True)
class _Thread:
    """One conversation with its messages and how far each participant has read."""

    conversation: Conversation
    messages: list[Message] = field(default_factory=list[Message])
    read: dict[str, int] = field(default_factory=dict[str, int])


class MemoryLog:
    """An append-only log in a list, with the indexes that its questions need."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.records: list[Record] = []
        self._threads: dict[str, _Thread] = {}
        self._keys: dict[tuple[type, str, str], MessageStored | ConversationStarted] = {}
        self._roles: set[tuple[str, Role]] = set()

    @property
    def head(self) -> int:
        """The offset of the latest record, 0 before the first."""
        return len(self.records)

    def commit(self, entries: Sequence[Stamped]) -> list[Outcome]:
        """Appends the drafts in their order; one outcome each."""
        return [self._commit(entry) for entry in entries]

    def _commit(self, entry: Stamped) -> Outcome:
        match entry.draft:
            case MessageDraft():
                return self._store_message(entry.draft, entry)
            case ConversationDraft():
                return self._start_conversation(entry.draft, entry)
            case ReadDraft():
                return self._move_read(entry.draft)
            case RoleDraft(user_id, role):
                self._roles.add((user_id, role))
                return Unchanged()

    def _store_message(self, draft: MessageDraft, entry: Stamped) -> Outcome:
        thread = self._threads[draft.conversation_id]
        key = (MessageDraft, draft.sender_id, draft.client_message_id or "")
        if draft.client_message_id is not None and key in self._keys:
            return retried(draft, self._keys[key])
        seq = len(thread.messages) + 1
        at = max(entry.at, thread.conversation.updated_at)
        message = Message(entry.id, draft.conversation_id, draft.sender_id, draft.content, at, seq)
        record = MessageStored(self.head + 1, message)
        thread.messages.append(message)
        if thread.read.get(draft.sender_id, 0) == seq - 1:
            thread.read[draft.sender_id] = seq
        thread.conversation = replace(
            thread.conversation, updated_at=at, last_message=draft.content, last_seq=seq, last_offset=record.offset
        )
        if draft.client_message_id is not None:
            self._keys[key] = record
        self.records.append(record)
        return record

    def _start_conversation(self, draft: ConversationDraft, entry: Stamped) -> Outcome:
        key = (ConversationDraft, draft.client, draft.client_conversation_id or "")
        if draft.client_conversation_id is not None and key in self._keys:
            return retried(draft, self._keys[key])
        offset = self.head + 1
        conversation = Conversation(
            entry.id, draft.client, draft.providers, draft.pet, entry.at, entry.at, last_offset=offset
        )
        record = ConversationStarted(offset, conversation)
        self._threads[entry.id] = _Thread(conversation)
        if draft.client_conversation_id is not None:
            self._keys[key] = record
        self.records.append(record)
        return record

    def _move_read(self, draft: ReadDraft) -> Outcome:
        read = self._threads[draft.conversation_id].read
        if draft.seq <= read.get(draft.user_id, 0):
            return Unchanged()
        read[draft.user_id] = draft.seq
        record = ReadMoved(self.head + 1, draft.conversation_id, draft.user_id, draft.seq)
        self.records.append(record)
        return record

    def participates(self, user: User, conversation_id: str) -> bool:
        """Whether the user takes part (R3.5)."""
        thread = self._threads.get(conversation_id)
        return thread is not None and thread.conversation.includes(user)

    def load(self, conversation_id: str) -> Conversation | None:
        """The conversation as it stands."""
        thread = self._threads.get(conversation_id)
        return None if thread is None else thread.conversation

    def memberships(self, user: User) -> tuple[str, ...]:
        """The ids of the user's conversations."""
        return tuple(thread.conversation.id for thread in self._of(user))

    def list_conversations(self, user: User, limit: int | None, before: int | None) -> tuple[Listing, ...]:
        """The user's conversations in the order of R4.2, or a page of them in that of V3.6."""
        listings = [_listing(thread, user) for thread in self._of(user)]
        if limit is None and before is None:
            return tuple(sorted(listings, key=lambda one: (-one.conversation.updated_at, one.conversation.id)))
        older = [one for one in listings if before is None or one.conversation.last_offset < before]
        return tuple(sorted(older, key=lambda one: -one.conversation.last_offset)[:limit])

    def _of(self, user: User) -> Iterable[_Thread]:
        return (thread for thread in self._threads.values() if thread.conversation.includes(user))

    def read_messages(self, conversation_id: str, after: int, upto: int) -> tuple[Message, ...]:
        """The messages with `after < seq <= upto`, newest first."""
        return tuple(reversed(self._threads[conversation_id].messages[after:upto]))

    def only_clients(self, user_ids: Iterable[str]) -> frozenset[str]:
        """Which of these have connected as a client and never as a provider (R4.13)."""
        return frozenset(
            user_id
            for user_id in user_ids
            if (user_id, Role.CLIENT) in self._roles and (user_id, Role.PROVIDER) not in self._roles
        )

    def find_conversation(self, client: str, client_conversation_id: str) -> Conversation | None:
        """The conversation created under this client-chosen id (V2.2)."""
        record = self._keys.get((ConversationDraft, client, client_conversation_id))
        return record.conversation if isinstance(record, ConversationStarted) else None

    def missed(self, user: User, offset: int, limit: int) -> int:
        """How many of the user's records come after `offset`, counted up to `limit + 1` (V3.4)."""
        mine = set(self.memberships(user))
        count = 0
        for record in self.records[offset:]:
            count += record.conversation_id in mine
            if count > limit:
                break
        return count

    def read_log(self, user: User, since: int, position: int, upto: int, limit: int) -> LogPage:
        """The user's records in `(position, upto]`, at most `limit`; `since` is where the resume began (V3.3)."""
        mine = set(self.memberships(user))
        found = [record for record in self.records[position:upto] if record.conversation_id in mine]
        if len(found) > limit:
            found = found[:limit]
            return LogPage(tuple(found), found[-1].offset)
        return LogPage(tuple(found), upto)


def _listing(thread: _Thread, user: User) -> Listing:
    read = thread.read.get(user.id, 0)
    unread = sum(message.seq > read and message.sender_id != user.id for message in thread.messages[read:])
    return Listing(thread.conversation, read, unread)
