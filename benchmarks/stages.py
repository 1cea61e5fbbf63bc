"""The stages that a message passes, and which of them a sampled stack was in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

LOOP, SQLITE, OTHER = "event loop", "SQLite", "other"

STAGES: Final[Mapping[str, Sequence[str]]] = {
    "socket in": (
        "uvicorn/",
        "websockets/",
        "vetchat_server/websocket.py",
        "vetchat_server/websocket.py WebSocketProtocol.send_receive",
        "vetchat_server/sockets.py",
    ),
    "reading and checking the frame": (
        "vetchat_protocol/codec.py read_",
        "vetchat_protocol/codec.py _read_",
        "vetchat_protocol/fields.py",
        "vetchat_protocol/commands.py",
        "vetchat_protocol/rules.py",
        "pydantic/type_adapter.py",
    ),
    "the command's story": (
        "vetchat_protocol/server.py",
        "vetchat_protocol/operations.py",
        "vetchat_protocol/session.py",
        "vetchat_server/driver.py",
        "vetchat_server/connection.py",
        "vetchat_server/app.py",
        "vetchat_server/service.py",
        "vetchat_server/environment.py",
        "vetchat_server/upgrade.py",
        "vetchat_server/ports.py",
        "litestar/",
        "anyio/",
    ),
    "limits and metrics": (
        "vetchat_server/limits.py",
        "vetchat_server/metrics.py",
        "prometheus_client/",
    ),
    "the log": ("vetchat_server/log.py", "vetchat_server/clock.py", "vetchat_protocol/records.py"),
    "the store, before and after SQLite": ("vetchat_server/backends/tortoise/", "aiosqlite/", "tortoise/"),
    "delivery": (
        "vetchat_protocol/delivery.py",
        "vetchat_protocol/rooms.py",
        "vetchat_protocol/events.py",
        "vetchat_protocol/models.py",
        "vetchat_server/hub.py",
        "pydantic/main.py",
    ),
    "encoding": ("vetchat_protocol/codec.py",),
    "socket out": (
        "vetchat_server/websocket.py WebSocketProtocol.write",
        "vetchat_server/websocket.py WebSocketProtocol.send",
        "vetchat_server/sockets.py DirectSocket.write",
        "vetchat_server/sockets.py DirectSocket.send",
        "vetchat_server/sockets.py _send",
        "vetchat_server/outbox.py",
        "vetchat_server/connection.py Connection.push",
    ),
}
"""In the order in which a message passes them: beginnings of `file function` that belong to each. The longest fits."""

_FRAME: Final = re.compile(r"(?P<function>.*) \((?P<file>.*):\d+\)")
_PLACES: Final = {place: stage for stage, places in STAGES.items() for place in places}


def stage_of(frames: Iterable[str]) -> str:
    """The stage of one sample, whose frames come from the outermost to the innermost: that of the innermost known."""
    for frame in reversed(list(frames)):
        found = _FRAME.fullmatch(frame)
        if found is None:
            continue
        if found["file"] == "asyncio/runners.py":
            return LOOP
        stage = placed(f"{found['file']} {found['function']}")
        if stage is not None:
            return stage
    return OTHER


def placed(where: str) -> str | None:
    """The stage of a `file function`, if it belongs to one."""
    fits = [place for place in _PLACES if where.startswith(place)]
    return _PLACES[max(fits, key=len)] if fits else None


def split(raw: str, thread: int) -> Counter[str]:
    """How many samples of one thread, by the kernel's number, fell into each stage, from py-spy's raw stacks."""
    counted: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        name, *frames = stack.split(";")
        if name.partition(":")[0] == f"thread ({thread})":
            counted[stage_of(frames)] += int(count)
    return counted
