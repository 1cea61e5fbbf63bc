"""What is special about SQLite: one file, one writer, and a disk that may be full."""

import sqlite3
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from urllib.parse import quote

import anyio
import pytest
from vetchat_protocol.records import ConversationDraft, MessageDraft, ReadDraft, RoleDraft
from vetchat_server import TortoiseStore
from vetchat_server.ports import LogHead, Rejected, StoreInUse, StoreUnavailable
from vetchat_server.testing.drafts import append, new_id, owner, say, stamped, start, vet

from tests.databases import sqlite_url

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.sqlite3"


@asynccontextmanager
async def opened(path: Path) -> AsyncGenerator[tuple[TortoiseStore, LogHead]]:
    """A store on this file."""
    store = TortoiseStore(f"sqlite://{path}")
    try:
        yield store, await store.open()
    finally:
        await store.close()


async def ask(store: TortoiseStore, statement: str, *, reader: bool = False) -> object:
    """The first value that one of the store's own connections answers with."""
    client = store._reader if reader else store._writer  # pyright: ignore[reportPrivateUsage]
    assert client is not None
    rows = await client.execute_query_dict(statement)
    return next(iter(rows[0].values())) if rows else None


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
async def test_a_second_store_on_the_same_file_is_told_to_keep_away_until_the_first_is_closed(path: Path) -> None:
    async with opened(path) as (_, before):
        second = TortoiseStore(f"sqlite://{path}")
        with pytest.raises(
            StoreInUse, match=r"^Another VetChat server is using this database, and only one may\. .+\.$"
        ):
            await second.open()
    assert await second.open() == before
    await second.close()


async def test_a_commit_is_on_the_disk_and_readers_never_wait_for_it(path: Path) -> None:
    async with opened(path) as (store, _):
        assert await ask(store, "PRAGMA journal_mode") == "wal"
        assert await ask(store, "PRAGMA synchronous") == 2, "FULL"
        assert await ask(store, "PRAGMA foreign_keys") == 1
        assert await ask(store, "PRAGMA query_only", reader=True) == 1
        await ask(store, "BEGIN IMMEDIATE")
        assert await store.memberships(owner()) == []
        await ask(store, "ROLLBACK")


async def test_nobody_else_may_read_the_file(path: Path) -> None:
    async with opened(path) as (store, _):
        await append(store, RoleDraft(new_id(), owner().role))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert set(modes.values()) == {0o600}, modes


async def test_the_folder_is_made_and_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "Müllers Praxis" / "50 % & more?" / "#1.sqlite3"
    store = TortoiseStore(f"sqlite://{quote(str(path))}")
    await store.open()
    await store.close()
    assert path.exists()


@pytest.mark.parametrize("content", [b"This is no database at all. " * 100, b"SQLite format 3\0" + b"\xff" * 4_096])
async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    await anyio.Path(path).write_bytes(content)
    store = TortoiseStore(f"sqlite://{path}")
    with pytest.raises(StoreUnavailable, match=r"^The database cannot be opened: .+\.$"):
        await store.open()
    assert await anyio.Path(path).read_bytes() == content


async def test_a_place_where_no_file_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", Path("/proc")):
        with pytest.raises(StoreUnavailable, match=r"^The database cannot be opened: .+\.$"):
            await TortoiseStore(sqlite_url(folder)).open()


async def test_a_store_that_is_not_open_says_so(path: Path) -> None:
    store = TortoiseStore(f"sqlite://{path}")
    with pytest.raises(StoreUnavailable):
        await store.memberships(owner())
    with pytest.raises(StoreUnavailable):
        await store.commit([stamped(RoleDraft(new_id(), owner().role))])
    await store.close()


# -- when it cannot be written -----------------------------------------------------------------------------------------


@pytest.mark.clause("R6.3", "R4.7")
async def test_a_full_disk_is_told_with_nothing_half_done_and_with_room_it_goes_on(path: Path) -> None:
    async with opened(path) as (store, _):
        client, doctor = owner(), vet()
        conversation = await start(store, client, doctor)
        await say(store, conversation, client, "Before.")
        pages = await ask(store, "PRAGMA page_count")
        await ask(store, f"PRAGMA max_page_count = {pages}")
        before = await picture(store, conversation.id), await store.list_conversations(doctor, None, None)
        newcomer = owner()
        entries = [
            stamped(RoleDraft(newcomer.id, newcomer.role)),
            stamped(ConversationDraft(newcomer.id, new_id(), (doctor.id,))),
            stamped(ReadDraft(conversation.id, doctor.id, 1)),
            *(stamped(MessageDraft(conversation.id, client.id, "x" * 8_000)) for _ in range(20)),
        ]
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.commit(entries)
        assert (await picture(store, conversation.id), await store.list_conversations(doctor, None, None)) == before
        assert await store.only_clients([newcomer.id]) == frozenset()
        await ask(store, "PRAGMA max_page_count = 1000000")
        await store.commit(entries)
        records = await store.records_after(0)
        assert [record.offset for record in records] == list(range(1, 25))
        assert len(await store.read_messages(conversation.id, 0, 100)) == 21
    async with opened(path) as (store, head):
        assert head.position == 24
        assert await store.only_clients([newcomer.id]) == {newcomer.id}


async def picture(store: TortoiseStore, conversation_id: str) -> object:
    """How the log and a conversation stand."""
    return list(await store.records_after(0)), await store.load(conversation_id)


@pytest.mark.clause("R6.3")
async def test_a_file_that_may_not_be_written_is_told_while_it_is_still_read(path: Path) -> None:
    async with opened(path) as (store, _):
        client = owner()
        conversation = await start(store, client)
        await ask(store, "PRAGMA query_only = ON")
        with pytest.raises(StoreUnavailable):
            await say(store, conversation, client, "Lost.")
        with pytest.raises(StoreUnavailable):
            await store.revoke(client.id, 1)
        assert list(await store.memberships(client)) == [conversation.id]
        await ask(store, "PRAGMA query_only = OFF")
        (record,) = await say(store, conversation, client, "Here.")
        assert record.offset == 2


@pytest.mark.clause("R6.3")
async def test_a_foreign_program_that_holds_the_file_is_told_and_outlived(path: Path) -> None:
    async with opened(path) as (store, _):
        client = owner()
        conversation = await start(store, client)
        await ask(store, "PRAGMA busy_timeout = 0")
        with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
            foreign.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable):
                await say(store, conversation, client, "Lost.")
            assert list(await store.memberships(client)) == [conversation.id]
            foreign.execute("ROLLBACK")
        (record,) = await say(store, conversation, client, "Here.")
        assert record.offset == 2


@pytest.mark.clause("R6.3", "R4.7")
async def test_a_commit_that_fails_at_its_very_end_is_undone_and_known_to_be(path: Path) -> None:
    async with opened(path) as (store, _):
        client = owner()
        conversation = await start(store, client)
        await ask(store, "CREATE TABLE strict (log INTEGER REFERENCES log (position) DEFERRABLE INITIALLY DEFERRED)")
        await ask(
            store,
            "CREATE TRIGGER late AFTER INSERT ON log BEGIN INSERT INTO strict VALUES (NEW.position + 1000000); END",
        )
        with pytest.raises(Rejected):
            await say(store, conversation, client, "Lost.")
        await ask(store, "DROP TRIGGER late")
        (record,) = await say(store, conversation, client, "Here.")
        assert record.offset == 2
