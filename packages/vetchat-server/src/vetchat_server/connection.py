"""The driver of one connection: socket → stories → operations → outbox → socket."""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar

import anyio
import structlog
from anyio.abc import TaskGroup
from vetchat_protocol import operations as ask
from vetchat_protocol.codec import Dialect, encode_event
from vetchat_protocol.delivery import Origin
from vetchat_protocol.errors import (
    TOO_MANY_REFUSED,
    TOO_SLOW,
    UNREADABLE,
    CloseCode,
    Closing,
    Code,
    Refusal,
)
from vetchat_protocol.events import Error, Reconnect, ReconnectParams, TokenExpiring
from vetchat_protocol.operations import Identity
from vetchat_protocol.server import Response, Story, connect, respond
from vetchat_protocol.session import Session

from .answers import answer_from_store
from .limits import Bucket
from .outbox import Outbox
from .ports import Credentials
from .services import Services

logger = structlog.stdlib.get_logger(__name__)
T = TypeVar("T")

LONGEST_TIMER = 3_600.0
"""After how many seconds a far deadline is looked at again: clocks jump, and event loops cannot wait for centuries."""

FINISH = 5.0
"""How long a connection that ends may take to finish its command and write what waits, in seconds (V5.4)."""


class Disconnected(Exception):
    """The peer is gone."""


class Socket(Protocol):
    """An accepted WebSocket."""

    async def receive(self) -> str | bytes:
        """The next message; raises `Disconnected`."""
        ...

    def write(self, payload: bytes) -> bool:
        """Writes a text frame at once if the peer keeps up; False if not, and then it must be sent."""
        ...

    async def send(self, payload: bytes) -> None:
        """Sends a text frame, waiting for the peer to read; raises `Disconnected`."""
        ...


class Connection:
    """One peer: opened before the upgrade is answered, run afterwards, and then released, whatever happened."""

    def __init__(self, services: Services, session: Session, credentials: Credentials) -> None:
        self._services = services
        self._session = session
        self._credentials = credentials
        limits = services.limits
        self._outbox = Outbox(frames=limits.outbox_frames, size=limits.outbox_bytes)
        refusals = limits.refusals_per_minute
        self._refusals = Bucket(refusals / 60, refusals, refusals, services.clock())
        self._close: CloseCode | None = None
        self._scope = anyio.CancelScope()
        self._idle = anyio.CancelScope()
        self._waiting = False
        self._stopping = False
        self._stopped = asyncio.Event()
        self._ended = asyncio.Event()
        self._socket: Socket | None = None
        self._tasks: TaskGroup | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: int | None = None

    @property
    def id(self) -> str:
        return self._session.id

    @property
    def dialect(self) -> Dialect:
        return self._session.dialect

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
        await self._drive(connect(self._session, identity))

    async def run(self, socket: Socket) -> None:
        """Serves the accepted socket until one side ends it."""
        if self._close is TOO_SLOW:
            return
        with self._scope:
            async with anyio.create_task_group() as self._tasks:
                self._socket = socket
                if self._outbox:
                    self._tasks.start_soon(self._write, socket)
                self._arm()
                await self._read(socket)
                self._stopped.set()
                await self._ended.wait()
                await self._outbox.emptied()
                self._socket = None

    def release(self) -> None:
        """Forgets the connection (S5.8); the others are told that it is gone (R5.7)."""
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()
        self._services.hub.leave(self.id)

    # -- what the hub and the service ask of it -----------------------------------------------------------------------

    def push(self, payload: bytes, *, counted: bool) -> None:
        """The one way out: written at once while the peer keeps up; if it reads too slowly, it is ended (V5.3)."""
        waiting = bool(self._outbox)
        if self._close is TOO_SLOW or (self._socket is not None and not waiting and self._socket.write(payload)):
            return
        if not self._outbox.push(payload, counted=counted):
            self.end(TOO_SLOW)
        elif self._socket is not None and self._tasks is not None and not waiting:
            self._tasks.start_soon(self._write, self._socket)

    def end(self, close: CloseCode) -> None:
        """Ends it with this close code, once the command at hand is finished; at once if it is too slow."""
        if self._close is None or close is TOO_SLOW:
            self._close = close
        self._ended.set()
        if close is TOO_SLOW:
            self._scope.cancel()
            return
        self._scope.deadline = min(self._scope.deadline, anyio.current_time() + FINISH)
        if self._waiting:
            self._idle.cancel()

    def stop(self, after_ms: int) -> None:
        """Starts no further command (V5.4), but still tells what the others' last ones bring, until `end`."""
        if self.dialect is Dialect.V1:
            self._tell(Reconnect(params=ReconnectParams(after_ms=after_ms)))
        self._stopping = True
        if self._waiting:
            self._idle.cancel()

    async def stopped(self) -> None:
        """Waits, after `stop`, until the command that was begun is finished."""
        await self._stopped.wait()

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _read(self, socket: Socket) -> None:
        try:
            with self._idle:  # cancelled only while no command is at hand
                while self._close is None and not self._stopping:
                    self._waiting = True
                    received = await socket.receive()
                    self._waiting = False
                    await self._handle(received)
                    await self._outbox.answered()
        except Disconnected:
            self._scope.cancel()
        except Closing as closing:
            self.end(closing.close)

    async def _handle(self, received: str | bytes) -> None:
        response = await self._drive(respond(self._session, received))
        answer = response.answer
        if answer is not None:
            self._services.hub.answer(self, answer)
        self._count(response)
        if isinstance(answer, Error) and answer.params.code in UNREADABLE and self._refusals.take(self._now()):
            raise Closing(TOO_MANY_REFUSED)
        self._arm()

    def _count(self, response: Response) -> None:
        answer = response.answer
        outcome = answer.params.code if isinstance(answer, Error) and answer.params.code else "ok"
        self._services.metrics.command(response.event or "unknown", outcome)

    # -- driving -------------------------------------------------------------------------------------------------------

    async def _drive(self, story: Story[T]) -> T:
        """Answers a story's operations until it ends."""
        answer: object = None
        error: Exception | None = None
        try:
            while True:
                operation = story.send(answer) if error is None else story.throw(error)
                answer, error = None, None
                try:
                    answer = await self._answer(operation)
                except (Refusal, Closing) as refused:
                    error = refused
                except Exception as failure:
                    logger.exception("operation_failed", operation=type(operation).__name__, connection=self.id)
                    error = Refusal(Code.INTERNAL, "The server failed; nothing was changed.")
                    error.__cause__ = failure
        except StopIteration as end:
            return end.value
        finally:
            story.close()

    async def _answer(self, operation: ask.Operation[object]) -> object:
        """What only this connection can answer; the rest is asked of the store."""
        hub = self._services.hub
        match operation:
            case ask.Admit():
                return self._admit()
            case ask.Authenticate(token):
                return await self._authenticate(token)
            case ask.Enter(identity):
                return await self._enter(identity)
            case ask.Renew(identity):
                return hub.renew(self.id, identity)
            case ask.Leave():
                return hub.leave(self.id)
            case ask.Append(draft, ref):
                return await self._services.log.append(draft, Origin(self.id, ref))
            case ask.Join(conversation_ids):
                hub.join(self.id, conversation_ids)
                return ask.Joined(self._services.epoch, hub.delivery.head)
            case ask.Reply(answer):
                return hub.answer(self, answer)
            case ask.Replay(page):
                hub.replay(self.id, page)
                return await self._outbox.answered()
            case ask.GoLive(position):
                return hub.go_live(self.id, position)
            case ask.Subscribe(conversation_id):
                return hub.subscribe(self.id, conversation_id)
            case ask.Announce(conversation_id, answer):
                return hub.announce(self.id, conversation_id, answer)
            case ask.Unsubscribe(conversation_id):
                return hub.unsubscribe(self.id, conversation_id)
            case ask.ShowTyping(conversation_id, active):
                return hub.show_typing(self.id, conversation_id, active)
            case ask.Position():
                return hub.position(self.id)
            case _:
                return await answer_from_store(self._services, self._session, operation)

    def _admit(self) -> None:
        """Counts a command against its user's rate, or its own before it has a user (R2.7)."""
        identity = self._session.identity
        wait = self._services.rates.take(identity.user.id if identity else self.id, self._now())
        if wait:
            raise Refusal(Code.RATE_LIMITED, "Too many commands; wait a moment.", retry_after_ms=wait)

    async def _authenticate(self, token: str | None) -> Identity:
        """Verifies the token, or without one takes what the upgrade proved, if that still holds (V1.2)."""
        offered = self._session.offered
        if offered is not None and (token is None or not self._services.authenticator.takes_tokens):
            return self._services.verified(offered)
        return await self._services.identify(Credentials(token, self._credentials.query))

    async def _enter(self, identity: Identity) -> tuple[str, ...]:
        """Listen, then look: counted first, so that no invitation falls in between; undone if the store fails."""
        self._services.hub.enter(self, identity)
        try:
            return await self._services.arrive(identity.user)
        except BaseException:
            self._services.hub.leave(self.id)
            raise

    # -- writing and time ----------------------------------------------------------------------------------------------

    async def _write(self, socket: Socket) -> None:
        """Runs while something waits."""
        try:
            while self._outbox:
                await socket.send(self._outbox.first())
                self._outbox.written()
        except Disconnected:
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
        return self._services.clock()
