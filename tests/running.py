"""A `vetchat serve` process, driven from outside only: by its command line, environment, signals, health and log."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey

SECRET = "a secret for tests that is longer than 32 bytes"
ALLOWED_ORIGIN = "https://clinic.example"
COMMAND = (sys.executable, "-m", "vetchat_protocol.cli", "serve")
START_TIMEOUT = 30.0
STOP_TIMEOUT = 30.0


class ServerProcess:
    """One process of the server; `log` is everything that it has written so far.

    Settings become `VETCHAT_…` variables. With `secret=None` the server runs in open mode (R1.3).
    """

    def __init__(
        self,
        database: str,
        *,
        secret: str | None = SECRET,
        host: str = "127.0.0.1",
        port: int | None = None,
        **settings: str | int,
    ) -> None:
        self.database = database
        self.secret = secret
        self.port = port or free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VETCHAT_")}
        environment |= {f"VETCHAT_{name.upper()}": str(value) for name, value in settings.items()}
        if secret is not None:
            environment["VETCHAT_JWT_SECRET"] = secret
        self._lines: list[str] = []
        self.process = subprocess.Popen(
            [*COMMAND, "--host", host, "--port", str(self.port), "--database", database],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/"

    @property
    def log(self) -> str:
        return "".join(self._lines)

    @property
    def tracebacks(self) -> list[str]:
        """The lines of the log that hold a traceback, as text or as structlog writes it in JSON."""
        return [line for line in self._lines if "Traceback" in line or '"exc_type"' in line]

    @property
    def pid(self) -> int:
        return self.process.pid

    def token(self, sub: str, role: str, name: str | None = None, picture: str | None = None, ttl: float = 3600) -> str:
        """A good token of this server, valid for `ttl` seconds."""
        now = int(time.time())
        claims: dict[str, Any] = {"sub": sub, "role": role, "iat": now, "exp": now + int(ttl)}
        claims |= {key: value for key, value in (("name", name), ("picture", picture)) if value is not None}
        return sign(claims, self.secret or SECRET)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a plain HTTP request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def wait_until_healthy(self) -> None:
        """Returns once GET /health says 200."""
        deadline = time.monotonic() + START_TIMEOUT
        while not self._is_healthy():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended ({self.process.returncode}) instead of starting:\n{self.log}")
            if time.monotonic() > deadline:
                raise AssertionError(f"the server was not healthy after {START_TIMEOUT} s:\n{self.log}")
            time.sleep(0.02)

    def wait_for_exit(self, within: float = STOP_TIMEOUT) -> int:
        """The exit status, once the process has ended by itself and its log is complete."""
        status = self.process.wait(within)
        self._reader.join(within)
        return status

    def stop(self) -> int:
        """Asks the server to end (SIGTERM) and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait_for_exit()

    def kill(self) -> None:
        """Ends the server without asking (SIGKILL), as a power cut would."""
        self.process.kill()
        self.wait_for_exit()

    def close(self) -> None:
        """Leaves no process and no pipe behind."""
        if self.process.poll() is None:
            self.kill()
        self._reader.join(STOP_TIMEOUT)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _is_healthy(self) -> bool:
        try:
            return self.get("/health")[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def _read_log(self) -> None:
        assert self.process.stdout is not None
        self._lines.extend(self.process.stdout)


@contextmanager
def running_server(database: str, **settings: Any) -> Generator[ServerProcess]:
    """A healthy server that is stopped at the end."""
    with launched_server(database, **settings) as server:
        server.wait_until_healthy()
        yield server
        server.stop()


@contextmanager
def launched_server(database: str, **settings: Any) -> Generator[ServerProcess]:
    """A server that has just been started, whatever becomes of it."""
    server = ServerProcess(database, **settings)
    try:
        yield server
    finally:
        server.close()


def sign(claims: Mapping[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    """A token with exactly these claims."""
    return jwt.encode({"alg": algorithm}, dict(claims), OctKey.import_key(secret), algorithms=[algorithm])


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
