"""The simulated server in virtual time: it takes its turn when a frame has come, or something is due."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from math import floor
from random import Random
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from anyio import Event, current_time, move_on_after, sleep
from anyio.lowlevel import checkpoint
from vetchat_protocol import Dialect, Role
from vetchat_protocol.models import UNKNOWN_NAME, User
from vetchat_protocol.operations import Identity
from vetchat_protocol.session import Terms
from vetchat_protocol.simulation import Connection, Simulation
from vetchat_protocol.world import World

from ..signals import Signal
from ..transport import Request, Unopened, UpgradeRefused
from .transport import MemoryTransport

HEARTBEAT: Final = 24 * 3_600_000
"""In ms. Rare signs of life: in virtual time nobody waits for them, and a simulated year has a great many of them."""

SETTLED: Final = 1e-6
"""In seconds. Time passes only when everybody waits, so whoever lets this pass finds all consequences drawn."""

AT_ONCE: Final = 10_000
"""How many frames may be sent without that time passes."""

IN_VAIN: Final = 5_000
"""How many attempts to connect may come to nothing in a row; hours of them, for a handful of clients."""


class SimulatedServer:
    """A server in open mode that takes the tokens that it has issued, too. It begins at the time `start`, and serves no
    longer than `longest`. The seed decides in which order everything happens that may happen in any.
    """

    def __init__(self, seed: int, start: datetime, longest: timedelta) -> None:
        self.simulation: Simulation = Simulation(seed, terms=Terms(heartbeat_interval=HEARTBEAT))
        self.world: World = self.simulation.world
        self.names: dict[str, str] = {}
        self.unreachable: set[str] = set()
        self.down = False
        self._luck = Random(seed)  # noqa: S311 - repeats a run, keeps no secret
        self._start = start.astimezone(UTC)
        self._longest = longest
        self._transports: dict[str, MemoryTransport] = {}
        self._work = Signal()
        self._turned = Event()
        self._at_once = 0
        self._vain_attempts = 0

    # -- time ----------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The wall clock of the server in UTC, to the millisecond (S2.2)."""
        return self._start + timedelta(milliseconds=floor(current_time() * 1_000 + 1e-6))

    async def until(self, moment: datetime) -> None:
        """Lets time pass until then, and everybody do at once what was to be done then."""
        left = (moment - self._start).total_seconds() - current_time()
        await sleep(left + SETTLED)

    async def moments(self, most: int = 3) -> None:
        """Lets the others go on for a few turns of the event loop, in which no time passes."""
        for _ in range(1 + self._luck.randrange(most)):
            await checkpoint()

    async def run(self) -> None:
        """Serves until it is cancelled.

        Raises:
            TimeoutError: the scene has lasted for too long.
            RuntimeError: the same happens again and again.
        """
        while True:
            self._tell_time()
            self._turn()
            self._turned.set()
            self._turned = Event()
            self._refuse_to_go_round_in_circles()
            with move_on_after(self._seconds_left()):
                await self._work.wait()

    def _refuse_to_go_round_in_circles(self) -> None:
        if current_time() >= self._longest.total_seconds():
            raise TimeoutError(f"The scene did not end within {self._longest}: it waits for what never comes.")
        if self._at_once > AT_ONCE:
            raise RuntimeError(f"{AT_ONCE:,} frames were sent and no time has passed: does a program answer itself?")
        if self._vain_attempts > IN_VAIN:
            raise RuntimeError(f"{IN_VAIN:,} attempts to connect were in vain: who waits for somebody offline?")

    def _tell_time(self) -> None:
        passed = milliseconds(self.now()) - self.world.now
        if passed:
            self.simulation.advance(passed)
            self._at_once = 0

    def _turn(self) -> None:
        """Runs the server to rest and hands out what it says."""
        self.simulation.run()
        self.simulation.taken.clear()
        for transport in list(self._transports.values()):
            transport.fetch()
            if transport.too_slow and transport.ended is None:
                transport.overflow()
                self._work.set()
            if transport.ended is not None:
                del self._transports[transport.connection.id], self.simulation.connections[transport.connection.id]

    def _seconds_left(self) -> float:
        due = self.simulation.deadline()
        end = self._longest.total_seconds() - current_time()
        return end if due is None else min(end, (due - self.world.now) / 1_000)

    # -- connections ---------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[MemoryTransport]:
        """Opens a connection; an `Opener`.

        Raises:
            UpgradeRefused: the token is none of this server's, or has run out.
            Unopened: the server is down, or this user cannot reach it.
        """
        await self.moments()
        self._tell_time()
        identity = self._identified(request)
        user = identity.user
        if self.down or user.id in self.unreachable:
            self._vain_attempts += 1
            self._work.set()
            raise Unopened("The simulated server cannot be reached.")
        self._vain_attempts = 0
        self.names[user.id] = user.display_name
        connection = self.simulation.connect(user, dialect=Dialect.V1, expires_at=identity.expires_at)
        transport = MemoryTransport(connection, user, partial(self._say, connection), self.moments)
        self._transports[connection.id] = transport
        self._work.set()
        try:
            yield transport
        finally:
            self._hang_up(transport)

    def _identified(self, request: Request) -> Identity:
        """Who it is, by its token or, in open mode, by what it says of itself (R1.3)."""
        if request.token is not None:
            identity = self.world.tokens.get(request.token)
            if identity is None or (identity.expires_at is not None and identity.expires_at <= self.world.now):
                raise UpgradeRefused(401)
            return identity
        query = dict(parse_qsl(urlsplit(request.url).query))
        role = Role(query.get("role", Role.CLIENT))
        return Identity(User(query.get("user_id") or self.new_id("user"), role, query.get("name", UNKNOWN_NAME)))

    def issue(self, user: User, lasts: timedelta) -> str:
        """A token that proves somebody to be this user from now on for so long."""
        self._tell_time()
        return self.simulation.issue(user, expires_at=self.world.now + lasts // timedelta(milliseconds=1))

    def new_id(self, kind: str) -> str:
        """An id that is the same in every run."""
        return self.world.new_id(kind)

    async def arrival(self, user_id: str) -> None:
        """Returns when this user is connected and welcome."""
        while not any(self._is_there(transport, user_id) for transport in self._transports.values()):
            await self._turned.wait()

    def _is_there(self, transport: MemoryTransport, user_id: str) -> bool:
        return transport.user.id == user_id and transport.connection.session.identity is not None

    def _say(self, connection: Connection, text: str) -> None:
        self._at_once += 1
        self.simulation.send(connection, text)
        self._work.set()

    def _hang_up(self, transport: MemoryTransport) -> None:
        """The client is gone; the server notices at any moment of its next turn."""
        self.simulation.meanwhile(partial(self.simulation.disconnect, transport.connection), "the line breaks")
        self._work.set()

    # -- faults --------------------------------------------------------------------------------------------------------

    def cut(self, user_ids: Iterable[str] | None = None) -> None:
        """Breaks the connections of these users, or all; of what is on its way, a part is lost."""
        broken = None if user_ids is None else set(user_ids)
        for transport in list(self._transports.values()):
            if broken is None or transport.user.id in broken:
                transport.cut(self._luck)
                self._hang_up(transport)

    async def crash(self) -> None:
        """The server is gone with all that it had not committed, at any moment of its next turn, and stays `down`."""
        crashed = Event()

        def crash() -> None:
            self.simulation.restart()
            self.down = True
            for transport in self._transports.values():
                transport.cut(self._luck)
            crashed.set()

        self.simulation.meanwhile(crash, "the server crashes")
        self._work.set()
        await crashed.wait()


def milliseconds(moment: datetime) -> int:
    """Since the epoch."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
