"""What the server counts for Prometheus; one registry per service, so that several can live in one process."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


class Tally(Collector):
    """A counter for what happens with every message: without the lock of Prometheus' own, for one thread counts."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, count: int, *labels: str) -> None:
        """Counts so many more under these labels."""
        self._counts[labels] = self._counts.get(labels, 0) + count

    def collect(self) -> Iterable[Metric]:
        """What Prometheus is told."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, count in self._counts.items():
            family.add_metric(labels, count)
        return [family]


class Metrics:
    """The server's instruments; names end in their unit."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.connections = Gauge(
            "vetchat_connections", "Open connections by dialect and role.", ["dialect", "role"], registry=self.registry
        )
        self.commands = Tally("vetchat_commands", "Commands by event and outcome.", ["event", "outcome"])
        self.deliveries = Tally("vetchat_deliveries", "Frames sent to connections, by event.", ["event"])
        self.registry.register(self.commands)
        self.registry.register(self.deliveries)
        self.closes = Counter(
            "vetchat_closes", "Connections that the server ended, by close code.", ["code"], registry=self.registry
        )
        self.refused_upgrades = Counter(
            "vetchat_refused_upgrades",
            "Upgrades that were refused, by HTTP status.",
            ["status"],
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "vetchat_commit_batch_size",
            "Drafts in one commit.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000),
            registry=self.registry,
        )
        self.commit_time = Histogram(
            "vetchat_commit_seconds",
            "How long a commit takes.",
            buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0),
            registry=self.registry,
        )

    @contextmanager
    def commit(self, size: int) -> Generator[None]:
        """Counts one commit of so many drafts and takes its time."""
        self.batch_size.observe(size)
        started = perf_counter()
        try:
            yield
        finally:
            self.commit_time.observe(perf_counter() - started)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
