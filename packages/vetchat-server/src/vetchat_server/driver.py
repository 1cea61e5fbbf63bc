"""Runs one connection's stories: answers their operations from the hub, the log, the store and the policy."""

from __future__ import annotations

import asyncio
from enum import Enum
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from vetchat_protocol import operations as ask
from vetchat_protocol.delivery import Origin
from vetchat_protocol.errors import Closing, Code, Refusal
from vetchat_protocol.operations import Identity
from vetchat_protocol.server import Story
from vetchat_protocol.session import Session

from .environment import Environment
from .hub import Recipient
from .log import Then
from .outbox import Outbox
from .ports import Credentials, StoreUnavailable

logger = structlog.stdlib.get_logger(__name__)
T = TypeVar("T")

REPLAY_PAGE = 500
"""How many missed records are read and sent at a time (V3.3)."""


class Later(Enum):
    """Instead of an answer: it takes its time, and the story goes on when it is there."""

    LATER = "later"


LATER: Final = Later.LATER


class Driver:
    """Answers what the stories of one connection ask, one story at a time; `recipient` is the connection, `outbox` the
    way to its peer.

    A story goes on within the call that brings its answer, and wakes no task for it: most operations are answered at
    once, and the log calls back.
    """

    def __init__(
        self,
        environment: Environment,
        session: Session,
        credentials: Credentials,
        recipient: Recipient,
        outbox: Outbox,
    ) -> None:
        self._environment = environment
        self._session = session
        self._credentials = credentials
        self._recipient = recipient
        self._outbox = outbox
        self._story: Story[Any] | None = None
        self._then: Then[Any] | None = None
        self._task: asyncio.Task[None] | None = None

    def run(self, story: Story[T], then: Then[T]) -> None:
        """Answers a story's operations until it ends; `then` gets what it returned, or the error that it let through:
        a `Refusal`, a `Closing`, or whatever else is a mistake of ours."""
        self._story, self._then = story, then
        self._go_on(story, None, None)

    def abandon(self) -> None:
        """Lets go of the story at hand, if there is one. What it asked for may still happen, but nobody hears of it."""
        story, self._story, self._then = self._story, None, None
        if self._task is not None:
            self._task.cancel()
        if story is not None:
            story.close()

    def _go_on(self, story: Story[Any], answer: object, error: Exception | None) -> None:
        """Answers the story, and goes on with it until it ends or asks for something that takes its time."""
        while story is self._story:
            try:
                operation = story.send(answer) if error is None else story.throw(error)
            except StopIteration as end:
                self._end(end.value, None)
                return
            except Exception as failure:  # noqa: BLE001 - whoever runs the story decides what it means
                self._end(None, failure)
                return
            answer, error = None, None
            try:
                answer = self._at_once(story, operation)
            except Exception as failure:  # noqa: BLE001 - the story must hear of it
                error = self._told(operation, failure)
            if answer is LATER:
                return

    def _end(self, value: object, error: Exception | None) -> None:
        then, self._story, self._then = self._then, None, None
        if then is not None:
            then(value, error)

    def _told(self, operation: ask.Operation[object], failure: BaseException) -> Exception:
        """What a story is told of a failed operation."""
        match failure:
            case Refusal() | Closing():
                return failure
            case StoreUnavailable():
                logger.warning("store_unavailable", operation=_name(operation), error=_name(failure.__cause__))
                return Refusal(Code.UNAVAILABLE, "The server cannot read what it stored now; try again later.")
            case _:
                logger.error(
                    "operation_failed", operation=_name(operation), connection=self._session.id, exc_info=failure
                )
                return Refusal(Code.INTERNAL, "The server failed; nothing was changed.")

    def _at_once(self, story: Story[Any], operation: ask.Operation[object]) -> object:
        """What delivery and the limits answer at once, the most frequent questions first; `LATER` for all else."""
        connection, hub = self._session.id, self._environment.hub
        match operation:  # what every message asks is not taken apart by its pattern, which would be dear
            case ask.Admit():
                return self._admit()
            case ask.Participates() if hub.is_subscribed(connection, operation.conversation_id):
                return True
            case ask.Append():
                origin = Origin(connection, operation.ref)
                self._environment.log.submit(operation.draft, origin, partial(self._go_on, story))
                return LATER
            case ask.Announce(conversation_id, answer):
                return hub.announce(connection, conversation_id, answer)
            case ask.Subscribe(conversation_id):
                return hub.subscribe(connection, conversation_id)
            case ask.Unsubscribe(conversation_id):
                return hub.unsubscribe(connection, conversation_id)
            case ask.ShowTyping(conversation_id, active):
                return hub.show_typing(connection, conversation_id, active)
            case ask.Position():
                return hub.position(connection)
            case ask.Reply(answer):
                return hub.answer(self._recipient, answer)
            case ask.Join(conversation_ids, position):
                hub.join(connection, conversation_ids, position)
                return ask.Joined(self._environment.epoch, hub.delivery.head)
            case ask.GoLive(position):
                return hub.go_live(connection, position)
            case ask.Renew(identity):
                return hub.renew(connection, identity)
            case ask.Leave():
                return hub.leave(connection)
            case _:
                self._task = asyncio.create_task(self._find_out(story, operation))
                return LATER

    async def _find_out(self, story: Story[Any], operation: ask.Operation[object]) -> None:
        """Waits for the answer of an operation that takes its time."""
        answer: object = None
        error: Exception | None = None
        try:
            answer = await self._answer(operation)
        except asyncio.CancelledError as cancelled:
            if story is not self._story:  # abandoned
                raise
            error = self._told(operation, cancelled)
        except Exception as failure:  # noqa: BLE001 - the story must hear of it
            error = self._told(operation, failure)
        self._task = None
        self._go_on(story, answer, error)

    async def _answer(self, operation: ask.Operation[object]) -> object:
        """What the authenticator and the peer itself are waited for."""
        match operation:
            case ask.Authenticate(token):
                return await self._authenticate(token)
            case ask.Enter(identity):
                return await self._enter(identity)
            case ask.Replay(page):
                self._environment.hub.replay(self._session.id, page)
                return await self._outbox.answered()
            case _:
                return await self._look_up(operation)

    async def _look_up(self, operation: ask.Operation[object]) -> object:
        """What the store and the policy know."""
        store, user = self._environment.store, self._environment.hub.user(self._session.id)
        match operation:
            case ask.Participates(conversation_id):
                return await store.participates(user, conversation_id)
            case ask.Load(conversation_id):
                return await store.load(conversation_id)
            case ask.ListConversations(limit, before):
                return tuple(await store.list_conversations(user, limit, before))
            case ask.ReadMessages(conversation_id, after, upto):
                return tuple(await store.read_messages(conversation_id, after, upto))
            case ask.OnlyClients(user_ids):
                return await store.only_clients(user_ids)
            case ask.Permit(pet, providers):
                return await self._environment.policy.permit(user, pet, providers)
            case ask.FindConversation(client_conversation_id):
                return await store.find_conversation(user.id, client_conversation_id)
            case ask.ReadLog(since, position):
                upto = self._environment.hub.delivery.head
                return await store.read_log(user, since, position, upto, REPLAY_PAGE)
            case ask.ResumePoint(epoch, offset):
                return await self._resumable(epoch, offset)
            case _:
                raise NotImplementedError(_name(operation))

    def _admit(self) -> None:
        """Counts a command against its user's rate, or its own before it has a user (R2.7)."""
        identity = self._session.identity
        key = identity.user.id if identity else self._session.id
        wait = self._environment.rates.take(key, self._environment.clock())
        if wait:
            raise Refusal(Code.RATE_LIMITED, "Too many commands; wait a moment.", retry_after_ms=wait)

    async def _authenticate(self, token: str | None) -> Identity:
        """Verifies the token, or without one takes what the upgrade proved, if that still holds (V1.2)."""
        offered = self._session.offered
        if offered is not None and (token is None or not self._environment.authenticator.takes_tokens):
            return self._environment.verified(offered)
        return await self._environment.identify(Credentials(token, self._credentials.query))

    async def _enter(self, identity: Identity) -> tuple[str, ...]:
        """Listen, then look: counted first, so that no invitation falls in between; undone if the store fails."""
        self._environment.hub.enter(self._recipient, identity)
        try:
            return await self._environment.arrive(identity.user)
        except BaseException:
            self._environment.hub.leave(self._session.id)
            raise

    async def _resumable(self, epoch: str, offset: int) -> bool:
        """Recovery is never partial (V3.4)."""
        hub, limit = self._environment.hub, self._environment.terms.resume_frames
        if epoch != self._environment.epoch or offset > hub.delivery.head:
            return False
        return await self._environment.store.missed(hub.user(self._session.id), offset, limit) <= limit


def _name(thing: object) -> str:
    """What a log may say of it: its type, never its contents."""
    return type(thing).__name__
