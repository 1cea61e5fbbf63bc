"""Connections to one database: from its URL to Tortoise's clients, and the lock that keeps a second server away."""

from __future__ import annotations

import os
import zlib
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from filelock import FileLock, Timeout

from ...ports import StoreInUse
from .sql import POSTGRES, SQLITE, Grammar, Row

APP = "vetchat"
WRITER, READER = "writer", "reader"
LOCK_SPACE = zlib.crc32(b"vetchat") & 0x7FFFFFFF

DURABLY = {
    "synchronous": "FULL",  # what is committed outlives a power cut (R4.7)
    "cache_size": -16_000,  # in KiB: a commit touches some pages of every conversation in it
    "wal_autocheckpoint": 8_000,  # in pages: one that many commits touched is written back once
    "journal_size_limit": 64_000_000,  # in bytes: the write-ahead log keeps its room on the disk
}
"""How SQLite writes; a page has 4 KiB."""

COMMAND_TIMEOUT = 10.0
"""How long PostgreSQL may take to answer before it counts as away, in seconds."""

LOCK_PATIENCE = 2.0
"""How long a server that starts waits for the lock of one that was killed a moment ago, in seconds."""

IN_USE = "Another VetChat server is using this database, and only one may. Stop it first, or choose another database."


class Client(Protocol):
    """What we use of Tortoise's database clients."""

    async def execute_query_dict(self, query: str, values: list[object] | None = None) -> list[Row]: ...

    def acquire_connection(self) -> AbstractAsyncContextManager[Any]: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Database:
    """A database URL, taken apart: `sqlite:///absolute/path`, or `postgres://user:password@host:port/name?schema=…`."""

    grammar: Grammar
    path: Path | None = None
    credentials: dict[str, Any] | None = None

    @classmethod
    def parse(cls, url: str) -> Database:
        """Takes a URL apart.

        Raises:
            ValueError: in one sentence, what is wrong with it; the password is not repeated.
        """
        parts = urlsplit(url)
        if parts.scheme == "sqlite":
            path = Path(unquote(parts.path))
            if parts.netloc or not path.is_absolute() or path.name == "":
                raise ValueError("A SQLite database is named like sqlite:///absolute/path, with three slashes.")
            return cls(SQLITE, path=path)
        if parts.scheme in ("postgres", "postgresql"):
            return cls(POSTGRES, credentials=_credentials(url))
        raise ValueError("A database URL begins with sqlite:/// or postgres://.")

    def config(self) -> dict[str, Any]:
        """Tortoise's configuration: one connection that writes, alone, and others that read beside it."""
        return self._config({WRITER: self._writer(), READER: self._reader()})

    def unfenced(self) -> dict[str, Any]:
        """Tortoise's configuration for a command that writes beside a running server, outside its lock (V1.6)."""
        credentials = {name: value for name, value in self._reader().items() if name != "query_only"}
        return self._config({WRITER: credentials})

    def _config(self, connections: dict[str, dict[str, Any]]) -> dict[str, Any]:
        engine = "tortoise.backends.asyncpg" if self.path is None else "tortoise.backends.sqlite"
        return {
            "connections": {
                name: {"engine": engine, "credentials": credentials} for name, credentials in connections.items()
            },
            "apps": {APP: self.app()},
        }

    @staticmethod
    def app() -> dict[str, Any]:
        """The tables and their migrations."""
        package = __name__.rpartition(".")[0]
        return {
            "models": [f"{package}.models"],
            "migrations": f"{package}.migrations",
            "default_connection": WRITER,
        }

    def _writer(self) -> dict[str, Any]:
        if self.path is not None:
            return {"file_path": str(self.path), "busy_timeout": 5_000, **DURABLY}
        fenced = {"init": self._take, "reset": _keep, "max_inactive_connection_lifetime": 0}
        return {**(self.credentials or {}), "minsize": 1, "maxsize": 1, **fenced}

    def _reader(self) -> dict[str, Any]:
        if self.path is not None:
            return {"file_path": str(self.path), "busy_timeout": 5_000, "query_only": "ON"}
        return {**(self.credentials or {}), "minsize": 1, "maxsize": 4}

    async def _take(self, connection: Any) -> None:
        """Every connection that may write first takes the lock, so that one that lost it can never write (fencing)."""
        schema = (self.credentials or {}).get("schema") or "public"
        key = zlib.crc32(schema.encode()) & 0x7FFFFFFF
        for _ in range(round(LOCK_PATIENCE / 0.1)):  # a killed server holds it until PostgreSQL notices
            if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK_SPACE, key):
                return
            await connection.execute("SELECT pg_sleep(0.1)")
        raise StoreInUse(IN_USE)

    @contextmanager
    def held(self) -> Generator[None]:
        """Keeps other servers away from a SQLite file as long as the context lasts; PostgreSQL keeps its own lock.

        Raises:
            StoreInUse: somebody holds it.
            OSError: the folder or the file cannot be made.
        """
        if self.path is None:
            yield
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        lock = FileLock(f"{self.path}.lock", mode=0o600)
        try:
            lock.acquire(timeout=LOCK_PATIENCE)
        except Timeout:
            raise StoreInUse(IN_USE) from None
        try:
            yield
        finally:
            lock.release()


async def _keep(_connection: Any) -> None:
    """What runs when the writing connection goes back to its pool: nothing, for a reset would give up its lock."""


def _credentials(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    name = unquote(parts.path.lstrip("/"))
    if not parts.hostname or not name:
        raise ValueError("A PostgreSQL database is named like postgres://user@host:port/name.")
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if options.keys() - {"schema"}:
        raise ValueError("A PostgreSQL database URL takes one option: ?schema=name.")
    return {
        "host": parts.hostname,
        "port": _port(parts),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password) if parts.password else None,
        "database": name,
        "schema": options.get("schema"),
        "application_name": "vetchat",
        "command_timeout": COMMAND_TIMEOUT,
    }


def _port(parts: SplitResult) -> int:
    """The port; what stands in its place may be part of a password, which is not repeated."""
    try:
        return parts.port or 5432
    except ValueError:
        raise ValueError("A PostgreSQL database's port is a number; in a password, write / as %2F.") from None
