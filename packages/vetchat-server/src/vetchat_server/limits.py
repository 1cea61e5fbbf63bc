"""Token buckets: how many commands a user may issue (R2.7), how many refusals a connection may collect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Holds up to `burst` tokens and gains `rate` a second; `updated` is in ms."""

    rate: float
    burst: float
    tokens: float
    updated: int

    def take(self, now: int) -> int:
        """Takes a token: 0 if there was one, else in how many ms there will be."""
        self._fill(now)
        if self.tokens >= 1:
            self.tokens -= 1
            return 0
        return int((1 - self.tokens) / self.rate * 1_000) + 1

    def full(self, now: int) -> bool:
        """Whether nothing would be lost by forgetting it."""
        self._fill(now)
        return self.tokens >= self.burst

    def _fill(self, now: int) -> None:
        elapsed = max(0, now - self.updated) / 1_000
        self.tokens = min(self.burst, self.tokens + elapsed * self.rate)
        self.updated = now


class Rates:
    """A bucket for each user; a `rate` of 0 means that there is no limit. Full buckets are forgotten."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[str, Bucket] = {}
        self._swept = 0

    def take(self, key: str, now: int) -> int:
        """Takes a token of the key's: 0 if there was one, else in how many ms there will be."""
        if self._rate == 0:
            return 0
        if abs(now - self._swept) > 60_000:
            self._sweep(now)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, self._burst, self._burst, now)
        return bucket.take(now)

    def _sweep(self, now: int) -> None:
        self._swept = now
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if not bucket.full(now)}
