"""The questions a story asks the world.

A story awaits an `Operation[T]`: a plain frozen value whose `__await__` yields itself, so no event loop is involved.
Whoever drives the story answers it with a `T`, or throws one of the errors its docstring names into the story.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, TypeVar

from .events import Answer
from .models import Conversation, Listing, Message, User
from .records import Draft, LogPage, Outcome
from .values import value

T_co = TypeVar("T_co", covariant=True)


class Operation(Generic[T_co]):
    """A question whose answer is a `T`; whoever drives the story is trusted to send one."""

    __slots__ = ()

    def __await__(self) -> Generator[Operation[object], Any, T_co]:
        answer: T_co = yield self
        return answer


# -- what the database knows; each may be answered by throwing Refusal(unavailable) -----------------------------------


@value
class Participates(Operation[bool]):
    """Whether the connection's user takes part in this conversation; one that does not exist has no participants."""

    conversation_id: str


@value
class Load(Operation[Conversation | None]):
    """The conversation as it stands."""

    conversation_id: str


@value
class ListConversations(Operation[tuple[Listing, ...]]):
    """All of the user's conversations, newest update first (R4.2); with `limit`, a page of them by `last_offset`
    before `before` (V3.6)."""

    limit: int | None
    before: int | None


@value
class ReadMessages(Operation[tuple[Message, ...]]):
    """The messages with `after < seq <= upto`, newest first (R4.19)."""

    conversation_id: str
    after: int
    upto: int


@value
class OnlyClients(Operation[frozenset[str]]):
    """Which of these ids have connected as a client and never as a provider (R4.13)."""

    user_ids: tuple[str, ...]


@value
class Permit(Operation[str | None]):
    """Asks the deployment's policy whether the user may open this conversation: None, or a sentence why not (R4.15)."""

    pet: str
    providers: tuple[str, ...]


@value
class FindConversation(Operation[Conversation | None]):
    """The conversation that the user created under this client-chosen id (V2.2)."""

    client_conversation_id: str


@value
class Append(Operation[Outcome]):
    """Stores a draft; answered after the delivery pass of its commit, which sends the answer and all broadcasts.

    Throws Refusal(unavailable) when it was certainly not stored, and Closing(unavailable) when nobody can tell (R4.7).
    """

    draft: Draft
    ref: str | None = None


@value
class ReadLog(Operation[LogPage]):
    """The next page of durable records of the user's conversations after this position (V3.3)."""

    since: int
    position: int


@value
class ResumePoint(Operation[bool]):
    """Whether everything after this point of this log can be replayed: the epoch is this log's, the offset is not
    beyond its head, and no more frames are missing than the limit (V3.4)."""

    epoch: str
    offset: int


# -- who may come in --------------------------------------------------------------------------------------------------


@value
class Admit(Operation[None]):
    """Counts a command against its user's rate; throws Refusal(rate_limited) beyond it (R2.7)."""


@value
class Identity:
    """A verified user, and when the token runs out and was issued (ms since the epoch; None: never, unknown)."""

    user: User
    expires_at: int | None = None
    issued_at: int | None = None


@value
class Authenticate(Operation[Identity]):
    """Verifies a token; throws Closing(unauthenticated) or Closing(no role) (V1.3, V1.6)."""

    token: str | None


@value
class Enter(Operation[tuple[str, ...]]):
    """Counts the connection as its user's from now on, so that no invitation can be missed, and tells the ids of the
    conversations it takes part in (listen, then look). Throws Closing(too many connections) beyond the limit (R2.7)."""

    identity: Identity


@value
class Renew(Operation[None]):
    """The connection lives by this token from now on (V1.5)."""

    identity: Identity


@value
class Leave(Operation[None]):
    """Undoes `Enter`."""


# -- what delivery does -----------------------------------------------------------------------------------------------


@value
class Joined:
    """The log as it stood when the connection entered it, and its limits."""

    epoch: str
    offset: int


@value
class Join(Operation[Joined]):
    """Subscribes the connection to these conversations and tells the others (S5.1, V1.4).

    The connection's position (V5.1) begins at `position`, or at the log's head.
    """

    conversation_ids: tuple[str, ...]
    position: int | None = None


@value
class Reply(Operation[None]):
    """Sends the command's direct answer now, because the story goes on after it (V3.3)."""

    answer: Answer


@value
class Replay(Operation[None]):
    """Sends one page of missed records at the socket's pace (V3.3, R2.7)."""

    page: LogPage


@value
class GoLive(Operation[bool]):
    """Joins the live stream at this position, in the delivery pass; False when the log has moved on too far (V3.3)."""

    position: int


@value
class Subscribe(Operation[bool]):
    """Subscribes the connection without telling anybody yet; whether it was not subscribed before."""

    conversation_id: str


@value
class Announce(Operation[None]):
    """Sends the direct answer and tells the others that the user has joined, if that is news (R5.5)."""

    conversation_id: str
    answer: Answer


@value
class Unsubscribe(Operation[None]):
    """Ends the connection's subscription, and tells the others if the user has thereby left (R5.5)."""

    conversation_id: str


@value
class ShowTyping(Operation[None]):
    """Relays that the user writes, or has stopped (V4.1)."""

    conversation_id: str
    active: bool


@value
class Position(Operation[int]):
    """The last durable offset sent on this connection (V5.1)."""
