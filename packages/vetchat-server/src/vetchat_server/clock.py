"""Where time and ids come from: the two things that the core is given and tests replace."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator

Clock = Callable[[], int]
"""Tells the time in ms since the epoch."""

NewId = Callable[[], str]
"""Draws a fresh UUID."""


AT_ONCE = 256
"""For how many ids `random_ids` asks at a time."""


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
        luck = os.urandom(16 * AT_ONCE).hex()
        for start in range(0, len(luck), 32):
            digits = luck[start : start + 32]
            variant = "89ab"[int(digits[16], 16) & 3]
            yield f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
