"""Owners and vets who talk through the client library."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from anyio import fail_after
from vetchat_client import Chat, Item, connect, events

from tests.conformance.peer import new_id

PATIENCE = 10.0
"""Seconds that a test waits for what must come."""

T = TypeVar("T")


@asynccontextmanager
async def consultation(url: str, **options: Any) -> AsyncGenerator[tuple[Chat, Chat, str]]:
    """An owner, a vet, and the id of a conversation between them, on a server in open mode; the vet knows of it."""
    async with (
        connect(url, role="client", name="Ann", **options) as ann,
        connect(url, role="provider", name="Dr Bell", **options) as bell,
    ):
        conversation = await ann.create_conversation(new_id(), [bell.user])
        await next_of(bell, events.NewConversationInvitation)
        yield ann, bell, conversation.id


async def next_of(chat: Chat, kind: type[T]) -> T:
    """The next event of this kind; others that come before are passed over."""
    with fail_after(PATIENCE):
        async for event in chat:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the chat ended before a {kind.__name__} came")


async def items(chat: Chat, until: type[Any]) -> list[Item]:
    """All that comes, up to the first of this kind and with it."""
    seen: list[Item] = []
    with fail_after(PATIENCE):
        async for event in chat:
            seen.append(event)
            if isinstance(event, until):
                break
    return seen


async def contents(chat: Chat, conversation_id: str) -> list[str]:
    """Everything that was said in a conversation, oldest first."""
    pages = [page.messages async for page in chat.history_pages(conversation_id)]
    return [message.content for page in reversed(pages) for message in reversed(page)]
