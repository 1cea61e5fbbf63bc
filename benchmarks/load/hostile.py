"""Peers that mean no good: some send nonsense, some come and go in a loop. Nothing they meet with is a fault."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import cycle
from typing import Any

from .ledger import Ledger
from .people import Peer
from .plan import Target

NONSENSE = cycle(
    (
        b"",
        b"null",
        b"[" * 1_000,
        b'{"event":"message"',
        b'{"event":"message","params":{"conversation_id":"x","content":""}}',
        b'{"event":"drop_table","params":{}}',
        b'{"event":"message","params":{"content":NaN}}',
        b'{"event":"conversation_history","params":{"conversation_id":"00000000-0000-0000-0000-000000000000"}}',
        b'{"sender_id":"3f2b7c1e-9a54-4d0f-8a6b-5c1d2e7f9a01","event":"conversations"}',
    )
)
HONEST_FRAMES = 9
"""After so many honest frames comes a bad one."""

BABBLERS, COMERS_AND_GOERS = 20, 10
PAUSE = 0.2
"""How long one that comes and goes stays away, in seconds."""


class Babbler(Peer):
    """Sends nonsense; once the server has had enough of it and closes, it comes again."""

    def other(self, event: str, params: Any) -> None:
        pass

    def closed(self, code: int) -> None:
        self.gone = True

    gone = False


class Hostiles:
    """All of them."""

    def __init__(self, target: Target, ledger: Ledger) -> None:
        self._babblers = [Babbler(target, ledger, "client") for _ in range(BABBLERS)]
        self._turn = cycle(self._babblers)
        self._others = [Babbler(target, ledger, "client") for _ in range(COMERS_AND_GOERS)]
        self._honest = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def set_up(self) -> None:
        for babbler in self._babblers:
            await babbler.connect()
        self._tasks = [asyncio.create_task(self._come_and_go(one)) for one in self._others]
        self._tasks.append(asyncio.create_task(self._come_again()))

    def between(self) -> None:
        """An honest frame went by."""
        self._honest += 1
        if self._honest % HONEST_FRAMES == 0:
            babbler = next(self._turn)
            if not babbler.gone:
                babbler.send(next(NONSENSE))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for one in (*self._babblers, *self._others):
            await one.close()

    async def _come_and_go(self, one: Peer) -> None:
        while True:
            with suppress(OSError):
                await one.connect()
                await one.close()
            await asyncio.sleep(PAUSE)

    async def _come_again(self) -> None:
        while True:
            for babbler in self._babblers:
                if babbler.gone:
                    with suppress(OSError):
                        await babbler.connect()
                        babbler.gone = False
            await asyncio.sleep(0.05)
