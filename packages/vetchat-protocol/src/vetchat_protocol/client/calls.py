"""Commands on their way to their answers: waiting to be written, in flight, or to be written once more.

On `vetchat.v1` a `ref` leads from an answer to its command (V2.1). The base wire has nothing but the order of the
answers (R2.6), and what others do looks like an answer now and then, so the content is compared as well.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from .. import commands, events
from ..codec import Dialect, write_command
from ..commands import Command
from ..errors import Code, ProtocolError, RemoteProtocolError
from ..events import Answer, Event
from ..rules import RULES
from .checks import supported
from .errors import NotSupported, OutcomeUnknown

IN_FLIGHT: Final = 50
"""How many commands may wait for an answer at a time; fewer than a server forgives refusals in a minute (R2.7)."""

PACED: Final = 10_000
"""How long the pace is kept after the last command that was written at it, in ms."""


@dataclass(slots=True, eq=False)
class Call:
    """One command and what becomes of it.

    `key` makes a message or a new conversation safe to repeat (V2.2). `internal` calls belong to the connection and end
    with it; nobody waits for their answer, nor for that of a `forgotten` one.
    """

    command: Command
    number: int
    key: str | None = None
    internal: bool = False
    written: bool = False
    forgotten: bool = False

    @property
    def ref(self) -> str:
        return str(self.number)

    def text(self, dialect: Dialect, sender_id: str | None) -> str:
        """The frame; on `vetchat.v1` with the marks that its answer is known by, and that make it safe to repeat."""
        marks: dict[str, object] = {"sender_id": sender_id}
        if dialect is Dialect.V1:
            marks |= {"ref": self.ref, "params": self._keyed()}
        return write_command(self.command.model_copy(update=marks))

    def _keyed(self) -> object:
        params = self.command.params
        match params:
            case commands.MessageParams(client_message_id=None):
                return params.model_copy(update={"client_message_id": self.key})
            case commands.NewConversationParams(client_conversation_id=None):
                return params.model_copy(update={"client_conversation_id": self.key})
            case _:
                return params

    def repeatable(self, dialect: Dialect) -> bool:
        """Whether sending it twice is the same as sending it once (V2.2, R4.23)."""
        return dialect is Dialect.V1 or not isinstance(self.command, commands.Message | commands.NewConversation)

    def objection(self, dialect: Dialect) -> ProtocolError | None:
        """Why it cannot be written to a connection of this dialect, if so."""
        if self.written and not self.repeatable(dialect):
            return OutcomeUnknown("The connection broke before the answer came; look whether it was carried out.")
        try:
            said = self.command.params.model_dump(exclude_unset=True, exclude_none=True)
            supported(self.command.event, said, dialect)
        except NotSupported as error:
            return error
        return None


class Pace:
    """How fast commands may go: as fast as they come, until the server says `rate_limited`; then at its rate (R2.7)."""

    def __init__(self) -> None:
        self._gap = 0
        self._until = 0
        self.next_at: int = 0

    def limited(self, retry_after_ms: int, per_second: float, now: int) -> None:
        """The server has had enough."""
        self._gap = round(1_000 / per_second) if per_second else retry_after_ms
        self._until = now + PACED
        self.next_at = max(self.next_at, now + retry_after_ms)

    def wrote(self, now: int) -> None:
        """A command went out."""
        if now < self._until:
            self._until = now + PACED
            self.next_at = max(self.next_at, now) + self._gap


class Calls:
    """All calls of one client, over any number of connections, in the order in which they were made."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._internal: deque[Call] = deque()
        self._waiting: deque[Call] = deque()
        self._flying: dict[str, Call] = {}
        self._pace = Pace()

    def __len__(self) -> int:
        return len(self._internal) + len(self._waiting) + len(self._flying)

    @property
    def flying(self) -> bool:
        """Whether an answer is due."""
        return bool(self._flying)

    def add(self, command: Command, key: str | None = None) -> Call:
        """A command to be written when its turn comes."""
        call = Call(command, next(self._numbers), key)
        self._waiting.append(call)
        return call

    def insert(self, command: Command) -> None:
        """A command of the connection itself, to be written before those of the application."""
        self._internal.append(Call(command, next(self._numbers), internal=True))

    def forget(self, call: Call) -> None:
        """Nobody waits for it any more. It is not written if it was not yet, and never again."""
        call.forgotten = True
        if call in self._waiting:
            self._waiting.remove(call)

    def ready_at(self) -> int | None:
        """When the next command may be written, in ms; None if there is none, or too many are in flight."""
        some = self._internal or self._waiting
        return self._pace.next_at if some and len(self._flying) < IN_FLIGHT else None

    def next(self, now: int) -> Call | None:
        """The next command to write, which is in flight from now on."""
        ready_at = self.ready_at()
        if ready_at is None or now < ready_at:
            return None
        call = (self._internal or self._waiting).popleft()
        call.written = True
        self._flying[call.ref] = call
        self._pace.wrote(now)
        return call

    def awaits(self, ref: str | None) -> bool:
        """Whether the answer with this `ref` is due."""
        return ref in self._flying

    def answered(self, event: Event, dialect: Dialect, user_id: str | None) -> Call | None:
        """The call that this event answers, if any.

        Raises:
            RemoteProtocolError: the answer is none that this command can have.
        """
        if not isinstance(event, Answer):
            return None
        if dialect is Dialect.V1:
            call = self._flying.pop(event.ref, None) if event.ref is not None else None
            if call is not None and not _may_answer(call, event):
                raise RemoteProtocolError("The server answered a command with something that is not its answer.")
            return call
        first = next(iter(self._flying.values()), None)
        if first is None or not looks_like_answer(event, first.command, user_id):
            return None
        return self._flying.pop(first.ref)

    def postpone(self, call: Call, refusal: events.ErrorParams, per_second: float, now: int) -> bool:
        """Whether this refusal only means "not so fast", and the call waits to be written again (R2.7)."""
        if refusal.code is not Code.RATE_LIMITED or call.forgotten:
            return False
        self._pace.limited(refusal.retry_after_ms or 0, per_second, now)
        insort(self._internal if call.internal else self._waiting, call, key=_number)
        return True

    def interrupt(self) -> None:
        """The connection is gone: what was in flight waits again, and what was the connection's own is gone too."""
        again = [call for call in self._flying.values() if not (call.internal or call.forgotten)]
        self._flying.clear()
        self._internal.clear()
        self._waiting = deque(sorted([*again, *self._waiting], key=_number))

    def sift(self, dialect: Dialect) -> Iterator[tuple[Call, ProtocolError]]:
        """Takes out the calls that cannot go over a connection of this dialect, each with the reason."""
        for call in list(self._waiting):
            error = call.objection(dialect)
            if error is not None:
                self._waiting.remove(call)
                yield call, error


def _number(call: Call) -> int:
    return call.number


def _may_answer(call: Call, event: Answer) -> bool:
    """Whether the policy table knows this event as the command's answer; `ok` is said where nothing changed (V4.2)."""
    return isinstance(event, events.Error | events.Ok | RULES[call.command.event].answer)


def looks_like_answer(event: Answer, command: Command, user_id: str | None) -> bool:
    """Whether an event of the base wire answers this command, or is what somebody else did (R2.6)."""
    match command, event:
        case _, events.Error():
            return True
        case commands.Message(), events.MessageSent(params=sent):
            said = command.params
            return (sent.conversation_id, sent.sender_id, sent.content) == (said.conversation_id, user_id, said.content)
        case commands.NewConversation(), events.ConversationCreated(params=created):
            asked = command.params
            return (created.client, created.pet) == (user_id, asked.pet_id) and (
                set(created.providers) == set(asked.providers)
            )
        case commands.SubscribeConversation(), events.Subscribed(params=done):
            return done.conversation_id == command.params.conversation_id
        case commands.UnsubscribeConversation(), events.Unsubscribed(params=done):
            return done.conversation_id == command.params.conversation_id
        case (commands.Conversations(), events.Conversations()):
            return True
        case (commands.ConversationHistory(), events.ConversationHistoryResponse()):
            return True
        case _:
            return False
