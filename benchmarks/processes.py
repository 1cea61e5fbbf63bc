"""Processes pinned to a core, each in a group of its own, and none of them left over."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SERVER_CORE: Final = 0
GENERATOR_CORE: Final = 1

START, STOP = 30.0, 15.0
"""How long a server may take to start and to stop, in seconds."""


class BenchmarkError(Exception):
    """A run that cannot be done, in a sentence for the person who started it."""


@contextmanager
def pinned(core: int) -> Generator[None]:
    """Whatever is started inside runs on this core only, with all threads that it will ever have."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {core})
    except OSError:
        raise BenchmarkError("The server and the generator need a core each; this machine lends only one.") from None
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Process:
    """A server on its core; what it writes goes into a file."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, port: int) -> None:
        self.port = port
        self.fault: str | None = None
        self._log = log
        with log.open("wb") as output, pinned(SERVER_CORE):
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=clean_environment() | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self, health: str | None) -> None:
        """Returns once it listens, and once `health` answers 200 where there is such a path.

        Raises:
            BenchmarkError: it has ended or is too slow.
        """
        deadline = time.monotonic() + START
        while not self._answers(health):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"The server did not start. It said:\n{self.said()}")
            time.sleep(0.05)

    def said(self) -> str:
        """The end of what it wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2_000:]

    def stop(self) -> None:
        """Ends it; `fault` then says whether anything was left over."""
        if self._process.poll() is not None:
            self.fault = f"the server ended by itself (status {self._process.returncode}): {self.said()}"
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.fault = f"the server did not end within {STOP:g} s"
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
            self.fault = self.fault or "the server left a process behind"
        self._process.wait()

    def _answers(self, health: str | None) -> bool:
        try:
            if health is None:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", health)
            with connection.getresponse() as response:
                return response.status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


def clean_environment() -> dict[str, str]:
    """Ours, without what would configure a server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VETCHAT_")}


def ask(command: Sequence[str], core: int, said: str = "", within: float = 900) -> str:
    """Runs a program on a core, in a group of its own; the last line of what it answers.

    Raises:
        BenchmarkError: it failed or took too long.
    """
    with pinned(core):
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    try:
        answer, complaint = process.communicate(said, timeout=within)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise BenchmarkError(f"{command[2]} took more than {within:g} s.") from None
        raise
    lines = answer.splitlines()
    if process.returncode != 0 or not lines:
        raise BenchmarkError(f"{' '.join(command[1:4])} failed:\n{complaint[-2_000:]}")
    return lines[-1]


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
