"""Runs one connection's stories: answers their operations from the hub, the log, the store and the policy."""

from __future__ import annotations

from typing import TypeVar

import structlog
from vetchat_protocol import operations as ask
from vetchat_protocol.delivery import Origin
from vetchat_protocol.errors import Closing, Code, Refusal
from vetchat_protocol.operations import Identity
from vetchat_protocol.server import Story
from vetchat_protocol.session import Session

from .environment import Environment
from .hub import Recipient
from .outbox import Outbox
from .ports import Credentials, StoreUnavailable

logger = structlog.stdlib.get_logger(__name__)
T = TypeVar("T")

REPLAY_PAGE = 200
"""How many missed records are read and sent at a time (V3.3)."""


class Driver:
    """Answers what the stories of one connection ask; `recipient` is the connection, `outbox` the way to its peer."""

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

    async def run(self, story: Story[T]) -> T:
        """Answers a story's operations until it ends; what it returns.

        Raises:
            Refusal, Closing: whatever the story lets through.
        """
        answer: object = None
        error: Exception | None = None
        try:
            while True:
                operation = story.send(answer) if error is None else story.throw(error)
                answer, error = None, None
                try:
                    answer = await self._answer(operation)
                except (Refusal, Closing) as refused:
                    error = refused
                except StoreUnavailable as failure:
                    logger.warning("store_unavailable", operation=_name(operation), error=_name(failure.__cause__))
                    error = Refusal(Code.UNAVAILABLE, "The server cannot read what it stored now; try again later.")
                except Exception:
                    logger.exception("operation_failed", operation=_name(operation), connection=self._session.id)
                    error = Refusal(Code.INTERNAL, "The server failed; nothing was changed.")
        except StopIteration as end:
            return end.value
        finally:
            story.close()

    async def _answer(self, operation: ask.Operation[object]) -> object:
        """What every command asks first, then what delivery and the log do for this connection."""
        connection, hub = self._session.id, self._environment.hub
        match operation:
            case ask.Admit():
                return self._admit()
            case ask.Participates(conversation_id):
                subscribed = hub.is_subscribed(connection, conversation_id)
                return subscribed or await self._environment.store.participates(hub.user(connection), conversation_id)
            case ask.Append(draft, ref):
                return await self._environment.log.append(draft, Origin(connection, ref))
            case ask.Subscribe(conversation_id):
                return hub.subscribe(connection, conversation_id)
            case ask.Announce(conversation_id, answer):
                return hub.announce(connection, conversation_id, answer)
            case ask.Unsubscribe(conversation_id):
                return hub.unsubscribe(connection, conversation_id)
            case ask.ShowTyping(conversation_id, active):
                return hub.show_typing(connection, conversation_id, active)
            case ask.Position():
                return hub.position(connection)
            case ask.Join(conversation_ids, position):
                hub.join(connection, conversation_ids, position)
                return ask.Joined(self._environment.epoch, hub.delivery.head)
            case ask.Reply(answer):
                return hub.answer(self._recipient, answer)
            case ask.Replay(page):
                hub.replay(connection, page)
                return await self._outbox.answered()
            case ask.GoLive(position):
                return hub.go_live(connection, position)
            case _:
                return await self._admission(operation)

    async def _admission(self, operation: ask.Operation[object]) -> object:
        """Who comes in and who goes."""
        hub = self._environment.hub
        match operation:
            case ask.Authenticate(token):
                return await self._authenticate(token)
            case ask.Enter(identity):
                return await self._enter(identity)
            case ask.Renew(identity):
                return hub.renew(self._session.id, identity)
            case ask.Leave():
                return hub.leave(self._session.id)
            case _:
                return await self._look_up(operation)

    async def _look_up(self, operation: ask.Operation[object]) -> object:
        """What the store and the policy know."""
        store, user = self._environment.store, self._environment.hub.user(self._session.id)
        match operation:
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
