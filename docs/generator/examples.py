"""The example frames of the commands' and the events' pages."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from vetchat_protocol.codec import Dialect, read_event, write_event
from vetchat_protocol.schemas import Direction, frames

from .markdown import indented
from .tables import keys_on_base

EXAMPLES: Final = Path(__file__).parents[1] / "protocol" / "examples.json"
"""A frame of `vetchat.v1` for every command and every event, all of one small story."""

ENVELOPE: Final = ("sender_id", "event", "params")


@cache
def examples() -> dict[Direction, dict[str, Any]]:
    """The example frames, by direction and event."""
    return json.loads(EXAMPLES.read_text(encoding="utf-8"))


def on_base(direction: Direction, event: str) -> Any:
    """The example as the base wire has it."""
    frame = examples()[direction][event]
    if direction == "events":
        return json.loads(write_event(read_event(json.dumps(frame)), Dialect.BASE))
    known = keys_on_base(direction, event) or set()
    return {**{key: frame[key] for key in ENVELOPE}, "params": {k: v for k, v in frame["params"].items() if k in known}}


def shown(direction: Direction, event: str) -> str:
    """The example in both dialects, in tabs where they differ."""
    tabs = [("vetchat.v1", examples()[direction][event])]
    if event in frames(Dialect.BASE, direction):
        tabs.insert(0, ("base", on_base(direction, event)))
    if len(tabs) == 1 or tabs[0][1] == tabs[1][1]:
        return _fenced(tabs[0][1])
    return "\n\n".join(f'=== "{name}"\n\n{indented(_fenced(frame))}' for name, frame in tabs)


def _fenced(frame: Any) -> str:
    return f"```json\n{json.dumps(frame, indent=2, ensure_ascii=False)}\n```"
