"""Databases of VetChat's with many messages, filled by direct SQL; benchmarks read in them, and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from .load.plan import BIG, OWNER
from .processes import SERVER_CORE, BenchmarkError, ask

VET: Final = "00000000-0000-4000-8000-000000000002"
CONTENT: Final = "Rex will not eat, and he has been sleeping since Monday."
START, MESSAGE = 1, 2

Rows = Iterable[tuple[object, ...]]
Table = tuple[str, tuple[str, ...], Rows]
"""A table's name, its columns, and what to put into them."""


def tables(messages: int, conversations: int) -> Iterator[Table]:
    """Conversations of one owner and one vet, who wrote it all: the first holds half, the others share the rest.

    A conversation alone holds it all.
    """
    others = conversations - 1
    big = messages // 2 if others else messages
    each = (messages - big) // others if others else 0
    ids = [BIG, *(f"00000000-0000-4000-9000-1{place:011x}" for place in range(others))]
    first = conversations + big + max(0, each - 1) * others  # where the last messages of the others stand, less one
    last = [(conversations + big, big), *((first + 1 + place, each) for place in range(others))]
    yield (
        "conversations",
        ("id", "client", "pet", "created_at", "position"),
        ((name, OWNER, OWNER, 1, position) for position, name in enumerate(ids, 1)),
    )
    yield (
        "participants",
        ("conversation_id", "user_id", "role", "place", "read_seq", "sent", "sent_at_read", "changed_upto"),
        (
            (name, user_id, role, 0, 0, seq if user_id == VET else 0, 0, offset)
            for name, (offset, seq) in zip(ids, last, strict=True)
            for user_id, role in ((OWNER, "client"), (VET, "provider"))
        ),
    )
    columns = ("position", "kind", "conversation_id", "user_id", "at", "message_id", "seq", "content")
    yield "log", columns, _log(ids, big, each)


def _log(ids: list[str], big: int, each: int) -> Rows:
    """The starts of all conversations, then the messages of the first one, then one of each other in turn."""
    for position, name in enumerate(ids, 1):
        yield position, START, name, OWNER, 1, None, None, None
    first = ((BIG, seq) for seq in range(1, big + 1))
    others = ((name, seq) for seq in range(1, each + 1) for name in ids[1:])
    for position, (name, seq) in enumerate(chain(first, others), len(ids) + 1):
        yield position, MESSAGE, name, VET, position, f"00000000-0000-4000-a000-{position:012x}", seq, CONTENT


def seed(url: str, messages: int, conversations: int) -> str:
    """Fills VetChat's database at `url`, which is new; the name of its log.

    Raises:
        BenchmarkError: the database cannot be made.
    """
    ask([sys.executable, "-m", "vetchat_protocol.cli", "migrate", "--database", url], SERVER_CORE)
    path = _path(url)
    filling = tables(messages, conversations)
    return asyncio.run(_fill_postgres(url, filling)) if path is None else _fill_sqlite(path, filling)


HEAD: Final = "UPDATE log_head SET position = (SELECT MAX(position) FROM log)"
EPOCH: Final = "SELECT epoch FROM log_head"


def _fill_sqlite(path: Path, filling: Iterable[Table]) -> str:
    with closing(sqlite3.connect(path)) as database, database:
        for name, columns, rows in filling:
            places = ", ".join("?" * len(columns))
            database.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})", rows)  # noqa: S608 - constants
        database.execute(HEAD)
        return str(database.execute(EPOCH).fetchone()[0])


async def _fill_postgres(url: str, filling: Iterable[Table]) -> str:
    connection = await asyncpg.connect(url)
    try:
        for name, columns, rows in filling:
            await connection.copy_records_to_table(name, columns=columns, records=rows)
        for statement in (HEAD, "ANALYZE"):
            await connection.execute(statement)
        return str(await connection.fetchval(EPOCH))
    finally:
        await connection.close()


@contextmanager
def postgres_database(server: str) -> Generator[str]:
    """The URL of a new database on this PostgreSQL server, dropped at the end.

    Raises:
        BenchmarkError: the server cannot be reached.
    """
    name = f"vetchat_bench_{uuid4().hex[:12]}"
    asyncio.run(_ask_postgres(server, f"CREATE DATABASE {name}"))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        asyncio.run(_ask_postgres(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def count(url: str, query: str) -> int:
    """What a query counts in a database whose server has stopped."""
    path = _path(url)
    if path is None:
        return int(asyncio.run(_ask_postgres(url, query)))
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute(query).fetchone()[0])


async def _ask_postgres(url: str, statement: str) -> Any:
    """The first value that a statement answers with."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, asyncpg.PostgresError) as error:
        raise BenchmarkError(f"PostgreSQL cannot be reached: {type(error).__name__}.") from None
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def _path(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(parts.path) if parts.scheme == "sqlite" else None
