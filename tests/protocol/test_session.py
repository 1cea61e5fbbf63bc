"""What runs out in a session, and when; the clock is told, and may jump."""

import pytest
from vetchat_protocol import Dialect
from vetchat_protocol.errors import NO_HELLO, TOKEN_EXPIRED
from vetchat_protocol.events import ExpiryParams, TokenExpiring
from vetchat_protocol.operations import Identity
from vetchat_protocol.session import Session, Terms

from tests.protocol.stage import OLGA

NOW = 1_700_000_000_000
MINUTE = 60_000
WARNING = TokenExpiring(params=ExpiryParams(token_expires_at=NOW + 10 * MINUTE))


def session(dialect: Dialect, *, expires_at: int | None = None, joined: bool = True) -> Session:
    return Session(
        "a session", dialect, Terms(), NOW, identity=Identity(OLGA, expires_at=expires_at) if joined else None
    )


@pytest.mark.clause("V1.1", "R2.7")
def test_without_a_hello_a_session_ends_after_10_seconds() -> None:
    waiting = session(Dialect.V1, joined=False)
    assert waiting.deadline() == NOW + 10_000
    assert waiting.tick(NOW + 9_999) is None
    assert waiting.tick(NOW + 10_000) is NO_HELLO


@pytest.mark.clause("V1.1")
def test_base_waits_for_no_hello() -> None:
    assert session(Dialect.BASE, joined=False).deadline() is None


@pytest.mark.clause("V1.1", "V1.5")
@pytest.mark.parametrize("dialect", Dialect)
def test_a_session_whose_token_never_runs_out_has_no_deadline(dialect: Dialect) -> None:
    lasting = session(dialect)
    assert lasting.deadline() is None
    assert lasting.tick(NOW + 10**12) is None


@pytest.mark.clause("R1.9")
def test_on_base_a_token_holds_to_the_millisecond() -> None:
    base = session(Dialect.BASE, expires_at=NOW + 10 * MINUTE)
    assert base.deadline() == NOW + 10 * MINUTE
    assert base.tick(NOW + 10 * MINUTE - 1) is None
    assert base.tick(NOW + 10 * MINUTE) is TOKEN_EXPIRED


@pytest.mark.clause("V1.5")
def test_in_v1_a_warning_comes_60_seconds_before_and_the_end_25_seconds_after() -> None:
    v1 = session(Dialect.V1, expires_at=NOW + 10 * MINUTE)
    assert v1.deadline() == NOW + 9 * MINUTE
    assert v1.tick(NOW + 9 * MINUTE - 1) is None
    assert v1.tick(NOW + 9 * MINUTE) == WARNING
    assert v1.deadline() == NOW + 10 * MINUTE + 25_000
    assert v1.tick(NOW + 10 * MINUTE) is None
    assert v1.tick(NOW + 10 * MINUTE + 24_999) is None
    assert v1.tick(NOW + 10 * MINUTE + 25_000) is TOKEN_EXPIRED


@pytest.mark.clause("V1.5")
def test_a_warning_comes_at_once_if_less_is_left() -> None:
    v1 = session(Dialect.V1, expires_at=NOW + 1)
    deadline = v1.deadline()
    assert deadline is not None
    assert deadline < NOW
    assert isinstance(v1.tick(NOW), TokenExpiring)


@pytest.mark.clause("V1.5")
@pytest.mark.parametrize("warned", [False, True])
def test_a_refresh_begins_anew(warned: bool) -> None:
    v1 = session(Dialect.V1, expires_at=NOW + 10 * MINUTE)
    if warned:
        v1.tick(NOW + 9 * MINUTE)
    v1.renew(Identity(OLGA, expires_at=NOW + 20 * MINUTE))
    assert v1.deadline() == NOW + 19 * MINUTE
    assert v1.tick(NOW + 10 * MINUTE + 25_000) is None
    assert isinstance(v1.tick(NOW + 19 * MINUTE), TokenExpiring)
    assert v1.tick(NOW + 20 * MINUTE + 25_000) is TOKEN_EXPIRED


@pytest.mark.clause("V1.5")
def test_a_clock_that_jumps_ahead_still_warns_first() -> None:
    v1 = session(Dialect.V1, expires_at=NOW + 10 * MINUTE)
    assert v1.tick(NOW + 1_000 * MINUTE) == WARNING
    assert v1.tick(NOW + 1_000 * MINUTE) is TOKEN_EXPIRED


@pytest.mark.clause("V1.5")
def test_a_clock_that_jumps_back_warns_only_once() -> None:
    v1 = session(Dialect.V1, expires_at=NOW + 10 * MINUTE)
    assert v1.tick(NOW + 9 * MINUTE) == WARNING
    assert v1.tick(NOW) is None
    assert v1.tick(NOW + 9 * MINUTE) is None
    assert v1.deadline() == NOW + 10 * MINUTE + 25_000
