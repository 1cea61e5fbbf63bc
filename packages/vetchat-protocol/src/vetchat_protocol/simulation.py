"""Many connections, one seed, no clock, no loop: the stories and the delivery machine in any order they can run in.

The stories are the very ones that a server drives; here `world` answers them from memory. At every operation, commit,
delivery pass and timer, a `Choose` picks what happens next, so whatever a server may do can happen here too, and the
same picks do the same again. Time is an integer that the caller moves.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from .codec import Dialect, write_command
from .commands import Command
from .delivery import Delivery
from .driver import Connection, Line
from .exploration import Choose, Seeded
from .models import User
from .operations import Identity
from .session import Session, Terms
from .world import World

__all__ = ["Commit", "Connection", "Deliver", "Expire", "Happen", "Line", "Proceed", "Simulation", "Step"]


@dataclass(frozen=True, slots=True)
class Proceed:
    """A connection's story goes on, or its next one begins."""

    connection: str


@dataclass(frozen=True, slots=True)
class Commit:
    """So many of the waiting drafts become durable together."""

    drafts: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """The delivery pass of the last commit."""


@dataclass(frozen=True, slots=True)
class Expire:
    """A time has come: a session's, or without a connection the delivery machine's."""

    connection: str | None


@dataclass(frozen=True, slots=True)
class Happen:
    """Something from outside, announced by `meanwhile`."""

    name: str
    number: int


Step = Proceed | Commit | Deliver | Expire | Happen
"""What may happen next. Within a step nothing else can come in between."""


class Simulation:
    """A whole server with its connections.

    `choose` picks among the steps; a number stands for that seed. `start` makes the delivery machine at a log's head.
    Missed records are replayed `replay_page` at a time.
    """

    def __init__(
        self,
        choose: Choose | int,
        *,
        terms: Terms | None = None,
        start: Callable[[int], Delivery] = Delivery,
        replay_page: int = 200,
    ) -> None:
        self.choose: Choose = Seeded(choose) if isinstance(choose, int) else choose
        self.terms: Terms = terms or Terms()
        self.world: World = World(self._hear, terms=self.terms, start=start, replay_page=replay_page)
        self.connections: dict[str, Connection] = {}
        self.taken: list[Step] = []
        self._happenings: dict[Happen, Callable[[], None]] = {}
        self._announced = 0

    # -- what comes from outside ---------------------------------------------------------------------------------------

    def connect(
        self, user: User | None, *, dialect: Dialect = Dialect.BASE, expires_at: int | None = None
    ) -> Connection:
        """A connection of this user, proved by its upgrade until `expires_at`; on the base wire it comes in at once.

        None stands for a `vetchat.v1` upgrade without a token: `hello` must bring one that `issue` made (V1.3).
        """
        assert user is not None or dialect is Dialect.V1, "the base wire knows no hello"
        offered = None if user is None else Identity(user, expires_at)
        session = Session(self.world.new_id("session"), dialect, self.terms, self.world.now, offered)
        connection = self.connections[session.id] = Connection(self.world, session)
        return connection

    def issue(self, user: User, *, expires_at: int | None = None) -> str:
        """A token that proves somebody to be this user until `expires_at`, for `hello` and `refresh`."""
        token = self.world.new_id("token")
        self.world.tokens[token] = Identity(user, expires_at)
        return token

    def send(self, connection: Connection, frame: str | bytes | Command) -> None:
        """Puts a frame on a connection's wire; its turn comes when all before it are answered (R2.6).

        Raises:
            LocalProtocolError: the connection is gone.
        """
        connection.say(frame if isinstance(frame, str | bytes) else write_command(frame))

    def disconnect(self, connection: Connection) -> None:
        """Cuts a connection off in whatever it is doing; what it has appended stays (R4.7)."""
        if not connection.gone:
            connection.leave()

    def restart(self) -> None:
        """The server crashes and starts again: every connection, and all that was not yet committed, is gone."""
        for connection in self.connections.values():
            if not connection.gone:
                connection.cut()
        self.world.restart()

    def deadline(self) -> int | None:
        """When the next thing becomes due, in ms since the epoch; None while nothing can."""
        times = [self.world.delivery.deadline(), *(connection.deadline for connection in self.connections.values())]
        return min((time for time in times if time is not None), default=None)

    def advance(self, ms: int) -> None:
        """Moves the clock, also back; what has become due is among the next steps."""
        self.world.now += ms

    def meanwhile(self, action: Callable[[], None], name: str = "something") -> None:
        """Lets something happen from outside at any moment of the run to come: whenever it is picked."""
        self._announced += 1
        self._happenings[Happen(name, self._announced)] = action

    # -- running -------------------------------------------------------------------------------------------------------

    def run(self, most: int = 1_000_000) -> None:
        """Takes steps until nothing is left to do.

        Raises:
            RuntimeError: that did not come about in so many steps; something goes round in circles.
        """
        for _ in range(most):
            if not self.step():
                return
        raise RuntimeError(f"The simulation did not come to rest within {most} steps.")

    def step(self) -> bool:
        """Takes one of the possible steps, as `choose` picks; False when there is none."""
        steps = self.steps()
        if not steps:
            return False
        self.take(steps[self.choose(len(steps), self.state) if len(steps) > 1 else 0])
        return True

    def steps(self) -> Sequence[Step]:
        """Everything that may happen next, in a fixed order."""
        now, deadline = self.world.now, self.world.delivery.deadline()
        connections = [connection for connection in self.connections.values() if not connection.gone]
        steps: list[Step] = [Proceed(connection.id) for connection in connections if connection.may_proceed]
        if self.world.undelivered:
            steps.append(Deliver())
        else:
            steps += [Commit(drafts) for drafts in range(1, len(self.world.waiting) + 1)]
        if deadline is not None and deadline <= now:
            steps.append(Expire(None))
        steps += [
            Expire(connection.id)
            for connection in connections
            if connection.deadline is not None and connection.deadline <= now
        ]
        return [*steps, *self._happenings]

    def take(self, step: Step) -> None:
        """Does one of the steps that `steps` told."""
        self.taken.append(step)
        match step:
            case Proceed(connection):
                self.connections[connection].proceed()
            case Commit(drafts):
                self.world.commit(drafts)
            case Deliver():
                self.world.deliver()
            case Expire(connection):
                self._expire(connection)
            case Happen():
                self._happenings.pop(step)()

    def _expire(self, connection: str | None) -> None:
        if connection is None:
            self.world.tell(self.world.delivery.tick(self.world.now))
        else:
            self.connections[connection].expire()

    def state(self) -> Hashable:
        """All that the future depends on, and every transcript: equal states have equal futures and equal pasts."""
        connections = tuple(connection.state() for connection in self.connections.values())
        return self.world.state(), connections, tuple(self._happenings)

    def _hear(self, connection: str, text: str, answers: bool) -> None:
        self.connections[connection].hear(text, answers)
