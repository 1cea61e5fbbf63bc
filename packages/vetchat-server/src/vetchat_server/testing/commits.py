"""What a store promises about `commit`: order, dense numbers, honest times, all or nothing, for ever."""

from __future__ import annotations

import asyncio

import pytest
from vetchat_protocol.records import (
    ConversationDraft,
    ConversationStarted,
    MessageDraft,
    MessageStored,
    ReadDraft,
    ReadMoved,
    RoleDraft,
    Unchanged,
)

from ..ports import Rejected, Store
from .drafts import NOW, append, new_id, owner, say, stamped, start, vet
from .suite import Reopen, StoreSuite

CONTENTS = {
    "plain": "Luna eats again.",
    "white space": "  \tLuna\r\n\r\neats \n",
    "what SQL might take for its own": "'; DROP TABLE log; -- \\ \" % %s ?1 $1 :x {}",
    "emoji": "🐈‍⬛ 👩🏽‍⚕️ 🏳️‍🌈 👍🏿",
    "right to left": "شكرا، القطة بخير \u202eאבג\u202c.",
    "combining": "e\u0301 é Å Å ﬀ ZA͑LGO\u0336",
    "line and paragraph separators": "a\u2028b\u2029c\u0085d\x0be\x1ff\x7f",
    "what is no character": "\ufffe\uffff\ufdd0\U0010ffff\ufeff",
    "8,000 astral code points": "🐾" * 8_000,
}


class CommitContract(StoreSuite):
    """`commit` stores all entries durably in their order, or none."""

    @pytest.mark.clause("V3.1", "V3.2")
    async def test_each_entry_has_its_outcome_in_the_order_of_the_batch(self, reopen: Reopen) -> None:
        store, head = await reopen()
        client, doctor = owner(), vet()
        conversation = await start(store, client, doctor)
        entries = [
            stamped(MessageDraft(conversation.id, client.id, "One.")),
            stamped(RoleDraft(doctor.id, doctor.role)),
            stamped(ConversationDraft(client.id, new_id(), (doctor.id,))),
            stamped(ReadDraft(conversation.id, doctor.id, 0)),
            stamped(MessageDraft(conversation.id, doctor.id, "Two.")),
        ]
        one, role, another, read, two = await store.commit(entries)
        assert isinstance(one, MessageStored)
        assert (one.offset, one.message.id, one.message.seq) == (head.position + 2, entries[0].id, 1)
        assert role == read == Unchanged()
        assert isinstance(another, ConversationStarted)
        assert (another.offset, another.conversation.id) == (head.position + 3, entries[2].id)
        assert isinstance(two, MessageStored)
        assert (two.offset, two.message.id, two.message.seq) == (head.position + 4, entries[4].id, 2)

    @pytest.mark.clause("V3.1", "V3.2")
    async def test_numbers_stay_dense_from_batch_to_batch_and_over_a_restart(self, reopen: Reopen) -> None:
        store, head = await reopen()
        client = owner()
        here, there = await start(store, client), await start(store, client)
        for number in range(3):
            outcomes = await append(
                store,
                MessageDraft(here.id, client.id, "Here."),
                MessageDraft(there.id, client.id, "There."),
                MessageDraft(here.id, client.id, "Here again."),
            )
            messages = [outcome for outcome in outcomes if isinstance(outcome, MessageStored)]
            assert [one.message.seq for one in messages] == [2 * number + 1, number + 1, 2 * number + 2]
            assert [one.offset - head.position - 2 - 3 * number for one in messages] == [1, 2, 3]
            store, now = await reopen()
            assert now.position == messages[-1].offset

    @pytest.mark.clause("V3.2")
    async def test_a_thousand_entries_go_in_together(self, store: Store) -> None:
        client, doctor = owner(), vet()
        conversation = await start(store, client, doctor)
        drafts = [MessageDraft(conversation.id, client.id, str(number), str(number)) for number in range(998)]
        await append(store, *drafts, ReadDraft(conversation.id, doctor.id, 998), RoleDraft(client.id, client.role))
        stored = await store.read_messages(conversation.id, 0, 998)
        assert [message.content for message in stored] == [str(number) for number in reversed(range(998))]
        assert [listing.unread_count for listing in await store.list_conversations(doctor, None, None)] == [0]

    @pytest.mark.clause("R4.10", "R4.3")
    async def test_times_never_run_backwards_within_a_conversation(self, reopen: Reopen) -> None:
        store, _ = await reopen()
        client, doctor = owner(), vet()
        conversation = await start(store, client, doctor, at=NOW)
        times: list[int] = []
        for batch in ([NOW - 5_000, NOW + 7, NOW + 3], [NOW + 6, NOW + 9], [0, NOW + 8]):
            entries = [stamped(MessageDraft(conversation.id, client.id, "Tick."), at) for at in batch]
            outcomes = await store.commit(entries)
            times += [outcome.message.timestamp for outcome in outcomes if isinstance(outcome, MessageStored)]
            store, _ = await reopen()
        assert times == [NOW, NOW + 7, NOW + 7, NOW + 7, NOW + 9, NOW + 9, NOW + 9]
        assert [message.timestamp for message in await store.read_messages(conversation.id, 0, 7)] == times[::-1]
        stored = await store.load(conversation.id)
        assert stored is not None
        assert (stored.created_at, stored.updated_at) == (NOW, NOW + 9)
        elsewhere = await start(store, client, at=NOW - 1_000)
        assert elsewhere.created_at == NOW - 1_000, "conversations do not share their times"

    @pytest.mark.clause("R4.8", "R4.3")
    @pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
    async def test_contents_come_back_exactly_as_they_were_sent(self, reopen: Reopen, content: str) -> None:
        store, head = await reopen()
        client = owner()
        conversation = await start(store, client)
        (record,) = await say(store, conversation, client, content)
        assert record.message.content == content
        store, _ = await reopen()
        assert [message.content for message in await store.read_messages(conversation.id, 0, 1)] == [content]
        assert list(await store.records_after(head.position + 1)) == [record]
        assert (await store.read_log(client, 0, head.position + 1, record.offset, 10)).records == (record,)
        (listing,) = await store.list_conversations(client, None, None)
        assert listing.conversation.last_message == content
        assert await store.load(conversation.id) == listing.conversation

    @pytest.mark.clause("V4.2")
    async def test_a_read_position_moves_forward_only(self, store: Store) -> None:
        client, doctor = owner(), vet()
        conversation = await start(store, client, doctor)
        last = (await say(store, conversation, client, *"abcde"))[-1].offset
        wanted = [2, 2, 1, 4, 0]
        outcomes = await append(store, *(ReadDraft(conversation.id, doctor.id, seq) for seq in wanted))
        moved = [ReadMoved(last + 1, conversation.id, doctor.id, 2), ReadMoved(last + 2, conversation.id, doctor.id, 4)]
        assert outcomes == [moved[0], Unchanged(), Unchanged(), moved[1], Unchanged()]
        assert await append(store, ReadDraft(conversation.id, doctor.id, 4)) == [Unchanged()]

    @pytest.mark.clause("V4.2")
    async def test_a_read_position_knows_what_was_stored_before_it_in_the_same_batch(self, store: Store) -> None:
        client, doctor = owner(), vet()
        conversation = await start(store, client, doctor)
        await say(store, conversation, client, "One.")
        senders = [doctor, doctor, client]
        messages = [MessageDraft(conversation.id, sender.id, "And more.") for sender in senders]
        outcomes = await append(store, *messages, ReadDraft(conversation.id, doctor.id, 3))
        assert isinstance(outcomes[-1], ReadMoved)
        (listing,) = await store.list_conversations(doctor, None, None)
        assert (listing.read_seq, listing.unread_count) == (3, 1)
        await append(store, ReadDraft(conversation.id, doctor.id, 4))
        (listing,) = await store.list_conversations(doctor, None, None)
        assert (listing.read_seq, listing.unread_count) == (4, 0)

    @pytest.mark.clause("R6.3")
    async def test_a_rejected_batch_changes_nothing(self, reopen: Reopen) -> None:
        store, _ = await reopen()
        client, doctor, newcomer = owner(), vet(), owner()
        conversation = await start(store, client, doctor)
        await say(store, conversation, client, "Before.")
        before = [await store.load(conversation.id), *await store.list_conversations(doctor, None, None)]
        store, head = await reopen()
        nowhere = stamped(MessageDraft(new_id(), client.id, "Lost."))
        stranger = stamped(MessageDraft(conversation.id, newcomer.id, "Not mine."))
        good = [
            stamped(MessageDraft(conversation.id, client.id, "After.", "key")),
            stamped(ConversationDraft(newcomer.id, new_id(), (doctor.id,), "key")),
            stamped(ReadDraft(conversation.id, doctor.id, 1)),
            stamped(RoleDraft(newcomer.id, newcomer.role)),
        ]
        for batch in ([nowhere], [stranger], [*good, nowhere], [stranger, *good]):
            with pytest.raises(Rejected):
                await store.commit(batch)
        assert list(await store.records_after(head.position)) == []
        assert [await store.load(conversation.id), *await store.list_conversations(doctor, None, None)] == before
        assert list(await store.memberships(newcomer)) == []
        assert await store.find_conversation(newcomer.id, "key") is None
        assert await store.only_clients([newcomer.id]) == frozenset()
        message, started, read, role = await store.commit(good)
        assert isinstance(message, MessageStored)
        assert (message.offset, message.message.seq) == (head.position + 1, 2)
        assert isinstance(started, ConversationStarted)
        assert read == ReadMoved(head.position + 3, conversation.id, doctor.id, 1)
        assert role == Unchanged()

    async def test_a_caller_who_is_cancelled_leaves_no_transaction_open(self, reopen: Reopen) -> None:
        store, head = await reopen()
        client = owner()
        conversation = await start(store, client)
        for turns in range(20):
            commit = asyncio.ensure_future(store.commit([stamped(MessageDraft(conversation.id, client.id, "Gone?"))]))
            for _ in range(turns):
                await asyncio.sleep(0)
            commit.cancel()
            await asyncio.wait([commit])
            (record,) = await say(store, conversation, client, "Here.")
            assert record in await store.records_after(head.position)
        records = await store.records_after(head.position)
        assert [record.offset - head.position for record in records] == list(range(1, len(records) + 1))
        messages = [record.message for record in records if isinstance(record, MessageStored)]
        assert [message.seq for message in messages] == list(range(1, len(messages) + 1))

    async def test_reads_beside_commits_see_whole_commits(self, store: Store) -> None:
        client, doctor = owner(), vet()
        conversation = await start(store, client, doctor)
        done = False

        async def look() -> set[int]:
            seen: set[int] = set()
            while not done:
                (listing,) = await store.list_conversations(doctor, None, None)
                last_seq = listing.conversation.last_seq
                assert listing.unread_count == last_seq
                messages = await store.read_messages(conversation.id, 0, last_seq)
                assert [message.seq for message in messages] == list(range(last_seq, 0, -1))
                seen.add(last_seq)
                await asyncio.sleep(0)  # a store in memory never waits
            return seen

        looks = [asyncio.create_task(look()) for _ in range(3)]
        for number in range(20):
            await say(store, conversation, client, *(f"{number} {part}" for part in "abc"))
            await asyncio.sleep(0)
        done = True
        for seen in await asyncio.gather(*looks):
            assert seen <= set(range(0, 61, 3)), "nobody saw a part of a commit"
            assert len(seen) > 1, "nobody waited for the last commit"

    @pytest.mark.clause("V3.2")
    async def test_the_log_keeps_its_name_and_its_records_when_it_is_opened_again(self, reopen: Reopen) -> None:
        store, before = await reopen()
        client = owner()
        conversation = await start(store, client)
        await say(store, conversation, client, "Are you still there?")
        records = list(await store.records_after(before.position))
        store, after = await reopen()
        assert after.epoch == before.epoch
        assert after.position == before.position + 2
        assert list(await store.records_after(before.position)) == records

    async def test_closing_twice_is_harmless(self, store: Store) -> None:
        await store.close()
        await store.close()
