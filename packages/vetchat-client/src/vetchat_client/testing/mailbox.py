"""What somebody has been told and has not looked at yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import Event, move_on_after
from vetchat_protocol.client import Item

from .server import SETTLED

T = TypeVar("T")


class Mailbox:
    """Keeps everything until it is taken, since a scene may ask for anything later."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._more = Event()

    def put(self, item: Item) -> None:
        self._items.append(item)
        self._more.set()
        self._more = Event()

    async def take(self, wanted: Callable[[Item], T | None], within: float) -> T | None:
        """The first that is wanted, among what is there or comes within so many seconds; None if there is none.

        What happens at the last moment counts, with all that follows from it at once.
        """
        with move_on_after(within + SETTLED):
            while True:
                for index, item in enumerate(self._items):
                    if (found := wanted(item)) is not None:
                        del self._items[index]
                        return found
                await self._more.wait()
        return None
