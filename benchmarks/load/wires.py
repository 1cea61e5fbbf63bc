"""What frames look like on each wire. The generator writes and reads the frequent ones as bytes, without parsing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from . import plan
from .plan import Says

MARK: Final = b"~#"
"""Stands before a message's number of eight digits, wherever the server puts it: in a content or a `ref`."""

DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Utterance:
    """A frame around the number of what it says."""

    before: bytes
    after: bytes

    def __call__(self, number: int) -> bytes:
        return b"%b%08d%b" % (self.before, number, self.after)


class Wire(Protocol):
    """One way to speak to a server."""

    @property
    def first(self) -> bytes | None:
        """What to send first, if anything."""
        ...

    @property
    def ready(self) -> str | None:
        """The event that says that the connection is ready; None if it is so at once."""
        ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def url(self, base: str, user_id: str, role: str) -> str: ...

    def command(self, event: str, params: Mapping[str, object], **more: object) -> bytes: ...

    def event(self, payload: bytes) -> tuple[str, Any]:
        """The name of an event and its params; the name is "" for what is no event."""
        ...

    def utterance(self, says: Says, conversation_id: str, content: int) -> Utterance: ...


def _content(size: int) -> str:
    """`size` characters around the place of the number."""
    filler = "Rex will not eat, and he has been sleeping since Monday. "
    mark = f"{MARK.decode()}{'0' * DIGITS}"
    return f"{mark} {filler * (size // len(filler) + 1)}"[: max(size, len(mark))]


def _split(frame: bytes) -> Utterance:
    before, mark, after = frame.partition(MARK)
    return Utterance(before + mark, after[DIGITS:])


class JsonWire:
    """JSON objects with the keys `event` and `params`; VetChat's base wire, and what the other servers took over."""

    first: bytes | None = None
    ready: str | None = None
    headers: Mapping[str, str] = {}

    def url(self, base: str, user_id: str, role: str) -> str:
        return f"{base}/ws/?{urlencode({'user_id': user_id, 'role': role})}"

    def command(self, event: str, params: Mapping[str, object], **more: object) -> bytes:
        return json.dumps({"event": event, "params": params, **more}, separators=(",", ":")).encode()

    def event(self, payload: bytes) -> tuple[str, Any]:
        frame = json.loads(payload)
        return frame["event"], frame["params"]

    def utterance(self, says: Says, conversation_id: str, content: int) -> Utterance:
        return _split(self.command(says, {"conversation_id": conversation_id, "content": _content(content)}))


class V1Wire(JsonWire):
    """VetChat's extension. `typing` is what it relays without storing, `ping` what it answers without a relay."""

    first = b'{"event":"hello","params":{}}'
    ready = "welcome"
    headers: Mapping[str, str] = {"Sec-WebSocket-Protocol": "vetchat.v1"}

    def utterance(self, says: Says, conversation_id: str, content: int) -> Utterance:
        ref = _content(0)
        match says:
            case "relay":
                return _split(self.command("typing", {"conversation_id": conversation_id, "state": "active"}, ref=ref))
            case "echo":
                return _split(self.command("ping", {}, ref=ref))
            case "message":
                return super().utterance(says, conversation_id, content)


class SocketIoWire(JsonWire):
    """Socket.IO 5 over Engine.IO 4, straight on a WebSocket."""

    first = b"40"
    ready = "connected"

    def url(self, base: str, user_id: str, role: str) -> str:
        query = {"EIO": 4, "transport": "websocket", "user_id": user_id, "role": role}
        return f"{base}/socket.io/?{urlencode(query)}"

    def command(self, event: str, params: Mapping[str, object], **more: object) -> bytes:
        return b"42" + json.dumps([event, {**params, **more}], separators=(",", ":")).encode()

    def event(self, payload: bytes) -> tuple[str, Any]:
        if payload.startswith(b"42"):
            event, params = json.loads(payload[2:])
            return event, params
        if payload == b"2":
            return "engine_ping", None
        return ("connected" if payload.startswith(b"40") else ""), None


WIRES: Final[Mapping[plan.Wire, Wire]] = {"json": JsonWire(), "v1": V1Wire(), "socketio": SocketIoWire()}
