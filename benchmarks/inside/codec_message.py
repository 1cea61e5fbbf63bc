"""Reads a `message` command and writes a `message_sent` event, again and again: µs for each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import process_time

from vetchat_protocol.codec import Dialect, encode_event, read_command, read_envelope
from vetchat_protocol.events import MessageParams, MessageSent
from vetchat_protocol.models import Message

CONVERSATION, OWNER, MESSAGE = (f"3f2b7c1e-9a54-4d0f-8a6b-5c1d2e7f9a0{digit}" for digit in "123")
CONTENT = "Rex will not eat, and he has been sleeping since Monday."
TEXT = json.dumps(
    {"sender_id": OWNER, "event": "message", "params": {"conversation_id": CONVERSATION, "content": CONTENT}}
)
STORED = Message(MESSAGE, CONVERSATION, OWNER, CONTENT, 1_795_600_815_250, 7)
CHUNK = 1_000


def read() -> None:
    read_command(read_envelope(TEXT, Dialect.BASE), Dialect.BASE)


def build() -> MessageSent:
    return MessageSent(params=MessageParams.of(STORED), offset=41)


def measure(step: Callable[[], object], seconds: float) -> float:
    """The µs of CPU that one step takes."""
    done, begun = 0, process_time()
    while process_time() - begun < seconds:
        for _ in range(CHUNK):
            step()
        done += CHUNK
    return (process_time() - begun) / done * 1e6


def main(seconds: float) -> None:
    event = build()
    steps: dict[str, Callable[[], object]] = {
        "read_us": read,
        "build_us": build,
        "write_base_us": lambda: encode_event(event, Dialect.BASE),
        "write_v1_us": lambda: encode_event(event, Dialect.V1),
    }
    figures = {name: measure(step, seconds / len(steps)) for name, step in steps.items()}
    print(json.dumps({"figures": figures, "faults": []}))


if __name__ == "__main__":
    main(float(sys.argv[1]))
