"""A program under test: started, stopped at any moment, and started again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Final

from anyio import CancelScope, Event, fail_after
from anyio.abc import TaskGroup
from vetchat_protocol.commands import Resume

from ..bot import PositionStore
from .server import SimulatedServer
from .stage import Stage

PATIENCE: Final = 60.0
"""How long a program may take to connect, in seconds of the scene."""

ANY_MOMENT: Final = 40
"""Within how many turns of the event loop a fault strikes; about as long as a program takes to answer."""


class KeptPosition:
    """A position in memory, as a program's file would keep it; a `PositionStore`. Who is dead saves nothing."""

    def __init__(self, server: SimulatedServer) -> None:
        self.position: Resume | None = None
        self.alive = True
        self._server = server

    async def load(self) -> Resume | None:
        await self._server.moments()
        return self.position

    async def save(self, position: Resume) -> None:
        await self._server.moments()
        if self.alive:
            self.position = position


class Running:
    """A program of the user id `user`; made by `Clinic.run`.

    `play` is run from its beginning at every start, and `kept` is what it finds of its last run.
    """

    def __init__(
        self,
        name: str,
        user: str,
        play: Callable[[PositionStore], Awaitable[None]],
        *,
        server: SimulatedServer,
        stage: Stage,
        tasks: TaskGroup,
    ) -> None:
        self.name = name
        self.user = user
        self.kept: KeptPosition = KeptPosition(server)
        self._play = play
        self._server = server
        self._stage = stage
        self._tasks = tasks
        self._scope: CancelScope | None = None
        self._ended = Event()

    def __repr__(self) -> str:
        return f"<Running {self.name}, {self.user}, {'running' if self.running else 'stopped'}>"

    @property
    def running(self) -> bool:
        """Whether it has been started, and has not been stopped or ended by itself."""
        return self._scope is not None

    async def start(self) -> None:
        """Starts it, and returns when it is connected.

        Raises:
            RuntimeError: it runs already.
            TimeoutError: it does not connect.
        """
        if self._scope is not None:
            raise RuntimeError(f"{self.name} runs already.")
        self._scope, self._ended, self.kept.alive = CancelScope(), Event(), True
        self._tasks.start_soon(self._run, self._scope, self._ended)
        try:
            with fail_after(PATIENCE):
                await self._server.arrival(self.user)
        except TimeoutError:
            raise TimeoutError(f"{self.name} did not connect within {PATIENCE:g} s.") from None

    async def stop(self) -> None:
        """Asks it to end and returns when it has: it may still save its position, as after SIGTERM.

        The seed picks the moment, among those in which it may still be busy with what happened last.
        """
        await self._server.moments(ANY_MOMENT)
        await self._end()

    async def kill(self) -> None:
        """Ends it at once, at a moment that the seed picks: whatever it has not saved by then is lost with it."""
        await self._server.moments(ANY_MOMENT)
        self.kept.alive = False
        await self._end()

    async def _end(self) -> None:
        if self._scope is not None:
            self._scope.cancel()
            await self._ended.wait()

    async def _run(self, scope: CancelScope, ended: Event) -> None:
        try:
            with self._stage.ended_by_errors(), self._named(), scope:
                await self._play(self.kept)
        finally:
            self._scope = None
            ended.set()

    @contextmanager
    def _named(self) -> Generator[None]:
        try:
            yield
        except Exception as error:
            error.add_note(f"Raised by {self.name} at {self._server.now():%H:%M:%S} UTC.")
            raise
