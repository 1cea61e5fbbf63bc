"""A store that forgets everything when the process ends: for tests and demos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vetchat_protocol.memory import MemoryLog
from vetchat_protocol.models import Conversation, Listing, Message, User
from vetchat_protocol.records import Draft, LogPage, MessageDraft, Outcome, ReadDraft, Record, Stamped

from ..clock import NewId, random_id
from ..ports import LogHead, Rejected


class MemoryStore:
    """The protocol's own in-memory log behind the `Store` port."""

    def __init__(self, new_id: NewId = random_id) -> None:
        self._log = MemoryLog(new_id())
        self._revoked: dict[str, int] = {}

    async def open(self) -> LogHead:
        return LogHead(self._log.epoch, self._log.head)

    async def close(self) -> None:
        """Nothing to give back."""

    async def commit(self, entries: Sequence[Stamped]) -> Sequence[Outcome]:
        if not all(self._accepts(entry.draft) for entry in entries):
            raise Rejected
        return self._log.commit(entries)

    def _accepts(self, draft: Draft) -> bool:
        """Whether a draft is about a conversation that exists and a participant of it."""
        match draft:
            case MessageDraft(conversation_id, user_id) | ReadDraft(conversation_id, user_id):
                conversation = self._log.load(conversation_id)
                return conversation is not None and user_id in (conversation.client, *conversation.providers)
            case _:
                return True

    async def records_after(self, position: int) -> Sequence[Record]:
        return self._log.records[position:]

    async def participates(self, user: User, conversation_id: str) -> bool:
        return self._log.participates(user, conversation_id)

    async def load(self, conversation_id: str) -> Conversation | None:
        return self._log.load(conversation_id)

    async def memberships(self, user: User) -> Sequence[str]:
        return self._log.memberships(user)

    async def list_conversations(self, user: User, limit: int | None, before: int | None) -> Sequence[Listing]:
        return self._log.list_conversations(user, limit, before)

    async def read_messages(self, conversation_id: str, after: int, upto: int) -> Sequence[Message]:
        return self._log.read_messages(conversation_id, after, upto)

    async def only_clients(self, user_ids: Iterable[str]) -> frozenset[str]:
        return self._log.only_clients(user_ids)

    async def find_conversation(self, client: str, client_conversation_id: str) -> Conversation | None:
        return self._log.find_conversation(client, client_conversation_id)

    async def missed(self, user: User, offset: int, limit: int) -> int:
        return self._log.missed(user, offset, limit)

    async def read_log(self, user: User, since: int, position: int, upto: int, limit: int) -> LogPage:
        return self._log.read_log(user, since, position, upto, limit)

    async def revoke(self, user_id: str, at: int) -> None:
        self._revoked[user_id] = max(at, self._revoked.get(user_id, 0))

    async def revocations(self) -> Mapping[str, int]:
        return dict(self._revoked)
