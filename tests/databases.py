"""Databases that live as long as a test needs them: SQLite files, and PostgreSQL databases made and dropped."""

import asyncio
import os
import time
from collections.abc import Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

DEFAULT_POSTGRES = "postgres://root@127.0.0.1:5432/test"


def sqlite_url(folder: Path) -> str:
    """The URL of a new SQLite file in `folder`."""
    return f"sqlite://{folder.resolve() / f'{uuid4().hex}.sqlite3'}"


@contextmanager
def postgres_database() -> Generator[str]:
    """The URL of a new, empty PostgreSQL database, dropped at the end with whoever is still connected to it.

    The server is the one that VETCHAT_TEST_POSTGRES names. Where there is none the test is skipped; in CI it fails.
    """
    if (reason := _why_not()) is not None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    name = f"vetchat_test_{uuid4().hex[:12]}"
    run_sql(_address(), f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(_address())._replace(path=f"/{name}"))
    finally:
        run_sql(_address(), f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def run_sql(url: str, *statements: str) -> list[dict[str, Any]]:
    """Runs SQL on the PostgreSQL database at `url`, on a connection of its own; the rows of the last statement."""

    async def run() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            rows: list[Any] = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return [dict(row) for row in rows]
        finally:
            await connection.close()

    return _in_a_thread(run())


def rows_read(url: str) -> int:
    """How many rows and index entries PostgreSQL has read in this database for those who are no longer connected.

    Waits until nobody is: a connection's own counts are complete only when it has ended.
    """
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 10
    while run_sql(url, f"SELECT 1 {others} AND backend_type = 'client backend'"):
        assert time.monotonic() < deadline, f"somebody is still connected to {url}"
    (row,) = run_sql(
        url,
        "SELECT (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables)"
        " + (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes) AS total",
    )
    return int(row["total"])


def _address() -> str:
    return os.environ.get("VETCHAT_TEST_POSTGRES", DEFAULT_POSTGRES)


@cache
def _why_not() -> str | None:
    try:
        run_sql(_address(), "SELECT 1")
    except (OSError, asyncpg.PostgresError) as error:
        return f"no PostgreSQL at {_address()} ({type(error).__name__}): start one, or name it in VETCHAT_TEST_POSTGRES"
    return None


def _in_a_thread(work: Coroutine[Any, Any, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(max_workers=1) as thread:  # the caller may be inside an event loop
        return thread.submit(asyncio.run, work).result()
