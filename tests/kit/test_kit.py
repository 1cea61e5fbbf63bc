"""The kit passes what is right, on two implementations, and catches each broken server by the clause that it breaks."""

import sys
from collections.abc import Callable, Sequence
from time import time
from uuid import uuid4

import pytest
from anyio import fail_after, run_process
from vetchat_conformance import (
    CHECKS,
    OUT_OF_REACH,
    Cast,
    Identity,
    OpenCast,
    Outcome,
    Plan,
    Role,
    TokenCast,
    from_token,
    run,
    verdicts,
)
from vetchat_protocol.clauses import CLAUSES
from websockets.asyncio.client import connect

from tests.kit.broken_servers import BROKEN
from tests.kit.reference import ReferenceServer
from tests.running import ServerProcess

pytestmark = pytest.mark.anyio

HASTY = 0.6
"""Seconds of patience with a broken server: it answers from memory in the same process, or never."""

ROLES: tuple[tuple[str, Role], ...] = (
    *((str(uuid4()), "client") for _ in range(2)),
    *((str(uuid4()), "provider") for _ in range(2)),
    *(("d0b1e000-0000-4000-8000-000000000001", role) for role in ("client", "provider")),
)
"""Two owners, two vets, and one id in both roles."""


async def judged(url: str, casting: Callable[[], Cast], *, slow: bool = False) -> list[Outcome]:
    return await run(Plan(url, casting, rate=0, settle=0, slow=slow), CHECKS)


NEEDS_TOKENS = frozenset({"R1.5", "R1.9", "V1.3", "V1.5", "V1.6", "V5.2"})
NEEDS_OPEN_MODE = frozenset({"R5.4"})
NEEDS_MORE_TOKENS = frozenset({"R1.9", "V1.6"})
SLOW = frozenset({"V5.3"})


def assert_all_passed_but(left_out: frozenset[str], outcomes: Sequence[Outcome]) -> None:
    found = verdicts(outcomes, "v1")
    assert [(one.clause.id, failure.sentence, failure.reason) for one in found for failure in one.failures] == []
    assert {one.clause.id for one in found if one.status == "left out"} == left_out | OUT_OF_REACH.keys()


def status_of(clause: str, outcomes: Sequence[Outcome]) -> str:
    return next(one.status for one in verdicts(outcomes, "v1") if one.clause.id == clause)


def cast_of(identities: Sequence[Identity]) -> Callable[[], Cast]:
    return lambda: TokenCast(identities)


# -- what is right -----------------------------------------------------------------------------------------------------


async def test_the_reference_server_passes_in_open_mode() -> None:
    async with ReferenceServer() as server:
        assert_all_passed_but(NEEDS_TOKENS | SLOW, await judged(server.url, OpenCast))


async def test_the_reference_server_passes_with_opaque_tokens() -> None:
    tokens = {f"token {number}": who for number, who in enumerate(ROLES)}
    async with ReferenceServer(tokens) as server:
        identities = [Identity(user, role, token) for token, (user, role) in tokens.items()]
        outcomes = await judged(server.url, cast_of(identities))
    assert_all_passed_but(NEEDS_OPEN_MODE | NEEDS_MORE_TOKENS | SLOW, outcomes)


async def test_the_real_server_passes_in_open_mode(open_server: ServerProcess) -> None:
    assert_all_passed_but(NEEDS_TOKENS | SLOW, await judged(open_server.ws_url, OpenCast))


async def test_the_real_server_passes_with_tokens(server: ServerProcess) -> None:
    identities = [from_token(server.token(user, role)) for user, role in ROLES]
    outcomes = await judged(server.ws_url, cast_of(identities))
    assert_all_passed_but(NEEDS_OPEN_MODE | NEEDS_MORE_TOKENS | SLOW, outcomes)


async def spare(server: ServerProcess, ttl: int) -> list[Identity]:
    """Users whose tokens do not hold: one runs out, one is revoked."""
    void = server.token(str(uuid4()), "provider")
    revoked = from_token(void, "revoked")
    command = [sys.executable, "-m", "vetchat_protocol.cli", "revoke", revoked.user_id, "--database", server.database]
    async with connect(f"{server.ws_url}?token={void}", proxy=None) as socket:
        await run_process(command)
        with fail_after(10):
            await socket.wait_closed()
    return [from_token(server.token(str(uuid4()), "client", ttl=ttl), "expiring"), revoked]


async def test_the_real_server_lets_tokens_run_out_and_be_revoked(server: ServerProcess) -> None:
    identities = await spare(server, 2)
    checks = [check for check in CHECKS if {"R1.9", "V1.6"} & set(check.clauses)]
    outcomes = await run(Plan(server.ws_url, cast_of(identities)), checks)
    assert [(one.status, one.reason) for one in outcomes] == [("passed", "")] * 2


@pytest.mark.soak
async def test_the_real_server_warns_before_a_token_runs_out_and_gives_a_grace(server: ServerProcess) -> None:
    checks = [check for check in CHECKS if "V1.5" in check.clauses and check.apart]
    outcomes = await run(Plan(server.ws_url, cast_of(await spare(server, 5))), checks)
    assert [(one.status, one.reason) for one in outcomes] == [("passed", "")]


@pytest.mark.soak
async def test_both_pass_what_waits_for_time_outs(open_server: ServerProcess) -> None:
    async with ReferenceServer() as server:
        for url in (server.url, open_server.ws_url):
            assert_all_passed_but(NEEDS_TOKENS, await judged(url, OpenCast, slow=True))


# -- what is broken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_server_is_caught_by_the_clause_it_breaks(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    clause = broken.split(maxsplit=1)[0]
    checks = [check for check in CHECKS if clause in check.clauses]
    async with BROKEN[broken]() as server:
        plan = Plan(server.url, OpenCast, patience=HASTY, rate=0, slow=all(check.slow for check in checks))
        outcomes = await run(plan, checks)
    assert status_of(clause, outcomes) == "failed"
    assert not [one for one in caplog.records if one.exc_info], "a server that crashes is caught by anything"


@pytest.mark.parametrize("clause", ["R1.9", "V1.5", "V1.6"])
async def test_a_server_whose_tokens_hold_for_ever_is_caught(clause: str) -> None:
    soon = int(time()) + 1
    spare = [
        Identity(str(uuid4()), "client", "short", state="expiring", expires_at=soon),
        Identity(str(uuid4()), "client", "void", state="revoked"),
    ]
    checks = [check for check in CHECKS if clause in check.clauses and check.apart]
    async with ReferenceServer({str(one.token): (one.user_id, one.role) for one in spare}) as server:
        outcomes = await run(Plan(server.url, cast_of(spare), patience=HASTY, rate=0), checks)
    assert status_of(clause, outcomes) == "failed"


# -- what is reached ---------------------------------------------------------------------------------------------------


def test_every_clause_has_a_check_or_a_reason_for_none() -> None:
    reached = {clause for check in CHECKS for clause in check.clauses}
    assert reached | OUT_OF_REACH.keys() == CLAUSES.keys()
    assert reached & OUT_OF_REACH.keys() == set()


def test_every_check_says_what_it_does() -> None:
    assert [check.sentence for check in CHECKS if not check.story] == []
    assert len({check.sentence for check in CHECKS}) == len(CHECKS)


async def test_what_was_left_out_for_want_of_a_token_is_told() -> None:
    one_owner = Identity(str(uuid4()), "client", "token")
    async with ReferenceServer({"token": (one_owner.user_id, "client")}) as server:
        outcomes = await judged(server.url, cast_of([one_owner]))
    found = {one.clause.id: one for one in verdicts(outcomes, "base")}
    assert found["R2.6"].status == "passed"
    assert (found["S3.3"].status, found["S3.3"].notes) == ("left out", ("It needs the token of a vet.",))
    assert [one.clause.id for one in found.values() if one.status == "failed"] == []
