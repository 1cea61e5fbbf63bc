"""What a store promises to those who come back: everything since a position, once, in order (V3.3, V3.4)."""

from __future__ import annotations

import pytest
from vetchat_protocol.models import Role, User
from vetchat_protocol.records import ReadDraft, Record

from ..ports import Store
from .drafts import append, owner, say, start, vet
from .suite import Reopen, StoreSuite


async def pages(store: Store, user: User, since: int, upto: int, limit: int) -> list[Record]:
    """The user's records in `(since, upto]`, read page by page as a resume does."""
    found: list[Record] = []
    position = since
    while position < upto:
        page = await store.read_log(user, since, position, upto, limit)
        assert len(page.records) <= limit
        assert position < page.position <= upto, "a page gets on"
        assert all(position < record.offset <= page.position for record in page.records), "complete up to its position"
        found += page.records
        position = page.position
    return found


class ResumeContract(StoreSuite):
    """`records_after`, `missed` and `read_log`."""

    @pytest.mark.clause("V3.3")
    async def test_a_user_resumes_with_the_records_of_its_conversations_alone(self, reopen: Reopen) -> None:
        store, head = await reopen()
        client, doctor, other = owner(), vet(), vet()
        shared = await start(store, client, doctor, other)
        private = await start(store, client, other)
        await say(store, shared, client, "To both.")
        await say(store, private, client, "To the other.")
        await append(store, ReadDraft(shared.id, other.id, 1), ReadDraft(private.id, other.id, 1))
        store, now = await reopen()
        everything = list(await store.records_after(head.position))
        assert [record.offset for record in everything] == list(range(head.position + 1, now.position + 1))
        assert await pages(store, other, head.position, now.position, 100) == everything
        mine = [record for record in everything if record.conversation_id == shared.id]
        assert await pages(store, doctor, head.position, now.position, 100) == mine
        assert await pages(store, User(doctor.id, Role.CLIENT), head.position, now.position, 100) == []

    @pytest.mark.clause("V3.3")
    @pytest.mark.parametrize("limit", [1, 2, 5])
    async def test_a_resume_by_pages_misses_nothing_and_repeats_nothing(self, reopen: Reopen, limit: int) -> None:
        store, head = await reopen()
        client, doctor = owner(), vet()
        conversations = [
            await start(store, client, doctor),
            await start(store, client),
            await start(store, client, doctor),
        ]
        for number in range(9):
            await say(store, conversations[number % 3], client, f"Message {number}")
        everything = list(await store.records_after(head.position))
        mine = [record for record in everything if record.conversation_id != conversations[1].id]
        for since in range(head.position, everything[-1].offset + 1, 3):
            expected = [record for record in mine if record.offset > since]
            assert await pages(store, doctor, since, everything[-1].offset, limit) == expected

    @pytest.mark.clause("V3.3")
    async def test_a_page_ends_where_the_resume_was_told_to_end(self, reopen: Reopen) -> None:
        store, head = await reopen()
        client = owner()
        conversation = await start(store, client)
        records = await say(store, conversation, client, *"abcdef")
        page = await store.read_log(client, head.position, records[1].offset, records[3].offset, 100)
        assert page.records == tuple(records[2:4])
        assert page.position == records[3].offset

    @pytest.mark.clause("V3.4")
    async def test_what_was_missed_is_counted_up_to_one_more_than_the_limit(self, reopen: Reopen) -> None:
        store, head = await reopen()
        client, doctor = owner(), vet()
        conversation, private = await start(store, client, doctor), await start(store, client)
        records = await say(store, conversation, client, *"abcde")
        await say(store, private, client, *"xyz")
        assert await store.missed(client, head.position, 100) == 10
        assert await store.missed(doctor, head.position, 100) == 6
        assert await store.missed(doctor, head.position, 6) == 6
        assert await store.missed(doctor, head.position, 5) == 6
        assert await store.missed(doctor, head.position, 3) == 4
        assert await store.missed(doctor, records[2].offset, 100) == 2
        assert await store.missed(doctor, records[-1].offset, 100) == 0
        assert await store.missed(User(doctor.id, Role.CLIENT), head.position, 100) == 0
