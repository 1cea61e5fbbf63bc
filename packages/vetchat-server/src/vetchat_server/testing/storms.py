"""Random traffic of several people, after which a store must answer every question as a naive recount does."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from vetchat_protocol.models import Conversation, Role, User
from vetchat_protocol.records import ConversationDraft, Draft, MessageDraft, ReadDraft, RoleDraft, Stamped

from ..ports import Store
from .drafts import NOW, commit, new_id, owner, vet
from .recount import Recount
from .resuming import pages
from .suite import Reopen, StoreSuite

BATCHES = 12
"""How many commits a storm has."""


class Traffic:
    """What owners and vets may ask for, drawn from a seed: also retries, old news, and a clock that jumps."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - repeatable, keeps no secret
        self.owners = [owner() for _ in range(3)]
        self.vets = [vet() for _ in range(3)]
        self.owners.append(User(self.vets[0].id, Role.CLIENT))
        self._keyed: list[MessageDraft | ConversationDraft] = []
        self._lengths: dict[str, int] = {}

    @property
    def users(self) -> list[User]:
        return self.owners + self.vets

    def batch(self, recount: Recount) -> list[Stamped]:
        """The entries of the next commit, each legal as the log stands now."""
        conversations = recount.conversations()
        self._lengths = {conversation.id: conversation.last_seq for conversation in conversations}
        return [
            Stamped(self._draft(conversations), new_id(), NOW + self._random.randrange(-50, 50))
            for _ in range(self._random.randrange(1, 12))
        ]

    def _draft(self, conversations: list[Conversation]) -> Draft:
        dice = self._random.randrange(20)
        if not conversations or dice < 2:
            return self._start()
        conversation = self._random.choice(conversations)
        reader = self._random.choice([conversation.client, *conversation.providers])
        if dice < 7:
            return ReadDraft(conversation.id, reader, self._random.randrange(self._lengths[conversation.id] + 1))
        if dice < 8:
            user = self._random.choice(self.users)
            return RoleDraft(user.id, user.role)
        if dice < 10 and self._keyed:
            return self._again()
        return self._message(conversation, reader)

    def _start(self) -> Draft:
        client = self._random.choice(self.owners)
        willing = [doctor.id for doctor in self.vets if doctor.id != client.id]
        invited = tuple(self._random.sample(willing, self._random.randrange(len(willing) + 1)))
        key = self._key()
        draft = ConversationDraft(client.id, new_id(), invited, key)
        self._keyed += [draft] if key else []
        return draft

    def _message(self, conversation: Conversation, sender: str) -> Draft:
        key = self._key()
        draft = MessageDraft(conversation.id, sender, f"Message {new_id()}", key)
        self._lengths[conversation.id] += 1
        self._keyed += [draft] if key else []
        return draft

    def _key(self) -> str | None:
        return self._random.choice([None, new_id()])

    def _again(self) -> Draft:
        """The same once more, or something else under the same client-chosen id."""
        draft = self._random.choice(self._keyed)
        if self._random.random() < 0.6:
            return draft
        return replace(draft, content="Else.") if isinstance(draft, MessageDraft) else replace(draft, pet=new_id())

    def window(self, end: int) -> tuple[int, int]:
        """Two places in order, from 0 to `end`."""
        one, two = self._random.randrange(end + 1), self._random.randrange(end + 1)
        return min(one, two), max(one, two)


class StormContract(StoreSuite):
    """Everything together."""

    @pytest.mark.clause(
        "V2.2", "V3.1", "V3.2", "V3.3", "V3.4", "V3.6", "V4.2", "R3.5", "R4.2", "R4.10", "R4.13", "R4.19"
    )
    @pytest.mark.parametrize("seed", range(4))
    async def test_after_a_storm_every_answer_is_what_a_recount_says(self, reopen: Reopen, seed: int) -> None:
        traffic = Traffic(seed)
        store, head = await reopen()
        recount = Recount(head.position)
        for number in range(BATCHES):
            entries = traffic.batch(recount)
            recount.add(entries, await commit(store, entries))
            if number % 4 == 3:
                store, now = await reopen()
                assert now.position == recount.head
                await compare_conversations(store, recount, traffic)
                await compare_users(store, recount, traffic, head.position)


async def compare_conversations(store: Store, recount: Recount, traffic: Traffic) -> None:
    """How every conversation stands, who takes part, and what was said."""
    for conversation in recount.conversations():
        assert await store.load(conversation.id) == conversation
        messages = recount.messages(conversation.id)
        after, upto = traffic.window(len(messages))
        assert list(await store.read_messages(conversation.id, after, upto)) == messages[after:upto][::-1]
        for user in traffic.users:
            assert await store.participates(user, conversation.id) == conversation.includes(user)


async def compare_users(store: Store, recount: Recount, traffic: Traffic, start: int) -> None:
    """What every user has in its list and has missed."""
    for user in traffic.users:
        listings = recount.listings(user)
        assert list(await store.list_conversations(user, None, None)) == listings
        by_offset = sorted(listings, key=lambda one: -one.conversation.last_offset)
        assert list(await store.list_conversations(user, 3, None)) == by_offset[:3]
        assert sorted(await store.memberships(user)) == sorted(one.conversation.id for one in listings)
        since, upto = (start + place for place in traffic.window(recount.head - start))
        records = [record for record in recount.records_of(user) if record.offset > since]
        assert await store.missed(user, since, 10) == min(len(records), 11)
        assert await pages(store, user, since, upto, 5) == [record for record in records if record.offset <= upto]
    providers = {user_id for user_id, role in recount.roles if role is Role.PROVIDER}
    clients = {user_id for user_id, role in recount.roles if role is Role.CLIENT}
    assert await store.only_clients({user.id for user in traffic.users}) == clients - providers
