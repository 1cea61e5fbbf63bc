"""How far a bot has come: the low-water mark of what it has handled, and its way into the store."""

from __future__ import annotations

import logging
from typing import Final

from anyio import move_on_after, sleep
from anyio.lowlevel import checkpoint
from vetchat_protocol.commands import Resume

from ..chat import Chat
from ..logs import log
from ..signals import Signal
from .position import PositionStore

GAP: Final = 0.1
"""The shortest time between two saves, in seconds; a position that is behind costs work, and nothing else."""

AGAIN: Final = 5.0
"""How soon a save that failed is tried again, in seconds; also how long the last one may take."""


class Progress:
    """The largest position such that every durable event up to it is handled, whichever were handled before others.

    Without a store it is told to nobody.
    """

    def __init__(self, bot: str, chat: Chat, store: PositionStore | None) -> None:
        self._bot = bot
        self._chat = chat
        self._store = store
        self._unfinished: dict[int, None] = {}
        self._saved: Resume | None = None
        self._news = Signal()

    @property
    def position(self) -> Resume | None:
        """The low-water mark; None while there is none, for want of a log to count in (V1.2)."""
        position = self._chat.position
        oldest = next(iter(self._unfinished), None)
        if position is None or oldest is None:
            return position
        return Resume(epoch=position.epoch, offset=oldest - 1)

    def started(self, offset: int | None) -> None:
        """A durable event of this offset is about to be handled. They come in the order of their offsets (V3.2)."""
        if offset is not None:
            self._unfinished[offset] = None

    def finished(self, offset: int | None) -> None:
        """It is handled; so is, once it is asked for the next, an event that nothing was started for."""
        if offset is not None:
            self._unfinished.pop(offset, None)
        self._news.set()

    async def save(self) -> None:
        """Saves it, unless it is saved already. Raises what the store does."""
        position = self.position
        if self._store is None or position in (None, self._saved):
            return
        assert position is not None
        await self._store.save(position)
        self._saved = position

    async def keep_saved(self) -> None:
        """Saves it whenever it has moved, one save for all that happened since the one before."""
        while True:
            await self._news.wait()
            await checkpoint()  # the bot asks for the next event meanwhile, which moves the chat's own position on
            if await self._try_to_save():
                await sleep(GAP)
            else:
                self._news.set()
                await sleep(AGAIN)

    async def save_last(self) -> None:
        """Saves it though the bot is being cancelled."""
        with move_on_after(AGAIN, shield=True) as scope:
            await self._try_to_save()
        if scope.cancelled_caught:
            log(logging.ERROR, "the position could not be saved in time", bot=self._bot)

    async def _try_to_save(self) -> bool:
        try:
            await self.save()
        except Exception as error:  # noqa: BLE001  (the store is the application's; its trouble may pass)
            log(logging.ERROR, "the position could not be saved", bot=self._bot, error=type(error).__name__)
            return False
        return True
