"""Where time and ids come from: the two things that the core is given and tests replace."""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Final

Clock = Callable[[], int]
"""Tells the time in ms since the epoch."""

NewId = Callable[[], str]
"""Draws a fresh UUID."""


AT_ONCE: Final = 256
"""For how many ids `random_ids` asks at a time."""


VERSION: Final = bytes(0x40 | octet & 0x0F for octet in range(256))
VARIANT: Final = bytes(0x80 | octet & 0x3F for octet in range(256))
"""What the seventh and the ninth octet of a random UUID become (RFC 9562, section 5.4)."""

GROUPS: Final = re.compile("(.{8})(.{4})(.{4})(.{4})(.{12})")


def system_clock() -> int:
    """This machine's clock."""
    return time.time_ns() // 1_000_000


def random_id() -> str:
    """A random UUID (RFC 9562, version 4)."""
    return str(uuid.uuid4())


def random_ids() -> NewId:
    """Draws random UUIDs, as `random_id` does, but asks the system for the luck of many at once: it takes its time."""
    return _drawn().__next__


def _drawn() -> Iterator[str]:
    while True:
        luck = bytearray(os.urandom(16 * AT_ONCE))
        luck[6::16] = luck[6::16].translate(VERSION)
        luck[8::16] = luck[8::16].translate(VARIANT)
        for groups in GROUPS.findall(luck.hex()):
            yield "-".join(groups)
