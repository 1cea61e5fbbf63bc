"""A bot at work on one chat: from the stream of events to the handlers, and back to the position."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anyio.abc import TaskGroup
from vetchat_protocol import Dialect
from vetchat_protocol.client import Item, Reset
from vetchat_protocol.client.inbox import offset_of

from ..chat import Chat
from ..errors import NotSupported, VetChatError
from ..logs import log
from .handlers import Handler, Runner
from .lanes import Lanes
from .progress import Progress
from .received import conversation_of, identity_of

BACKLOG: Final = 10
"""How many events may be unfinished, for each handler that may run at a time."""

BASE_WIRE: Final = (
    "This server speaks the base wire only, on which messages have no ids of yours and events no position: a bot would"
    " lose messages and answer others twice. It needs a server that speaks vetchat.v1."
)


@dataclass(frozen=True, slots=True)
class Task:
    """An event, and the handlers that want it."""

    item: Item
    handlers: Sequence[Handler]


class Attendance:
    """Takes one event after the other, hands it on, and notes what is done."""

    def __init__(self, bot: str, chat: Chat, handlers: Sequence[Handler], runner: Runner, progress: Progress) -> None:
        self._bot = bot
        self._chat = chat
        self._handlers = handlers
        self._runner = runner
        self._progress = progress

    async def listen(self, tasks: TaskGroup) -> VetChatError | None:
        """Goes on until the chat ends; returns why, None if it was closed.

        While too many events are unfinished it asks for no other, and then the server has to wait (V5.3).
        """
        self._tasks = tasks
        lanes = Lanes(tasks, self._handle, BACKLOG * self._runner.concurrency)
        try:
            async for item in self._chat:
                task = Task(item, [handler for handler in self._handlers if handler.wants(item, self._chat)])
                if isinstance(item, Reset):
                    await lanes.empty()
                    await self._start_over(task)
                elif task.handlers:
                    self._progress.started(offset_of(item))
                    lanes.put(conversation_of(item), task)
                    await lanes.room()
                else:
                    self._progress.finished(None)
        except VetChatError as error:
            return error
        return None

    async def _start_over(self, task: Task) -> None:
        """Events are missing: there is no position until whoever knows what to do about it has done so (V1.2)."""
        must_speak_v1(self._chat)
        if not task.handlers:
            log(logging.ERROR, "events are missing and no handler for Reset makes up for them", bot=self._bot)
        await self._handle(task)

    async def _handle(self, task: Task) -> None:
        """Runs the handlers in their order. If the chat ends meanwhile, the event stays unfinished and all stops."""
        identity = identity_of(task.item)
        for handler in task.handlers:
            if not await self._runner.run(handler, task.item, identity):
                self._tasks.cancel_scope.cancel()
                return
        self._progress.finished(offset_of(task.item))


def must_speak_v1(chat: Chat) -> None:
    """Passes a chat on which a bot can keep its promises.

    Raises:
        NotSupported: it speaks the base wire.
    """
    if chat.dialect is Dialect.BASE:
        raise NotSupported(BASE_WIRE)
