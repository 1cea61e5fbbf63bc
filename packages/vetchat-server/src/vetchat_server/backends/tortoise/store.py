"""The store on SQLite or PostgreSQL, through Tortoise ORM.

One connection writes and others read beside it, so that history never waits for a commit. Every write runs in a task
of its own, and its callers wait for it shielded: a cancelled caller cancels nothing that has begun.
"""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar, cast

import asyncpg
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from vetchat_protocol.models import Conversation, Listing, Message, Role, User
from vetchat_protocol.records import (
    ConversationDraft,
    ConversationStarted,
    LogPage,
    MessageDraft,
    MessageStored,
    Outcome,
    Record,
    Stamped,
    retried,
)

from ...ports import LogHead, Rejected, StoreInUse, StoreUnavailable
from . import rows, sql
from .commit import Batch
from .database import APP, READER, WRITER, Client, Database
from .models import Kind
from .sql import Row
from .standing import Standing
from .transactions import POSTGRES_FAILURES, Transaction, on_postgres, on_sqlite

T = TypeVar("T")

BROKEN_RULES = (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, KeyError)
"""An entry that the tables, or what they hold, do not admit."""

FAILURES = (BaseORMException, sqlite3.Error, *POSTGRES_FAILURES)
"""Whatever a database may answer instead of doing what it was asked."""


class TortoiseStore:
    """Keeps everything in the database of a URL: `sqlite:///absolute/path` or `postgres://user@host:port/name`.

    Raises:
        ValueError: the URL is wrong, in one sentence.
    """

    def __init__(self, url: str) -> None:
        self._database = Database.parse(url)
        self._grammar = self._database.grammar
        self._held = ExitStack()
        self._tortoise: TortoiseContext | None = None
        self._writer: Client | None = None
        self._reader: Client | None = None
        self._standing = Standing()

    # -- opening and closing -------------------------------------------------------------------------------------------

    async def open(self) -> LogHead:
        """Takes the database, brings it up to date by Tortoise's migrations and finds, or begins, the log."""
        try:
            self._held.enter_context(self._database.held())
            return await asyncio.create_task(self._open())
        except StoreInUse:
            await self.close()
            raise
        except FAILURES as error:
            await self.close()
            raise StoreUnavailable(f"The database cannot be opened: {error}.") from error

    async def _open(self) -> LogHead:
        """In a task of its own, whose context variables are then the store's."""
        self._tortoise = TortoiseContext()
        await self._tortoise.__aenter__()
        await self._tortoise.init(config=self._database.config())
        connections = self._tortoise.connections
        writer = self._writer = cast("Client", connections.get(WRITER))
        self._reader = cast("Client", connections.get(READER))
        async with writer.acquire_connection():
            pass  # takes the lock: the migrations would take a failure to connect for an empty database
        await MigrationExecutor(connections.get(WRITER), {APP: self._database.app()}).migrate(
            [MigrationTarget(APP, "__latest__")]
        )
        head = await writer.execute_query_dict(sql.HEAD)
        if not head:
            await writer.execute_query_dict(self._grammar(sql.BEGIN_LOG), [str(uuid.uuid4())])
            head = await writer.execute_query_dict(sql.HEAD)
        return LogHead(str(head[0]["epoch"]), rows.number(head[0], "position"))

    async def close(self) -> None:
        """Closes all connections and gives the database back."""
        for client in (self._reader, self._writer):
            if client is not None:
                await client.close()
        self._reader = self._writer = self._tortoise = None
        self._held.close()

    # -- writing -------------------------------------------------------------------------------------------------------

    async def commit(self, entries: Sequence[Stamped]) -> Sequence[Outcome]:
        return await self._in_own_task(self._commit(entries))

    async def _commit(self, entries: Sequence[Stamped]) -> Sequence[Outcome]:
        run = on_postgres if self._database.path is None else on_sqlite

        async def store(transaction: Transaction) -> tuple[Batch, Sequence[Outcome]]:
            batch = Batch(transaction, self._grammar, self._standing)
            return batch, await batch.store(entries)

        try:
            batch, outcomes = await run(self._client(self._writer), store)
        except BROKEN_RULES as error:
            if len(entries) == 1 and (outcome := await self._retried(entries[0])) is not None:
                return [outcome]
            raise Rejected from error
        except FAILURES as error:
            raise StoreUnavailable from error
        batch.remember()
        return outcomes

    async def _retried(self, entry: Stamped) -> Outcome | None:
        """What an entry is that a unique index turned away: a retry of an earlier one, or None if it is just bad."""
        match entry.draft:
            case MessageDraft(sender_id=user_id, client_message_id=str(key)):
                kind = Kind.MESSAGE
            case ConversationDraft(client=user_id, client_conversation_id=str(key)):
                kind = Kind.START
            case _:
                return None
        earlier = await self._by_key(user_id, kind, key)
        return None if earlier is None else retried(entry.draft, earlier)

    async def _by_key(self, user_id: str, kind: Kind, key: str) -> MessageStored | ConversationStarted | None:
        found = await self._read(sql.ENTRY_BY_KEY, user_id, kind.value, key)
        record = rows.record(found[0]) if found else None
        return record if isinstance(record, MessageStored | ConversationStarted) else None

    async def revoke(self, user_id: str, at: int) -> None:
        await self._in_own_task(self._write(sql.REVOKE, user_id, at))

    async def new_epoch(self) -> str:
        """Names the log anew, so that nobody resumes from a position of before a restored backup (V3.2, V3.4)."""
        epoch = str(uuid.uuid4())
        await self._in_own_task(self._write(sql.NEW_EPOCH, epoch))
        return epoch

    async def _write(self, statement: str, *values: object) -> None:
        client = self._client(self._writer)
        try:
            await client.execute_query_dict(self._grammar(statement), list(values))
        except FAILURES as error:
            raise StoreUnavailable from error

    async def _in_own_task(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a write to its end, whatever becomes of the caller."""
        return await asyncio.shield(asyncio.create_task(work))

    # -- reading -------------------------------------------------------------------------------------------------------

    async def records_after(self, position: int) -> Sequence[Record]:
        return [rows.record(row) for row in await self._read(sql.ENTRIES_AFTER, position, client=self._writer)]

    async def participates(self, user: User, conversation_id: str) -> bool:
        return bool(await self._read(sql.PARTICIPATES, conversation_id, user.id, user.role.value))

    async def load(self, conversation_id: str) -> Conversation | None:
        found = await self._read(sql.LOAD, conversation_id)
        return rows.conversation(found[0]) if found else None

    async def memberships(self, user: User) -> Sequence[str]:
        found = await self._read(sql.MEMBERSHIPS, user.id, user.role.value)
        return [rows.uuid(row, "conversation_id") for row in found]

    async def list_conversations(self, user: User, limit: int | None, before: int | None) -> Sequence[Listing]:
        if limit is None and before is None:
            found = await self._read(sql.LIST, user.id, user.role.value)
        else:
            page = (_ANYTHING if before is None else min(before, _ANYTHING), _ANYTHING if limit is None else limit)
            found = await self._read(sql.LIST_PAGE, user.id, user.role.value, *page)
        return [rows.listing(row) for row in found]

    async def read_messages(self, conversation_id: str, after: int, upto: int) -> Sequence[Message]:
        return [rows.message(row) for row in await self._read(sql.READ_MESSAGES, conversation_id, after, upto)]

    async def only_clients(self, user_ids: Iterable[str]) -> frozenset[str]:
        roles: dict[str, set[Role]] = {}
        for row in await self._read(sql.ROLES, self._grammar.array(user_ids)):
            roles.setdefault(rows.uuid(row, "user_id"), set()).add(Role(str(row["role"])))
        return frozenset(user_id for user_id, seen in roles.items() if seen == {Role.CLIENT})

    async def find_conversation(self, client: str, client_conversation_id: str) -> Conversation | None:
        earlier = await self._by_key(client, Kind.START, client_conversation_id)
        return earlier.conversation if isinstance(earlier, ConversationStarted) else None

    async def missed(self, user: User, offset: int, limit: int) -> int:
        found = await self._read(sql.MISSED, user.id, user.role.value, offset, offset, limit + 1)
        return rows.number(found[0], "missed")

    async def read_log(self, user: User, since: int, position: int, upto: int, limit: int) -> LogPage:
        found = await self._read(sql.READ_LOG, user.id, user.role.value, since, position, limit, upto)
        records = tuple(rows.record(row) for row in found)
        return LogPage(records, records[-1].offset if len(records) == limit else upto)

    async def revocations(self) -> Mapping[str, int]:
        found = await self._read(sql.REVOCATIONS)
        return {rows.uuid(row, "user_id"): rows.number(row, "revoked_at") for row in found}

    async def _read(self, statement: str, *values: object, client: Client | None = None) -> list[Row]:
        reader = self._client(client or self._reader)
        try:
            return await reader.execute_query_dict(self._grammar(statement), list(values))
        except FAILURES as error:
            raise StoreUnavailable from error

    @staticmethod
    def _client(client: Client | None) -> Client:
        if client is None:
            raise StoreUnavailable("The database is not open.")
        return client


_ANYTHING = 2**62
"""A bound beyond every offset and every number of conversations."""


async def revoke(url: str, user_id: str, at: int) -> None:
    """Revokes a user's tokens in the database of a server that may be running (V1.6); `at` in ms since the epoch.

    Raises:
        ValueError: the URL is wrong.
        StoreUnavailable: the database cannot be reached, or was never used by a server.
    """
    database = Database.parse(url)
    if database.path is not None and not database.path.exists():
        raise StoreUnavailable("There is no such database file.")
    try:
        async with TortoiseContext() as tortoise:
            await tortoise.init(config=database.unfenced())
            client = cast("Client", tortoise.connections.get(WRITER))
            await client.execute_query_dict(database.grammar(sql.REVOKE), [user_id, at])
    except FAILURES as error:
        raise StoreUnavailable(f"The revocation cannot be stored: {error}.") from error
