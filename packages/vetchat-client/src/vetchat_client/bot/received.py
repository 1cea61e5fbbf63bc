"""What a handler is given: an event, and ways to answer it that store nothing twice."""

from __future__ import annotations

import logging
from itertools import count
from re import Match
from typing import Final, Generic, TypeVar
from uuid import UUID, uuid4, uuid5

from vetchat_protocol import events
from vetchat_protocol.client import Item

from ..chat import Chat, Id, Message
from ..logs import log

NAMESPACE: Final = UUID("6b1d2f0e-6c0b-4f5e-9a53-5b3f0c0e7d41")
"""Where the ids of replies come from (RFC 9562, version 5); another one would answer everything anew."""

E_co = TypeVar("E_co", bound=Item, covariant=True)


class Received(Generic[E_co]):
    """An event or a notice, in the hands of a handler."""

    def __init__(self, event: E_co, chat: Chat, keys: ReplyKeys) -> None:
        self._event = event
        self._chat = chat
        self._keys = keys

    def __repr__(self) -> str:
        where = "" if self.conversation_id is None else f" in {self.conversation_id}"
        return f"<{type(self).__name__} {type(self._event).__name__}{where}>"

    @property
    def event(self) -> E_co:
        """What happened."""
        return self._event

    @property
    def chat(self) -> Chat:
        """The bot's chat, for everything else; what is sent by it directly has no key."""
        return self._chat

    @property
    def conversation_id(self) -> str | None:
        """Where it happened; None for what belongs to no conversation, such as a `Reset`."""
        return conversation_of(self._event)

    async def reply(self, text: str) -> Message | None:
        """Says something where the event happened; returns it as stored, or None as `send` does.

        Raises:
            ValueError: the event belongs to no conversation.
        """
        if self.conversation_id is None:
            raise ValueError(f"A {type(self._event).__name__} belongs to no conversation: say where, with send().")
        return await self.send(self.conversation_id, text)

    async def send(self, conversation_id: Id, text: str) -> Message | None:
        """Says something in any conversation; returns it as stored.

        If the handler is run again for the same event, its first reply is its first reply: it is stored once (V2.2).
        None means that it was something else then, which stands.

        Raises:
            LocalError, Refused, Rejected, ServerFault: as `Chat.send`.
        """
        message = await self._chat.send_once(conversation_id, text, self._keys.next(str(conversation_id)))
        if message is None:
            log(logging.WARNING, "it said something else the first time, which stands", **self._keys.fields())
        return message


class Heard(Received[events.MessageSent]):
    """A message of somebody else whose text matches; `match` is where and how."""

    def __init__(self, event: events.MessageSent, chat: Chat, keys: ReplyKeys, match: Match[str]) -> None:
        super().__init__(event, chat, keys)
        self.match: Match[str] = match

    @property
    def message(self) -> Message:
        """The message as it was stored."""
        return self.event.params

    @property
    def text(self) -> str:
        """What was said."""
        return self.message.content


class ReplyKeys:
    """The ids of what one run of a handler says, the same in each run for the same event (V2.2)."""

    def __init__(self, bot: str, handler: str, identity: str) -> None:
        self._bot = bot
        self._handler = handler
        self._identity = identity
        self._numbers = count(1)

    def next(self, conversation_id: str) -> str:
        """The id of the next reply, a UUID of 36 characters."""
        parts = (self._bot, self._handler, self._identity, str(next(self._numbers)), conversation_id.lower())
        return str(uuid5(NAMESPACE, "\0".join(parts)))

    def fields(self) -> dict[str, str]:
        """Whose they are, for the log."""
        return {"bot": self._bot, "handler": self._handler}


def identity_of(item: Item) -> str:
    """What makes a durable event the one it is, in whatever log and however often it comes; of others, nothing does.

    A read marker never goes back, so that no two are of one reader at one `seq` (V4.2).
    """
    match item:
        case events.MessageSent(params=message):
            return message.id
        case events.ConversationCreated(params=conversation) | events.NewConversationInvitation(params=conversation):
            return f"{item.event} {conversation.id}"
        case events.ReadMarker(params=marker):
            return f"{item.event} {marker.conversation_id} {marker.user_id} {marker.seq}"
        case _:
            return str(uuid4())


def conversation_of(item: Item) -> str | None:
    """Where it happened, if it belongs to a conversation."""
    match item:
        case events.ConversationCreated(params=conversation) | events.NewConversationInvitation(params=conversation):
            return conversation.id
        case (
            events.MessageSent()
            | events.ReadMarker()
            | events.UserJoined()
            | events.UserLeft()
            | events.Typing()
            | events.PresenceState()
        ):
            return item.params.conversation_id
        case _:
            return None
