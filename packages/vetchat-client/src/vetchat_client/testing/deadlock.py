"""What is raised instead of hanging."""

from __future__ import annotations


class Deadlock(RuntimeError):
    """Every task waits, and nothing is left to happen: no time to come, no frame, no thread at work."""

    def __init__(self) -> None:
        super().__init__("Everybody waits, and nothing is left that could happen.")
