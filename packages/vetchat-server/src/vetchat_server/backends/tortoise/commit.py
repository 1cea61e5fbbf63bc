"""One group commit: reads what it needs to know, numbers everything in memory, and writes it together at the end."""

from __future__ import annotations

from collections.abc import Sequence

from vetchat_protocol.models import Conversation, Message, Role
from vetchat_protocol.records import (
    ConversationDraft,
    ConversationStarted,
    MessageDraft,
    MessageStored,
    Outcome,
    ReadDraft,
    ReadMoved,
    RoleDraft,
    Stamped,
    Unchanged,
    retried,
)

from . import rows, sql
from .models import Kind
from .sql import Grammar, Row
from .standing import Reader, Standing, Thread, bound
from .transactions import Transaction, Values

START, MESSAGE, READ = (kind.value for kind in Kind)


class Batch:
    """The entries of one commit, inside its transaction."""

    def __init__(self, transaction: Transaction, grammar: Grammar, standing: Standing) -> None:
        self._transaction = transaction
        self._grammar = grammar
        self._standing = standing
        self._position = 0
        self._threads: dict[str, Thread] = {}
        self._readers: set[Reader] = set()
        self._changed: dict[str, int] = {}
        self._keys: dict[tuple[str, int, str], MessageStored | ConversationStarted] = {}
        self._entries: list[Values] = []
        self._conversations: list[Values] = []
        self._participants: list[Values] = []
        self._roles: list[Values] = []

    async def store(self, entries: Sequence[Stamped]) -> list[Outcome]:
        """Stores all entries; the transaction's first statement is a write, and its lock is the order (V3.2)."""
        most = sum(not isinstance(entry.draft, RoleDraft) for entry in entries)
        end = await self._advance(most)
        if most:
            await self._load(entries)
        outcomes = await self._add(entries)
        if self._position != end:  # retries and what moved nothing took no place
            await self._query(sql.MOVE_HEAD, self._position)
        await self._write()
        return outcomes

    async def _advance(self, most: int) -> int:
        """Takes the head, for as many entries as there may be; where it stands then."""
        if not most:
            return self._position
        head = await self._query(sql.ADVANCE_HEAD, most)
        end = rows.number(head[0], "position")
        self._position = end - most
        return end

    async def _load(self, entries: Sequence[Stamped]) -> None:
        """How the conversations of all messages and read positions stand; those not remembered, in two queries."""
        drafts = [entry.draft for entry in entries]
        touched = {draft.conversation_id for draft in drafts if isinstance(draft, (MessageDraft, ReadDraft))}
        self._threads = self._standing.take(touched, self._position)
        unknown = touched - self._threads.keys()
        if not unknown:
            return
        ids = self._grammar.array(unknown)
        for row in await self._query(sql.COMMIT_CONVERSATIONS, ids):
            thread = Thread(rows.number(row, "last_seq"), rows.number(row, "updated_at"))
            self._threads[rows.uuid(row, "id")] = thread
        for row in await self._query(sql.COMMIT_READERS, ids):
            read_seq, sent_at_read = rows.number(row, "read_seq"), rows.number(row, "sent_at_read")
            reader = Reader(rows.number(row, "id"), read_seq, rows.number(row, "sent"), sent_at_read)
            thread = self._threads[rows.uuid(row, "conversation_id")]
            thread.changed_upto = rows.number(row, "changed_upto")
            thread.readers[rows.uuid(row, "user_id")] = reader

    async def _add(self, entries: Sequence[Stamped]) -> list[Outcome]:
        """Numbers everything; what is to be written comes together in lists."""
        outcomes: list[Outcome] = []
        for entry in entries:
            match entry.draft:
                case MessageDraft() as draft:
                    outcome = self._add_message(draft, entry)
                case ReadDraft() as draft:
                    outcome = await self._add_read(draft, entry)
                case ConversationDraft() as draft:
                    outcome = self._add_conversation(draft, entry)
                case RoleDraft(user_id, role):
                    self._roles.append((user_id, role.value))
                    outcome = Unchanged()
            outcomes.append(outcome)
        return outcomes

    def _add_message(self, draft: MessageDraft, entry: Stamped) -> Outcome:
        key = draft.client_message_id
        if key is not None and (earlier := self._keys.get((draft.sender_id, MESSAGE, key))):
            return retried(draft, earlier)
        thread = self._threads[draft.conversation_id]
        seq = thread.last_seq = thread.last_seq + 1
        at = thread.updated_at = max(thread.updated_at, entry.at)
        offset = self._next(draft.conversation_id, thread)
        record = MessageStored(
            offset, Message(entry.id, draft.conversation_id, draft.sender_id, draft.content, at, seq)
        )
        reader = thread.readers[draft.sender_id]
        reader.wrote(seq)
        self._readers.add(reader)
        head = (offset, MESSAGE, draft.conversation_id, draft.sender_id, at)
        self._entries.append((*head, entry.id, seq, draft.content, None, key))
        if key is not None:
            self._keys[draft.sender_id, MESSAGE, key] = record
        return record

    def _add_conversation(self, draft: ConversationDraft, entry: Stamped) -> Outcome:
        key = draft.client_conversation_id
        if key is not None and (earlier := self._keys.get((draft.client, START, key))):
            return retried(draft, earlier)
        offset = self._position = self._position + 1
        conversation = Conversation(
            entry.id, draft.client, draft.providers, draft.pet, entry.at, entry.at, last_offset=offset
        )
        record = ConversationStarted(offset, conversation)
        self._conversations.append((entry.id, draft.client, draft.pet, entry.at, offset))
        upto = bound(offset)
        self._participants.append((entry.id, draft.client, Role.CLIENT.value, 0, upto))
        for place, provider in enumerate(draft.providers):
            self._participants.append((entry.id, provider, Role.PROVIDER.value, place, upto))
        head = (offset, START, entry.id, draft.client, entry.at)
        self._entries.append((*head, None, None, None, None, key))
        if key is not None:
            self._keys[draft.client, START, key] = record
        return record

    async def _add_read(self, draft: ReadDraft, entry: Stamped) -> Outcome:
        thread = self._threads[draft.conversation_id]
        reader = thread.readers[draft.user_id]
        if draft.seq <= reader.read_seq:
            return Unchanged()
        reader.sent_at_read = await self._sent_upto(draft, thread, reader)
        reader.read_seq = draft.seq
        self._readers.add(reader)
        offset = self._next(draft.conversation_id, thread)
        head = (offset, READ, draft.conversation_id, draft.user_id, entry.at)
        self._entries.append((*head, None, None, None, draft.seq, None))
        return ReadMoved(offset, draft.conversation_id, draft.user_id, draft.seq)

    async def _sent_upto(self, draft: ReadDraft, thread: Thread, reader: Reader) -> int:
        """How many messages of the reader's own have a `seq` up to the new position."""
        if draft.seq == thread.last_seq:
            return reader.sent
        if reader in self._readers:  # some of what is counted may be new
            await self._insert()
        found = await self._query(sql.COUNT_SENT, draft.conversation_id, draft.user_id, reader.read_seq, draft.seq)
        return reader.sent_at_read + rows.number(found[0], "sent")

    def _next(self, conversation_id: str, thread: Thread) -> int:
        """The next place in the log, for this conversation; only if it lies too far ahead, its participants' rows have
        to be told."""
        self._position += 1
        if self._position > thread.changed_upto:
            thread.changed_upto = self._changed[conversation_id] = bound(self._position)
        return self._position

    async def _write(self) -> None:
        """All new rows, then one UPDATE for each reader that changed, however many messages."""
        await self._insert()
        await self._many(
            sql.UPDATE_READER,
            [(reader.row, reader.read_seq, reader.sent, reader.sent_at_read) for reader in self._readers],
        )
        await self._many(sql.UPDATE_CHANGED, list(self._changed.items()))
        await self._many(sql.INSERT_ROLE, self._roles)

    async def _insert(self) -> None:
        """The new rows of conversations and of what happened in them, as far as they are known."""
        for statement, values in (
            (sql.INSERT_CONVERSATION, self._conversations),
            (sql.INSERT_PARTICIPANT, self._participants),
            (sql.INSERT_ENTRY, self._entries),
        ):
            await self._many(statement, values)
            values.clear()

    def remember(self) -> None:
        """It is committed, and how its conversations stand now need not be asked next time."""
        if self._position:
            self._standing.keep(self._threads, self._position)

    async def _query(self, statement: str, *values: object) -> list[Row]:
        return await self._transaction.query(self._grammar(statement), list(values))

    async def _many(self, statement: str, values: list[Values]) -> None:
        if values:
            await self._transaction.many(self._grammar(statement), values)
