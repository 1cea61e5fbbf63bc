"""Hypothesis plays people, networks, stores and clocks against the simulated server; the oracle judges.

What it finds it makes small: the shortest story that still goes wrong.
"""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from vetchat_protocol import Dialect
from vetchat_protocol.exploration import Choose, Scripted

from tests.protocol.chaos import Chaos, Draw
from tests.protocol.stage import BOTH, Stage


def drawing(data: st.DataObject) -> Draw:
    return lambda limit: data.draw(st.integers(0, limit - 1))


def choosing(data: st.DataObject) -> Choose:
    def choose(options: int, state: object, /) -> int:
        return data.draw(st.integers(0, options - 1))

    return choose


class People(RuleBasedStateMachine):
    """Every rule is something that may happen on a stage; whatever is to be chosen there is drawn too."""

    dialects: Sequence[Dialect] = BOTH

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(0, dialects=self.dialects)
        self.stage.open()
        self.chaos = Chaos(self.stage, lambda _: 0)

    def happen(self, data: st.DataObject, happening: Callable[[Chaos], None]) -> None:
        self.chaos.draw = drawing(data)
        self.stage.simulation.choose = choosing(data)
        happening(self.chaos)
        self.stage.simulation.choose = Scripted()

    @rule(data=st.data())
    def somebody_connects(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.somebody_connects)

    @rule(data=st.data())
    def somebody_leaves(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.somebody_leaves)

    @rule(data=st.data())
    def somebody_creates(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.somebody_creates)

    @rule(data=st.data())
    def somebody_speaks(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.somebody_speaks)

    @rule(data=st.data())
    def somebody_retries(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.somebody_retries)

    @rule(data=st.data())
    def somebody_asks(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.somebody_asks)

    @rule(data=st.data())
    def somebody_uses_the_extension(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.somebody_uses_the_extension)

    @rule(data=st.data())
    def somebody_talks_nonsense(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.somebody_talks_nonsense)

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.time_passes)

    @rule(data=st.data())
    def the_server_restarts(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.the_server_restarts)

    @rule(data=st.data())
    def the_store_breaks_or_mends(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.the_store_breaks_or_mends)

    @rule(data=st.data())
    def things_go_on(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.things_go_on)

    @rule(data=st.data())
    def all_comes_to_rest(self, data: st.DataObject) -> None:
        self.happen(data, Chaos.all_comes_to_rest)

    def teardown(self) -> None:
        self.stage.judge()


class BasePeople(People):
    dialects = (Dialect.BASE,)


class V1People(People):
    dialects = (Dialect.V1,)


MACHINES = pytest.mark.parametrize("people", [BasePeople, V1People, People])
CLAUSES = pytest.mark.clause("R2.6", "R4.7", "R4.9", "S5.2", "R5.5", "R6.3", "V2.2", "V3.3", "V3.4", "V4.1", "V4.3")
UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
QUICK = settings(max_examples=30, stateful_step_count=40, suppress_health_check=UNHURRIED, deadline=None)
LONG = settings(max_examples=5_000, stateful_step_count=100, suppress_health_check=UNHURRIED, deadline=None)


@CLAUSES
@MACHINES
def test_no_story_that_hypothesis_finds_breaks_a_clause(people: type[People]) -> None:
    run_state_machine_as_test(people, settings=QUICK)


@pytest.mark.soak
@CLAUSES
@MACHINES
def test_no_long_story_that_hypothesis_finds_breaks_a_clause(people: type[People]) -> None:
    run_state_machine_as_test(people, settings=LONG)
