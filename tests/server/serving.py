"""Servers inside the test's process: the same parts as `vetchat serve`, on a free port, in a thread of their own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
import uvloop
from vetchat_protocol.models import Role
from vetchat_server import (
    JwtAuthenticator,
    MemoryStore,
    OpenAuthenticator,
    Service,
    Store,
    asgi,
    create_app,
    secret_key,
)
from vetchat_server.clock import Clock, system_clock

from tests.conformance.peer import Peer, new_id
from tests.running import SECRET, sign

PATIENCE = 15.0
T = TypeVar("T")


class LocalServer:
    """A server in a thread of this process; `service` is what it serves."""

    def __init__(
        self, service: Service, port: int, loop: asyncio.AbstractEventLoop, clock: Clock = system_clock
    ) -> None:
        self.service = service
        self.port = port
        self._loop = loop
        self._clock = clock

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/"

    def token(self, sub: str, role: str, **claims: Any) -> str:
        """A token that is good for an hour of the server's clock."""
        now = self._clock() // 1_000
        return sign({"sub": sub, "role": role, "iat": now, "exp": now + 3_600, **claims})

    async def connect(self, role: Role = Role.CLIENT, sub: str | None = None, **claims: Any) -> Peer:
        """A connection of a user, new unless an id is given, on the base wire."""
        return await Peer.connect(self.ws_url, token=self.token(sub or new_id(), role, **claims))

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a function in the server's thread."""

        async def run() -> T:
            return function(*arguments)

        return self.run(run())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the server's event loop; the caller's waits."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)


@contextmanager
def serving(
    store: Store | None = None,
    *,
    clock: Clock = system_clock,
    secret: str | None = SECRET,
    direct: bool = True,
    **options: Any,
) -> Generator[LocalServer]:
    """A server on a store, in memory unless one is given, with the parts that `Service` takes as `options`.

    Its tokens are signed with `secret`; with None it runs in open mode (R1.3), with the demo page. With `direct` off,
    every frame goes through ASGI.
    """
    authenticator = OpenAuthenticator() if secret is None else JwtAuthenticator([secret_key(secret)], clock=clock)
    service = Service(store or MemoryStore(), options.pop("authenticator", authenticator), clock=clock, **options)
    config = asgi.configure(
        create_app(service, demo=secret is None),
        frame_bytes=131_072,
        heartbeat_interval=25,
        handshake_timeout=10,
        direct=direct,
    )
    server = asgi.Server(config, service.drain)

    async def serve(listener: socket.socket, started: Callable[[], None]) -> None:
        async with service:
            started()
            await server.serve([listener])

    with in_background(server, serve) as (port, loop):
        yield LocalServer(service, port, loop, clock)


@contextmanager
def in_background(
    server: uvicorn.Server, serve: Callable[[socket.socket, Callable[[], None]], Coroutine[Any, Any, None]]
) -> Generator[tuple[int, asyncio.AbstractEventLoop]]:
    """Runs `serve` in a thread, with a socket that listens already, until the context ends; its failure is raised."""
    loops: list[asyncio.AbstractEventLoop] = []
    started = threading.Event()

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        await serve(listener, started.set)

    def work() -> None:
        try:
            uvloop.run(run())
        finally:
            started.set()

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(max_workers=1) as thread:
        served = thread.submit(work)
        assert started.wait(PATIENCE)
        try:
            if not served.done():
                yield listener.getsockname()[1], loops[0]
        finally:
            server.should_exit = True
            served.result(PATIENCE)
