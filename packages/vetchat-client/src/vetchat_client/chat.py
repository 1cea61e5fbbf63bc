"""`Chat`: typed calls, and an async iterator over everything that happens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from uuid import UUID, uuid4

from vetchat_protocol import Code, Dialect, Role, events
from vetchat_protocol.client import Item
from vetchat_protocol.commands import Resume

from .address import Address
from .errors import InvalidCommand, Refused, VetChatError
from .session import EndOfEvents, Session

Conversation = events.ConversationParams
"""A conversation as the server tells it; what only `vetchat.v1` has is None on the base wire."""

Message = events.MessageParams
"""A stored message as the server tells it; `seq` is None on the base wire."""

History = events.HistoryParams
"""A page of messages, newest first; `has_more` says whether there are older ones."""

Id = str | UUID
"""An id: a UUID, or its 36 characters."""


class Chat:
    """A conversation with a VetChat server that outlives its connections; made by `connect`.

    Calls wait for their answer, over a reconnect if need be. One that you cancel may have had its effect or not.
    `async for event in chat` yields everything that happens, your own messages included: durable events exactly once
    and in the order of the log, and a `Reset` where some are missing. Calls may be made from within the loop.

    Every call raises `LocalError` if the protocol does not allow it, `Refused` if the server does not, `Rejected` or
    `ServerFault` if the chat has ended.
    """

    def __init__(self, session: Session, server: Address) -> None:
        self._session = session
        self._client = session.client
        self.server = server

    def __repr__(self) -> str:
        state = "closed" if self.ended else "connected" if self.connected else "reconnecting"
        return f"<Chat of {self.role} {self._client.user_id} with {self.server}, {self.dialect}, {state}>"

    @property
    def user(self) -> str:
        """Your user id."""
        assert self._client.user_id is not None, "a chat begins when the server has said who one is"
        return self._client.user_id

    @property
    def role(self) -> Role:
        """Your role, which decides what you may do (S3.1, S3.2)."""
        return self._client.role

    @property
    def dialect(self) -> Dialect:
        """Which wire the server speaks; some things need `vetchat.v1`."""
        return self._client.dialect

    @property
    def connected(self) -> bool:
        """Whether there is a connection right now; without one, calls wait for the next."""
        return self._session.wire is not None and self._client.ready

    @property
    def ended(self) -> VetChatError | None:
        """Why the chat is over, `Closed` if you left it; None while it is not."""
        return self._session.ended

    @property
    def position(self) -> Resume | None:
        """How far you are done with the events: save it and pass it as `resume` to go on there (V1.2).

        An event is done with when you ask for the one after it. None on the base wire, and between a `Reset` and the
        event after it.
        """
        return self._client.position

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        """The next event or notice; one task at a time.

        Raises:
            Rejected, ServerFault, AnotherUser: the chat has ended, and this is why.
            anyio.BusyResourceError: another task iterates already.
        """
        try:
            return await self._session.next()
        except EndOfEvents:
            raise StopAsyncIteration from None

    # -- conversations -----------------------------------------------------------------------------------------------

    async def conversations(self, *, limit: int | None = None, before: int | None = None) -> tuple[Conversation, ...]:
        """Your conversations, all of them and newest first (R4.2).

        On `vetchat.v1` a `limit` (1 to 1,000) asks for a page of them by `last_offset`, and `before` is the last one of
        the page before (V3.6).
        """
        answer = await self._session.call("conversations", _given(limit=limit, before=before))
        assert isinstance(answer, events.Conversations)
        return answer.params

    async def conversation_pages(self, *, limit: int = 100) -> AsyncGenerator[tuple[Conversation, ...]]:
        """Your conversations page by page, the most recently active first; one page with all on the base wire.

        Trio wants whoever leaves the loop early to close it: `async with aclosing(chat.conversation_pages()) as pages`.
        """
        if self.dialect is Dialect.BASE:
            yield await self.conversations()
            return
        page = await self.conversations(limit=limit)
        while page:
            yield page
            page = await self.conversations(limit=limit, before=page[-1].last_offset) if len(page) == limit else ()

    async def conversation(self, conversation_id: Id) -> Conversation:
        """One of your conversations: who takes part, what was said last. Quick if something happened there just now.

        Raises:
            Refused: `not_found`, you have none of this id.
        """
        wanted = str(conversation_id).lower()
        async with aclosing(self.conversation_pages()) as pages:
            async for page in pages:
                for conversation in page:
                    if conversation.id == wanted:
                        return conversation
        raise Refused("You have no conversation of this id.", Code.NOT_FOUND)

    async def create_conversation(
        self, pet_id: Id, providers: Iterable[Id] = (), *, client_conversation_id: str | None = None
    ) -> Conversation:
        """Opens a conversation about a pet and invites these vets; for clients only (S4.11, R4.13).

        A reconnect does not create it twice. `client_conversation_id` (1 to 64 characters) does the same for a retry of
        yours, also from another process: the same id again returns the conversation of the first time (V2.2).

        Raises:
            OutcomeUnknown: on the base wire, the connection broke before the answer.
        """
        if isinstance(providers, str):
            raise InvalidCommand("providers is a list of ids, not one id.")
        params = {"pet_id": str(pet_id), "providers": [str(provider) for provider in providers]}
        key = _given(client_conversation_id=client_conversation_id)
        answer = await self._session.call("new_conversation", params | key, key=str(uuid4()))
        assert isinstance(answer, events.ConversationCreated)
        return answer.params

    # -- messages ----------------------------------------------------------------------------------------------------

    async def send(self, conversation_id: Id, text: str, *, client_message_id: str | None = None) -> Message:
        """Sends a message and returns it as it was stored, which it durably is then (S4.4, R4.7).

        A reconnect does not store it twice. `client_message_id` (1 to 64 characters) does the same for a retry of
        yours, after a cancellation or from another process: the same id with the same text again returns the message
        of the first time (V2.2).

        Raises:
            OutcomeUnknown: on the base wire, the connection broke before the answer.
        """
        params = {"conversation_id": str(conversation_id), "content": text}
        key = _given(client_message_id=client_message_id)
        answer = await self._session.call("message", params | key, key=str(uuid4()))
        assert isinstance(answer, events.MessageSent)
        return answer.params

    async def send_once(self, conversation_id: Id, text: str, client_message_id: str) -> Message | None:
        """Says something unless something was said under this id before, in whatever words; returns it as stored.

        None means that it was in other words then, which stand. For what depends on the time, on settings or on chance,
        and must not be said twice all the same.
        """
        try:
            return await self.send(conversation_id, text, client_message_id=client_message_id)
        except Refused as refusal:
            if refusal.code is not Code.IDEMPOTENCY_CONFLICT:
                raise
            return None

    async def history(
        self,
        conversation_id: Id,
        *,
        limit: int = 20,
        page: int | None = None,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        subscribe: bool = True,
    ) -> History:
        """One page of messages, newest first; asking subscribes (R4.17, S4.18).

        `limit` is 1 to 100. Which messages is said by at most one of `page`, counted from 0, and on `vetchat.v1` a
        `seq`: `before`, `after` or `around`; there `subscribe=False` only reads (V3.5).
        """
        anchors = _given(page=page, before=before, after=after, around=around)
        params = {"conversation_id": str(conversation_id), "limit": limit, **(anchors or {"page": 0})}
        answer = await self._session.call("conversation_history", params | ({} if subscribe else {"subscribe": False}))
        assert isinstance(answer, events.ConversationHistoryResponse)
        return answer.params

    async def history_pages(self, conversation_id: Id, *, limit: int = 100) -> AsyncGenerator[History]:
        """All pages of a conversation, newest first, each message once whatever is written meanwhile."""
        page, number, seen = await self.history(conversation_id, limit=limit), 0, set[str]()
        yield page
        while page.has_more and page.messages:
            if self.dialect is Dialect.V1:
                page = await self.history(conversation_id, limit=limit, before=page.messages[-1].seq)
                yield page
                continue
            seen |= {message.id for message in page.messages}
            number += 1
            page = await self.history(conversation_id, limit=limit, page=number)
            fresh = tuple(message for message in page.messages if message.id not in seen)
            yield page.model_copy(update={"messages": fresh})

    # -- being there -------------------------------------------------------------------------------------------------

    async def subscribe(self, conversation_id: Id) -> int | None:
        """Hears of a conversation again; a chat begins subscribed to all of yours (S4.20, S5.1).

        Returns the conversation's `last_seq`, from which you can tell what you missed; None on the base wire.
        """
        answer = await self._session.call("subscribe_conversation", {"conversation_id": str(conversation_id)})
        assert isinstance(answer, events.Subscribed)
        return answer.params.last_seq

    async def unsubscribe(self, conversation_id: Id) -> None:
        """Hears of a conversation no more, over reconnects too, until you write, read or subscribe there (S4.21)."""
        await self._session.call("unsubscribe_conversation", {"conversation_id": str(conversation_id)})

    async def typing(self, conversation_id: Id, *, active: bool = True) -> None:
        """Tells the others that you are writing, for six seconds unless said again, or have stopped (V4.1).

        Raises:
            NotSupported: the server speaks the base wire.
        """
        params = {"conversation_id": str(conversation_id), "state": "active" if active else "done"}
        await self._session.call("typing", params)

    async def mark_read(self, conversation_id: Id, seq: int) -> None:
        """Tells everybody that you have read up to the message with this `seq`; never goes backwards (V4.2).

        Raises:
            NotSupported: the server speaks the base wire.
        """
        await self._session.call("mark_read", {"conversation_id": str(conversation_id), "seq": seq})

    async def ping(self) -> int:
        """Asks the server for a sign of life; returns how far its events for this connection have come (V5.1).

        Raises:
            NotSupported: the server speaks the base wire.
        """
        answer = await self._session.call("ping", {})
        assert isinstance(answer, events.Pong)
        return answer.params.offset


def _given(**params: int | str | None) -> dict[str, int | str]:
    """Those parameters that were given."""
    return {key: value for key, value in params.items() if value is not None}
