"""How the store and the policy answer what stories ask."""

from __future__ import annotations

import structlog
from vetchat_protocol import operations as ask
from vetchat_protocol.errors import Code, Refusal
from vetchat_protocol.models import User
from vetchat_protocol.session import Session

from .ports import StoreUnavailable
from .services import Services

logger = structlog.stdlib.get_logger(__name__)

REPLAY_PAGE = 200
"""How many missed records are read and sent at a time (V3.3)."""


async def answer_from_store(services: Services, session: Session, operation: ask.Operation[object]) -> object:
    """The answer to an operation that needs no connection.

    Raises:
        Refusal: `unavailable`, when the store cannot be asked now (R6.3).
    """
    try:
        return await _answer(services, session, operation)
    except StoreUnavailable as error:
        logger.warning("store_unavailable", operation=type(operation).__name__, error=type(error.__cause__).__name__)
        raise Refusal(Code.UNAVAILABLE, "The server cannot read what it stored now; try again later.") from error


async def _answer(services: Services, session: Session, operation: ask.Operation[object]) -> object:
    store = services.store
    match operation:
        case ask.Participates(conversation_id):
            return services.hub.is_subscribed(session.id, conversation_id) or await store.participates(
                session.user, conversation_id
            )
        case ask.Load(conversation_id):
            return await store.load(conversation_id)
        case ask.ListConversations(limit, before):
            return tuple(await store.list_conversations(session.user, limit, before))
        case ask.ReadMessages(conversation_id, after, upto):
            return tuple(await store.read_messages(conversation_id, after, upto))
        case ask.OnlyClients(user_ids):
            return await store.only_clients(user_ids)
        case ask.Permit(pet, providers):
            return await services.policy.permit(session.user, pet, providers)
        case ask.FindConversation(client_conversation_id):
            return await store.find_conversation(session.user.id, client_conversation_id)
        case ask.ReadLog(since, position):
            upto = services.hub.delivery.head
            return await store.read_log(session.user, since, position, upto, REPLAY_PAGE)
        case ask.ResumePoint(epoch, offset):
            return await _resumable(services, _entering(services, session), epoch, offset)
        case _:
            raise NotImplementedError(type(operation).__name__)


def _entering(services: Services, session: Session) -> User:
    """Whose connection this is, also while it has entered but not joined yet."""
    seat = services.hub.delivery.rooms.seat(session.id)
    assert seat is not None
    return seat.user


async def _resumable(services: Services, user: User, epoch: str, offset: int) -> bool:
    """Recovery is never partial (V3.4)."""
    if epoch != services.epoch or offset > services.hub.delivery.head:
        return False
    limit = services.terms.resume_frames
    return await services.store.missed(user, offset, limit) <= limit
