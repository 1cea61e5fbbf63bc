"""What goes into the log and what comes out of it.

A story asks for a draft to be appended; the log stamps it with an id and a time, commits it, and answers with its
outcome. What was committed is a record: it has an `offset`, its position in the one commit-ordered log (V3.2).
"""

from __future__ import annotations

from .models import Conversation, Message, Role
from .values import value


@value
class MessageDraft:
    """A message to be stored; the pair (sender, `client_message_id`) is stored once, for ever (V2.2)."""

    conversation_id: str
    sender_id: str
    content: str
    client_message_id: str | None = None


@value
class ConversationDraft:
    """A conversation to be created; the pair (client, `client_conversation_id`) is stored once, for ever (V2.2)."""

    client: str
    pet: str
    providers: tuple[str, ...]
    client_conversation_id: str | None = None


@value
class ReadDraft:
    """A participant's read position to be moved forward, never back (V4.2)."""

    conversation_id: str
    user_id: str
    seq: int


@value
class RoleDraft:
    """That this id has connected in this role (R1.4, R4.13); takes no place in the log."""

    user_id: str
    role: Role


Draft = MessageDraft | ConversationDraft | ReadDraft | RoleDraft


@value
class Stamped:
    """A draft on its way into the log, with a fresh UUID and the time it was asked for (ms since the epoch)."""

    draft: Draft
    id: str
    at: int


@value
class MessageStored:
    """A message, at its place in the log."""

    offset: int
    message: Message

    @property
    def conversation_id(self) -> str:
        return self.message.conversation_id


@value
class ConversationStarted:
    """A conversation as it was when it started, at its place in the log."""

    offset: int
    conversation: Conversation

    @property
    def conversation_id(self) -> str:
        return self.conversation.id


@value
class ReadMoved:
    """A participant's read position, at its place in the log."""

    offset: int
    conversation_id: str
    user_id: str
    seq: int


Record = MessageStored | ConversationStarted | ReadMoved
"""Something durable that happened, at its place in the log."""


@value
class Duplicate:
    """The draft had been stored before, as this record (V2.2)."""

    record: MessageStored | ConversationStarted


@value
class Conflict:
    """Its client-chosen id had been used for something else (V2.2); nothing was stored."""


@value
class Unchanged:
    """The draft asked for what is so already: a read position not ahead of the old one, a role seen before."""


Outcome = Record | Duplicate | Conflict | Unchanged
"""What became of one draft in a commit."""


def retried(
    draft: MessageDraft | ConversationDraft, earlier: MessageStored | ConversationStarted
) -> Duplicate | Conflict:
    """What a draft is whose client-chosen id was used before: the same again, or something else (V2.2)."""
    match draft, earlier:
        case MessageDraft(), MessageStored(_, message):
            same = (message.conversation_id, message.content) == (draft.conversation_id, draft.content)
        case ConversationDraft(), ConversationStarted(_, conversation):
            same = (conversation.pet, conversation.providers) == (draft.pet, draft.providers)
        case _:
            same = False
    return Duplicate(earlier) if same else Conflict()


@value
class LogPage:
    """The next records of one user's conversations, in log order, complete up to `position`."""

    records: tuple[Record, ...]
    position: int
