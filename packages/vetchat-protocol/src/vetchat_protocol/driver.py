"""The driver of one simulated connection: frames → stories → the world, one operation at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from . import operations as ask
from .codec import Dialect, write_event
from .errors import UNAVAILABLE, CloseCode, Closing, LocalProtocolError, Refusal
from .events import TokenExpiring
from .server import Response, Story, connect, respond
from .session import Session
from .world import Pending, World


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a connection's transcript.

    `at` is the time (ms since the epoch) and `head` the offset of the last committed record when it was written;
    `answers` tells of a frame heard whether it was sent as the direct answer to a command (R2.6, R2.7).
    """

    kind: Literal["opened", "said", "heard", "closed"]
    at: int
    head: int
    text: str | bytes = ""
    answers: bool = False


class Connection:
    """One connection as a simulated server has it; `transcript` is all that happened on its wire, in order.

    `closed` says why the server ended it, None where it did not; once `gone` it says and hears nothing more.
    """

    def __init__(self, world: World, session: Session) -> None:
        self.session = session
        self.transcript: list[Line] = []
        self.closed: CloseCode | None = None
        self.gone: bool = False
        self.deadline: int | None = None
        self._world = world
        self._agenda: deque[Callable[[], Story[Any]]] = deque()
        self._stories: list[Story[Any]] = []
        self._operation: ask.Operation[object] | None = None
        self._pending = Pending()
        self._trail: list[tuple[object, object, str]] = []
        if session.dialect is Dialect.V1:
            self._opened()
        elif session.offered is not None:
            self._agenda.append(partial(connect, session, session.offered))

    @property
    def id(self) -> str:
        return self.session.id

    @property
    def heard(self) -> list[str]:
        """The text of every frame received so far."""
        return [str(line.text) for line in self.transcript if line.kind == "heard"]

    def say(self, text: str | bytes) -> None:
        """Puts a frame on the wire; its turn comes when all before it are answered (R2.6).

        Raises:
            LocalProtocolError: the connection is gone.
        """
        if self.gone:
            raise LocalProtocolError("This connection is gone; connect again.")
        self._write("said", text)
        self._agenda.append(partial(respond, self.session, text))

    def hear(self, text: str, answers: bool) -> None:
        """Takes a frame from the server."""
        assert not self.gone, "who is gone is told nothing"
        self._write("heard", text, answers)

    # -- driving -------------------------------------------------------------------------------------------------------

    @property
    def may_proceed(self) -> bool:
        """Whether its story can go on, or the next one begin."""
        if self._stories:
            return self._pending.ready
        return bool(self._agenda) and self.closed is None

    def proceed(self) -> None:
        """Begins the next story or goes on with this one, up to the next operation that concerns others."""
        value, error = self._pending.value, self._pending.error
        if self._stories:
            self._trail.append((self._operation, value, str(error)))
        else:
            self._stories.append(self._agenda.popleft()())
            value, error = None, None
        while self._stories:
            operation, value, error = self._go_on(value, error)
            if isinstance(operation, ask.Enter):
                self._stories.append(self._world.enter(self.session, operation.identity))
            elif operation is not None:
                self._operation, self._pending = operation, self._world.ask(self.session, operation)
                if not self._world.concerns_nobody_else(operation):
                    return
                value, error = self._pending.value, self._pending.error
        self._finish(value, error)

    def _go_on(
        self, value: object, error: Exception | None
    ) -> tuple[ask.Operation[object] | None, object, Exception | None]:
        """Answers the innermost story: what it asks next, or the value or error that it ends with."""
        story = self._stories[-1]
        try:
            return (story.send(value) if error is None else story.throw(error)), None, None
        except StopIteration as end:
            value, error = end.value, None
        except (Refusal, Closing) as refused:
            value, error = None, refused
        del self._stories[-1]
        return None, value, error

    def _finish(self, value: object, error: Exception | None) -> None:
        """A story has ended: with a response, by coming in, or with the end of the connection."""
        self._trail.clear()
        if error is not None:
            self.end(error.close if isinstance(error, Closing) else UNAVAILABLE)
        elif not isinstance(value, Response):
            self._opened()
        elif value.answer is not None:
            self.hear(write_event(value.answer, self.session.dialect), answers=True)
        if self.gone:
            return
        if self.closed is not None:
            self.leave()
        else:
            self.deadline = self.session.deadline()

    def expire(self) -> None:
        """The session's time has come (V1.1, V1.5, R1.9)."""
        match self.session.tick(self._world.now):
            case TokenExpiring() as warning:
                self.hear(write_event(warning, self.session.dialect), answers=False)
            case CloseCode() as close:
                self.end(close)
            case None:
                pass
        self.deadline = None if self.closed else self.session.deadline()

    def end(self, close: CloseCode) -> None:
        """The server ends the connection, after the command at hand."""
        self.closed = close
        if not self._stories:
            self.leave()

    def leave(self) -> None:
        """It is gone, and the others are told (S5.8, R5.7)."""
        self.cut()
        self._world.tell(self._world.delivery.disconnect(self.id, self._world.now))

    def cut(self) -> None:
        """It is gone in the middle of whatever it was doing."""
        while self._stories:
            self._stories.pop().close()
        self._agenda.clear()
        self.gone, self.deadline = True, None
        self._write("closed", str(self.closed.code) if self.closed else "")

    def state(self) -> Hashable:
        """All that its future depends on, and its past."""
        pending = self._operation, self._pending.ready, self._pending.value, str(self._pending.error)
        story = (tuple(self._trail), pending) if self._stories else None
        return tuple(self.transcript), story, len(self._agenda), self.closed, self.gone, self.deadline

    def _opened(self) -> None:
        self._write("opened", "")
        self.deadline = self.session.deadline()

    def _write(
        self, kind: Literal["opened", "said", "heard", "closed"], text: str | bytes, answers: bool = False
    ) -> None:
        self.transcript.append(Line(kind, self._world.now, self._world.log.head, text, answers))
