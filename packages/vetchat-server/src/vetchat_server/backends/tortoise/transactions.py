"""One transaction on one connection, from its first statement to a commit whose outcome is known, or known not to be.

Tortoise's own `in_transaction` is not used: it loses the connection when its BEGIN fails, and cannot say whether it was
the COMMIT that failed (R4.7).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar, cast

import asyncpg

from ...ports import OutcomeUnknown
from .database import Client
from .sql import Row

T = TypeVar("T")

Values = tuple[object, ...]
"""What fills the parameters of one statement."""

POSTGRES_FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what it says when a connection breaks halfway through an answer
    OSError,
    TimeoutError,
)
"""Whatever PostgreSQL, or the way to it, may answer instead of doing what it was asked."""


class Transaction(Protocol):
    """Statements of one transaction."""

    async def query(self, statement: str, values: list[object]) -> list[Row]:
        """Runs one statement; the rows it answers with."""
        ...

    async def many(self, statement: str, values: Sequence[Values]) -> None:
        """Runs one statement for each list of values."""
        ...


class SqliteTransaction:
    """On an aiosqlite connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def query(self, statement: str, values: list[object]) -> list[Row]:
        return [dict(row) for row in await self._connection.execute_fetchall(statement, values)]

    async def many(self, statement: str, values: Sequence[Values]) -> None:
        await self._connection.executemany(statement, values)


class PostgresTransaction:
    """On an asyncpg connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def query(self, statement: str, values: list[object]) -> list[Row]:
        return [dict(row) for row in await self._connection.fetch(statement, *values)]

    async def many(self, statement: str, values: Sequence[Values]) -> None:
        await self._connection.executemany(statement, values)


Work = Callable[[Transaction], Awaitable[T]]


async def on_sqlite(client: Client, work: Work[T]) -> T:
    """Runs the work in a transaction that is rolled back whenever anything fails, its COMMIT included."""
    async with client.acquire_connection() as connection:
        await connection.execute("BEGIN IMMEDIATE")
        try:
            result = await work(SqliteTransaction(connection))
            await connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself, as it does when the disk is full
                await connection.execute("ROLLBACK")
            raise
        return result


async def on_postgres(client: Client, work: Work[T]) -> T:
    """Runs the work in a transaction.

    Raises:
        OutcomeUnknown: the connection broke while the COMMIT was on its way.
    """
    async with client.acquire_connection() as pooled:
        connection = cast("asyncpg.Connection[asyncpg.Record]", pooled)
        transaction = connection.transaction()
        await transaction.start()
        try:
            result = await work(PostgresTransaction(connection))
        except BaseException:
            with suppress(*POSTGRES_FAILURES):  # what broke is raised already
                await transaction.rollback()
            raise
        try:
            await transaction.commit()
        except asyncpg.IntegrityConstraintViolationError:
            raise
        except POSTGRES_FAILURES as error:
            raise OutcomeUnknown from error
        return result
