"""Connections in and out, frames in and out: the part of the reference server that knows sockets and JSON."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from .models import Close, Json, Line, Params

NIL = "00000000-0000-0000-0000-000000000000"
V1 = "vetchat.v1"
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ONLY_V1 = frozenset({"typing", "read_marker", "presence_state"})
V1_KEYS: Mapping[str, frozenset[str]] = {
    "message_sent": frozenset({"seq", "duplicate"}),
    "conversation_created": frozenset({"duplicate"}),
    "conversation_history_response": frozenset({"conversation_id", "last_seq", "has_newer"}),
    "subscribed": frozenset({"last_seq"}),
    "error": frozenset({"code"}),
}
COUNTS = frozenset({"last_seq", "read_seq", "unread_count", "last_offset"})


class Door:
    """Listens on a free port of loopback; `tokens` maps each token to an id and a role, else it is open."""

    longest: int | None = 131_072
    """How many bytes a frame may have."""

    def __init__(self, tokens: Mapping[str, tuple[str, str]] | None = None) -> None:
        self.tokens = tokens
        self.lines: list[Line] = []
        self.roles: set[tuple[str, str]] = set()
        self.drawn: dict[int, str] = {}

    async def __aenter__(self) -> Self:
        self.server: Server = await serve(
            self.serve,
            "127.0.0.1",
            0,
            process_request=self.door,
            process_response=self.introduce,
            select_subprotocol=self.subprotocol,
            ping_interval=None,
            compression=None,
            max_size=self.longest,
            close_timeout=1,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.server.close()
        await self.server.wait_closed()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{next(iter(self.server.sockets)).getsockname()[1]}/ws/"

    def arrived(self, line: Line) -> None:
        raise NotImplementedError

    def take(self, line: Line, data: str | bytes) -> None:
        raise NotImplementedError

    def lost(self, line: Line) -> None:
        raise NotImplementedError

    # -- the door ------------------------------------------------------------------------------------------------------

    def door(self, socket: ServerConnection, request: Request) -> Response | None:
        status = self.refusal(request)
        return None if status is None else socket.respond(status, "No.\n")

    def refusal(self, request: Request) -> HTTPStatus | None:
        offered = request.headers.get("Sec-WebSocket-Protocol")
        if urlsplit(request.path).path not in ("/ws/", "/ws"):
            return HTTPStatus.NOT_FOUND
        if offered is not None and V1 not in offered.replace(" ", "").split(","):
            return HTTPStatus.BAD_REQUEST
        if "Origin" in request.headers:
            return HTTPStatus.FORBIDDEN
        if self.identity(request) is None and not (self.tokens is not None and offered and not self.token(request)):
            return HTTPStatus.UNAUTHORIZED if self.tokens is not None else HTTPStatus.BAD_REQUEST
        return None

    def token(self, request: Request) -> str | None:
        query = dict(parse_qsl(urlsplit(request.path).query))
        return request.headers.get("Authorization", "").removeprefix("Bearer ") or query.get("token")

    def identity(self, request: Request) -> tuple[str, str, str | None] | None:
        """Who asks: id, role and name; the id of who does not ask for one is drawn once."""
        query = dict(parse_qsl(urlsplit(request.path).query))
        if self.tokens is not None:
            known = self.tokens.get(self.token(request) or "")
            return None if known is None else (*known, None)
        drawn = self.drawn.setdefault(id(request), str(uuid4()))
        user, role = query.get("user_id", drawn).lower(), query.get("role", "client")
        good = UUID.fullmatch(user) and user != NIL and role in ("client", "provider")
        return (user, role, query.get("name")) if good else None

    def subprotocol(self, socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return Subprotocol(V1) if V1 in offered else None

    def introduce(self, socket: ServerConnection, request: Request, response: Response) -> None:
        identity = self.identity(request)
        if identity is not None:
            response.headers["VetChat-User-Id"], response.headers["VetChat-Role"] = identity[:2]

    # -- a connection's life -------------------------------------------------------------------------------------------

    async def serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        user, role, name = self.identity(socket.request) or ("", "", None)
        line = Line(socket, user, role, name, v1=socket.subprotocol == V1)
        self.drawn.pop(id(socket.request), None)
        writer = asyncio.create_task(self.write(line))
        self.lines.append(line)
        self.roles.add((line.user, line.role))
        timer = asyncio.get_running_loop().call_later(10, self.hang_up_unless_ready, line)
        try:
            self.arrived(line)
            async for data in socket:
                self.take(line, data)
        except ConnectionClosed:
            pass
        except Close as close:
            await socket.close(int(str(close)), "Because.")
        finally:
            timer.cancel()
            writer.cancel()
            self.lines.remove(line)
            self.lost(line)

    async def write(self, line: Line) -> None:
        while True:
            await line.socket.send(await line.out.get())

    def hang_up_unless_ready(self, line: Line) -> None:
        if not line.ready and line.v1:
            self.closing = asyncio.ensure_future(line.socket.close(4008, "No hello."))

    # -- frames out ----------------------------------------------------------------------------------------------------

    def reply(self, line: Line, event: str, params: Json) -> None:
        self.send(line, event, params, ref=line.ref)

    def send(self, line: Line, event: str, params: Json, *, ref: str | None = None, offset: int | None = None) -> None:
        if line.v1:
            line.position = max(line.position, offset or 0)
            more = {key: value for key, value in (("ref", ref), ("offset", offset)) if value is not None}
            line.out.put_nowait(self.encode({"sender_id": NIL, "event": event, "params": params, **more}))
        elif event not in ONLY_V1:
            line.out.put_nowait(self.encode({"sender_id": NIL, "event": event, "params": self.to_base(event, params)}))

    def to_base(self, event: str, params: Json) -> Json:
        if event == "conversations":
            return [{key: value for key, value in one.items() if key not in COUNTS} for one in params]
        told = {key: value for key, value in params.items() if key not in V1_KEYS.get(event, frozenset())}
        if event == "conversation_history_response":
            told["messages"] = [self.to_base("message_sent", one) for one in told["messages"]]
        return told

    def encode(self, frame: Params) -> str:
        return json.dumps(frame)
