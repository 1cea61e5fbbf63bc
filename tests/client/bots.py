"""Bots at work beside the people who talk to them, and a position store that a test can look into."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from anyio import Event, create_task_group, fail_after, lowlevel
from vetchat_client import Bot, Chat, Heard, Message, PositionStore, Resume, connect, events

from tests.client.company import PATIENCE, next_of
from tests.conformance.peer import new_id


class Memory(PositionStore):
    """Keeps positions in memory, all that were ever saved; `trouble` is raised by the next saves, one each."""

    def __init__(self, *saved: Resume) -> None:
        self.saved = list(saved)
        self.trouble: list[Exception] = []
        self._changed = Event()

    async def load(self) -> Resume | None:
        return self.saved[-1] if self.saved else None

    async def save(self, position: Resume) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        self.saved.append(position)
        self._changed.set()
        self._changed = Event()

    @property
    def offset(self) -> int:
        """The latest one."""
        return self.saved[-1].offset

    async def reaches(self, offset: int | None) -> None:
        assert offset is not None
        with fail_after(PATIENCE):
            while not self.saved or self.offset < offset:
                await self._changed.wait()


@asynccontextmanager
async def at_work(bot: Bot, url: str, positions: PositionStore | None = None, **options: Any) -> AsyncGenerator[Chat]:
    """A bot that works as a vet, from the saved position on, until the block ends."""
    resume = None if positions is None else await positions.load()
    options = {"role": "provider", "user_id": new_id(), "name": "Bot", **options}
    async with connect(url, resume=resume, **options) as chat, create_task_group() as tasks:
        tasks.start_soon(bot.attend, chat, positions)
        yield chat
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def owner_of_talks(url: str, bot: Chat, talks: int = 1) -> AsyncGenerator[tuple[Chat, list[str]]]:
    """An owner, and conversations with the bot."""
    async with connect(url, role="client", name="Ann") as ann:
        yield ann, [(await ann.create_conversation(new_id(), [bot.user])).id for _ in range(talks)]


async def answer(chat: Chat) -> Message:
    """What somebody else says next."""
    while True:
        message = (await next_of(chat, events.MessageSent)).params
        if message.sender_id != chat.user:
            return message


async def settle() -> None:
    """Lets everybody do what can be done without waiting for the network."""
    for _ in range(100):
        await lowlevel.checkpoint()


class Gate:
    """Handlers that begin when they are called and end when they are let."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self._open: dict[str, Event] = {}
        self._changed = Event()

    async def passes(self, text: str) -> None:
        self._note(self.begun, text)
        await self._open.setdefault(text, Event()).wait()
        self._note(self.ended, text)

    def let(self, *texts: str) -> None:
        for text in texts:
            self._open.setdefault(text, Event()).set()

    async def until(self, begun: int = 0, ended: int = 0) -> None:
        with fail_after(PATIENCE):
            while len(self.begun) < begun or len(self.ended) < ended:
                await self._changed.wait()
        await settle()

    def _note(self, where: list[str], text: str) -> None:
        where.append(text)
        self._changed.set()
        self._changed = Event()


def gated(**options: int) -> tuple[Bot, Gate]:
    """A bot whose only handler passes a gate with each message."""
    bot, gate = Bot("gated", **options), Gate()

    @bot.hears("")
    async def hear(message: Heard) -> None:
        await gate.passes(message.text)

    return bot, gate
