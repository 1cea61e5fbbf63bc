"""What only the clock can tell: when tokens, typing and patience run out (V1.1, V1.5, V4.1).

The stories are in long_stories.py and run beside the other tests; these wait for their ends.
"""

from collections.abc import Mapping
from concurrent.futures import Future

import pytest

TOO_LONG = 60.0

Ends = Mapping[str, Future[None]]


@pytest.mark.clause("V1.5")
def test_a_token_is_announced_60_seconds_before_it_runs_out(long_stories: Ends) -> None:
    long_stories["the_warning_comes_60_seconds_before"].result(TOO_LONG)


@pytest.mark.clause("V1.5", "V5.2")
def test_a_token_that_ran_out_closes_with_4202_after_a_grace_of_25_seconds(long_stories: Ends) -> None:
    long_stories["an_expired_token_closes_after_the_grace"].result(TOO_LONG)


@pytest.mark.clause("V1.5")
def test_a_refresh_before_or_within_the_grace_keeps_the_connection(long_stories: Ends) -> None:
    long_stories["a_refresh_saves_the_connection_before_and_within_the_grace"].result(TOO_LONG)


@pytest.mark.clause("V4.1")
def test_typing_is_over_6_seconds_after_it_began(long_stories: Ends) -> None:
    long_stories["typing_is_over_after_6_seconds_of_silence"].result(TOO_LONG)


@pytest.mark.clause("V4.1")
def test_typing_again_starts_the_6_seconds_anew(long_stories: Ends) -> None:
    long_stories["typing_again_starts_the_6_seconds_anew"].result(TOO_LONG)


@pytest.mark.clause("V1.1", "V5.2")
def test_hello_may_take_10_seconds_and_no_longer(long_stories: Ends) -> None:
    long_stories["hello_may_take_10_seconds"].result(TOO_LONG)
