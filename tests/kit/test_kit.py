"""The kit passes what is right, on two implementations, and catches each broken server by the clause that it breaks."""

from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest
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


def assert_nothing_failed(outcomes: Sequence[Outcome]) -> None:
    found = verdicts(outcomes, "v1")
    assert [(one.clause.id, failure.sentence, failure.reason) for one in found for failure in one.failures] == []
    assert sum(one.status == "passed" for one in found) >= len(CLAUSES) - len(OUT_OF_REACH) - 5


def cast_of(identities: Sequence[Identity]) -> Callable[[], Cast]:
    return lambda: TokenCast(identities)


# -- what is right -----------------------------------------------------------------------------------------------------


async def test_the_reference_server_passes_in_open_mode() -> None:
    async with ReferenceServer() as server:
        assert_nothing_failed(await judged(server.url, OpenCast))


async def test_the_reference_server_passes_with_opaque_tokens() -> None:
    tokens = {f"token {number}": who for number, who in enumerate(ROLES)}
    async with ReferenceServer(tokens) as server:
        identities = [Identity(user, role, token) for token, (user, role) in tokens.items()]
        assert_nothing_failed(await judged(server.url, cast_of(identities)))


async def test_the_real_server_passes_in_open_mode(open_server: ServerProcess) -> None:
    assert_nothing_failed(await judged(open_server.ws_url, OpenCast))


async def test_the_real_server_passes_with_tokens(server: ServerProcess) -> None:
    identities = [from_token(server.token(user, role)) for user, role in ROLES]
    assert_nothing_failed(await judged(server.ws_url, cast_of(identities)))


@pytest.mark.soak
async def test_both_pass_what_waits_for_time_outs(open_server: ServerProcess) -> None:
    async with ReferenceServer() as server:
        for url in (server.url, open_server.ws_url):
            assert_nothing_failed(await judged(url, OpenCast, slow=True))


# -- what is broken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_server_is_caught_by_the_clause_it_breaks(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    clause = broken.split(maxsplit=1)[0]
    checks = [check for check in CHECKS if clause in check.clauses]
    async with BROKEN[broken]() as server:
        outcomes = await run(Plan(server.url, OpenCast, patience=HASTY, rate=0), checks)
    statuses = {one.clause.id: one.status for one in verdicts(outcomes, "v1")}
    assert statuses[clause] == "failed"
    assert not [one for one in caplog.records if one.exc_info], "a server that crashes is caught by anything"


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
