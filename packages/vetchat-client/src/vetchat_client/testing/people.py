"""The people of a scene: owners and vets, who talk through the real client."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from vetchat_protocol import events
from vetchat_protocol.client import Item

from ..chat import Chat, Conversation, Id, Message
from .mailbox import Mailbox
from .server import SimulatedServer

E = TypeVar("E", bound=Item)

PATIENCE = 30.0
"""How long somebody waits for what is said next, in seconds of the scene."""


class Participant(Protocol):
    """A person or a program, which can be invited by its user id."""

    @property
    def user(self) -> str: ...


class Person:
    """An owner or a vet; `chat` is the real client, for all that has no word here."""

    def __init__(self, name: str, chat: Chat, mailbox: Mailbox, server: SimulatedServer) -> None:
        self.name = name
        self.chat = chat
        self.mailbox = mailbox
        self.server = server

    def __repr__(self) -> str:
        return f"<Person {self.name}, {self.chat.role} {self.user}>"

    @property
    def user(self) -> str:
        """The user id."""
        return self.chat.user

    async def opens(self, providers: Iterable[Participant | Id] = (), *, pet_id: Id | None = None) -> Talk:
        """Begins a conversation about a pet and invites people, programs, or whoever has such an id; for owners."""
        pet_id = pet_id or self.server.new_id("pet")
        invited = [one if isinstance(one, Id) else one.user for one in providers]
        return self.talk(await self.chat.create_conversation(pet_id, invited))

    async def is_invited(self, *, within: float = PATIENCE) -> Talk:
        """The next conversation that one is invited to, waited for so many seconds; for vets.

        Raises:
            AssertionError: there is none.
        """
        return self.talk((await self.sees(events.NewConversationInvitation, within=within)).params)

    def talk(self, conversation: Conversation | Talk | Id) -> Talk:
        """A conversation from this person's side."""
        return Talk(self, str(conversation) if isinstance(conversation, Id) else conversation.id)

    async def sees(self, kind: type[E], *, within: float = PATIENCE) -> E:
        """The next event or notice of this class that has not been taken yet, waited for so many seconds.

        Raises:
            AssertionError: there is none.
        """
        found = await self.mailbox.take(lambda item: item if isinstance(item, kind) else None, within)
        if found is None:
            raise AssertionError(f"{self.name} sees no {kind.__name__} within {within:g} s.")
        return found


class Talk:
    """A conversation, from one person's side."""

    def __init__(self, person: Person, conversation_id: str) -> None:
        self.id = conversation_id
        self._person = person
        self._chat = person.chat
        self._mailbox = person.mailbox

    def __repr__(self) -> str:
        return f"<Talk {self.id} of {self._person.name}>"

    async def says(self, text: str) -> Message:
        """Says something; returns the message as it was stored."""
        return await self._chat.send(self.id, text)

    async def hears(self, *, within: float = PATIENCE) -> str:
        """What somebody else said next, waited for so many seconds.

        Raises:
            AssertionError: nobody says anything.
        """
        message = await self._mailbox.take(self._said_here, within)
        if message is None:
            raise AssertionError(f"{self._person.name} hears nothing within {within:g} s.")
        return message.content

    async def hears_nothing(self, *, within: float = PATIENCE) -> None:
        """Lets so many seconds pass, in which nobody else may say anything, nor have said what was not heard yet.

        Raises:
            AssertionError: somebody does.
        """
        message = await self._mailbox.take(self._said_here, within)
        if message is not None:
            raise AssertionError(f"{self._person.name} should hear nothing, and hears {message.content!r}.")

    async def messages(self) -> Sequence[Message]:
        """Everything that has been said, oldest first, as the history has it."""
        pages = [page.messages async for page in self._chat.history_pages(self.id)]
        return [message for page in reversed(pages) for message in reversed(page)]

    async def said(self) -> Sequence[tuple[str, str]]:
        """Everything that has been said, oldest first: who and what."""
        names = self._person.server.names
        return [(names[message.sender_id], message.content) for message in await self.messages()]

    def _said_here(self, item: Item) -> Message | None:
        match item:
            case events.MessageSent(params=message) if message.conversation_id == self.id:
                return message
            case _:
                return None
