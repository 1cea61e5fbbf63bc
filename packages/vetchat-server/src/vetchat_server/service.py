"""One VetChat server: its lifetime from starting over serving to draining, and the connections it takes."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from enum import Enum
from types import TracebackType
from typing import Self

import anyio
import structlog
from vetchat_protocol.codec import Dialect
from vetchat_protocol.errors import NO_ROLE, RESTARTING, Closing, Refusal
from vetchat_protocol.operations import Identity
from vetchat_protocol.session import Session, Terms

from .backends.open import AnyConversation
from .clock import Clock, NewId, random_ids, system_clock
from .connection import Connection
from .environment import Environment, Limits
from .hub import Hub
from .limits import Rates
from .log import Log
from .metrics import Metrics
from .ports import Authenticator, ConversationPolicy, Credentials, Store, StoreUnavailable
from .upgrade import Denied, Origins, Upgrade

logger = structlog.stdlib.get_logger(__name__)

FINISH = 4.0
"""How long commands that were begun before a shutdown may take, in seconds (V5.4)."""

FLUSH = 2.0
"""How long what waits may then take to be written, in seconds (V5.4)."""

RECONNECT_SPREAD = 5_000
"""Over how many ms clients are asked to spread their coming back (V5.4)."""

REVOCATION_POLL = 1.0
"""How often revocations are looked up, in seconds (V1.6)."""


class Phase(Enum):
    """Where in its life a server is; only a serving one takes connections."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


class Service:
    """Everything behind `/ws/`, without HTTP: enter it as an async context manager, then hand it upgrades."""

    def __init__(
        self,
        store: Store,
        authenticator: Authenticator,
        *,
        policy: ConversationPolicy | None = None,
        terms: Terms | None = None,
        limits: Limits | None = None,
        origins: Origins | None = None,
        tells_disconnect: bool = True,
        clock: Clock = system_clock,
        new_id: NewId | None = None,
    ) -> None:
        self.phase = Phase.STARTING
        self.metrics = Metrics()
        self._origins = origins or Origins()
        terms, limits, new_id = terms or Terms(), limits or Limits(), new_id or random_ids()
        hub = Hub(
            clock=clock,
            metrics=self.metrics,
            connections_per_user=limits.connections_per_user,
            tells_disconnect=tells_disconnect,
        )
        self._environment = Environment(
            store=store,
            authenticator=authenticator,
            policy=policy or AnyConversation(),
            clock=clock,
            new_id=new_id,
            terms=terms,
            limits=limits,
            metrics=self.metrics,
            hub=hub,
            log=Log(store, hub.committed, clock=clock, new_id=new_id, metrics=self.metrics),
            rates=Rates(terms.commands_per_second, limits.burst),
        )
        self._connections: set[Connection] = set()
        self._idle = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Opens the store and begins to serve.

        Raises:
            StoreInUse, StoreUnavailable: the store cannot be had.
        """
        async with AsyncExitStack() as stack:
            environment = self._environment
            stack.push_async_callback(environment.store.close)
            head = await environment.store.open()
            environment.epoch = head.epoch
            environment.log.head = head.position
            environment.hub.start(head.position)
            environment.hub.revoke(dict(await environment.store.revocations()))
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(environment.hub.stop)
            stack.callback(tasks.cancel_scope.cancel)
            tasks.start_soon(environment.log.run)
            tasks.start_soon(self._watch_revocations)
            self._stack = stack.pop_all()
        self.phase = Phase.SERVING
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drains what is still connected and gives the store back."""
        await self.drain()
        await self._stack.__aexit__(kind, error, trace)

    async def upgrade(self, request: Upgrade) -> Connection:
        """Takes an upgrade request in; `release` the connection whatever happens afterwards.

        Raises:
            Denied: with the HTTP status to answer instead of upgrading (R1.7, R2.7).
        """
        try:
            connection = await self._upgrade(request)
        except Denied as denied:
            self.metrics.refused_upgrades.labels(denied.status).inc()
            raise
        return connection

    async def _upgrade(self, request: Upgrade) -> Connection:
        self._must_serve()
        dialect = request.dialect()
        self._origins.check(request)
        credentials = request.credentials()
        anonymous = dialect is Dialect.V1 and credentials.token is None and self._environment.authenticator.takes_tokens
        offered = None if anonymous else await self._identify(credentials)
        environment = self._environment
        if dialect is Dialect.V1 and environment.hub.waiting >= environment.limits.waiting_for_hello:
            raise Denied(503, "Too many connections have not said hello yet; try again later.")
        session = Session(environment.new_id(), dialect, environment.terms, environment.clock(), offered)
        connection = Connection(environment, session, credentials)
        self._connections.add(connection)
        self._idle.clear()
        try:
            if dialect is Dialect.V1:
                environment.hub.expect(connection)
            elif offered is not None:
                await self._open(connection, offered)
            self._must_serve()
        except BaseException:
            self.release(connection)
            raise
        return connection

    def release(self, connection: Connection) -> None:
        """The connection is over."""
        connection.release()
        self._connections.discard(connection)
        if connection.close_code is not None:
            self.metrics.closes.labels(connection.close_code.code).inc()
        if not self._connections:
            self._idle.set()

    async def drain(self) -> None:
        """Ends all connections so that nothing accepted is lost, telling nobody that anybody left (V5.4)."""
        self.phase = Phase.DRAINING
        self._environment.hub.quiet = True
        connections = list(self._connections)
        for connection in connections:
            connection.stop(random.randrange(RECONNECT_SPREAD))  # noqa: S311 - spreads a load, keeps no secret
        with anyio.move_on_after(FINISH):
            for connection in connections:
                await connection.stopped()
        for connection in connections:
            connection.end(RESTARTING)
        if self._connections:
            with anyio.move_on_after(FLUSH):
                await self._idle.wait()

    def _must_serve(self) -> None:
        if self.phase is not Phase.SERVING:
            raise Denied(503, f"The server is {self.phase.value}; try again later.")

    async def _identify(self, credentials: Credentials) -> Identity:
        try:
            return await self._environment.identify(credentials)
        except Closing as closing:
            if closing.close is NO_ROLE:
                raise Denied(403, "This token carries no usable role: client or provider.") from None
            raise Denied(401, "A valid token is required.") from None
        except Exception:
            logger.exception("authenticator_failed")
            raise Denied(503, "Nobody can be let in now; try again later.") from None

    async def _open(self, connection: Connection, identity: Identity) -> None:
        try:
            await connection.open(identity)
        except Closing as closing:
            if closing.close.code == 4001:
                raise Denied(401, "A valid token is required.") from None
            if closing.close.code == 4110:
                raise Denied(429, "This user has too many connections; close one first.") from None
            raise Denied(503, "The server cannot serve now; try again later.") from None
        except Refusal as refusal:
            raise Denied(503, refusal.message) from None

    async def _watch_revocations(self) -> None:
        """Another process writes them; this one looks (V1.6)."""
        while True:
            await anyio.sleep(REVOCATION_POLL)
            try:
                self._environment.hub.revoke(dict(await self._environment.store.revocations()))
            except StoreUnavailable as error:
                logger.warning("revocations_unavailable", error=type(error.__cause__).__name__)
