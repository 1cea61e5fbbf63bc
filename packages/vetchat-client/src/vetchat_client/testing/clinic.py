"""`Clinic`: everything that a scene can bring about."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Final, Unpack

from anyio.abc import TaskGroup, TaskStatus
from vetchat_protocol import Role, events
from vetchat_protocol.client import Reset
from vetchat_protocol.commands import Resume
from vetchat_protocol.fields import canonical_uuid
from vetchat_protocol.models import User

from ..bot import Bot, ConnectOptions, PositionStore
from ..chat import Chat, Id
from ..client import connect
from ..tokens import TokenSource
from ..transport import Opener
from .mailbox import Mailbox
from .people import Participant, Person
from .running import ANY_MOMENT, Running
from .server import SimulatedServer
from .stage import Stage
from .transcript import written

URL: Final = "ws://clinic.invalid"
"""An address where nobody is: nothing here goes over a network."""

Program = Callable[[Chat], Awaitable[None]]
"""A bot without `Bot`: it is given its chat, which is left when it returns."""


class Clinic:
    """A simulated server, the people and programs that talk over it, and the time, which passes when everybody waits.

    `url` and `opener` are for programs that call `connect` themselves.
    """

    def __init__(self, server: SimulatedServer, stage: Stage, tasks: TaskGroup, zone: tzinfo | None) -> None:
        self.url = URL
        self.opener: Opener = server.open
        self._server = server
        self._stage = stage
        self._tasks = tasks
        self._zone = zone

    # -- time ----------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The wall clock of the scene, in the time zone in which it began; give it to programs that need a clock."""
        return self._server.now().astimezone(self._zone)

    async def passes(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Lets time pass, and everybody do at once what is to be done then."""
        passing = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        await self._server.until(self._server.now() + passing)

    async def until(self, moment: datetime) -> None:
        """Lets time pass until the wall clock shows this, and everybody do what is to be done then.

        Raises:
            ValueError: that is over.
        """
        if moment < self.now():
            raise ValueError(f"It is {self.now():%c} already.")
        await self._server.until(moment)

    # -- people and programs -------------------------------------------------------------------------------------------

    async def owner(self, name: str, *, user_id: Id | None = None) -> Person:
        """A pet owner comes in."""
        return await self._person(name, Role.CLIENT, user_id)

    async def vet(self, name: str, *, user_id: Id | None = None) -> Person:
        """A vet comes in."""
        return await self._person(name, Role.PROVIDER, user_id)

    async def run(
        self,
        program: Bot | Program,
        *,
        name: str | None = None,
        role: Role | str = Role.PROVIDER,
        user_id: Id | None = None,
        token: TokenSource = None,
    ) -> Running:
        """Starts a bot or another program, by default as a vet, and returns when it is connected.

        `token` must prove what is said here, if there is one. If the program raises, the scene fails.
        """
        user, known_as = self._known(user_id), name or _name(program)
        who: ConnectOptions = {"token": token, "user_id": user, "role": role, "name": known_as}
        play = partial(self._play, program, who)
        running = Running(known_as, user, play, server=self._server, stage=self._stage, tasks=self._tasks)
        await running.start()
        return running

    def connect(
        self, *, resume: Resume | None = None, **options: Unpack[ConnectOptions]
    ) -> AbstractAsyncContextManager[Chat]:
        """`vetchat_client.connect`, to the simulated server."""
        return connect(self.url, resume=resume, **(options | {"opener": self.opener}))

    def new_id(self, kind: str = "user") -> str:
        """An id that nobody has, the same one in every run of the scene."""
        return self._server.new_id(kind)

    def issue(
        self, user_id: Id, *, role: Role | str = Role.PROVIDER, name: str = "Bot", lasts: timedelta = timedelta(hours=1)
    ) -> str:
        """A token that proves somebody to be this user, from now on for as long as it lasts."""
        return self._server.issue(User(self._known(user_id), Role(role), name), lasts)

    # -- faults --------------------------------------------------------------------------------------------------------

    async def cut(self, *who: Participant) -> None:
        """Breaks the connections of these, or without any of everybody, at a moment that the seed picks.

        Part of what is on its way is lost. The clients come back by themselves.
        """
        await self._server.moments(ANY_MOMENT)
        self._server.cut([one.user for one in who] or None)

    @asynccontextmanager
    async def offline(self, *who: Participant) -> AsyncGenerator[None]:
        """These have no network while the block lasts."""
        users = {one.user for one in who}
        self._server.unreachable |= users
        await self.cut(*who)
        try:
            yield
        finally:
            self._server.unreachable -= users

    @asynccontextmanager
    async def outage(self) -> AsyncGenerator[None]:
        """The server crashes, at a moment that the seed picks, and is away while the block lasts.

        What it had stored is there again afterwards, as after a restart.
        """
        await self._server.moments(ANY_MOMENT)
        await self._server.crash()
        try:
            yield
        finally:
            self._server.down = False

    # -- afterwards ----------------------------------------------------------------------------------------------------

    def transcript(self) -> str:
        """All that was said so far, by whom and when."""
        return written(self._server.world.log.records, self._server.names, self._zone)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _known(self, user_id: Id | None) -> str:
        return self.new_id() if user_id is None else canonical_uuid(str(user_id))

    async def _person(self, name: str, role: Role, user_id: Id | None) -> Person:
        return await self._tasks.start(self._attend, name, role, self._known(user_id))

    async def _attend(self, name: str, role: Role, user: str, *, task_status: TaskStatus[Person]) -> None:
        """A person's ears, as long as the scene lasts; what one says oneself one need not hear."""
        mailbox = Mailbox()
        async with self.connect(user_id=user, role=role, name=name) as chat:
            task_status.started(Person(name, chat, mailbox, self._server))
            with self._stage.ended_by_errors():
                async for item in chat:
                    assert not isinstance(item, Reset), f"{name} has missed more than a server replays."
                    if not (isinstance(item, events.MessageSent) and item.params.sender_id == user):
                        mailbox.put(item)

    async def _play(self, program: Bot | Program, who: ConnectOptions, kept: PositionStore) -> None:
        if isinstance(program, Bot):
            await program.run(self.url, position=kept, **(who | {"opener": self.opener}))
            return
        async with self.connect(**who) as chat:
            await program(chat)


def _name(program: Bot | Program) -> str:
    return program.name if isinstance(program, Bot) else str(getattr(program, "__name__", "Program"))
