"""A naive reading of the log, slow and too simple to be wrong: what stores are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vetchat_protocol.models import Conversation, Listing, Message, Role, User
from vetchat_protocol.records import (
    Conflict,
    ConversationDraft,
    ConversationStarted,
    Draft,
    Duplicate,
    MessageDraft,
    MessageStored,
    Outcome,
    ReadDraft,
    ReadMoved,
    Record,
    RoleDraft,
    Stamped,
    Unchanged,
)


class Recount:
    """What the records so far say, counted anew for every question."""

    def __init__(self, head: int) -> None:
        self.head = head
        self.records: list[Record] = []
        self.roles: set[tuple[str, Role]] = set()
        self._keys: dict[tuple[type[Draft], str, str], tuple[Draft, Record]] = {}

    # -- judging outcomes ----------------------------------------------------------------------------------------------

    def add(self, entries: Sequence[Stamped], outcomes: Sequence[Outcome]) -> None:
        """Asserts that each outcome follows from the log so far, and takes what was stored into account."""
        assert len(entries) == len(outcomes)
        for entry, outcome in zip(entries, outcomes, strict=True):
            self._judge(entry, outcome)
            if isinstance(outcome, Record):
                assert outcome.offset == self.head + 1, "V3.2: offsets are dense"
                self.head = outcome.offset
                self.records.append(outcome)

    def _judge(self, entry: Stamped, outcome: Outcome) -> None:
        match entry.draft:
            case MessageDraft(sender_id=user_id, client_message_id=key) as draft:
                self._judge_keyed(entry, draft, (user_id, key), outcome)
            case ConversationDraft(client=user_id, client_conversation_id=key) as draft:
                self._judge_keyed(entry, draft, (user_id, key), outcome)
            case ReadDraft(conversation_id, user_id, seq):
                moved = ReadMoved(self.head + 1, conversation_id, user_id, seq)
                is_ahead = seq > self.read_seq(conversation_id, user_id)
                assert outcome == (moved if is_ahead else Unchanged()), "V4.2: it moves forward only"
            case RoleDraft(user_id, role):
                self.roles.add((user_id, role))
                assert outcome == Unchanged()

    def _judge_keyed(
        self, entry: Stamped, draft: MessageDraft | ConversationDraft, name: tuple[str, str | None], outcome: Outcome
    ) -> None:
        """A client-chosen id names one thing for ever (V2.2)."""
        user_id, key = name
        if key is not None and (type(draft), user_id, key) in self._keys:
            first, record = self._keys[type(draft), user_id, key]
            assert isinstance(record, MessageStored | ConversationStarted)
            assert outcome == (Duplicate(record) if draft == first else Conflict()), "V2.2: it is stored once"
            return
        stored = self._message(draft, entry) if isinstance(draft, MessageDraft) else self._start(draft, entry)
        assert outcome == stored
        if key is not None:
            self._keys[type(draft), user_id, key] = (draft, stored)

    def _message(self, draft: MessageDraft, entry: Stamped) -> MessageStored:
        now = self.conversation(draft.conversation_id)
        at = max(entry.at, now.updated_at)
        message = Message(entry.id, draft.conversation_id, draft.sender_id, draft.content, at, now.last_seq + 1)
        return MessageStored(self.head + 1, message)

    def _start(self, draft: ConversationDraft, entry: Stamped) -> ConversationStarted:
        conversation = Conversation(entry.id, draft.client, draft.providers, draft.pet, entry.at, entry.at)
        return ConversationStarted(self.head + 1, replace(conversation, last_offset=self.head + 1))

    # -- answering questions -------------------------------------------------------------------------------------------

    def conversations(self) -> list[Conversation]:
        """All conversations as they stand."""
        starts = [record for record in self.records if isinstance(record, ConversationStarted)]
        return [self.conversation(record.conversation.id) for record in starts]

    def conversation(self, conversation_id: str) -> Conversation:
        """A conversation as it stands."""
        (start,) = [one for one in self._of(conversation_id) if isinstance(one, ConversationStarted)]
        messages = [one for one in self._of(conversation_id) if isinstance(one, MessageStored)]
        if not messages:
            return start.conversation
        last = messages[-1].message
        return replace(
            start.conversation,
            updated_at=last.timestamp,
            last_message=last.content,
            last_seq=len(messages),
            last_offset=messages[-1].offset,
        )

    def messages(self, conversation_id: str) -> list[Message]:
        """All messages of a conversation, oldest first."""
        return [record.message for record in self._of(conversation_id) if isinstance(record, MessageStored)]

    def read_seq(self, conversation_id: str, user_id: str) -> int:
        """How far a participant has read (V4.2)."""
        position = 0
        for record in self._of(conversation_id):
            match record:
                case MessageStored(_, Message(sender_id=sender_id, seq=seq)) if sender_id == user_id:
                    position = seq if position == seq - 1 else position
                case ReadMoved(user_id=reader, seq=seq) if reader == user_id:
                    position = seq
                case _:
                    pass
        return position

    def listings(self, user: User) -> list[Listing]:
        """The user's conversations, newest update first, ties by id (R4.2)."""
        mine = [one for one in self.conversations() if one.includes(user)]
        listings: list[Listing] = []
        for conversation in sorted(mine, key=lambda one: (-one.updated_at, one.id)):
            read = self.read_seq(conversation.id, user.id)
            messages = self.messages(conversation.id)
            unread = [one for one in messages if one.seq > read and one.sender_id != user.id]
            listings.append(Listing(conversation, read, len(unread)))
        return listings

    def records_of(self, user: User) -> list[Record]:
        """The records of the user's conversations (V3.3)."""
        mine = {one.id for one in self.conversations() if one.includes(user)}
        return [record for record in self.records if record.conversation_id in mine]

    def _of(self, conversation_id: str) -> list[Record]:
        return [record for record in self.records if record.conversation_id == conversation_id]
