"""A connection without a network: the client's end of a simulated one."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Final

from anyio.lowlevel import checkpoint
from vetchat_protocol import SUBPROTOCOL
from vetchat_protocol.errors import TOO_SLOW
from vetchat_protocol.models import User
from vetchat_protocol.simulation import Connection

from ..signals import Signal
from ..transport import Ended

OUTBOX: Final = 1_000
"""How many frames may wait for a client that does not read; answers do not count, nor does what it missed (R2.7)."""


class MemoryTransport:
    """An open connection of `user`; a `Transport`.

    `say` hands a frame to the server. `moments` takes a few turns of the event loop, as many as a seed says.
    """

    subprotocol: str | None = SUBPROTOCOL

    def __init__(
        self, connection: Connection, user: User, say: Callable[[str], None], moments: Callable[[], Awaitable[None]]
    ) -> None:
        self.connection = connection
        self.user = user
        self.headers: Mapping[str, str] = {"VetChat-User-Id": user.id, "VetChat-Role": user.role}
        self.ended: Ended | None = None
        self._say = say
        self._moments = moments
        self._incoming: deque[tuple[str, bool]] = deque()
        self._counted = 0
        self._greeted = False
        self._news = Signal()

    # -- the client's side ---------------------------------------------------------------------------------------------

    async def receive(self) -> str:
        while True:
            while not self._incoming and self.ended is None:
                await self._news.wait()
            await self._moments()
            if self._incoming:
                text, counted = self._incoming.popleft()
                self._counted -= counted
                return text
            if self.ended is not None:
                raise self.ended

    async def send(self, text: str) -> None:
        await self._moments()
        if self.ended is not None:
            raise self.ended
        self._say(text)

    async def ping(self) -> None:
        await checkpoint()
        if self.ended is not None:
            raise self.ended

    # -- the server's side ---------------------------------------------------------------------------------------------

    @property
    def too_slow(self) -> bool:
        """Whether more is waiting than the server puts up with."""
        return self._counted > OUTBOX

    def fetch(self) -> None:
        """Takes over what the server has sent since, and that it has ended the connection, if it has."""
        if self.ended is not None:
            return
        new = list(self.connection.transcript)
        self.connection.transcript.clear()
        for line in new:
            if line.kind == "heard":
                counted = self._greeted and not line.answers
                self._incoming.append((str(line.text), counted))
                self._counted += counted
        self._greeted = self._greeted or bool(self._incoming)
        if self.connection.gone:
            close = self.connection.closed
            self.ended = Ended() if close is None else Ended(close.code, close.reason)
        if new:
            self._news.set()

    def overflow(self) -> None:
        """The server gives up on a client that does not read, and on what waits for it (R2.7, V5.3)."""
        self.connection.end(TOO_SLOW)
        self.ended = Ended(TOO_SLOW.code, TOO_SLOW.reason)
        self._incoming.clear()
        self._news.set()

    def cut(self, luck: Random) -> None:
        """The line breaks, and of what was on its way a part is lost."""
        if self.ended is None:
            self.ended = Ended()
            for _ in range(luck.randrange(len(self._incoming) + 1)):
                self._incoming.pop()
            self._news.set()
