"""What a store promises about conversations and their history."""

from __future__ import annotations

import pytest
from vetchat_protocol.models import Role, User

from ..ports import Store
from .drafts import NOW, new_id, owner, say, start, vet
from .suite import StoreSuite


class ConversationContract(StoreSuite):
    """Who takes part, how conversations stand and are listed, and what was said."""

    @pytest.mark.clause("R3.5", "R3.4")
    async def test_participation_is_by_id_and_role(self, store: Store) -> None:
        client, doctor, stranger = owner(), vet(), owner()
        conversation = await start(store, client, vet(), doctor)
        assert await store.participates(client, conversation.id)
        assert await store.participates(doctor, conversation.id)
        assert not await store.participates(User(client.id, Role.PROVIDER), conversation.id)
        assert not await store.participates(User(doctor.id, Role.CLIENT), conversation.id)
        assert not await store.participates(stranger, conversation.id)
        assert not await store.participates(client, new_id())

    @pytest.mark.clause("R3.5", "S5.1", "S3.1", "S3.2")
    async def test_somebody_with_two_roles_has_two_lists(self, store: Store) -> None:
        client, doctor = owner(), vet()
        as_client = User(doctor.id, Role.CLIENT)
        treated = await start(store, client, doctor)
        owned = await start(store, as_client, vet())
        for user, conversation in ((doctor, treated), (as_client, owned)):
            assert list(await store.memberships(user)) == [conversation.id]
            assert [one.conversation.id for one in await store.list_conversations(user, None, None)] == [
                conversation.id
            ]
        assert list(await store.memberships(User(client.id, Role.PROVIDER))) == []

    @pytest.mark.clause("R4.13", "R3.4")
    async def test_a_conversation_keeps_its_providers_in_their_order(self, store: Store) -> None:
        client = owner()
        for crowd in ([], [vet()], [vet() for _ in range(32)]):
            conversation = await start(store, client, *crowd)
            assert await store.load(conversation.id) == conversation
            assert conversation.providers == tuple(doctor.id for doctor in crowd)
        assert await store.load(new_id()) is None

    @pytest.mark.clause("R4.2", "R4.3")
    async def test_conversations_come_newest_update_first_and_ties_by_id(self, store: Store) -> None:
        client = owner()
        times = [NOW + 5, NOW + 7, NOW + 5, NOW, NOW + 7, NOW + 5]
        started = [await start(store, client, at=at) for at in times]
        await say(store, started[3], client, "News.", at=NOW + 6)
        listed = [one.conversation for one in await store.list_conversations(client, None, None)]
        order = {conversation.id: at for conversation, at in zip(started, times, strict=True)} | {
            started[3].id: NOW + 6
        }
        assert [one.id for one in listed] == sorted(order, key=lambda name: (-order[name], name))
        assert [one.last_message for one in listed] == [*[""] * 2, "News.", *[""] * 3]
        assert [one.updated_at for one in listed] == [order[one.id] for one in listed]

    @pytest.mark.clause("V3.6")
    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 1_000])
    async def test_pages_of_conversations_come_by_last_offset_and_leave_nothing_out(
        self, store: Store, limit: int
    ) -> None:
        doctor = vet()
        started = [await start(store, owner(), doctor, at=NOW - number) for number in range(7)]
        for number in (5, 0, 3):
            await say(store, started[number], doctor, "News.", at=NOW)
        paged: list[str] = []
        before: int | None = None
        while page := await store.list_conversations(doctor, limit, before):
            assert len(page) <= limit
            assert before is None or page[0].conversation.last_offset < before
            paged += [one.conversation.id for one in page]
            before = page[-1].conversation.last_offset
            if len(page) < limit:
                break
        assert paged == [started[number].id for number in (3, 0, 5, 6, 4, 2, 1)]
        everything_older = await store.list_conversations(doctor, None, before)
        assert [one.conversation.id for one in everything_older] == []
        assert [one.conversation.id for one in await store.list_conversations(doctor, None, 2**62)] == paged

    @pytest.mark.clause("R4.19", "S4.16", "V3.5")
    async def test_history_is_a_window_of_seq_newest_first(self, store: Store) -> None:
        client, doctor = owner(), vet()
        conversation = await start(store, client, doctor)
        nearby = await start(store, client, doctor)
        said = [record.message for record in await say(store, conversation, doctor, *map(str, range(1, 26)))]
        await say(store, nearby, doctor, "Elsewhere.")
        for after, upto in ((0, 25), (5, 15), (24, 25), (0, 1), (7, 7), (20, 25)):
            assert list(await store.read_messages(conversation.id, after, upto)) == said[after:upto][::-1]
        empty = await start(store, client)
        assert list(await store.read_messages(empty.id, 0, 0)) == []
