"""The Litestar application: the WebSocket endpoint, probes, the demo page; the only room that knows Litestar."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, cast
from urllib.parse import parse_qsl

import anyio
import structlog
from litestar import Litestar, MediaType, Response, WebSocket, get, websocket
from litestar.config.app import AppConfig
from litestar.exceptions import NotFoundException, WebSocketDisconnect
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.plugins import InitPlugin
from uvicorn.protocols.utils import ClientDisconnected
from vetchat_protocol import asyncapi
from vetchat_protocol.codec import Dialect

from .connection import Connection, Disconnected
from .service import Phase, Service
from .sockets import AsgiSocket, DirectSocket
from .upgrade import Denied, Upgrade
from .websocket import DIRECT, WebSocketProtocol

logger = structlog.stdlib.get_logger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The demo page's Content-Security-Policy: nothing from elsewhere, nothing inline."""

PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class VetChatPlugin(InitPlugin):
    """Mounts a VetChat service in a Litestar application, which opens and closes it with its own lifespan.

    `path` is the endpoint's, with or without a trailing slash (S1.1). `probes` adds `/health`, `/metrics` and
    `/asyncapi.json`; `demo` adds the demo page at `/`, which is of use in open mode only.
    """

    def __init__(self, service: Service, *, path: str = "/ws", probes: bool = True, demo: bool = False) -> None:
        self._service = service
        self._path = path
        self._probes = probes
        self._demo = demo

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Adds the route handlers and the lifespan."""
        handlers: list[BaseRouteHandler] = [endpoint(self._service, self._path)]
        if self._probes:
            handlers += [*probes(self._service), specification(self._path)]
        if self._demo:
            handlers += demo_page()
        app_config.route_handlers.extend(handlers)
        app_config.lifespan.append(self._lifespan)  # pyright: ignore[reportUnknownMemberType]
        return app_config

    @asynccontextmanager
    async def _lifespan(self, _app: Litestar) -> AsyncGenerator[None]:
        async with self._service:
            yield


def create_app(service: Service, *, demo: bool = False) -> Litestar:
    """A Litestar application that is VetChat and nothing else."""
    plugin = VetChatPlugin(service, demo=demo)
    return Litestar(plugins=[plugin], openapi_config=None, logging_config=None)


def endpoint(service: Service, path: str) -> BaseRouteHandler:
    """The WebSocket endpoint."""

    @websocket(path, opt={"exclude_from_auth": True})
    async def vetchat(socket: WebSocket[Any, Any, Any]) -> None:
        try:
            connection = await service.upgrade(_upgrade(socket))
        except Denied as denied:
            await _deny(socket, denied)
            return
        try:
            await _serve(socket, connection)
        except (WebSocketDisconnect, ClientDisconnected):
            pass  # the peer went away while we were answering: `release` is all there is to do
        except Exception:
            logger.exception("connection_failed", connection=connection.id)
            raise
        finally:
            service.release(connection)

    return vetchat


def _upgrade(socket: WebSocket[Any, Any, Any]) -> Upgrade:
    """Straight from the ASGI scope: what Litestar parses it also keeps, for as long as the connection lasts."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in socket.scope["headers"]}
    query = dict(parse_qsl(socket.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    subprotocols = cast("Sequence[str]", socket.scope["subprotocols"])
    return Upgrade(headers, query, [name for name in subprotocols if name])


async def _deny(socket: WebSocket[Any, Any, Any], denied: Denied) -> None:
    """Answers the upgrade request by an HTTP response (the ASGI extension `websocket.http.response`)."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if denied.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    start = {"type": "websocket.http.response.start", "status": denied.status, "headers": headers}
    body = {"type": "websocket.http.response.body", "body": denied.reason.encode()}
    await socket.send(cast("Any", start))
    await socket.send(cast("Any", body))


async def _serve(socket: WebSocket[Any, Any, Any], connection: Connection) -> None:
    identity = connection.identity
    headers = {} if identity is None else {"VetChat-User-Id": identity.user.id, "VetChat-Role": identity.user.role}
    subprotocol = Dialect.V1.value if connection.dialect is Dialect.V1 else None
    await socket.accept(subprotocols=subprotocol, headers=headers)
    await _run(socket, connection)
    close = connection.close_code
    if close is not None:
        code = close.base_code if connection.dialect is Dialect.BASE else close.code
        await socket.close(code, close.reason)


async def _run(socket: WebSocket[Any, Any, Any], connection: Connection) -> None:
    """Serves past ASGI, if the server is our own."""
    direct = cast("dict[str, WebSocketProtocol]", socket.scope["extensions"] or {}).get(DIRECT)
    if direct is not None:
        await connection.run(DirectSocket(direct))
        return

    async def send(message: Any) -> None:
        try:
            await socket.send(message)
        except WebSocketDisconnect as gone:
            raise Disconnected from gone

    accepted = AsgiSocket(socket.receive, send)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(accepted.read)
        await connection.run(accepted)
        tasks.cancel_scope.cancel()


def probes(service: Service) -> list[BaseRouteHandler]:
    """What operators ask: whether it serves, and how much."""

    @get("/health", media_type=MediaType.TEXT, sync_to_thread=False)
    def health() -> Response[str]:
        status = 200 if service.phase is Phase.SERVING else 503
        return Response(service.phase.value, status_code=status, headers={"Cache-Control": "no-store"})

    @get("/metrics", sync_to_thread=False)
    def metrics() -> Response[bytes]:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return [health, metrics]


def specification(path: str) -> BaseRouteHandler:
    """What the endpoint at this path understands and says, as an AsyncAPI document; any web page may read it."""
    document = asyncapi.document(f"{path.rstrip('/')}/")

    @get("/asyncapi.json", sync_to_thread=False)
    def answer() -> Response[dict[str, Any]]:
        return Response(document, media_type=MediaType.JSON, headers={"Access-Control-Allow-Origin": "*"})

    return answer


def demo_page() -> list[BaseRouteHandler]:
    """The demo page and its parts, read once."""
    parts = {part.name: part.read_bytes() for part in files("vetchat_server.web").iterdir() if part.is_file()}

    def answer(name: str) -> Response[bytes]:
        media_type = MEDIA_TYPES.get(name[name.rfind(".") :])
        if name not in parts or media_type is None:
            raise NotFoundException
        return Response(parts[name], media_type=media_type, headers=PAGE_HEADERS)

    @get("/", sync_to_thread=False)
    def page() -> Response[bytes]:
        return answer("index.html")

    @get("/demo/{name:str}", sync_to_thread=False)
    def asset(name: FromPath[str]) -> Response[bytes]:
        return answer(name)

    return [page, asset]
