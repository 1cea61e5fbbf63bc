"""What is run for which events, and how: again if it fails, and never for ever."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from re import Match, Pattern
from traceback import walk_tb
from typing import Final, Generic, Protocol, TypeVar

from anyio import CapacityLimiter, sleep
from vetchat_protocol import events
from vetchat_protocol.client import Item

from ..chat import Chat
from ..errors import Refused
from ..logs import log
from .received import Heard, Received, ReplyKeys

LONGEST: Final = 60.0
"""The longest pause before the next run, in seconds."""

OURS: Final = f"{Path(__file__).parent}{os.sep}"
"""Where the frames of a traceback lie that say nothing to who wrote the handler."""

E = TypeVar("E", bound=Item)


class Handler(Protocol):
    """Something that a bot does when something happens."""

    @property
    def name(self) -> str: ...

    def wants(self, item: Item, chat: Chat) -> bool:
        """Whether it is run for this."""
        ...

    async def run(self, item: Item, chat: Chat, keys: ReplyKeys) -> None:
        """Does it, for something that it wants. Raises whatever the function raises."""
        ...


@dataclass(frozen=True, slots=True)
class OnEvent(Generic[E]):
    """A function for every event and notice of these classes."""

    name: str
    kinds: tuple[type[E], ...]
    function: Callable[[Received[E]], Awaitable[None]]

    def wants(self, item: Item, chat: Chat) -> bool:
        return isinstance(item, self.kinds)

    async def run(self, item: Item, chat: Chat, keys: ReplyKeys) -> None:
        assert isinstance(item, self.kinds)
        await self.function(Received(item, chat, keys))


@dataclass(frozen=True, slots=True)
class OnText:
    """A function for the messages of others that a pattern is found in."""

    name: str
    pattern: Pattern[str]
    function: Callable[[Heard], Awaitable[None]]

    def wants(self, item: Item, chat: Chat) -> bool:
        return self._found(item, chat) is not None

    async def run(self, item: Item, chat: Chat, keys: ReplyKeys) -> None:
        match = self._found(item, chat)
        assert isinstance(item, events.MessageSent)
        assert match is not None
        await self.function(Heard(item, chat, keys, match))

    def _found(self, item: Item, chat: Chat) -> Match[str] | None:
        if not isinstance(item, events.MessageSent) or item.params.sender_id == chat.user:
            return None
        return self.pattern.search(item.params.content)


class Runner:
    """Runs handlers for one chat, so many at a time, and each so often until it does not raise."""

    def __init__(self, bot: str, chat: Chat, attempts: int, concurrency: int) -> None:
        self._bot = bot
        self._chat = chat
        self.concurrency = concurrency
        self._attempts = attempts
        self._limiter = CapacityLimiter(concurrency)

    async def run(self, handler: Handler, item: Item, identity: str) -> bool:
        """Whether the item needs this handler no more: it has returned, or failed too often.

        It is not so if the chat has ended meanwhile, whatever the function made of that. Between two runs it holds
        nobody up but who waits for this item.
        """
        for attempt in range(1, self._attempts + 1):
            try:
                async with self._limiter:
                    await handler.run(item, self._chat, ReplyKeys(self._bot, handler.name, identity))
                return self._chat.ended is None
            except Exception as error:  # noqa: BLE001  (it is the application's function; it may fail in any way)
                if self._chat.ended is not None:
                    return False
                self._failed(handler.name, error, attempt)
            if attempt < self._attempts:
                await sleep(pause(attempt))
        return True

    async def keep_running(self, name: str, function: Callable[[Chat], Awaitable[None]]) -> None:
        """Runs what runs beside the handlers, until it returns; again whenever it raises."""
        attempt = 0
        while True:
            try:
                return await function(self._chat)
            except Exception as error:  # noqa: BLE001  (it is the application's function; it may fail in any way)
                if self._chat.ended is not None:
                    return None
                attempt += 1
                log(logging.ERROR, "a background task failed", bot=self._bot, task=name, **told(error))
            await sleep(pause(attempt))

    def _failed(self, name: str, error: Exception, attempt: int) -> None:
        last = attempt == self._attempts
        level, what = (logging.ERROR, "a handler failed for good") if last else (logging.WARNING, "a handler failed")
        log(level, what, bot=self._bot, handler=name, run=attempt, **told(error))


def pause(attempt: int) -> float:
    """How long to wait after this failed run, in seconds: 1, 4, 16 and so on."""
    return min(LONGEST, 4.0 ** min(attempt - 1, 10))


def told(error: Exception) -> dict[str, object]:
    """What may be said of an error in a log: its class and where it came from. Its text may be somebody's message."""
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    files = [file for file, _ in places if not file.startswith(OURS)] or [places[-1][0]]
    line = [line for file, line in places if file == files[0]][-1]
    code = error.code if isinstance(error, Refused) else None
    return {"error": type(error).__name__, "code": code, "where": f"{files[0]}:{line}"}
