"""What a peer may say: one frozen class per command, named like its event."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from .fields import V1, Content, Frame, Key, Seq, Text, Uuid

MAX_PAGE: Final = 2**31 - 1
MAX_LIMIT: Final = 100
MAX_LISTED: Final = 1_000


class CommandFrame(Frame):
    """What all commands share: who says to send it (R2.3), and the `ref` that its answer carries back (V2.1)."""

    sender_id: Annotated[str | None, WithJsonSchema({"type": "string"})] = None
    ref: Annotated[str | None, WithJsonSchema({"type": ["string", "null"], "minLength": 1, "maxLength": 64}), V1] = None


class ConversationParams(Frame):
    """The params of a command that names a conversation."""

    conversation_id: Uuid


class ConversationsParams(Frame):
    """`limit` and `before` page through the list by `last_offset` (V3.6)."""

    limit: Annotated[int | None, Field(ge=1, le=MAX_LISTED), V1] = None
    before: Annotated[int | None, Field(ge=0), V1] = None


class Conversations(CommandFrame):
    """Ask for one's conversations (S4.1)."""

    event: Literal["conversations"] = "conversations"
    params: ConversationsParams = ConversationsParams()


class MessageParams(ConversationParams):
    """What to say, where; `client_message_id` makes it safe to say again (V2.2)."""

    content: Content
    client_message_id: Annotated[Key | None, V1] = None


class Message(CommandFrame):
    """Send a message (S4.4)."""

    event: Literal["message"] = "message"
    params: MessageParams


class NewConversationParams(Frame):
    """For which pet, with whom; `client_conversation_id` makes it safe to ask again (V2.2)."""

    pet_id: Uuid
    providers: Annotated[tuple[Uuid, ...], Field(strict=False)]
    client_conversation_id: Annotated[Key | None, V1] = None


class NewConversation(CommandFrame):
    """Create a conversation and invite providers (S4.11)."""

    event: Literal["new_conversation"] = "new_conversation"
    params: NewConversationParams


class ConversationHistoryParams(ConversationParams):
    """At most one of `page`, `before`, `after` and `around` says which messages (R4.17, V3.5)."""

    page: Annotated[int, Field(ge=0, le=MAX_PAGE)] = 0
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 20
    before: Annotated[Seq | None, V1] = None
    after: Annotated[Seq | None, V1] = None
    around: Annotated[Seq | None, V1] = None
    subscribe: Annotated[bool, V1] = True

    @model_validator(mode="after")
    def _one_anchor(self) -> Self:
        anchors = sum(anchor is not None for anchor in (self.before, self.after, self.around))
        if anchors + ("page" in self.model_fields_set) > 1:
            raise PydanticCustomError("anchors", "takes only one of page, before, after and around")
        return self


class ConversationHistory(CommandFrame):
    """Read messages, newest first (S4.16)."""

    event: Literal["conversation_history"] = "conversation_history"
    params: ConversationHistoryParams


class SubscribeConversation(CommandFrame):
    """Be told what happens in a conversation (S4.20)."""

    event: Literal["subscribe_conversation"] = "subscribe_conversation"
    params: ConversationParams


class UnsubscribeConversation(CommandFrame):
    """Be told no longer (S4.21); a `status` is an unknown key like any other (R4.22)."""

    event: Literal["unsubscribe_conversation"] = "unsubscribe_conversation"
    params: ConversationParams


class Resume(Frame):
    """A position in a log: its name and the largest offset received (V1.2)."""

    epoch: Key
    offset: Annotated[int, Field(ge=0)]


class HelloParams(Frame):
    """A token, unless the upgrade brought one, and where to resume (V1.2)."""

    token: Text | None = None
    resume: Resume | None = None


class Hello(CommandFrame):
    """Begin a `vetchat.v1` session, afresh or where an earlier one ended (V1.1)."""

    event: Literal["hello"] = "hello"
    params: HelloParams


class RefreshParams(Frame):
    """The new token; without one the connection ends, as with a bad one (V1.3, V1.5)."""

    token: Text | None = None


class Refresh(CommandFrame):
    """Bring a new token before the old one runs out (V1.5)."""

    event: Literal["refresh"] = "refresh"
    params: RefreshParams


class TypingParams(ConversationParams):
    """Whether one is writing (V4.1)."""

    state: Literal["active", "done"]


class Typing(CommandFrame):
    """Tell the others that one is writing, or has stopped (V4.1)."""

    event: Literal["typing"] = "typing"
    params: TypingParams


class MarkReadParams(ConversationParams):
    """The `seq` of the last message that one has read (V4.2)."""

    seq: Seq


class MarkRead(CommandFrame):
    """Say how far one has read (V4.2)."""

    event: Literal["mark_read"] = "mark_read"
    params: MarkReadParams


class PingParams(Frame):
    """The client's own position, for whoever reads along (V5.1)."""

    offset: Annotated[int, Field(ge=0)] | None = None


class Ping(CommandFrame):
    """Ask whether the server is there, and whether anything was missed (V5.1)."""

    event: Literal["ping"] = "ping"
    params: PingParams = PingParams()


Command = Annotated[
    Conversations
    | Message
    | NewConversation
    | ConversationHistory
    | SubscribeConversation
    | UnsubscribeConversation
    | Hello
    | Refresh
    | Typing
    | MarkRead
    | Ping,
    Field(discriminator="event"),
]
"""Anything a peer may say; the envelope's `sender_id` and `ref` are read before, by the codec."""
