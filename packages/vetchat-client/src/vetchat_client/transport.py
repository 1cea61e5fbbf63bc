"""One WebSocket connection: what the client needs of it, and the one that the `websockets` library makes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final, Protocol

from anyio import CancelScope, create_task_group, move_on_after
from vetchat_protocol import SUBPROTOCOL
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidStatus

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection as AsyncioConnection
    from websockets.trio.client import ClientConnection as TrioConnection

GOODBYE: Final = 1.0
"""How long the other side may take to say goodbye before the connection is cut, in seconds."""

quiet: Final = logging.getLogger("vetchat_client.websockets")
quiet.setLevel(logging.INFO)  # below that, the library writes down headers and frames: tokens and messages


class Ended(Exception):
    """The connection is over: by a close frame with this code and reason, or with None without one."""

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


LIKELY: Final = {
    401: ": the token is missing, bad or expired",
    403: ": nothing for you is at this path, or the token gives you no role that the server knows",
    404: ": there is no chat at this path",
}
"""What these HTTP statuses mean to who wrote the program (R1.7)."""


class UpgradeRefused(Exception):
    """The handshake was answered by this HTTP status instead of 101."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The handshake was answered by HTTP {status}{LIKELY.get(status, '')}.")
        self.status = status


class Unopened(Exception):
    """No connection, or no answer that makes sense, or not in time; `__cause__` says more."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to connect to: the address with its query, a token, how long the handshake may take (seconds), and TLS.

    Its `repr` has neither address nor token, which may be secret (R1.5).

    `subprotocol` is what is offered, None for nothing: some servers refuse a handshake that offers what they lack.
    """

    url: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    timeout: float = 5.0
    ssl: SSLContext | None = None
    subprotocol: str | None = SUBPROTOCOL


class Transport(Protocol):
    """An open connection; it is closed by leaving the context that made it."""

    @property
    def subprotocol(self) -> str | None:
        """What the server chose of what was offered."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the handshake's response, by names in any case."""
        ...

    async def receive(self) -> str | bytes:
        """The next message; cancelling loses none. Raises `Ended`."""
        ...

    async def send(self, text: str) -> None:
        """Writes a text frame, waiting while the peer does not read. Raises `Ended`."""
        ...

    async def ping(self) -> None:
        """Returns when the peer has answered a ping of RFC 6455. Raises `Ended`."""
        ...


Opener = Callable[[Request], AbstractAsyncContextManager[Transport]]
"""Opens a connection; entering raises `UpgradeRefused` or `Unopened`."""


@asynccontextmanager
async def open_websocket(request: Request) -> AsyncGenerator[Transport]:
    """A connection, by the `websockets` library on asyncio or on trio.

    Raises:
        UpgradeRefused: the server answered with something else than 101.
        Unopened: there is no server, or none that speaks WebSocket, or not in time.
    """
    connect, wrap = _library()
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(connect(request.url, **_options(request)))
        except InvalidStatus as refusal:
            raise UpgradeRefused(refusal.response.status_code) from None
        except (OSError, InvalidHandshake, InvalidProxy) as error:
            raise Unopened(f"{type(error).__name__}: {error}") from error
        websocket = wrap(connection)
        try:
            yield websocket
        finally:
            with CancelScope(shield=True):
                await websocket.close()


def _library() -> tuple[Callable[..., AbstractAsyncContextManager[Any]], type[_AsyncioWebSocket | _TrioWebSocket]]:
    """How to connect on the event loop at hand, and what makes a transport of the connection."""
    if _on_asyncio():
        from websockets.asyncio import client  # noqa: PLC0415  (its twin needs trio)

        return client.connect, _AsyncioWebSocket
    from websockets.trio import client  # noqa: PLC0415  (only who runs on trio has it)

    return client.connect, _TrioWebSocket


def _on_asyncio() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def _options(request: Request) -> dict[str, Any]:
    options: dict[str, Any] = {
        "subprotocols": [request.subprotocol] if request.subprotocol is not None else None,
        "additional_headers": {"Authorization": f"Bearer {request.token}"} if request.token is not None else None,
        "compression": None,
        "open_timeout": request.timeout,
        "close_timeout": GOODBYE,
        "ping_interval": None,  # the protocol's own machine listens for silence
        "max_size": None,  # how much comes at once is decided by who asks for it
        "logger": quiet,
    }
    return options | ({} if request.ssl is None else {"ssl": request.ssl})


class _AsyncioWebSocket:
    """A `Transport` over `websockets.asyncio`."""

    def __init__(self, connection: AsyncioConnection) -> None:
        self._connection = connection

    @property
    def subprotocol(self) -> str | None:
        return self._connection.subprotocol

    @property
    def headers(self) -> Mapping[str, str]:
        return _headers(self._connection)

    async def receive(self) -> str | bytes:
        with _ending():
            return await self._connection.recv()

    async def send(self, text: str) -> None:
        with _ending():
            await self._connection.send(text)

    async def ping(self) -> None:
        with _ending():
            await (await self._connection.ping())

    async def close(self) -> None:
        """Says goodbye, and cuts the connection if that takes too long."""
        with move_on_after(GOODBYE):
            async with create_task_group() as tasks:
                tasks.start_soon(_read_on, self._connection)
                await self._connection.close()
        self._connection.transport.abort()
        await _read_on(self._connection)


class _TrioWebSocket:
    """A `Transport` over `websockets.trio`."""

    def __init__(self, connection: TrioConnection) -> None:
        self._connection = connection

    @property
    def subprotocol(self) -> str | None:
        return self._connection.subprotocol

    @property
    def headers(self) -> Mapping[str, str]:
        return _headers(self._connection)

    async def receive(self) -> str | bytes:
        with _ending():
            return await self._connection.recv()

    async def send(self, text: str) -> None:
        with _ending():
            await self._connection.send(text)

    async def ping(self) -> None:
        with _ending():
            pong = await self._connection.ping()
            await pong.wait()

    async def close(self) -> None:
        """Says goodbye, and cuts the connection if that takes too long."""
        from trio import aclose_forcefully  # noqa: PLC0415

        with move_on_after(GOODBYE):
            async with create_task_group() as tasks:
                tasks.start_soon(_read_on, self._connection)
                await self._connection.aclose()
        await aclose_forcefully(self._connection.stream)
        await _read_on(self._connection)


def _headers(connection: AsyncioConnection | TrioConnection) -> Mapping[str, str]:
    assert connection.response is not None
    return connection.response.headers


async def _read_on(connection: AsyncioConnection | TrioConnection) -> None:
    """Reads to the end: the peer's goodbye comes after all that it has sent, and the library waits to be read, too."""
    with suppress(ConnectionClosed):
        while True:
            await connection.recv()


@contextmanager
def _ending() -> Generator[None]:
    """Says by our own exception how a connection ended."""
    try:
        yield
    except ConnectionClosed as closed:
        raise Ended() if closed.rcvd is None else Ended(closed.rcvd.code, closed.rcvd.reason) from None
