"""What the server may say: one frozen class per event, in the shape of `vetchat.v1`; the codec projects it to base.

The fields stand in the order in which they go over the wire (S2.2).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field

from . import models
from .errors import Code, Refusal
from .fields import V1, Frame, Id, Millis
from .models import NIL, Role


def _absent(value: object) -> bool:
    return value is None


_CODES: Final = frozenset(Code)


def _known_code(value: object) -> object:
    """A code that came into the protocol later is none: the sentence beside it says enough."""
    return None if isinstance(value, str) and value not in _CODES else value


Sender = Literal["00000000-0000-0000-0000-000000000000"]
Ref = Annotated[str | None, Field(exclude_if=_absent), V1]
Offset = Annotated[int | None, Field(exclude_if=_absent), V1]
Count = Annotated[int | None, Field(exclude_if=_absent), V1]
Flag = Annotated[bool | None, Field(exclude_if=_absent), V1]


class ConversationParams(Frame):
    """A conversation on the wire (S4.1, S4.12), with what `vetchat.v1` adds (V3.6, V4.2)."""

    id: Id
    providers: tuple[Id, ...]
    client: Id
    pet: Id
    last_message: str
    last_updated_timestamp: Millis
    last_seq: Count = None
    last_offset: Count = None
    read_seq: Count = None
    unread_count: Count = None
    duplicate: Flag = None

    @classmethod
    def of(
        cls,
        conversation: models.Conversation,
        *,
        read_seq: int | None = None,
        unread_count: int | None = None,
        duplicate: bool | None = None,
    ) -> Self:
        return cls(
            id=conversation.id,
            providers=conversation.providers,
            client=conversation.client,
            pet=conversation.pet,
            last_message=conversation.last_message,
            last_updated_timestamp=conversation.updated_at,
            last_seq=conversation.last_seq,
            last_offset=conversation.last_offset,
            read_seq=read_seq,
            unread_count=unread_count,
            duplicate=duplicate,
        )


class MessageParams(Frame):
    """A message on the wire (S4.5, S4.16)."""

    id: Id
    conversation_id: Id
    sender_id: Id
    content: str
    timestamp: Millis
    seq: Count = None
    duplicate: Flag = None

    @classmethod
    def of(cls, message: models.Message, *, duplicate: bool | None = None) -> Self:
        return cls(
            id=message.id,
            conversation_id=message.conversation_id,
            sender_id=message.sender_id,
            content=message.content,
            timestamp=message.timestamp,
            seq=message.seq,
            duplicate=duplicate,
        )


class Conversations(Frame):
    """All of the caller's conversations, or a page of them (S4.1, V3.6)."""

    sender_id: Sender = NIL
    event: Literal["conversations"] = "conversations"
    params: tuple[ConversationParams, ...]
    ref: Ref = None


class MessageSent(Frame):
    """A message was stored (S4.5)."""

    sender_id: Sender = NIL
    event: Literal["message_sent"] = "message_sent"
    params: MessageParams
    ref: Ref = None
    offset: Offset = None


class ConversationCreated(Frame):
    """The caller's conversation was created (S4.12)."""

    sender_id: Sender = NIL
    event: Literal["conversation_created"] = "conversation_created"
    params: ConversationParams
    ref: Ref = None
    offset: Offset = None


class NewConversationInvitation(Frame):
    """A provider is invited to a conversation (S4.12)."""

    sender_id: Sender = NIL
    event: Literal["new_conversation_invitation"] = "new_conversation_invitation"
    params: ConversationParams
    offset: Offset = None


class HistoryParams(Frame):
    """Messages, newest first, and how many there are (S4.16, V3.5)."""

    messages: tuple[MessageParams, ...]
    total_count: int
    has_more: bool
    has_newer: Flag = None
    conversation_id: Annotated[Id | None, Field(exclude_if=_absent), V1] = None
    last_seq: Count = None


class ConversationHistoryResponse(Frame):
    """The answer to `conversation_history` (S4.16)."""

    sender_id: Sender = NIL
    event: Literal["conversation_history_response"] = "conversation_history_response"
    params: HistoryParams
    ref: Ref = None


class SubscribedParams(Frame):
    """Which conversation is subscribed to (S4.20)."""

    conversation_id: Id
    status: Literal["success"] = "success"
    last_seq: Count = None


class Subscribed(Frame):
    """The answer to `subscribe_conversation` (S4.20)."""

    sender_id: Sender = NIL
    event: Literal["subscribed"] = "subscribed"
    params: SubscribedParams
    ref: Ref = None


class UnsubscribedParams(Frame):
    """Which conversation is no longer subscribed to (S4.21)."""

    conversation_id: Id
    status: Literal["success"] = "success"


class Unsubscribed(Frame):
    """The answer to `unsubscribe_conversation` (S4.21)."""

    sender_id: Sender = NIL
    event: Literal["unsubscribed"] = "unsubscribed"
    params: UnsubscribedParams
    ref: Ref = None


class UserJoinedParams(Frame):
    """Who came (R5.4)."""

    user_id: Id
    display_name: str
    profile_image_url: str | None
    conversation_id: Id
    timestamp: Millis


class UserJoined(Frame):
    """A user is there now (S5.3)."""

    sender_id: Sender = NIL
    event: Literal["user_joined"] = "user_joined"
    params: UserJoinedParams


class UserLeftParams(UserJoinedParams):
    """Who went and why (R5.4, R5.7)."""

    reason: Literal["unsubscribed", "disconnected"]


class UserLeft(Frame):
    """A user is no longer there (S5.3, R5.7)."""

    sender_id: Sender = NIL
    event: Literal["user_left"] = "user_left"
    params: UserLeftParams


class ErrorParams(Frame):
    """What was wrong (S6.1) and, in `vetchat.v1`, as a code (V2.3)."""

    message: str
    code: Annotated[Code | None, BeforeValidator(_known_code), Field(exclude_if=_absent), V1] = None
    event: Annotated[str | None, Field(exclude_if=_absent), V1] = None
    retry_after_ms: Count = None


class Error(Frame):
    """A command was refused and had no effect (S6.1)."""

    sender_id: Sender = NIL
    event: Literal["error"] = "error"
    params: ErrorParams
    ref: Ref = None

    @classmethod
    def of(cls, refusal: Refusal, *, event: str | None = None) -> Self:
        """The answer to a refused command; `event` is its name, if it has a known one."""
        return cls(
            params=ErrorParams(
                message=refusal.message, code=refusal.code, event=event, retry_after_ms=refusal.retry_after_ms
            ),
            ref=refusal.ref,
        )


class Limits(Frame):
    """The limits a client should know (R2.7); a server names the first two, and whichever else it has (V1.2)."""

    content_chars: int
    frame_bytes: int
    providers: Annotated[int | None, Field(exclude_if=_absent)] = None
    commands_per_second: Annotated[float | None, Field(exclude_if=_absent)] = None
    resume_frames: Annotated[int | None, Field(exclude_if=_absent)] = None


class WelcomeParams(Frame):
    """Who one is, where the log stands, and what holds for this session (V1.2)."""

    user_id: Id
    role: Role
    session_id: Id
    epoch: str
    offset: int
    recovered: bool
    heartbeat_interval_ms: int
    token_expires_at: int | None
    limits: Limits


class Welcome(Frame):
    """The answer to `hello` (V1.2)."""

    sender_id: Sender = NIL
    event: Literal["welcome"] = "welcome"
    params: WelcomeParams
    ref: Ref = None


class OkParams(Frame):
    """Nothing (V2.4)."""


class Ok(Frame):
    """The answer to a command that has no natural one (V2.4)."""

    sender_id: Sender = NIL
    event: Literal["ok"] = "ok"
    params: OkParams = OkParams()
    ref: Ref = None


class ExpiryParams(Frame):
    """When the token runs out; null for never (V1.5)."""

    token_expires_at: int | None


class Refreshed(Frame):
    """The answer to `refresh` (V1.5)."""

    sender_id: Sender = NIL
    event: Literal["refreshed"] = "refreshed"
    params: ExpiryParams
    ref: Ref = None


class TokenExpiring(Frame):
    """A push: the token runs out soon (V1.5)."""

    sender_id: Sender = NIL
    event: Literal["token_expiring"] = "token_expiring"
    params: ExpiryParams


class TypingParams(Frame):
    """Who writes, or has stopped, and for how long that holds unless said again (V4.1)."""

    conversation_id: Id
    user_id: Id
    state: Literal["active", "done"]
    expires_in_ms: int


class Typing(Frame):
    """Somebody else writes, or has stopped (V4.1)."""

    sender_id: Sender = NIL
    event: Literal["typing"] = "typing"
    params: TypingParams


class ReadMarkerParams(Frame):
    """Up to which `seq` a participant has read (V4.2)."""

    conversation_id: Id
    user_id: Id
    seq: int


class ReadMarker(Frame):
    """How far a participant has read (V4.2)."""

    sender_id: Sender = NIL
    event: Literal["read_marker"] = "read_marker"
    params: ReadMarkerParams
    ref: Ref = None
    offset: Offset = None


class PresentUser(Frame):
    """Somebody who is there (V4.3)."""

    user_id: Id
    display_name: str
    profile_image_url: str | None


class PresenceStateParams(Frame):
    """The others who are there, in one conversation (V4.3)."""

    conversation_id: Id
    users: tuple[PresentUser, ...]


class PresenceState(Frame):
    """Who else is there (V4.3)."""

    sender_id: Sender = NIL
    event: Literal["presence_state"] = "presence_state"
    params: PresenceStateParams


class PositionParams(Frame):
    """An offset of the log (V5.1)."""

    offset: int


class Pong(Frame):
    """The answer to `ping`: the last durable offset sent on this connection (V5.1)."""

    sender_id: Sender = NIL
    event: Literal["pong"] = "pong"
    params: PositionParams
    ref: Ref = None


class ReconnectParams(Frame):
    """How long to wait before coming back, in ms (V5.4)."""

    after_ms: int


class Reconnect(Frame):
    """A push: the server is about to restart (V5.4)."""

    sender_id: Sender = NIL
    event: Literal["reconnect"] = "reconnect"
    params: ReconnectParams


Answer = (
    Conversations
    | MessageSent
    | ConversationCreated
    | ConversationHistoryResponse
    | Subscribed
    | Unsubscribed
    | Error
    | Welcome
    | Ok
    | Refreshed
    | ReadMarker
    | Pong
)
"""What may answer a command; these carry a `ref`."""

Event = Annotated[
    Answer | NewConversationInvitation | UserJoined | UserLeft | TokenExpiring | Typing | PresenceState | Reconnect,
    Field(discriminator="event"),
]
"""Anything the server may say."""

V1_EVENTS: Final = (Welcome, Ok, Refreshed, TokenExpiring, Typing, ReadMarker, PresenceState, Pong, Reconnect)
"""The events that the base wire never sees."""
