"""Where the microseconds of one message go: py-spy looks into a server under the load of `pair_closed`.

The kernel says how much CPU each thread used while nobody looked. The samples that py-spy takes afterwards only split
what the event loop's thread used.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from . import environment
from .contenders import VETCHAT
from .load import plan
from .load.plan import Target
from .processes import GENERATOR_CORE, BenchmarkError, Process, ask, free_port, pinned
from .rounds import objections
from .scenarios import PAIRS
from .stages import LOOP, OTHER, SQLITE, STAGES, split

NAME: Final = "anatomy"
TITLE: Final = "Where the microseconds of one message go, under the load of pair_closed"
RATE: Final = 500
"""Samples a second."""

SECONDS: Final = 8.0
"""How long it counts, and then looks."""

SETTLE: Final = 3.0
"""How long the load runs before anybody looks, in seconds."""

REFUSED: Final = re.compile(r"permission denied|not permitted", re.IGNORECASE)
"""What py-spy says when the kernel does not let it look."""


@dataclass(frozen=True)
class Anatomy:
    """Microseconds of CPU for one message, by stage; how many messages that was taken from, and what makes it void."""

    stages: Mapping[str, float]
    messages: int
    faults: tuple[str, ...] = ()

    def rows(self) -> Iterator[tuple[str, float, float]]:
        """Stage, µs and share of the whole."""
        whole = sum(self.stages.values())
        yield from ((stage, microseconds, microseconds / whole) for stage, microseconds in self.stages.items())
        yield "altogether", whole, 1.0


# -- measuring ---------------------------------------------------------------------------------------------------------


def measure(folder: Path, seconds: float) -> Anatomy:
    """Runs the server and its load, counts for so many seconds, and then looks for as long.

    Raises:
        BenchmarkError: something could not be started, or the kernel does not let py-spy look.
    """
    port = free_port()
    url = f"sqlite://{folder / 'chat.sqlite3'}"
    process = Process(VETCHAT.command(port, url), VETCHAT.environment, folder / "server.log", port)
    try:
        process.wait_until_ready(VETCHAT.health)
        load = replace(PAIRS, seconds=2 * seconds + 2 * SETTLE)
        target = Target(url=f"ws://127.0.0.1:{port}", pid=process.pid, wire=VETCHAT.wire, database="")
        generator = [str(environment.PYTHON), "-m", "benchmarks.load"]
        with ThreadPoolExecutor(max_workers=1) as thread:
            done = thread.submit(ask, generator, GENERATOR_CORE, plan.to_json(target, load) + "\n")
            _wait_for_messages(process)
            anatomy = _look(process, folder / "stacks.txt", seconds)
            result = plan.Result(**json.loads(done.result()))
    finally:
        process.stop()
    return replace(anatomy, faults=objections(result, process.fault, VETCHAT, url))


def _wait_for_messages(process: Process) -> None:
    deadline = time.monotonic() + 60
    while not _messages(process.port):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"No message came through. The server said:\n{process.said()}")
        time.sleep(0.1)
    time.sleep(SETTLE)


def _look(process: Process, stacks: Path, seconds: float) -> Anatomy:
    before, messages = _cpu(process.pid), _messages(process.port)
    time.sleep(seconds)
    after, messages = _cpu(process.pid), _messages(process.port) - messages
    record(process.pid, stacks, seconds)
    samples = split(stacks.read_text(encoding="utf-8"), process.pid)
    if not messages or not samples:
        raise BenchmarkError(f"{messages} messages and {samples.total()} samples say nothing. Look longer: --seconds")
    loop, rest = (1e6 * (end - begin) / messages for begin, end in zip(before, after, strict=True))
    stages = {stage: loop * samples[stage] / samples.total() for stage in (*STAGES, LOOP, OTHER)}
    return Anatomy({**stages, SQLITE: rest}, messages)


def record(pid: int, stacks: Path, seconds: float) -> None:
    """Lets py-spy write the stacks of every thread that is on CPU into a file, for so many seconds, but at least one.

    It reads beside the running server. If it stopped it for each sample, most of them would fall on system calls.

    Raises:
        BenchmarkError: the kernel does not let it look, or it failed otherwise.
    """
    options = ["--pid", str(pid), "--duration", str(max(1, round(seconds))), "--rate", str(RATE), "--format", "raw"]
    with pinned(GENERATOR_CORE):
        done = subprocess.run(
            [environment.PYTHON.with_name("py-spy"), "record", "--nonblocking", "--threads", *options, "-o", stacks],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0 and stacks.exists():
        return
    said = done.stderr.strip()[:500]
    if REFUSED.search(said):
        raise BenchmarkError(
            "The kernel does not let py-spy look into the server. Run this as root, or let it: sysctl "
            f"kernel.yama.ptrace_scope=0; in a container, start that with the capability SYS_PTRACE.\nIt said: {said}"
        )
    raise BenchmarkError(f"py-spy failed. It said: {said}")


def _cpu(pid: int) -> tuple[float, float]:
    """Seconds of CPU that the event loop's thread and all others have used (`/proc/PID/task/TID/stat`)."""
    used = {int(task.name): _seconds(task / "stat") for task in Path(f"/proc/{pid}/task").iterdir()}
    return used.pop(pid), sum(used.values())


def _seconds(stat: Path) -> float:
    user, system = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _messages(port: int) -> int:
    """How many messages the server has stored, by its own metrics."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    with connection.getresponse() as response:
        text = response.read().decode()
    found = re.search(r'^vetchat_commands_total\{event="message",outcome="ok"\} (\S+)$', text, re.MULTILINE)
    return round(float(found[1])) if found else 0


# -- telling -----------------------------------------------------------------------------------------------------------


def text(anatomy: Anatomy) -> Iterator[str]:
    """A table for the terminal."""
    yield f"\n{NAME}: {TITLE} ({anatomy.messages:,} messages)"
    for stage, microseconds, share in anatomy.rows():
        yield f"  {stage:36} {microseconds:6.1f} µs {share:6.0%}"
    yield from (f"  VOID: {fault}" for fault in anatomy.faults)


def markdown(kept: Mapping[str, Any]) -> Iterator[str]:
    """A section for the documentation, from what was kept."""
    anatomy = Anatomy(kept["stages"], kept["messages"])
    yield f"### `{NAME}`"
    yield f"{TITLE}: microseconds of CPU for one message to two people, from one run of {anatomy.messages:,} of them."
    rows = (f"| {stage} | {microseconds:.1f} | {share:.0%} |" for stage, microseconds, share in anatomy.rows())
    yield "\n".join(["| stage | µs | share |", "| --- | ---: | ---: |", *rows])


def as_json(anatomy: Anatomy, machine: str, revision: str) -> dict[str, Any]:
    """What is kept of it; a void run is not valid, and so not published."""
    return {
        "valid": not anatomy.faults,
        "machine": machine,
        "revision": revision,
        "stages": dict(anatomy.stages),
        "messages": anatomy.messages,
        "faults": list(anatomy.faults),
    }
