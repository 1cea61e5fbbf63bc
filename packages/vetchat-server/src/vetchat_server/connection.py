"""The driver of one connection: socket → stories → operations → outbox → socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

import anyio
import structlog
from vetchat_protocol.codec import Dialect, encode_event
from vetchat_protocol.errors import (
    TOO_MANY_REFUSED,
    TOO_SLOW,
    UNREADABLE,
    CloseCode,
    Closing,
)
from vetchat_protocol.events import Error, Reconnect, ReconnectParams, TokenExpiring
from vetchat_protocol.operations import Identity
from vetchat_protocol.server import Response, connect, respond
from vetchat_protocol.session import Session

from .driver import Driver
from .environment import Environment
from .limits import Bucket
from .log import settle
from .outbox import Outbox, Writable
from .ports import Credentials

logger = structlog.stdlib.get_logger(__name__)

LONGEST_TIMER = 3_600.0
"""After how many seconds a far deadline is looked at again: clocks jump, and event loops cannot wait for centuries."""

FINISH = 5.0
"""How long a connection that ends may take to finish its command and write what waits, in seconds (V5.4)."""


class Disconnected(Exception):
    """The peer is gone."""


class Socket(Writable, Protocol):
    """An accepted WebSocket."""

    def listen(self, arrived: Callable[[], None]) -> None:
        """Calls `arrived`, from now on, whenever something has come."""
        ...

    def take(self) -> str | bytes | None:
        """The next message that came, None while there is none; raises `Disconnected`.

        What is not taken keeps the peer from being read.
        """
        ...


class Connection:
    """One peer: opened before the upgrade is answered, run afterwards, and then released, whatever happened."""

    def __init__(self, environment: Environment, session: Session, credentials: Credentials) -> None:
        self.id = session.id
        self.dialect = session.dialect
        self._environment = environment
        self._session = session
        self._credentials = credentials
        limits = environment.limits
        self._outbox = Outbox(
            frames=limits.outbox_frames,
            size=limits.outbox_bytes,
            wrote=self._answered,
            full=partial(self.end, TOO_SLOW),
            broke=self._broke,
        )
        self.push = self._outbox.push  # the way for what the hub has to tell
        self._driver = Driver(environment, session, credentials, self, self._outbox)
        refusals = limits.refusals_per_minute
        self._refusals = Bucket(refusals / 60, refusals, refusals, environment.clock())
        self._close: CloseCode | None = None
        self._busy = False
        self._answering = False
        self._taking = False
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopped: asyncio.Event | None = None
        self._ended: asyncio.Event | None = None
        self._socket: Socket | None = None
        self._scope: anyio.CancelScope | None = None
        self._failure: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: int | None = None

    @property
    def identity(self) -> Identity | None:
        """Who it belongs to, as far as is known (R1.4)."""
        return self._session.identity or self._session.offered

    @property
    def close_code(self) -> CloseCode | None:
        """Why the server ended it; None while it goes on, and when the peer went by itself."""
        return self._close

    async def open(self, identity: Identity) -> None:
        """Comes in before the upgrade is answered, as the base wire does (R1.4).

        Raises:
            Closing, Refusal: it may not, or the store cannot say; nothing is left behind.
        """
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._driver.run(connect(self._session, identity), partial(settle, opened))
        await opened

    async def run(self, socket: Socket) -> None:
        """Serves the accepted socket until one side ends it."""
        if self._close is TOO_SLOW:
            return
        try:
            with anyio.CancelScope() as self._scope:
                self._socket = socket
                if self._close is not None:  # ended since it was opened
                    self._scope.deadline = asyncio.get_running_loop().time() + FINISH
                self._outbox.open(socket)
                self._arm()
                socket.listen(self._next)
                self._next()
                await self._over
                if self._stopped is not None and self._ended is not None:
                    self._stopped.set()
                    await self._ended.wait()
                await self._outbox.emptied()
        finally:
            self._socket = None
            self._outbox.close()
        if self._failure is not None:
            raise self._failure

    def release(self) -> None:
        """Forgets the connection (S5.8); the others are told that it is gone (R5.7)."""
        if self._stopped is not None:
            self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()
        self._driver.abandon()
        self._environment.hub.leave(self.id)

    # -- what the hub and the service ask of it -----------------------------------------------------------------------

    def end(self, close: CloseCode) -> None:
        """Ends it with this close code, once the command at hand is finished; at once if it is too slow."""
        if self._close is None or close is TOO_SLOW:
            self._close = close
        if self._ended is not None:
            self._ended.set()
        if self._scope is None:
            return
        if close is TOO_SLOW:
            self._scope.cancel()
            return
        self._scope.deadline = min(self._scope.deadline, asyncio.get_running_loop().time() + FINISH)
        self._next()

    def stop(self, after_ms: int) -> None:
        """Starts no further command (V5.4), but still tells what the others' last ones bring, until `end`."""
        if self.dialect is Dialect.V1:
            self._tell(Reconnect(params=ReconnectParams(after_ms=after_ms)))
        self._stopped, self._ended = asyncio.Event(), asyncio.Event()
        self._next()

    async def stopped(self) -> None:
        """Waits, after `stop`, until the command that was begun is finished."""
        assert self._stopped is not None
        await self._stopped.wait()

    # -- reading -------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        """Takes up what came, one command after the other, unless one is at hand; or ends, if it is time (V5.4)."""
        if self._taking or self._socket is None:
            return
        self._taking = True
        try:
            while not self._busy and not self._over.done():
                if self._close is not None or self._stopped is not None:
                    settle(self._over, None, None)
                    return
                received = self._socket.take()
                if received is None:
                    return
                self._busy = True
                self._driver.run(respond(self._session, received), self._responded)
        except Disconnected:
            self._gone()
        finally:
            self._taking = False

    def _responded(self, response: Response | None, error: Exception | None) -> None:
        """A command is finished, but for the writing of its answers."""
        try:
            if response is not None:
                self._conclude(response)
        except Exception as failure:  # noqa: BLE001 - `run` raises it; whoever calls has nothing to do with it
            error = failure
        if isinstance(error, Closing):
            self.end(error.close)
        elif error is not None:
            settle(self._over, None, error)
        self._answering = True
        self._answered()

    def _answered(self) -> None:
        """The next command's turn comes when the last one's answers are written."""
        if self._answering and not self._outbox.answers:
            self._answering = self._busy = False
            self._next()

    def _conclude(self, response: Response) -> None:
        answer = response.answer
        if answer is not None:
            self._environment.hub.answer(self, answer)
        refused = answer.params.code if isinstance(answer, Error) else None
        self._environment.metrics.commands.add(1, response.event or "unknown", refused or "ok")
        if refused in UNREADABLE and self._refusals.take(self._now()):
            raise Closing(TOO_MANY_REFUSED)
        self._arm()

    # -- the end, and time ---------------------------------------------------------------------------------------------

    def _broke(self, failure: Exception) -> None:
        """Nothing can be written any more; if it is not that the peer has gone, `run` raises it."""
        if not isinstance(failure, Disconnected):
            self._failure = failure
        self._gone()

    def _gone(self) -> None:
        """The peer is out of reach: there is nothing left to do."""
        if self._scope is not None:
            self._scope.cancel()

    def _tell(self, event: TokenExpiring | Reconnect) -> None:
        self.push(encode_event(event, self.dialect), counted=True)

    def _arm(self) -> None:
        """Keeps one timer for what runs out in the session (V1.1, V1.5, R1.9)."""
        deadline = self._session.deadline()
        if deadline == self._deadline:
            return
        self._deadline = deadline
        if self._timer is not None:
            self._timer.cancel()
        if deadline is not None:
            delay = min(max(0, deadline - self._now()) / 1_000, LONGEST_TIMER)
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._deadline = None
        match self._session.tick(self._now()):
            case TokenExpiring() as warning:
                self._tell(warning)
                self._arm()
            case CloseCode() as close:
                self.end(close)
            case None:
                self._arm()

    def _now(self) -> int:
        return self._environment.clock()
