"""Holds users back to a rate, so that a server's limits do not fail a check that is about another rule."""

from __future__ import annotations

from anyio import current_time, sleep

__all__ = ["Pace"]

BURST = 100
"""How many commands a user may send at once; half of what R2.7 allows, for the sake of whoever else uses the id."""


class Pace:
    """A bucket of commands for each user, filled again at `rate` commands a second; with 0 nobody is held back."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._full_at: dict[str, float] = {}

    async def wait(self, user_id: str) -> None:
        """Returns once this user may send one more command."""
        if not self._rate:
            return
        now = current_time()
        full_at = max(self._full_at.get(user_id, now), now) + 1 / self._rate
        self._full_at[user_id] = full_at
        await sleep(max(0.0, full_at - now - BURST / self._rate))
