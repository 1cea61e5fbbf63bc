"""What a store promises about client-chosen ids: a retry is never stored twice (V2.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vetchat_protocol.records import (
    Conflict,
    ConversationDraft,
    ConversationStarted,
    Draft,
    Duplicate,
    MessageDraft,
    MessageStored,
    Outcome,
)

from ..ports import Store
from .drafts import append, new_id, owner, say, start, vet
from .suite import Reopen, StoreSuite


def stored(outcome: Outcome) -> MessageStored | ConversationStarted:
    """What was stored, if it was."""
    assert isinstance(outcome, MessageStored | ConversationStarted)
    return outcome


@pytest.mark.clause("V2.2")
class RetryContract(StoreSuite):
    """The pair of a user and a client-chosen id is stored once, for ever."""

    async def test_a_retried_message_is_stored_once_within_a_batch_later_and_over_a_restart(
        self, reopen: Reopen
    ) -> None:
        store, _ = await reopen()
        client = owner()
        conversation = await start(store, client)
        draft = MessageDraft(conversation.id, client.id, "Once.", "key")
        first, again = await append(store, draft, draft)
        assert again == Duplicate(stored(first))
        assert await append(store, draft) == [again]
        store, _ = await reopen()
        assert await append(store, draft, draft) == [again, again]
        assert [message.content for message in await store.read_messages(conversation.id, 0, 9)] == ["Once."]

    async def test_a_retried_conversation_is_stored_once_and_answered_as_it_started(self, reopen: Reopen) -> None:
        store, _ = await reopen()
        client, doctor = owner(), vet()
        draft = ConversationDraft(client.id, new_id(), (doctor.id, vet().id), "key")
        first, again = await append(store, draft, draft)
        started = stored(first)
        assert isinstance(started, ConversationStarted)
        assert again == Duplicate(started)
        await say(store, started.conversation, doctor, "It has changed since.")
        assert await append(store, draft) == [again]
        store, _ = await reopen()
        assert await append(store, draft) == [again]
        assert len(await store.memberships(client)) == 1

    async def test_other_words_or_another_conversation_under_the_same_id_are_a_conflict(self, reopen: Reopen) -> None:
        store, _ = await reopen()
        client = owner()
        here, there = await start(store, client), await start(store, client)
        draft = MessageDraft(here.id, client.id, "Once.", "key")
        others: list[Draft] = [replace(draft, content="Once!"), replace(draft, conversation_id=there.id)]
        _, *outcomes = await append(store, draft, *others)
        assert outcomes == [Conflict(), Conflict()]
        store, _ = await reopen()
        assert await append(store, *others) == [Conflict(), Conflict()]
        assert list(await store.read_messages(there.id, 0, 9)) == []

    async def test_another_pet_or_other_providers_under_the_same_id_are_a_conflict(self, reopen: Reopen) -> None:
        store, _ = await reopen()
        one, two = vet().id, vet().id
        draft = ConversationDraft(owner().id, new_id(), (one, two), "key")
        others: list[Draft] = [replace(draft, pet=new_id()), replace(draft, providers=(two, one))]
        _, *outcomes = await append(store, draft, *others)
        assert outcomes == [Conflict(), Conflict()]
        store, _ = await reopen()
        assert await append(store, *others) == [Conflict(), Conflict()]

    async def test_a_retry_leaves_the_rest_of_its_batch_alone(self, store: Store) -> None:
        client, doctor = owner(), vet()
        conversation = await start(store, client, doctor)
        (old,) = await append(store, MessageDraft(conversation.id, client.id, "Old.", "key"))
        before, again, conflict, after = await append(
            store,
            MessageDraft(conversation.id, doctor.id, "Before.", "key"),
            MessageDraft(conversation.id, client.id, "Old.", "key"),
            MessageDraft(conversation.id, client.id, "Not old.", "key"),
            MessageDraft(conversation.id, client.id, "After."),
        )
        assert [again, conflict] == [Duplicate(stored(old)), Conflict()]
        assert stored(before).offset == stored(old).offset + 1
        assert stored(after).offset == stored(old).offset + 2
        contents = [message.content for message in await store.read_messages(conversation.id, 0, 9)]
        assert contents == ["After.", "Before.", "Old."]

    async def test_an_id_belongs_to_its_user_and_to_one_kind_of_thing(self, store: Store) -> None:
        client, other = owner(), owner()
        mine, started, theirs = await append(
            store,
            ConversationDraft(client.id, new_id(), (), "key"),
            ConversationDraft(other.id, new_id(), (), "key"),
            ConversationDraft(client.id, new_id(), ()),
        )
        assert len({stored(outcome).conversation_id for outcome in (mine, started, theirs)}) == 3
        said = await append(store, MessageDraft(stored(mine).conversation_id, client.id, "Hello.", "key"))
        assert isinstance(said[0], MessageStored)
        found = await store.find_conversation(client.id, "key")
        assert found is not None
        assert found.id == stored(mine).conversation_id

    async def test_ids_are_told_apart_character_by_character(self, store: Store) -> None:
        keys = ["key", "Key", "key ", " key", "kéy", "ke\u0301y", "🔑" * 64, "🔑" * 63, "%", "_", "'", "0", "00"]
        client = owner()
        conversation = await start(store, client)
        drafts = [MessageDraft(conversation.id, client.id, "The same.", key) for key in keys]
        outcomes = await append(store, *drafts)
        assert [stored(outcome).offset for outcome in outcomes] == sorted({stored(one).offset for one in outcomes})
        assert await append(store, *drafts) == [Duplicate(stored(outcome)) for outcome in outcomes]

    async def test_what_has_no_id_is_never_taken_for_a_retry(self, store: Store) -> None:
        client = owner()
        conversation = await start(store, client)
        await say(store, conversation, client, "Hello?", "Hello?")
        await say(store, conversation, client, "Hello?")
        assert len(await store.read_messages(conversation.id, 0, 9)) == 3

    async def test_a_conversation_is_found_by_its_id_and_its_client_only(self, reopen: Reopen) -> None:
        store, _ = await reopen()
        client, doctor = owner(), vet()
        (outcome,) = await append(store, ConversationDraft(client.id, new_id(), (doctor.id,), "key"))
        started = stored(outcome)
        assert isinstance(started, ConversationStarted)
        await append(store, MessageDraft(started.conversation.id, client.id, "Hello.", "other"))
        store, _ = await reopen()
        found = await store.find_conversation(client.id, "key")
        assert found is not None
        assert (found.id, found.pet, found.providers) == (
            started.conversation.id,
            started.conversation.pet,
            (doctor.id,),
        )
        for user_id, key in ((client.id, "other"), (client.id, "Key"), (doctor.id, "key"), (owner().id, "key")):
            assert await store.find_conversation(user_id, key) is None
