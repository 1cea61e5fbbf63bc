"""The server that plays a transcript for one client, and says where the client did something else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

from anyio import fail_after
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ..scene import Step as Recorded
from ..shapes import JSON, NIL, is_object
from .placeholders import Bindings
from .transcript import Accept, Close, Cut, Hear, HearClose, Line, Refuse, Say, Transcript, Wait, Whenever

__all__ = ["ScriptedServer", "Verdict"]


T = TypeVar("T")


class _Strayed(Exception):
    """The client did something else than the transcript says."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the client kept to the transcript; else `line` is where it did not, and `sentence` how."""

    passed: bool
    line: int
    sentence: str
    record: tuple[Recorded, ...]

    def __str__(self) -> str:
        told = "\n".join(f"  {step.who} {step.does} {step.text}".rstrip() for step in self.record)
        return f"{told}\n{'pass' if self.passed else f'FAIL at line {self.line}: '}{self.sentence}"


@dataclass(slots=True)
class _Knock:
    """An upgrade that waits for an answer: `None` lets it in."""

    peer: ServerConnection
    request: Request
    answer: asyncio.Future[Response | None] = field(default_factory=asyncio.Future[Response | None])

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.request.path).query))

    @property
    def token(self) -> str | None:
        return self.request.headers.get("Authorization", "").removeprefix("Bearer ") or self.query.get("token")


class ScriptedServer:
    """Listens on loopback and plays a transcript once; asyncio only.

    Args:
        transcript: what is to happen.
        port: where to listen; 0 picks a free port.
        patience: how long the client may take for each of its lines, in seconds.
    """

    def __init__(self, transcript: Transcript, *, port: int = 0, patience: float = 10.0) -> None:
        self._transcript = transcript
        self._port = port
        self._patience = patience
        self._bindings = Bindings(transcript.user)
        self._whenever: list[Whenever] = []
        self._knocks: asyncio.Queue[_Knock] = asyncio.Queue()
        self._opened: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self._subprotocol: Subprotocol | None = None
        self._peer: ServerConnection | None = None
        self._record: list[Recorded] = []

    async def __aenter__(self) -> Self:
        self._server: Server = await serve(
            self._hold,
            "127.0.0.1",
            self._port,
            process_request=self._door,
            process_response=self._introduce,
            select_subprotocol=lambda _, __: self._subprotocol,
            compression=None,
            ping_interval=None,
        )
        self._play = asyncio.create_task(self._playing())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._play.cancel()
        await self._turn_away()
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/ws/"

    async def verdict(self) -> Verdict:
        """Returns when the transcript is through, or the client has left it."""
        return await self._play

    # -- the door ------------------------------------------------------------------------------------------------------

    async def _door(self, peer: ServerConnection, request: Request) -> Response | None:
        if self._play.done():
            return peer.respond(HTTPStatus.BAD_REQUEST, "The transcript is over.\n")
        knock = _Knock(peer, request)
        self._knocks.put_nowait(knock)
        return await knock.answer

    def _introduce(self, peer: ServerConnection, request: Request, response: Response) -> None:
        """The handshake tells who one is (R1.4)."""
        if "user_id" in self._transcript.user:
            response.headers["VetChat-User-Id"] = self._transcript.user["user_id"]
            response.headers["VetChat-Role"] = self._transcript.user.get("role", "client")

    async def _hold(self, peer: ServerConnection) -> None:
        self._opened.put_nowait(peer)
        await peer.wait_closed()

    # -- the play ------------------------------------------------------------------------------------------------------

    async def _playing(self) -> Verdict:
        line = Line(0, Cut())
        try:
            for line in self._transcript.lines:
                await self._do(line)
        except _Strayed as strayed:
            return Verdict(False, line.number, str(strayed), tuple(self._record))
        except ConnectionClosed:
            sentence = "The client must keep the connection open here, and closed it."
            return Verdict(False, line.number, sentence, tuple(self._record))
        finally:
            await self._turn_away()
        return Verdict(True, line.number, "", tuple(self._record))

    async def _turn_away(self) -> None:
        """Leaves nobody waiting for what will not come."""
        while not self._knocks.empty():
            knock = self._knocks.get_nowait()
            knock.answer.set_result(knock.peer.respond(HTTPStatus.BAD_REQUEST, "The transcript is over.\n"))
        if self._peer is not None:
            await self._peer.close(1008, "The transcript is over.")

    async def _do(self, line: Line) -> None:
        match line.step:
            case Accept():
                await self._accept(line.step)
            case Refuse(status):
                knock = await self._in_time(self._knocks.get(), "connect")
                self._note("client", "connects", "")
                self._note("server", "refuses", str(status))
                knock.answer.set_result(knock.peer.respond(HTTPStatus(status), "No.\n"))
            case Whenever():
                self._whenever.append(line.step)
            case Hear(patterns):
                await self._hear(patterns)
            case Say(template):
                await self._send(self._bindings.fill(template))
            case Wait(milliseconds):
                await asyncio.sleep(milliseconds / 1000)
            case Close(code, reason):
                self._note("server", "closes", f"{code} {reason}")
                await self._connected.close(code, reason)
            case Cut():
                self._note("server", "cuts the line", "")
                self._connected.transport.abort()
            case HearClose():
                await self._hear_close()

    async def _accept(self, step: Accept) -> None:
        knock = await self._in_time(self._knocks.get(), "connect")
        self._note("client", "connects", urlsplit(knock.request.path).path)
        offered = [
            name.strip() for name in knock.request.headers.get("Sec-WebSocket-Protocol", "").split(",") if name.strip()
        ]
        sentence = self._bindings.difference(step.query, knock.query, "query")
        if step.token is not None:
            sentence = sentence or self._bindings.difference(step.token, knock.token, "token")
        if step.subprotocol is not None and step.subprotocol not in offered:
            sentence = sentence or f"The client must offer the subprotocol {step.subprotocol}, and offered {offered}."
        if sentence is not None:
            knock.answer.set_result(knock.peer.respond(HTTPStatus.BAD_REQUEST, sentence + "\n"))
            raise _Strayed(sentence)
        self._subprotocol = None if step.subprotocol is None else Subprotocol(step.subprotocol)
        knock.answer.set_result(None)
        self._peer = await self._in_time(self._opened.get(), "take up the connection")

    async def _send(self, frame: dict[str, JSON]) -> None:
        text = json.dumps({"sender_id": NIL, **frame}, ensure_ascii=False, separators=(",", ":"))
        self._note("server", "sends", text)
        await self._connected.send(text)

    async def _hear(self, patterns: Sequence[JSON]) -> None:
        left = list(patterns)
        while left:
            frame = await self._next_frame(json.dumps(left[0], ensure_ascii=False))
            sentences = [self._bindings.difference(pattern, frame, "the frame") for pattern in left]
            if None in sentences:
                left.pop(sentences.index(None))
            else:
                raise _Strayed(str(sentences[0]))

    async def _next_frame(self, wanted: str) -> dict[str, JSON]:
        """The next frame that is not one of those which may come at any time."""
        while True:
            frame = self._taken_apart(await self._in_time(self._connected.recv(), f"send {wanted}"))
            answer = self._answer_at_any_time(frame)
            if answer is None:
                return frame
            await self._send(answer)

    def _answer_at_any_time(self, frame: JSON) -> dict[str, JSON] | None:
        """The answer to a frame that may come at any time; what it binds holds for this once."""
        for rule in self._whenever:
            bindings = self._bindings.copy()
            if bindings.difference(rule.pattern, frame, "") is None:
                return bindings.fill(rule.template)
        return None

    def _taken_apart(self, text: str | bytes) -> dict[str, JSON]:
        self._note("client", "sends", text if isinstance(text, str) else repr(text))
        if isinstance(text, bytes):
            raise _Strayed("The client must send text frames (S2.1).")
        try:
            fields = json.loads(text)
        except ValueError:
            raise _Strayed("The client must send JSON (S2.1).") from None
        if not is_object(fields):
            raise _Strayed("The client must send JSON objects (S2.1).")
        mine = (NIL, self._transcript.user.get("user_id"))
        if "sender_id" in fields and str(fields["sender_id"]).lower() not in mine:
            raise _Strayed(
                f"sender_id must be the client's own id, or N, or absent, not {fields['sender_id']!r} (R2.3)."
            )
        return fields

    async def _hear_close(self) -> None:
        try:
            await self._next_frame("nothing more, but close")
        except ConnectionClosed:
            self._note("client", "closes", "")
        else:
            raise _Strayed("The client must close here, and sent another frame.")

    # -- waiting and noting --------------------------------------------------------------------------------------------

    @property
    def _connected(self) -> ServerConnection:
        if self._peer is None:
            raise _Strayed("The transcript has nobody connected here: a connect line must come first.")
        return self._peer

    async def _in_time(self, what: Awaitable[T], must: str) -> T:
        try:
            with fail_after(self._patience):
                return await what
        except TimeoutError:
            raise _Strayed(f"The client must {must}, and did not within {self._patience:g} s.") from None

    def _note(self, who: str, does: str, text: str) -> None:
        self._record.append(Recorded(f"the {who}", does, text))
