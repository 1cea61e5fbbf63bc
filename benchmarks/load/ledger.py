"""Every message that was sent: when it was due, how often it has yet to arrive, and how long all that took."""

from __future__ import annotations

import asyncio
from time import perf_counter

MOST_FAULTS = 10


class Ledger:
    """Numbers messages from 0. A message has arrived when the last of its deliveries has."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.arrived = 0
        self.deliveries = 0
        self._due: list[float] = []
        self._lacking: list[int] = []
        self._took: list[float] = []
        self._empty: asyncio.Event | None = None

    @property
    def sent(self) -> int:
        """How many messages were sent so far; the number of the next one."""
        return len(self._due)

    def send(self, due: float, deliveries: int) -> int:
        """Enters a message that was due at this time and must arrive so often; its number."""
        self._due.append(due)
        self._lacking.append(deliveries)
        self._took.append(-1.0)
        return len(self._due) - 1

    def deliver(self, number: int) -> None:
        """One delivery came."""
        self.deliveries += 1
        lacking = self._lacking[number] = self._lacking[number] - 1
        if lacking == 0:
            self._took[number] = perf_counter() - self._due[number]
            self.arrived += 1
            if self._empty is not None and self.arrived == len(self._due):
                self._empty.set()
        elif lacking < 0:
            self.fault(f"message {number} was delivered too often")

    def fault(self, what: str) -> None:
        """Something went wrong, and the run is void."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(what)

    async def drain(self, within: float) -> None:
        """Waits until every message has arrived everywhere; it is a fault if one does not within so many seconds."""
        self._empty = asyncio.Event()
        try:
            if self.arrived < self.sent:
                async with asyncio.timeout(within):
                    await self._empty.wait()
        except TimeoutError:
            lost = sum(lacking for lacking in self._lacking if lacking > 0)
            self.fault(f"{lost} deliveries of {self.sent - self.arrived} messages never came")

    def latencies(self, first: int, last: int) -> dict[str, float]:
        """How long the messages numbered `first` up to `last`, exclusive, took to arrive everywhere, in ms."""
        took = sorted(seconds * 1_000 for seconds in self._took[first:last] if seconds >= 0)
        if not took:
            return {}
        return {
            "p50_ms": took[len(took) // 2],
            "p99_ms": took[min(len(took) - 1, len(took) * 99 // 100)],
            "max_ms": took[-1],
        }
