"""Where time and ids come from: the two things that the core is given and tests replace."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

Clock = Callable[[], int]
"""Tells the time in ms since the epoch."""

NewId = Callable[[], str]
"""Draws a fresh UUID."""


def system_clock() -> int:
    """This machine's clock."""
    return time.time_ns() // 1_000_000


def random_id() -> str:
    """A random UUID (RFC 9562, version 4)."""
    return str(uuid.uuid4())
