"""CPU time and memory of processes, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Final, Self

from .plan import Target

TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def busy_seconds() -> float:
    """What all cores have worked so far."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS  # less idle and waiting for a disk


def resident_kib(pid: int) -> int:
    """How much memory a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def backends(database: str) -> Iterator[int]:
    """The PostgreSQL back-ends that serve a database, by the title that PostgreSQL gives them."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and database:
            try:
                title = (entry / "cmdline").read_bytes()
            except OSError:  # it has ended meanwhile
                continue
            if title.startswith(b"postgres:") and f" {database} ".encode() in title:
                yield int(entry.name)


class Meter:
    """What server, generator, database and everybody else used between `start` and `stop`, in seconds."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._before = self._read()
        self.seconds = self.server = self.generator = self.database = self.others = 0.0

    def start(self) -> Self:
        self._before = self._read()
        return self

    def stop(self) -> Self:
        now = self._read()
        elapsed, self.server, self.generator, self.database, busy = (
            after - before for after, before in zip(now, self._before, strict=True)
        )
        self.seconds = elapsed
        self.others = max(0.0, busy - self.server - self.generator - self.database)
        return self

    def figures(self) -> dict[str, float]:
        """The same as shares of a core."""
        figures = {
            "server_core": self.server / self.seconds,
            "generator_core": self.generator / self.seconds,
            "others_core": self.others / self.seconds,
        }
        return figures | ({"database_core": self.database / self.seconds} if self._target.database else {})

    def _read(self) -> tuple[float, float, float, float, float]:
        return (
            perf_counter(),
            cpu_seconds(self._target.pid),
            cpu_seconds(os.getpid()),
            sum(cpu_seconds(pid) for pid in backends(self._target.database)),
            busy_seconds(),
        )
