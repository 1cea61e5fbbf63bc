"""Waking one task that waits for something to change."""

from __future__ import annotations

from anyio import Event


class Signal:
    """Wakes the task that waits for it; set while nobody waits, it is remembered."""

    def __init__(self) -> None:
        self._event = Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = Event()
