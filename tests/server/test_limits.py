"""Token buckets: how many commands a user may issue, and how long it must wait for the next (R2.7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vetchat_server.limits import Bucket, Rates

pytestmark = pytest.mark.clause("R2.7")

NOW = 1_764_064_800_000
MINUTE = 60_000


def test_a_burst_is_let_through_and_then_one_command_for_each_share_of_a_second() -> None:
    rates = Rates(20, 200)
    assert [rates.take("user", NOW) for _ in range(200)] == [0] * 200
    wait = rates.take("user", NOW)
    assert 50 <= wait <= 51
    assert rates.take("user", NOW + wait - 2) > 0
    assert rates.take("user", NOW + wait) == 0
    assert rates.take("user", NOW + wait) > 0


def test_a_quiet_user_never_saves_more_than_a_burst() -> None:
    rates = Rates(20, 5)
    assert rates.take("user", NOW) == 0
    later = NOW + 3_600_000
    assert [bool(rates.take("user", later)) for _ in range(6)] == [False] * 5 + [True]


def test_users_do_not_share_their_rates() -> None:
    rates = Rates(1, 1)
    assert rates.take("one", NOW) == 0
    assert rates.take("one", NOW) > 0
    assert rates.take("two", NOW) == 0


def test_a_rate_of_zero_is_no_limit() -> None:
    rates = Rates(0, 1)
    assert not any(rates.take("user", NOW) for _ in range(10_000))


def test_a_user_whose_bucket_was_swept_away_has_not_gained_anything() -> None:
    rates = Rates(0.001, 2)
    assert [rates.take("busy", NOW) for _ in range(2)] == [0, 0]
    assert rates.take("other", NOW + 2 * MINUTE) == 0, "which sweeps"
    assert rates.take("busy", NOW + 2 * MINUTE) > 0
    assert rates.take("busy", NOW + 20 * MINUTE) == 0


def test_users_who_have_gone_are_forgotten() -> None:
    rates = Rates(20, 200)
    for number in range(1_000):
        rates.take(str(number), NOW)
    rates.take("somebody", NOW + 2 * MINUTE)
    assert len(rates._buckets) == 1  # pyright: ignore[reportPrivateUsage]


def test_a_clock_that_jumps_back_costs_and_brings_nothing() -> None:
    bucket = Bucket(rate=1, burst=2, tokens=2, updated=NOW)
    assert bucket.take(NOW) == 0
    assert bucket.take(NOW - 3_600_000) == 0
    assert bucket.take(NOW - 3_600_000) == pytest.approx(1_000, abs=1)
    assert bucket.take(NOW - 3_600_000 + 1_001) == 0


@given(
    rate=st.floats(0.001, 10_000),
    burst=st.integers(1, 1_000),
    steps=st.lists(st.integers(0, 5_000), min_size=1, max_size=50),
)
def test_in_any_span_no_more_commands_pass_than_rate_and_burst_allow_and_the_wait_told_suffices(
    rate: float, burst: int, steps: list[int]
) -> None:
    bucket = Bucket(rate, burst, burst, NOW)
    now = NOW
    for passed, step in enumerate(steps, 1):
        now += step
        wait = bucket.take(now)
        if wait:
            now += wait
            assert bucket.take(now) == 0, "who waits as told is let through"
        assert passed <= burst + rate * (now - NOW) / 1_000 + 1e-6
