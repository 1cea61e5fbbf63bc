"""The other end of a client machine: a server of one user, written from the clauses in plain JSON, with a lossy line.

Imports nothing of what it judges.
"""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

JSON = Any
"""A value as `json.loads` gives it."""

NIL = "00000000-0000-0000-0000-000000000000"
ANN = "3f2b7c1e-9a54-4d0f-8a6b-5c1d2e7f9a01"
BELL = "b81d4f92-6c37-4e5a-9d20-74f0c3a1e802"
CONVERSATION = "c4a7e210-58b9-4f3d-8e61-2d9b0f7a3c04"
LIMITS = {
    "content_chars": 8_000,
    "frame_bytes": 131_072,
    "providers": 32,
    "commands_per_second": 20.0,
    "resume_frames": 10_000,
}


def frame(event: str, params: JSON, **more: JSON) -> str:
    """An event as the server writes it (S2.1, S2.2)."""
    return json.dumps({"sender_id": NIL, "event": event, "params": params, **more})


def message(number: int, content: str, sender: str = BELL) -> dict[str, JSON]:
    """The params of a `message_sent`; `number` is its `seq` and makes its id."""
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "conversation_id": CONVERSATION,
        "sender_id": sender,
        "content": content,
        "timestamp": 1_700_000_000_000 + number,
        "seq": number,
    }


def welcome(offset: int = 0, *, recovered: bool = False, ref: str = "0", **other: JSON) -> str:
    """A `welcome` for Ann (V1.2)."""
    params = {
        "user_id": ANN,
        "role": "client",
        "session_id": "5e0c9a37-41d8-4b6f-a2c3-90d7e6f1b403",
        "epoch": "one",
        "offset": offset,
        "recovered": recovered,
        "heartbeat_interval_ms": 25_000,
        "token_expires_at": None,
        "limits": LIMITS,
        **other,
    }
    return frame("welcome", params, ref=ref)


@dataclass
class Line:
    """What is on its way on one connection, in both directions; a cut loses it."""

    up: deque[str] = field(default_factory=deque[str])
    down: deque[str] = field(default_factory=deque[str])
    greeted: bool = False


class Counterpart:
    """One conversation between Ann, who is at the other end, and Bell; its log is `log`, offset 1 first.

    A resume that would replay more than `reach` frames is not recovered (V3.4).
    """

    def __init__(self, reach: int = 1_000) -> None:
        self.log: list[dict[str, JSON]] = []
        self.line: Line | None = None
        self._keys: dict[str, dict[str, JSON]] = {}
        self._reach = reach

    def connect(self) -> None:
        """A new connection; whatever was on the old one's way is lost."""
        self.line = Line()

    def cut(self) -> None:
        """The line breaks."""
        self.line = None

    def post(self, content: str) -> None:
        """Bell writes."""
        self._store(message(len(self.log) + 1, content), ref=None)

    def hear(self) -> None:
        """The frame that has been on its way longest arrives at the server, and is answered (R2.6, V2.1)."""
        assert self.line is not None
        command = json.loads(self.line.up.popleft())
        params, ref = command["params"], command["ref"]
        if command["event"] == "hello":
            self._greet(params, ref)
        elif command["event"] == "message":
            self._message(params, ref)
        else:
            assert command["event"] == "ping"
            self.line.down.append(frame("pong", {"offset": len(self.log)}, ref=ref))

    def _greet(self, params: JSON, ref: str) -> None:
        """Welcome, replay, live (V3.3)."""
        assert self.line is not None
        resume = params.get("resume")
        head = len(self.log)
        recovered = resume is not None and head - resume["offset"] <= self._reach
        self.line.down.append(welcome(head, recovered=recovered, ref=ref))
        self.line.greeted = True
        if resume is not None and recovered:
            for offset in range(resume["offset"] + 1, head + 1):
                self.line.down.append(frame("message_sent", self.log[offset - 1], offset=offset))

    def _message(self, params: JSON, ref: str) -> None:
        """Stored once for each `client_message_id` (V2.2)."""
        assert self.line is not None
        earlier = self._keys.get(params["client_message_id"])
        if earlier is not None:
            self.line.down.append(frame("message_sent", earlier | {"duplicate": True}, ref=ref))
            return
        stored = message(len(self.log) + 1, params["content"], ANN)
        self._keys[params["client_message_id"]] = stored
        self._store(stored, ref)

    def _store(self, stored: dict[str, JSON], ref: str | None) -> None:
        self.log.append(stored)
        if self.line is not None and self.line.greeted:
            more = {} if ref is None else {"ref": ref}
            self.line.down.append(frame("message_sent", stored, **more, offset=len(self.log)))
