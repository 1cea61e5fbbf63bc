"""Tokens on a long connection: refreshing them, and making them void (V1.5, V1.6).

What only the clock can tell is in test_v1_waiting.py; that a revocation outlives a restart, in test_restart.py.
"""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.peer import PATIENCE, new_id
from tests.conformance.v1.peer import V1People
from tests.conformance.v1.vetchat_command import check_revoked, once_let_in, revoke, vetchat
from tests.databases import sqlite_url
from tests.running import sign

pytestmark = pytest.mark.anyio

REVOKED_WITHIN = 2.0


# -- refreshing --------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.5")
async def test_a_token_with_less_than_60_seconds_left_is_announced_at_once(people: V1People) -> None:
    user_id = new_id()
    expires = int(time.time()) + 30
    token = sign({"sub": user_id, "role": "client", "iat": expires - 30, "exp": expires})
    for peer in (await people.waiting(token=token), await people.waiting(query={"token": token})):
        await peer.hello()
        await peer.expect("token_expiring", token_expires_at=expires * 1000)
        await peer.expect_silence()
    nameless = await people.waiting(token=None)
    await nameless.hello(token=token)
    await nameless.expect("token_expiring", token_expires_at=expires * 1000)


@pytest.mark.clause("V1.5")
async def test_a_refreshed_token_is_answered_by_when_it_runs_out(people: V1People) -> None:
    owner = await people.client()
    for seconds in (600, 1200, 900):
        expires = int(time.time()) + seconds
        token = sign({"sub": owner.user_id, "role": "client", "iat": expires - seconds, "exp": expires})
        assert await owner.command("refreshed", "refresh", {"token": token}) == {"token_expires_at": expires * 1000}
    await owner.create()


@pytest.mark.clause("V1.5")
async def test_a_refreshed_token_that_has_less_than_60_seconds_left_is_announced_as_well(people: V1People) -> None:
    owner = await people.client()
    expires = int(time.time()) + 30
    token = sign({"sub": owner.user_id, "role": "client", "iat": expires - 30, "exp": expires})
    await owner.command("refreshed", "refresh", {"token": token})
    await owner.expect("token_expiring", token_expires_at=expires * 1000)


@pytest.mark.clause("V1.5", "V1.3", "V5.2")
@pytest.mark.parametrize("kind", ["another subject", "another role", "garbage", "forged", "expired", "missing"])
async def test_a_refresh_with_a_token_that_is_not_ones_own_closes_with_4001(people: V1People, kind: str) -> None:
    owner, vet, conversation = await people.consultation()
    now = int(time.time())
    mine: dict[str, Any] = {"sub": owner.user_id, "role": "client", "iat": now, "exp": now + 60}
    params = {
        "another subject": {"token": sign(mine | {"sub": new_id()})},
        "another role": {"token": sign(mine | {"role": "provider"})},
        "garbage": {"token": "garbage"},
        "forged": {"token": sign(mine, secret="another secret that is also longer than 32 bytes")},
        "expired": {"token": sign(mine | {"exp": now - 1})},
        "missing": {},
    }[kind]
    await owner.send("refresh", params)
    await owner.send("message", {"conversation_id": conversation, "content": "Am I still here?"})
    assert await owner.closed() == 4001
    await vet.expect("user_left", user_id=owner.user_id)
    await vet.expect_silence()
    assert await vet.log_of(conversation) == []


@pytest.mark.clause("V1.5", "V1.3", "V5.2")
async def test_a_refresh_with_a_token_without_a_usable_role_closes_with_4003(people: V1People) -> None:
    owner = await people.client()
    now = int(time.time())
    await owner.send("refresh", {"token": sign({"sub": owner.user_id, "role": "admin", "iat": now, "exp": now + 60})})
    assert await owner.closed() == 4003


# -- making void -------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.6", "V1.5", "V5.2")
async def test_revoking_closes_every_connection_of_the_user_and_of_nobody_else(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    nameless, waiting = await people.waiting(token=None), await people.waiting("client", owner.user_id)
    old = people.token(owner.user_id, "client")
    await nameless.hello(token=old)
    base, bystander = await people.base.client(owner.user_id), await people.base.provider(vet.user_id)
    for peer in (vet, nameless, owner):
        await peer.caught_up()
    revoked = await revoke(people.server.database, owner.user_id)
    for peer, code in ((owner, 4001), (nameless, 4001), (base, 1008)):
        assert await peer.closed() == code
    assert time.monotonic() - revoked < REVOKED_WITHIN + 0.5
    await vet.expect("user_left", user_id=owner.user_id, conversation_id=conversation, reason="disconnected")
    await bystander.expect("user_left", user_id=owner.user_id)
    await vet.expect_silence()
    await bystander.expect_silence()
    await check_revoked(people, owner.user_id, old)
    again = await once_let_in(people, owner.user_id)
    await again.say(conversation, "Back with a new token.")
    await again.send("refresh", {"token": old})
    assert (await again.until_closed())[1] == 4001
    assert await waiting.closed() == 4001, "a connection that waits for hello is one of the user's as well"
    assert time.monotonic() - revoked < PATIENCE


@pytest.mark.clause("V1.6")
async def test_what_is_no_user_id_cannot_be_revoked(tmp_path: Path) -> None:
    done = await vetchat("revoke", "--database", sqlite_url(tmp_path), "ada")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
