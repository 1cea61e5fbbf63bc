"""Writes the query plans that `server/costs.md` shows: `python -m docs.plans` asks SQLite and PostgreSQL for them.

Before they are asked, both databases get a vet with 10,000 conversations, and three times as many of other vets.
PostgreSQL is the server that VETCHAT_TEST_POSTGRES names; a database is made there and dropped again.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
from vetchat_protocol.models import Role, User
from vetchat_server.backends.tortoise import TortoiseStore, sql
from vetchat_server.backends.tortoise.standing import bound

from tests.databases import postgres_database

PLANS: Final = Path(__file__).parent / "server" / "plans"
"""The folder with one file per database, which the page includes."""

CONVERSATIONS: Final = 40_000
"""All conversations; every fourth is the vet's."""

MESSAGES: Final = 3
"""Messages in each conversation."""

HEAD: Final = CONVERSATIONS * (MESSAGES + 1)
VET: Final = User(str(UUID(int=1)), Role.PROVIDER)
FIRST: Final = str(UUID(int=1_000_000))
"""One of the vet's conversations."""

QUERIES: Final[Mapping[str, Callable[[TortoiseStore], Awaitable[object]]]] = {
    "A resume: is it within the limit? (V3.4)": lambda store: store.missed(VET, HEAD - 5, 10_000),
    "A resume: a page of the replay (V3.3)": lambda store: store.read_log(VET, HEAD - 5, HEAD - 5, HEAD, 500),
    "Connecting: which conversations to subscribe to (S5.1)": lambda store: store.memberships(VET),
    "The list with unread counts, all of it (R4.2, V4.2)": lambda store: store.list_conversations(VET, None, None),
    "The list by pages (V3.6)": lambda store: store.list_conversations(VET, 50, HEAD),
    "A page of history, first or last (R4.19)": lambda store: store.read_messages(FIRST, 0, 20),
    "May this user write here? (R3.5)": lambda store: store.participates(VET, FIRST),
}
"""What the store is asked, by when that happens."""


class Listening(TortoiseStore):
    """A store that notes each statement that it reads with, and the values."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    async def _read(self, statement: str, *values: object, client: Any = None) -> list[sql.Row]:
        self.asked.append((statement, values))
        return await super()._read(statement, *values, client=client)


async def asked(url: str) -> list[tuple[str, tuple[object, ...]]]:
    """The statement of each query, with its values, as the store of this database would send it."""
    store = Listening(url)
    await store.open()
    try:
        for query in QUERIES.values():
            await query(store)
    finally:
        await store.close()
    return store.asked


def conversations() -> Iterator[tuple[str, str, str, int]]:
    """Id, client, vet and the offset of the last message of each conversation."""
    for number in range(CONVERSATIONS):
        vet = VET.id if number % 4 == 0 else str(UUID(int=2 + number % 50))
        last = (number + 1) * (MESSAGES + 1)
        yield str(UUID(int=1_000_000 + number)), str(UUID(int=5_000_000 + number)), vet, last


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """The content of the tables, in the order of their columns below."""
    filled: dict[str, list[tuple[Any, ...]]] = {"conversations": [], "participants": [], "log": []}
    for key, client, vet, last in conversations():
        filled["conversations"].append((key, client, FIRST, 1, last - MESSAGES))
        upto = bound(last)
        filled["participants"] += [(key, client, "client", 0, 0, 0, 0, upto), (key, vet, "provider", 0, 0, 0, 0, upto)]
        filled["log"].append((last - MESSAGES, 1, key, client, 1, None, None, None, None, None))
        filled["log"] += [
            (last - MESSAGES + seq, 2, key, client, 1, str(UUID(int=9_000_000 + last + seq)), seq, "Hello.", None, None)
            for seq in range(1, MESSAGES + 1)
        ]
    return filled


COLUMNS: Final = {
    "conversations": "id, client, pet, created_at, position",
    "participants": "conversation_id, user_id, role, place, read_seq, sent, sent_at_read, changed_upto",
    "log": "position, kind, conversation_id, user_id, at, message_id, seq, content, read_seq, key",
}


def on_sqlite(path: Path) -> list[str]:
    """The plan of each query on a new SQLite file."""
    statements = asyncio.run(asked(f"sqlite://{path}"))
    with sqlite3.connect(path) as database:
        for table, content in rows().items():
            marks = ", ".join("?" * len(content[0]))
            database.executemany(f"INSERT INTO {table} ({COLUMNS[table]}) VALUES ({marks})", content)  # noqa: S608
        return [_sqlite_plan(database, sql.SQLITE(statement), values) for statement, values in statements]


def _sqlite_plan(database: sqlite3.Connection, statement: str, values: Sequence[Any]) -> str:
    depth = {0: -1}
    lines: list[str] = []
    for node, parent, _, detail in database.execute(f"EXPLAIN QUERY PLAN {statement}", values):
        depth[node] = depth[parent] + 1
        lines.append(f"{'  ' * depth[node]}{detail}")
    return "\n".join(lines)


def on_postgres(url: str) -> list[str]:
    """The plan of each query on a new PostgreSQL database."""
    return asyncio.run(_on_postgres(url))


async def _on_postgres(url: str) -> list[str]:
    statements = await asked(url)
    database = await asyncpg.connect(url)
    try:
        for table, content in rows().items():
            await database.copy_records_to_table(table, records=content, columns=COLUMNS[table].split(", "))
        await database.execute("ANALYZE")
        found = [
            await database.fetch(f"EXPLAIN (COSTS OFF) {sql.POSTGRES(statement)}", *values)
            for statement, values in statements
        ]
        return ["\n".join(line[0] for line in plan) for plan in found]
    finally:
        await database.close()


def written(plans: Sequence[str]) -> str:
    """A text for the page."""
    return "\n\n".join(f"-- {when}\n{plan}" for when, plan in zip(QUERIES, plans, strict=True)) + "\n"


def main() -> None:
    PLANS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        (PLANS / "sqlite.txt").write_text(written(on_sqlite(Path(folder) / "plans.sqlite3")), encoding="utf-8")
    with postgres_database() as url:
        (PLANS / "postgres.txt").write_text(written(on_postgres(url)), encoding="utf-8")


if __name__ == "__main__":
    main()
