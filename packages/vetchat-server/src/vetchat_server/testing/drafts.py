"""The people and drafts that the contract's tests play with; every id is new, so that they never meet older data."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from vetchat_protocol.models import Conversation, Role, User
from vetchat_protocol.records import (
    ConversationDraft,
    ConversationStarted,
    Draft,
    MessageDraft,
    MessageStored,
    Outcome,
    Stamped,
)

from ..ports import Rejected, Store

NOW = 1_764_064_800_000
"""When the tests play, in ms since the epoch."""


def new_id() -> str:
    """An id that nobody has had before."""
    return str(uuid4())


def owner() -> User:
    """A pet owner nobody has seen before."""
    return User(new_id(), Role.CLIENT)


def vet() -> User:
    """A vet nobody has seen before."""
    return User(new_id(), Role.PROVIDER)


def stamped(draft: Draft, at: int = NOW) -> Stamped:
    """A draft as the log hands it to the store."""
    return Stamped(draft, new_id(), at)


async def commit(store: Store, entries: Sequence[Stamped]) -> list[Outcome]:
    """Commits as the log does: what is rejected together goes in one by one."""
    try:
        return list(await store.commit(entries))
    except Rejected:
        if len(entries) == 1:
            raise
        return [(await store.commit([entry]))[0] for entry in entries]


async def append(store: Store, *drafts: Draft, at: int = NOW) -> list[Outcome]:
    """Commits these drafts together, all asked for at the same time."""
    return await commit(store, [stamped(draft, at) for draft in drafts])


async def start(store: Store, client: User, *providers: User, at: int = NOW) -> Conversation:
    """A new conversation of these participants."""
    draft = ConversationDraft(client.id, new_id(), tuple(provider.id for provider in providers))
    (outcome,) = await append(store, draft, at=at)
    assert isinstance(outcome, ConversationStarted)
    return outcome.conversation


async def say(
    store: Store, conversation: Conversation, sender: User, *contents: str, at: int = NOW
) -> list[MessageStored]:
    """Stores these messages together."""
    drafts = [MessageDraft(conversation.id, sender.id, content) for content in contents]
    outcomes = await append(store, *drafts, at=at)
    return [outcome for outcome in outcomes if isinstance(outcome, MessageStored)]
