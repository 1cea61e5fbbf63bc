"""What the store remembers between commits is what the database says, whoever wrote there and whatever failed."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from vetchat_protocol.models import Conversation, User
from vetchat_protocol.records import MessageDraft, MessageStored, ReadDraft
from vetchat_server import TortoiseStore
from vetchat_server.backends.tortoise import standing
from vetchat_server.backends.tortoise.standing import Standing, Thread
from vetchat_server.ports import Rejected
from vetchat_server.testing.drafts import append, new_id, owner, say, stamped, start, vet

pytestmark = pytest.mark.anyio

FOREIGN = """
UPDATE log_head SET position = position + 1;
INSERT INTO log (position, kind, conversation_id, user_id, at, message_id, seq, content)
    SELECT position, 2, '{conversation}', '{sender}', 5, '{message}', 2, 'From elsewhere.' FROM log_head;
UPDATE participants SET sent = sent + (user_id = '{sender}'), changed_upto = (SELECT position FROM log_head);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[TortoiseStore]:
    store = TortoiseStore(f"sqlite://{path}")
    await store.open()
    yield store
    await store.close()


async def unread(store: TortoiseStore, user: User) -> list[int]:
    return [listing.unread_count for listing in await store.list_conversations(user, None, None)]


def seqs(records: list[MessageStored]) -> list[int]:
    return [record.message.seq for record in records]


async def consultation(store: TortoiseStore) -> tuple[Conversation, User, User]:
    client, provider = owner(), vet()
    return await start(store, client, provider), client, provider


@pytest.mark.clause("V3.1", "V4.2")
async def test_what_somebody_else_has_written_meanwhile_counts(store: TortoiseStore, path: Path) -> None:
    conversation, client, provider = await consultation(store)
    await say(store, conversation, client, "One.")
    with closing(sqlite3.connect(path)) as foreign:
        script = FOREIGN.format(conversation=conversation.id, sender=client.id, message=new_id())
        foreign.executescript(f"BEGIN; {script} COMMIT;")
    assert seqs(await say(store, conversation, client, "Three.")) == [3]
    assert await unread(store, provider) == [3]


@pytest.mark.clause("V3.1", "V4.2", "R6.3")
async def test_a_commit_that_failed_is_not_remembered(store: TortoiseStore) -> None:
    conversation, client, provider = await consultation(store)
    await say(store, conversation, client, "One.")
    nobody = Conversation(new_id(), client.id, (), new_id(), 1, 1)
    with pytest.raises(Rejected):
        await store.commit([stamped(MessageDraft(one.id, client.id, "Lost.")) for one in (conversation, nobody)])
    assert seqs(await say(store, conversation, client, "Two.")) == [2]
    assert await unread(store, provider) == [2]


@pytest.mark.clause("V4.2")
async def test_read_positions_between_commits_are_counted_from_where_they_are(store: TortoiseStore) -> None:
    conversation, client, provider = await consultation(store)
    await say(store, conversation, client, "One.", "Two.")
    await say(store, conversation, provider, "Three.")
    await say(store, conversation, client, "Four.")
    for seq, left in ((1, 2), (3, 1), (4, 0)):
        await append(store, ReadDraft(conversation.id, provider.id, seq))
        assert await unread(store, provider) == [left]


async def test_only_so_many_conversations_are_remembered(store: TortoiseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "REMEMBERED", 2)
    talks = [await consultation(store) for _ in range(4)]
    for number in (1, 2, 3):
        for conversation, client, _ in talks:
            assert seqs(await say(store, conversation, client, "Again.")) == [number]
    kept = store._standing._threads  # pyright: ignore[reportPrivateUsage]
    assert list(kept) == [conversation.id for conversation, _, _ in talks[-2:]]


def test_what_was_taken_is_gone_until_it_is_kept_again() -> None:
    memory = Standing()
    memory.keep({"a": Thread(1, 1), "b": Thread(2, 2)}, 7)
    assert memory.take(["a", "c"], 7) == {"a": Thread(1, 1)}
    assert memory.take(["b"], 7) == {}
