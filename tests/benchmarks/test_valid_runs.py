"""The rules of a valid run: what voids a sample, what a void sample takes part in, and what a goal needs."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import publish, report
from benchmarks.contenders import WS
from benchmarks.load.plan import Idle, Result
from benchmarks.rounds import Outcome, Sample, judge, objections
from benchmarks.scenarios import Goal, Scenario, Subject, scenarios

LABELS = ("VetChat", "ws")
GOAL = Goal(figure="messages_per_cpu_s", than="ws", at_least=2)


def scenario(loop: str = "closed", *goals: Goal) -> Scenario:
    return Scenario(
        title="A scene",
        subjects=(Subject(label="VetChat", work=Idle()), Subject(label="ws", work=Idle(), server=WS)),
        figures=("messages_per_cpu_s", "server_core"),
        goals=goals,
        loop="closed" if loop == "closed" else "open",
    )


def outcome(*rounds: tuple[float, float], void: int | None = None, goals: tuple[Goal, ...] = (GOAL,)) -> Outcome:
    """Rounds of VetChat's figure and the other's; in round `void` VetChat's is void."""
    done: list[dict[str, Sample]] = []
    for turn, values in enumerate(rounds):
        faults = ("a delivery never came",) if turn == void else ()
        done.append(
            {
                label: Sample({"messages_per_cpu_s": value}, faults if label == "VetChat" else ())
                for label, value in zip(LABELS, values, strict=True)
            }
        )
    return Outcome(scenario("closed", *goals), done)


@pytest.mark.parametrize(
    ("loop", "figures", "fault"),
    [
        ("closed", {"server_core": 0.79, "generator_core": 0.5}, "the server used only 0.79 of its core"),
        ("closed", {"server_core": 0.95, "generator_core": 0.91}, "the generator used 0.91 of its core"),
        ("open", {"server_core": 0.10, "generator_core": 0.91}, "the generator used 0.91 of its core"),
    ],
)
def test_who_was_the_bottleneck_may_void_a_sample(loop: str, figures: Mapping[str, float], fault: str) -> None:
    assert judge(Sample(figures), scenario(loop)).faults == (fault,)


@pytest.mark.parametrize(
    ("loop", "figures"),
    [
        ("closed", {"server_core": 0.8, "generator_core": 0.9}),
        ("closed", {"server_core": 0.5, "database_core": 0.4, "generator_core": 0.3}),
        ("open", {"server_core": 0.1, "generator_core": 0.1}),
    ],
)
def test_a_sample_is_good_when_the_server_was_the_bottleneck_or_nobody_had_to_be(
    loop: str, figures: Mapping[str, float]
) -> None:
    assert judge(Sample(figures), scenario(loop)).faults == ()


def test_what_the_generator_found_stays_a_fault() -> None:
    sample = Sample({"server_core": 1.0}, ("a delivery never came",))
    assert judge(sample, scenario()).faults == ("a delivery never came",)


@pytest.mark.parametrize(
    ("acknowledged", "before", "faults"),
    [
        (3, 0, ()),
        (2, 1, ()),
        (4, 0, ("4 messages were acknowledged, 3 are stored",)),
        (2, 0, ("2 messages were acknowledged, 3 are stored",)),
    ],
)
def test_a_server_must_have_stored_what_it_acknowledged(
    acknowledged: int, before: int, faults: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "chat.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        database.executescript("CREATE TABLE messages (id); INSERT INTO messages VALUES (1), (2), (3)")
    said = ("a delivery never came", "the server left a process behind")
    result = Result(figures={}, faults=[said[0]], stored=acknowledged)
    assert objections(result, said[1], WS, f"sqlite://{path}", before) == (*said, *faults)


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    found = outcome((100, 50), (900, 300), (40, 10))
    assert found.ratios("messages_per_cpu_s", "VetChat", "ws") == [2, 3, 4]
    assert str(report.Spread.of(found.ratios("messages_per_cpu_s", "VetChat", "ws"))) == "3.00 (2.00–4.00)"


def test_a_void_sample_takes_part_in_nothing() -> None:
    found = outcome((100, 50), (900, 1), (100, 25), void=1)
    assert found.values("VetChat", "messages_per_cpu_s") == [100, 100]
    assert found.values("ws", "messages_per_cpu_s") == [50, 1, 25]
    assert found.ratios("messages_per_cpu_s", "VetChat", "ws") == [2, 4]
    assert list(found.void()) == [(2, "VetChat", "a delivery never came")]
    assert any("VOID: round 2, VetChat: a delivery never came" in line for line in report.text("scene", found))


@pytest.mark.parametrize(
    ("rounds", "met"),
    [
        ([(100, 50)] * 3, True),
        ([(100, 60)] * 3, False),
        ([(100, 50)] * 2, None),
        ([(100, 50), (1, 9), (300, 50)], True),
    ],
)
def test_a_goal_needs_three_good_rounds_and_is_judged_by_their_median(
    rounds: list[tuple[float, float]], met: bool | None
) -> None:
    assert report.verdict(outcome(*rounds), GOAL).met is met


def test_a_goal_may_be_an_upper_bound_and_stand_by_itself() -> None:
    found = outcome((10, 1), (20, 1), (30, 1))
    assert report.verdict(found, Goal(figure="messages_per_cpu_s", at_most=20)).met is True
    assert report.verdict(found, Goal(figure="messages_per_cpu_s", at_most=19)).met is False


def test_kept_results_say_the_same_as_those_just_measured() -> None:
    found = outcome((100, 50), (900, 300), (40, 10), void=1)
    kept = report.as_json(found, "a machine", "abc1234")
    assert kept["valid"] is False
    again = report.from_json(found.scenario, kept)
    assert list(report.text("scene", again)) == list(report.text("scene", found))


def test_the_chart_has_a_bar_for_everybody_who_was_measured() -> None:
    picture = publish.chart(outcome((100, 50), (120, 60), (110, 55)))
    assert [f">{label}<" in picture for label in LABELS] == [True, True]
    assert (picture.count("<rect"), ">110<" in picture, ">55.0<" in picture) == (2, True, True)


def test_every_goal_speaks_of_what_is_measured() -> None:
    for name, one in scenarios(1_000_000).items():
        labels = [subject.label for subject in one.subjects]
        assert len(set(labels)) == len(labels), name
        for figure in (*one.figures, *(goal.figure for goal in one.goals)):
            assert figure in report.NAMES, (name, figure)
        for goal in one.goals:
            assert {goal.of or labels[0], goal.than or labels[0]} <= {*labels}, (name, goal)
            assert (goal.at_least is None) != (goal.at_most is None), (name, goal)
            assert goal.figure in one.figures, (name, goal)


def test_only_valid_results_are_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = outcome((100, 50), (900, 300), (40, 10))
    results = {
        "pair_closed": report.as_json(found, "a quiet machine", "abc1234"),
        "fan_1000": report.as_json(found, "a quiet machine", "def5678"),
        "echo": report.as_json(outcome((100, 50)), "a busy machine", "abc1234"),
    }
    for name, text in {
        "RESULTS": json.dumps(results),
        "PAGE": f"Before.\n\n{publish.BEGIN}\n\nOld.\n\n{publish.END}\n\nAfter.\n",
        "CHART": "",
    }.items():
        path = tmp_path / name.lower()
        path.write_text(text, encoding="utf-8")
        monkeypatch.setattr(publish, name, path)
    publish.publish()
    page = publish.PAGE.read_text(encoding="utf-8")
    assert page.startswith("Before.\n\n")
    assert page.endswith("\n\nAfter.\n")
    assert "Old." not in page
    assert "Measured on a quiet machine; VetChat abc1234, def5678." in page
    assert "| VetChat | 100 |" in page
    assert "busy" not in page
    assert publish.CHART.read_text(encoding="utf-8").startswith("<svg")
