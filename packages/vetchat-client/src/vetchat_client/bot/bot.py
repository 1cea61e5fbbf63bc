"""`Bot`: what to do when something happens, and the way to do it for as long as it takes."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from inspect import isclass, iscoroutinefunction, isfunction, unwrap
from pathlib import Path
from ssl import SSLContext
from typing import TypedDict, TypeVar, Unpack

from anyio import create_task_group
from vetchat_protocol import Role
from vetchat_protocol.client import Item

from ..chat import Chat, Id
from ..client import connect
from ..errors import Closed, NotSupported, UnknownUser, VetChatError
from ..logs import log
from ..tokens import TokenSource
from ..transport import Opener
from .attendance import BASE_WIRE, Attendance, must_speak_v1
from .handlers import Handler, OnEvent, OnText, Runner
from .position import FilePosition, PositionStore
from .progress import Progress
from .received import Heard, Received

E = TypeVar("E", bound=Item)

HeardHandler = Callable[[Heard], Awaitable[None]]
Background = Callable[[Chat], Awaitable[None]]


class ConnectOptions(TypedDict, total=False):
    """What `connect` takes beside the address and `resume`, which a bot sees to itself."""

    token: TokenSource
    user_id: Id | None
    role: Role | str | None
    name: str | None
    buffer: int
    open_timeout: float
    attempt_timeout: float
    ssl: SSLContext | None
    opener: Opener


class Bot:
    """Handlers for what happens in a chat, and the promise that each message is answered exactly once.

    Events of one conversation are handled one after the other, those of different ones side by side, by at most
    `concurrency` handlers at a time. A handler that raises is run again, up to `attempts` runs. The ids of all replies
    derive from `name`, the handler's name and the event, so keep the names when the program changes.

    Raises:
        ValueError: `name` is empty, or a number is not positive.
    """

    def __init__(self, name: str, *, attempts: int = 3, concurrency: int = 100) -> None:
        if not name or attempts < 1 or concurrency < 1:
            raise ValueError("A bot has a name, and at least one attempt and one handler at a time.")
        self.name = name
        self._attempts = attempts
        self._concurrency = concurrency
        self._handlers: list[Handler] = []
        self._background: list[Background] = []

    def __repr__(self) -> str:
        return f"<Bot {self.name}: {', '.join(handler.name for handler in self._handlers) or 'no handlers'}>"

    # -- what to do ----------------------------------------------------------------------------------------------------

    def hears(self, pattern: str | re.Pattern[str]) -> Callable[[HeardHandler], HeardHandler]:
        """Registers a function for the messages of others in which the pattern is found, wherever in the text.

        A string is a regular expression in which upper and lower case are the same.

        Raises:
            re.error: it is none.
            TypeError: it is no pattern at all, but the function: `hears` was written without parentheses.
            TypeError (from the decorator): the function is no `async def`.
            ValueError (from the decorator): another handler has the function's name.
        """
        if callable(pattern):
            raise TypeError('Say what the bot hears, for example hears("opening hours").')
        compiled = re.compile(pattern, re.IGNORECASE) if isinstance(pattern, str) else pattern

        def register(function: HeardHandler) -> HeardHandler:
            _must_be_async(function)
            self._add(OnText(_name(function), compiled, function))
            return function

        return register

    def on(
        self, *kinds: type[E]
    ) -> Callable[[Callable[[Received[E]], Awaitable[None]]], Callable[[Received[E]], Awaitable[None]]]:
        """Registers a function for every event and notice of these classes, the bot's own messages too.

        Raises:
            ValueError: what is given is no class, or nothing.
            TypeError (from the decorator): the function is no `async def`.
            ValueError (from the decorator): another handler has the function's name.
        """
        if not kinds or not all(map(isclass, kinds)):  # without parentheses it is given the function
            raise ValueError("Name at least one class of events, for example on(events.NewConversationInvitation).")

        def register(function: Callable[[Received[E]], Awaitable[None]]) -> Callable[[Received[E]], Awaitable[None]]:
            _must_be_async(function)
            self._add(OnEvent(_name(function), kinds, function))
            return function

        return register

    def background(self, function: Background) -> Background:
        """Registers a function that runs beside the handlers while the bot does; again, with pauses, if it raises.

        Raises:
            TypeError: the function is no `async def`.
        """
        _must_be_async(function)
        self._background.append(function)
        return function

    def _add(self, handler: Handler) -> None:
        if any(handler.name == other.name for other in self._handlers):
            raise ValueError(f"Two handlers are named {handler.name}. The ids of replies derive from it: rename one.")
        self._handlers.append(handler)

    # -- doing it ------------------------------------------------------------------------------------------------------

    async def run(
        self, url: str, *, position: PositionStore | str | Path | None = None, **options: Unpack[ConnectOptions]
    ) -> None:
        """Connects as `connect` does, goes on where `position` says (a file, or a store), and works until cancelled.

        Without a saved position it begins at the end of the log, and saves that at once.

        Raises:
            UnreadablePosition: there is a position, but it cannot be read.
            OSError, or whatever a store raises: the first position cannot be saved.
            Unreachable, Unauthenticated, Rejected, AnotherUser: as `connect`.
            NotSupported: the server speaks the base wire only.
            Rejected, ServerFault, AnotherUser: the chat has ended, and this is why.
        """
        positions = FilePosition(position) if isinstance(position, str | Path) else position
        resume = None if positions is None else await positions.load()
        try:
            async with connect(url, resume=resume, **options) as chat:
                await self.attend(chat, positions)
        except UnknownUser:  # which is of no importance here: on `vetchat.v1` it does not happen
            raise NotSupported(BASE_WIRE) from None

    async def attend(self, chat: Chat, positions: PositionStore | None = None) -> None:
        """Works on a chat that is connected, with the `resume` that `positions` holds; returns when it is closed.

        Nobody else may iterate over the chat meanwhile.

        Raises:
            NotSupported: the server speaks the base wire only.
            Rejected, ServerFault, AnotherUser: the chat has ended, and this is why.
        """
        must_speak_v1(chat)
        progress = Progress(self.name, chat, positions)
        await progress.save()
        log(logging.INFO, "bot started", bot=self.name, user=chat.user, handlers=len(self._handlers))
        try:
            ended = await self._work(chat, progress)
        finally:
            await progress.save_last()
            log(logging.INFO, "bot stopped", bot=self.name)
        if ended is not None and not isinstance(ended, Closed):
            raise ended

    async def _work(self, chat: Chat, progress: Progress) -> VetChatError | None:
        """Returns why the chat ended."""
        runner = Runner(self.name, chat, self._attempts, self._concurrency)
        attendance = Attendance(self.name, chat, self._handlers, runner, progress)
        ended = None
        async with create_task_group() as tasks:
            tasks.start_soon(progress.keep_saved)
            for function in self._background:
                tasks.start_soon(runner.keep_running, _name(function), function)
            ended = await attendance.listen(tasks)
            tasks.cancel_scope.cancel()
        return ended or chat.ended


def _must_be_async(function: Callable[..., object]) -> None:
    """Finds out now what would fail with the first event; what is no plain function may still return an awaitable."""
    inner = unwrap(function)
    if isfunction(inner) and inner.__name__ != "<lambda>" and not iscoroutinefunction(inner):
        raise TypeError(f"{_name(function)} must be an async function: write `async def`.")


def _name(function: Callable[..., object]) -> str:
    """What it is called where it was written."""
    return str(getattr(function, "__name__", type(function).__name__))
