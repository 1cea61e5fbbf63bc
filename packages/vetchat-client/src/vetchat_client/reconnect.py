"""Keeps a session connected: again and again, with back-off, until the server or the program has had enough."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from anyio import Event, current_time, move_on_after, sleep
from anyio.abc import TaskGroup
from vetchat_protocol import SUBPROTOCOL, Dialect, ProtocolError, RemoteProtocolError, Role
from vetchat_protocol.client import ComeBack, Leave, Output, PassedOver, Probe, TokenWanted, Verdict, of_status
from vetchat_protocol.fields import canonical_uuid

from .address import Target
from .errors import Rejected, Unauthenticated, Unreachable, VetChatError, translated
from .logs import log
from .session import Session
from .tokens import NoTokenSource, Tokens
from .transport import Opener, Transport, Unopened, UpgradeRefused
from .wire import Wire, now

STEADY: Final = 5.0
"""A connection that lasted this long, in seconds, shows that the server can serve again."""

MOST: Final = 30.0
"""The longest back-off, in seconds."""

STEPS: Final = {ComeBack.NOW: 0.2, ComeBack.LATER: 1.0}
"""The longest first back-off, in seconds. "Now" has one too: all clients of a server come back at the same time."""

PAUSE: Final = 5.0
"""The shortest time between two new tokens on one connection, in seconds: one that lives for less than a minute is
warned of as soon as the server has it (V1.5)."""

UNKNOWN: Final = 100
"""How many events that are not known here are named in the log."""


class Backoff:
    """Full jitter: a random part of a time that doubles with each attempt in a row that came to nothing.

    After a mere break of the line, a connection that came about is enough to begin from the start; a server that asked
    for time (41xx) gets more and more of it until a connection has lasted (V5.2).
    """

    def __init__(self, luck: Callable[[float, float], float] = random.uniform) -> None:
        self._luck = luck
        self._attempts = 0

    def seconds(self, verdict: Verdict, *, lasted: float | None) -> float:
        """How long to wait now; `lasted` is for how many seconds the connection was of use, None if it never was."""
        if lasted is not None and (verdict.come_back is ComeBack.NOW or lasted >= STEADY):
            self._attempts = 0
        if verdict.after_ms:
            return verdict.after_ms / 1_000
        most = min(MOST, STEPS[verdict.come_back] * 2**self._attempts)
        self._attempts = min(self._attempts + 1, 10)
        return self._luck(0.0, most)


class Reconnector:
    """Makes one connection after the other for a session."""

    def __init__(self, session: Session, target: Target, tokens: Tokens, opener: Opener, backoff: Backoff) -> None:
        self._opened = Event()
        self._trouble: Exception | None = None
        self._session = session
        self._client = session.client
        self._target = target
        self._tokens = tokens
        self._opener = opener
        self._backoff = backoff
        self._tasks: TaskGroup | None = None
        self._dialect = Dialect.V1
        self._token: str | None = None
        self._stale = False
        self._renewed = False
        self._asked_at = -PAUSE
        self._unknown: set[str] = set()
        self._ready_at: float | None = None
        self._stopped = False

    async def opened(self, within: float) -> None:
        """Returns once the first connection is ready.

        Raises:
            Unreachable: that took longer than this many seconds.
            Unauthenticated, Rejected, UnknownUser, AnotherUser, ServerFault: the session has ended instead.
        """
        with move_on_after(within):
            await self._opened.wait()
        if self._session.ended is not None:
            raise self._session.ended
        if not self._opened.is_set():
            why = f"No connection to {self._target.address} came about within {within:g} s."
            raise Unreachable(why) from self._trouble

    async def run(self, tasks: TaskGroup) -> None:
        """Goes on until it is stopped, or there is no point in going on; then the session ends with the reason."""
        self._tasks = tasks
        try:
            while not self._stopped:
                delay = await self._one_connection()
                await sleep(delay)
        except VetChatError as error:
            log(logging.ERROR, "gave up", server=self._target.address, reason=str(error))
            self._session.end(error)
            self._opened.set()
        if self._stopped:
            tasks.cancel_scope.cancel()

    async def _one_connection(self) -> float:
        """How long to wait after it, in seconds."""
        self._ready_at = None
        verdict = await self._attempt()
        if self._stopped:
            return 0.0
        delay = self._backoff.seconds(verdict, lasted=self._lasted())
        log(logging.INFO, "reconnecting", server=self._target.address, in_ms=round(delay * 1_000))
        return delay

    def _lasted(self) -> float | None:
        """For how many seconds the connection has been of use, None if it has not."""
        return None if self._ready_at is None else current_time() - self._ready_at

    def stop(self) -> None:
        """Says goodbye to the server, if there is a connection, and then ends `run` and whatever it has started."""
        self._stopped = True
        if self._session.wire is not None:
            self._session.wire.leave()
        elif self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    async def _attempt(self) -> Verdict:
        """One connection, from fetching a token to its end."""
        try:
            await self._fetch_token()
        except NoTokenSource:
            raise
        except Exception as error:  # noqa: BLE001  (it is the application's callable; its trouble may pass)
            return self._failed("no token could be had", error)
        request = self._target.request(self._client.user_id, self._token, self._dialect)
        try:
            async with self._opener(request) as transport:
                return await self._serve(transport)
        except UpgradeRefused as refused:
            self._failed("the handshake was refused", refused)
            if refused.status == 400 and self._may_offer_less():
                return Verdict(ComeBack.NOW)
            return self._judged(of_status(refused.status), str(refused), status=refused.status)
        except Unopened as unopened:
            return self._failed("no connection", unopened)

    def _may_offer_less(self) -> bool:
        """Some servers, and proxies, refuse a handshake that offers what they do not know: the base wire may do.

        A chat that has spoken `vetchat.v1` does not go on with less.
        """
        spoken = self._opened.is_set() and self._client.dialect is Dialect.V1
        if spoken or self._dialect is Dialect.BASE:
            return False
        self._dialect = Dialect.BASE
        log(logging.WARNING, "trying once more without offering vetchat.v1", server=self._target.address)
        return True

    async def _fetch_token(self) -> None:
        self._token = await (self._tokens.renewed(self._token) if self._stale else self._tokens.current())
        self._stale = False

    async def _serve(self, transport: Transport) -> Verdict:
        """Runs an open connection to its end."""
        wire = Wire(self._client, transport, self.react)
        try:
            user_id, role = _introduction(transport.headers)
            dialect = Dialect.V1 if transport.subprotocol == SUBPROTOCOL else Dialect.BASE
            outputs = self._client.connected(dialect, now(), user_id=user_id, role=role)
        except ProtocolError as error:
            raise translated(error) from None
        self._session.wire = wire
        try:
            self.react(outputs)
            await wire.run()
        finally:
            self._session.wire = None
        if wire.error is not None:
            raise translated(wire.error) from None
        ended = wire.ended
        log(logging.INFO, "disconnected", server=self._target.address, code=ended.code, reason=ended.reason)
        *outputs, verdict = self._client.lost(ended.code)
        self.react(outputs)
        assert isinstance(verdict, Verdict)
        return self._judged(verdict, f"The connection was closed: {ended.code} {ended.reason}", close_code=ended.code)

    def _judged(
        self, verdict: Verdict, why: str, *, status: int | None = None, close_code: int | None = None
    ) -> Verdict:
        """Raises where there is no way back (V5.2, R1.7)."""
        token_refused = status == 401 or close_code == 4001
        lasted = self._lasted()
        if lasted is not None and (lasted >= STEADY or not token_refused):
            self._renewed = False
        if verdict.come_back is ComeBack.NEVER:
            error = Unauthenticated if token_refused else Rejected
            raise error(why, status=status, close_code=close_code)
        if verdict.new_token:
            if not self._tokens.renewable or self._renewed:
                raise Unauthenticated(why, status=status, close_code=close_code)
            self._stale = self._renewed = True
        return verdict

    def _failed(self, what: str, error: Exception) -> Verdict:
        self._trouble = error
        log(logging.WARNING, what, server=self._target.address, error=type(error.__cause__ or error).__name__)
        return Verdict(ComeBack.NOW)

    # -- what the machine puts out ---------------------------------------------------------------------------------

    def react(self, outputs: Sequence[Output]) -> None:
        """Does what concerns the connection; the rest is the session's."""
        wire = self._session.wire
        for output in outputs:
            match output:
                case Leave(why):
                    log(logging.INFO, "leaving", server=self._target.address, reason=why)
                    assert wire is not None
                    wire.leave()
                case Probe():
                    assert wire is not None
                    wire.probe()
                case TokenWanted():
                    assert self._tasks is not None
                    self._tasks.start_soon(self._refresh)
                case PassedOver(event):
                    self._passed_over(event)
                case _:
                    pass
        if self._ready_at is None and self._client.ready:
            self._ready()
        self._session.react(outputs)

    def _passed_over(self, event: str) -> None:
        """Says so once for each event, and only so often to a server that makes them up."""
        if event not in self._unknown and len(self._unknown) < UNKNOWN:
            self._unknown.add(event)
            log(logging.INFO, "ignoring an event that is not known here", server=self._target.address, event=event)

    def _ready(self) -> None:
        client = self._client
        self._ready_at = current_time()
        self._opened.set()
        log(
            logging.INFO,
            "connected",
            server=self._target.address,
            user=client.user_id,
            role=client.role,
            dialect=client.dialect,
        )

    async def _refresh(self) -> None:
        """Gets another token while the connection goes on (V1.5)."""
        if not self._tokens.renewable:
            log(logging.WARNING, "the token runs out soon and there is nobody to ask for another one")
            return
        await sleep(max(0.0, self._asked_at + PAUSE - current_time()))
        self._asked_at = current_time()
        try:
            token = await self._tokens.renewed(self._token)
        except Exception as error:  # noqa: BLE001  (it is the application's callable; it is asked again later)
            log(logging.WARNING, "no token could be had", error=type(error).__name__)
            return
        if token is not None:
            self._token = token
            self._client.refresh(token)
            self._session.wake()


def _introduction(headers: Mapping[str, str]) -> tuple[str | None, Role | None]:
    """Who the server says one is (R1.4)."""
    user_id, role = headers.get("VetChat-User-Id"), headers.get("VetChat-Role")
    try:
        return canonical_uuid(user_id) if user_id else None, Role(role) if role else None
    except ValueError:
        raise RemoteProtocolError("The server's handshake names no usable user.") from None
