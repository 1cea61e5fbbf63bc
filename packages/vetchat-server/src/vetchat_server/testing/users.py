"""What a store promises about users: the roles they were seen in, and whose tokens are void."""

from __future__ import annotations

import pytest
from vetchat_protocol.models import Role
from vetchat_protocol.records import RoleDraft

from ..ports import Store
from .drafts import NOW, append, new_id
from .suite import Reopen, StoreSuite


class UserContract(StoreSuite):
    """`only_clients`, `revoke` and `revocations`."""

    @pytest.mark.clause("R4.13")
    async def test_only_clients_are_those_never_seen_as_a_provider(self, reopen: Reopen) -> None:
        store, head = await reopen()
        client, doctor, both, unseen = (new_id() for _ in range(4))
        seen = [RoleDraft(client, Role.CLIENT), RoleDraft(doctor, Role.PROVIDER), RoleDraft(both, Role.CLIENT)]
        await append(store, *seen, *seen)
        assert await store.only_clients([client, doctor, both, unseen]) == {client, both}
        await append(store, RoleDraft(both, Role.PROVIDER), RoleDraft(client, Role.CLIENT))
        store, now = await reopen()
        assert await store.only_clients([client, doctor, both, unseen]) == {client}
        assert await store.only_clients([doctor, unseen]) == frozenset()
        assert await store.only_clients([]) == frozenset()
        assert now.position == head.position, "a role takes no place in the log"

    @pytest.mark.clause("V1.6")
    async def test_the_latest_revocation_of_each_user_counts_and_outlives_a_restart(self, reopen: Reopen) -> None:
        store, _ = await reopen()
        one, two, nobody = new_id(), new_id(), new_id()
        await store.revoke(one, NOW)
        await store.revoke(two, NOW + 1)
        assert (await store.revocations()).items() >= {one: NOW, two: NOW + 1}.items()
        await store.revoke(one, NOW + 5)
        await store.revoke(one, NOW + 3)
        store, _ = await reopen()
        revoked = await store.revocations()
        assert revoked.items() >= {one: NOW + 5, two: NOW + 1}.items()
        assert nobody not in revoked

    async def test_a_revocation_takes_no_place_in_the_log(self, store: Store, reopen: Reopen) -> None:
        store, before = await reopen()
        await store.revoke(new_id(), NOW)
        _, after = await reopen()
        assert after == before
