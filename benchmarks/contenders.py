"""The servers: how each is started, and how to count what it stored."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from . import environment
from .load.plan import Wire


def _always() -> str | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server as it would be run.

    `command` gets the port and the database's URL. `count` is the SQL that counts the stored messages; "" for a server
    that stores nothing. `health` is a path that answers 200 once it serves. `unavailable` says why it cannot run here.
    """

    name: str
    command: Callable[[int, str], list[str]]
    wire: Wire = "json"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    health: str | None = None
    count: str = "SELECT COUNT(*) FROM messages"
    unavailable: Callable[[], str | None] = _always


def _vetchat(port: int, url: str) -> list[str]:
    return [sys.executable, "-m", "vetchat_protocol.cli", "serve", "--port", str(port), "--database", url]


def _reference(program: str, script: str) -> Callable[[int, str], list[str]]:
    """A reference server takes a port and the path of a SQLite file."""
    path = str(environment.REFERENCES / script)
    return lambda port, url: [program, path, str(port), url.removeprefix("sqlite://")]


def _python(script: str) -> Callable[[int, str], list[str]]:
    return _reference(str(environment.PYTHON), script)


def _node(script: str) -> Callable[[int, str], list[str]]:
    return _reference("node", f"node/{script}")


LOADED: Final = {
    "VETCHAT_RATE_LIMIT": "0",
    "VETCHAT_MAX_PROVIDERS": "1000",
    "VETCHAT_LOG_LEVEL": "warning",
}
"""VetChat's settings under load: everything at its default but what would keep the load out."""

VETCHAT: Final = Server(
    name="VetChat",
    command=_vetchat,
    environment=LOADED,
    health="/health",
    count="SELECT COUNT(*) FROM log WHERE seq IS NOT NULL",
)
VETCHAT_V1: Final = Server(
    name="VetChat", command=_vetchat, wire="v1", environment=LOADED, health="/health", count=VETCHAT.count
)
PYTHON_SOCKETIO: Final = Server(name="python-socketio", command=_python("socketio_chat.py"), wire="socketio")
CHANNELS: Final = Server(name="Django Channels", command=_python("channels_chat/__main__.py"))
PICOWS: Final = Server(name="picows relay", command=_python("picows_relay.py"), count="")
SOCKET_IO: Final = Server(
    name="socket.io", command=_node("socketio_chat.js"), wire="socketio", unavailable=environment.why_no_node
)
WS: Final = Server(name="ws", command=_node("ws_chat.js"), unavailable=environment.why_no_node)
