"""One connection's stories, one coroutine per command.

Each reads like its clauses and does no I/O: what it needs of the world it asks for by awaiting an operation. A story
returns its direct answer, or None where the delivery pass or an operation has sent it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from . import commands, events
from . import operations as ask
from .codec import Envelope, read_command, read_envelope
from .commands import Command
from .errors import UNAUTHENTICATED, UNAVAILABLE, Closing, Code, Refusal
from .events import Answer
from .history import window
from .models import NIL, Conversation
from .operations import Identity
from .records import (
    Conflict,
    ConversationDraft,
    ConversationStarted,
    Duplicate,
    MessageDraft,
    MessageStored,
    Outcome,
    ReadDraft,
    Unchanged,
)
from .rules import RULES, Rule
from .session import Session
from .values import value

T = TypeVar("T")
Story = Coroutine[ask.Operation[object], Any, T]
"""What a driver runs: it yields operations and is sent their answers, until it returns a `T`."""


async def connect(session: Session, identity: Identity) -> None:
    """A base connection comes in: listen, then look, then be there (S5.1, R1.4)."""
    conversation_ids = await ask.Enter(identity)
    session.identity = identity
    await ask.Join(conversation_ids)


@value
class Response:
    """What became of one frame: its event, if it is a known one, and the direct answer, if it is still to be sent."""

    event: str | None
    answer: Answer | None


async def respond(session: Session, received: str | bytes) -> Response:
    """One frame of a peer: its checks in the order of V2.3, then its story."""
    ref: str | None = None
    event: str | None = None
    try:
        envelope = read_envelope(received, session.dialect)
        ref = envelope.ref
        event = envelope.event if envelope.event in RULES else None
        await ask.Admit()
        rule = _rule(session, envelope)
        command = read_command(envelope, session.dialect)
        if session.identity is not None:
            await _permitted(session, rule, command)
        return Response(event, await _story(session, command))
    except Refusal as refusal:
        refusal.ref = refusal.ref or ref
        return Response(event, events.Error.of(refusal, event=event))


def _rule(session: Session, envelope: Envelope) -> Rule:
    """The command's row in the policy table, once greeting, event and sender are in order (V1.1, R2.5, R2.3)."""
    if session.identity is None and envelope.event != "hello":
        raise Refusal(Code.HELLO_REQUIRED, "The first frame of a connection must be hello.")
    rule = RULES.get(envelope.event)
    if rule is None or session.dialect not in rule.dialects:
        raise Refusal(Code.UNKNOWN_EVENT, "There is no command of this name.")
    known = session.identity or session.offered
    if known is not None:
        _sent_by(known, envelope.sender_id)
    return rule


def _sent_by(identity: Identity, sender_id: str | None) -> None:
    """Nobody speaks for somebody else (R2.3)."""
    if sender_id not in (None, NIL, identity.user.id):
        raise Refusal(Code.SENDER_MISMATCH, "The sender_id must be your own user id, the nil UUID, or left out.")


async def _permitted(session: Session, rule: Rule, command: Command) -> None:
    """Refuses who may not: the wrong role (S3.2) and whoever does not take part (S3.3), not saying which (R3.4)."""
    if session.user.role not in rule.roles:
        raise Refusal(Code.FORBIDDEN_ROLE, "Only a client may do this.")
    if rule.participants_only:
        assert isinstance(command.params, commands.ConversationParams)
        if not await ask.Participates(command.params.conversation_id):
            raise _not_found()


def _not_found() -> Refusal:
    return Refusal(Code.NOT_FOUND, "You have no conversation of this id.")


def _story(session: Session, command: Command) -> Coroutine[Any, Any, Answer | None]:
    match command:
        case commands.Conversations():
            return conversations(command)
        case commands.Message():
            return message(session, command)
        case commands.NewConversation():
            return new_conversation(session, command)
        case commands.ConversationHistory():
            return conversation_history(command)
        case commands.SubscribeConversation():
            return subscribe_conversation(command)
        case commands.UnsubscribeConversation():
            return unsubscribe_conversation(command)
        case commands.Hello():
            return hello(session, command)
        case commands.Refresh():
            return refresh(session, command)
        case commands.Typing():
            return typing(command)
        case commands.MarkRead():
            return mark_read(session, command)
        case commands.Ping():
            return ping(command)


async def conversations(command: commands.Conversations) -> Answer:
    """All of the caller's conversations, newest first (S4.1, R4.2), or one page of them (V3.6)."""
    listings = await ask.ListConversations(command.params.limit, command.params.before)
    return events.Conversations(
        params=tuple(
            events.ConversationParams.of(
                listing.conversation, read_seq=listing.read_seq, unread_count=listing.unread_count
            )
            for listing in listings
        ),
        ref=command.ref,
    )


async def message(session: Session, command: commands.Message) -> Answer | None:
    """Stores a message; the delivery pass of its commit subscribes the sender and tells everybody (S4.5, S4.6)."""
    params = command.params
    draft = MessageDraft(params.conversation_id, session.user.id, params.content, params.client_message_id)
    return _retried(await ask.Append(draft, command.ref), command.ref)


def _retried(outcome: Outcome, ref: str | None) -> Answer | None:
    """The answer to a retry: the original, marked as such, or a conflict (V2.2); None where it was no retry."""
    match outcome:
        case Duplicate(MessageStored(_, original)):
            return events.MessageSent(params=events.MessageParams.of(original, duplicate=True), ref=ref)
        case Duplicate(ConversationStarted(_, conversation)):
            return events.ConversationCreated(
                params=events.ConversationParams.of(conversation, duplicate=True), ref=ref
            )
        case Conflict():
            raise Refusal(Code.IDEMPOTENCY_CONFLICT, "This client-chosen id was used for something else before.")
        case _:
            return None


async def new_conversation(session: Session, command: commands.NewConversation) -> Answer | None:
    """Creates a conversation and invites its providers (S4.11, S4.12)."""
    params = command.params
    draft = ConversationDraft(
        session.user.id, params.pet_id, tuple(dict.fromkeys(params.providers)), params.client_conversation_id
    )
    objection = await _objection(session, draft)
    if objection is not None and not await _created_before(draft):
        raise objection
    return _retried(await ask.Append(draft, command.ref), command.ref)


async def _objection(session: Session, draft: ConversationDraft) -> Refusal | None:
    """Why this conversation may not be created (R4.13, R4.15), if so."""
    most = session.terms.providers
    if len(draft.providers) > most:
        return Refusal(Code.INVALID_PARAMS, f"A conversation may have at most {most} providers.")
    if draft.client in draft.providers:
        return Refusal(Code.INVALID_PARAMS, "You cannot invite yourself as a provider.")
    if draft.providers and await ask.OnlyClients(draft.providers):
        return Refusal(Code.INVALID_PARAMS, "One of the providers is a client.")
    reason = await ask.Permit(draft.pet, draft.providers)
    return None if reason is None else Refusal(Code.FORBIDDEN_ROLE, reason)


async def _created_before(draft: ConversationDraft) -> bool:
    """Whether this is a retry of what was created when nothing spoke against it yet (V2.2)."""
    key = draft.client_conversation_id
    return key is not None and await ask.FindConversation(key) is not None


async def conversation_history(command: commands.ConversationHistory) -> Answer | None:
    """Reads messages; the caller is subscribed by asking, if it does not say otherwise (S4.16, S4.18, V3.5)."""
    params = command.params
    if not params.subscribe:
        return await _history(command)
    answer = await _looking(params.conversation_id, lambda: _history(command))
    await ask.Announce(params.conversation_id, answer)
    return None


async def _looking(conversation_id: str, look: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Listens, then looks, so that no message falls in between: subscribed silently, undone if the look fails."""
    subscribed = await ask.Subscribe(conversation_id)
    try:
        return await look()
    except Refusal:
        if subscribed:
            await ask.Unsubscribe(conversation_id)
        raise


async def _history(command: commands.ConversationHistory) -> events.ConversationHistoryResponse:
    params = command.params
    conversation = await _load(params.conversation_id)
    part = window(params, conversation.last_seq)
    messages = await ask.ReadMessages(conversation.id, part.after, part.upto) if part.after < part.upto else ()
    return events.ConversationHistoryResponse(
        params=events.HistoryParams(
            messages=tuple(events.MessageParams.of(message) for message in messages),
            total_count=conversation.last_seq,
            has_more=part.has_more,
            has_newer=part.has_newer,
            conversation_id=conversation.id,
            last_seq=conversation.last_seq,
        ),
        ref=command.ref,
    )


async def _load(conversation_id: str) -> Conversation:
    conversation = await ask.Load(conversation_id)
    if conversation is None:
        raise _not_found()
    return conversation


async def subscribe_conversation(command: commands.SubscribeConversation) -> None:
    """Subscribes this connection; again is fine and announces nothing (S4.20, R4.23)."""
    conversation_id = command.params.conversation_id
    conversation = await _looking(conversation_id, lambda: _load(conversation_id))
    params = events.SubscribedParams(conversation_id=conversation_id, last_seq=conversation.last_seq)
    await ask.Announce(conversation_id, events.Subscribed(params=params, ref=command.ref))


async def unsubscribe_conversation(command: commands.UnsubscribeConversation) -> Answer:
    """Ends this connection's subscription, not that of the user's other devices (S4.21, R4.24)."""
    conversation_id = command.params.conversation_id
    await ask.Unsubscribe(conversation_id)
    return events.Unsubscribed(params=events.UnsubscribedParams(conversation_id=conversation_id), ref=command.ref)


async def hello(session: Session, command: commands.Hello) -> None:
    """Begins a session: listen, look, welcome, replay what was missed, go live (V1.1 to V1.4, V3.3)."""
    if session.identity is not None:
        raise Refusal(Code.INVALID_PARAMS, "This connection has said hello before.")
    identity = await ask.Authenticate(command.params.token)
    _same_user(session.offered, identity)
    _sent_by(identity, command.sender_id)
    conversation_ids = await ask.Enter(identity)
    resume = command.params.resume
    try:
        recovered = resume is not None and await ask.ResumePoint(resume.epoch, resume.offset)
    except Refusal:
        await ask.Leave()
        raise
    since = resume.offset if resume is not None and recovered else None
    joined = await ask.Join(conversation_ids, since)
    await ask.Reply(_welcome(session, command, identity, joined, recovered))
    session.identity = identity
    await _catch_up(joined.offset if since is None else since)


def _same_user(known: Identity | None, identity: Identity) -> None:
    """A token never changes who a connection is (R1.6, V1.2, V1.5)."""
    if known is not None and (known.user.id, known.user.role) != (identity.user.id, identity.user.role):
        raise Closing(UNAUTHENTICATED)


def _welcome(
    session: Session, command: commands.Hello, identity: Identity, joined: ask.Joined, recovered: bool
) -> events.Welcome:
    terms = session.terms
    return events.Welcome(
        params=events.WelcomeParams(
            user_id=identity.user.id,
            role=identity.user.role,
            session_id=session.id,
            epoch=joined.epoch,
            offset=joined.offset,
            recovered=recovered,
            heartbeat_interval_ms=terms.heartbeat_interval,
            token_expires_at=identity.expires_at,
            limits=events.Limits(
                content_chars=terms.content_chars,
                frame_bytes=terms.frame_bytes,
                providers=terms.providers,
                commands_per_second=terms.commands_per_second,
                resume_frames=terms.resume_frames,
            ),
        ),
        ref=command.ref,
    )


async def _catch_up(since: int) -> None:
    """Replays page by page until the delivery pass takes over without a gap (V3.3)."""
    position = since
    try:
        while not await ask.GoLive(position):
            page = await ask.ReadLog(since, position)
            await ask.Replay(page)
            position = page.position
    except Refusal:
        raise Closing(UNAVAILABLE) from None


async def refresh(session: Session, command: commands.Refresh) -> Answer:
    """Takes a new token of the same user and role (V1.5)."""
    identity = await ask.Authenticate(command.params.token or "")
    _same_user(session.identity, identity)
    await ask.Renew(identity)
    session.renew(identity)
    return events.Refreshed(params=events.ExpiryParams(token_expires_at=identity.expires_at), ref=command.ref)


async def typing(command: commands.Typing) -> Answer:
    """Tells the others (V4.1)."""
    await ask.ShowTyping(command.params.conversation_id, active=command.params.state == "active")
    return events.Ok(ref=command.ref)


async def mark_read(session: Session, command: commands.MarkRead) -> Answer | None:
    """Moves the caller's read position forward, never back (V4.2)."""
    conversation_id, seq = command.params.conversation_id, command.params.seq
    if seq > (await _load(conversation_id)).last_seq:
        raise Refusal(Code.INVALID_PARAMS, "The parameter seq is beyond the conversation's last message.")
    outcome = await ask.Append(ReadDraft(conversation_id, session.user.id, seq), command.ref)
    return events.Ok(ref=command.ref) if isinstance(outcome, Unchanged) else None


async def ping(command: commands.Ping) -> Answer:
    """Says how far this connection's stream has come (V5.1)."""
    return events.Pong(params=events.PositionParams(offset=await ask.Position()), ref=command.ref)
