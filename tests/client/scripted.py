"""A `vetchat.v1` server that does to each connection what a script says, and nothing else."""

import json
from collections.abc import Callable
from http import HTTPStatus
from threading import Thread
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.protocol.counterpart import ANN, frame, welcome

Act = int | Callable[[ServerConnection], None]
"""What happens to a connection: an HTTP status instead of the upgrade, or whatever a function does with it."""


class ScriptedServer:
    """Acts the script, one act for each connection; the last one again for all that follow.

    `tokens` are the tokens that the handshakes brought, `offers` the subprotocols that they offered; `hellos` are the
    params of each `hello`.
    """

    def __init__(self, *script: Act) -> None:
        self.tokens: list[str | None] = []
        self.offers: list[list[str]] = []
        self.hellos: list[dict[str, Any]] = []
        self._script = list(script)
        self._server = serve(
            self._handle, "127.0.0.1", 0, subprotocols=[Subprotocol("vetchat.v1")], process_request=self._answer
        )
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/ws/?user_id={ANN}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join(10)

    def _answer(self, peer: ServerConnection, request: Request) -> Response | None:
        self.tokens.append(request.headers.get("Authorization", "").removeprefix("Bearer ") or None)
        self.offers.append(request.headers.get_all("Sec-WebSocket-Protocol"))
        act = self._script[0]
        if not isinstance(act, int):
            return None
        self._next()
        return peer.respond(HTTPStatus(act), "No.\n")

    def _handle(self, peer: ServerConnection) -> None:
        act = self._next()
        assert callable(act)
        try:
            hello = json.loads(peer.recv())
            self.hellos.append(hello["params"])
            act(peer)
        except ConnectionClosed:
            return

    def _next(self) -> Act:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]


def closes(code: int) -> Callable[[ServerConnection], None]:
    """Closes instead of welcoming."""
    return lambda peer: peer.close(code, "Because.")


def welcomes_and_closes(code: int, *frames: str, **other: Any) -> Callable[[ServerConnection], None]:
    """Welcomes, sends these frames, and closes."""

    def act(peer: ServerConnection) -> None:
        for text in (welcome(**other), *frames):
            peer.send(text)
        peer.close(code, "Because.")

    return act


def serves(*frames: str, **other: Any) -> Callable[[ServerConnection], None]:
    """Welcomes, sends these frames, and answers pings and refreshes until the client goes."""

    def act(peer: ServerConnection) -> None:
        for text in (welcome(**other), *frames):
            peer.send(text)
        for text in peer:
            command = json.loads(text)
            answer, params = {
                "ping": ("pong", {"offset": 0}),
                "refresh": ("refreshed", {"token_expires_at": None}),
            }[command["event"]]
            peer.send(frame(answer, params, ref=command["ref"]))

    return act
