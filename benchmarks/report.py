"""What came out, as a table for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final

from .rounds import LEAST_ROUNDS, Outcome, Sample
from .scenarios import Goal, Scenario

NAMES: Final = {
    "messages_per_cpu_s": "messages per CPU second",
    "messages_per_s": "messages/s",
    "deliveries_per_cpu_s": "deliveries per CPU second",
    "connects_per_cpu_s": "connects per CPU second",
    "connects_per_s": "connects/s",
    "frames_per_cpu_s": "frames per CPU second",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "max_ms": "longest ms",
    "server_core": "server's core",
    "generator_core": "generator's core",
    "database_core": "database's cores",
    "grown_kib": "grown by KiB",
    "kib_per_connection": "KiB a connection",
    "rss_kib": "memory KiB",
    "commit_ms": "ms a commit",
    "resume_ms": "ms a resume",
    "read_us": "read µs",
    "build_us": "build µs",
    "write_base_us": "write base µs",
    "write_v1_us": "write v1 µs",
    "newest_us": "newest page µs",
    "middle_us": "middle page µs",
    "list_us": "list µs",
    "newest_database_us": "… database µs",
    "middle_database_us": "… database µs",
    "list_database_us": "… database µs",
}
"""How a figure is called in a table."""


MOST_NOISE: Final = 0.1
"""What everything else may use of a core before a table says so."""


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        return cls(median(values), min(values), max(values)) if values else None

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)}–{number(self.high)})"


def number(value: float) -> str:
    """Three digits that matter, thousands with a comma."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


@dataclass(frozen=True)
class Verdict:
    """Whether a goal was met, in words with the figure; `met` is None where it was not measured by the rules."""

    met: bool | None
    said: str


def verdict(outcome: Outcome, goal: Goal) -> Verdict:
    """Holds a goal against the good rounds."""
    label = goal.of or outcome.scenario.subjects[0].label
    values = outcome.values(label, goal.figure) if goal.than is None else outcome.ratios(goal.figure, label, goal.than)
    times = "" if goal.than is None else f" times that of {goal.than}"
    bound = f"at least {goal.at_least:,g}" if goal.at_least is not None else f"at most {goal.at_most:,g}"
    asked = f"{label}: {NAMES[goal.figure]} {bound}{times}"
    spread = Spread.of(values)
    if spread is None or len(values) < LEAST_ROUNDS:
        return Verdict(None, f"{asked}: {spread or 'not measured'}, from {len(values)} good rounds")
    met = spread.median >= goal.at_least if goal.at_least is not None else spread.median <= (goal.at_most or 0)
    return Verdict(met, f"{asked}: {spread}")


def text(name: str, outcome: Outcome) -> Iterator[str]:
    """The lines to print about a scenario."""
    scenario = outcome.scenario
    yield f"\n{name}: {scenario.title}"
    yield from aligned(rows(outcome))
    if (noise := max(outcome.noise(), default=0.0)) > MOST_NOISE:
        yield f"  noise: everything else on this machine used up to {noise:.2f} of a core meanwhile"
    for label, reason in outcome.left_out.items():
        yield f"  left out: {label} ({reason})"
    for turn, label, fault in outcome.void():
        yield f"  VOID: round {turn}, {label}: {fault}"
        yield f"        it gave {_figures(outcome.rounds[turn - 1][label], scenario)}"
    for one in (verdict(outcome, goal) for goal in scenario.goals):
        yield f"  {'?' if one.met is None else 'ok' if one.met else 'MISSED':6} {one.said}"


def _figures(sample: Sample, scenario: Scenario) -> str:
    """All figures of one sample, in a line."""
    figures = [(figure, sample.figures[figure]) for figure in scenario.figures if figure in sample.figures]
    return ", ".join(f"{number(value)} {NAMES[figure]}" for figure, value in figures)


def rows(outcome: Outcome) -> list[list[str]]:
    """A head, then a row for each subject: its figures, and how many times its leading figure the first one has."""
    scenario = outcome.scenario
    labels = [subject.label for subject in scenario.subjects if outcome.good(subject.label)]
    figures = [figure for figure in scenario.figures if any(outcome.values(label, figure) for label in labels)]
    if not figures:
        return []
    first, leading = scenario.subjects[0].label, figures[0]
    table = [["", *(NAMES[figure] for figure in figures), f"{first} ÷ this"]]
    for label in labels:
        spreads = [Spread.of(outcome.values(label, figure)) for figure in figures]
        ratio = Spread.of(outcome.ratios(leading, first, label)) if label != first else None
        table.append([label, *(number(one.median) if one else "" for one in spreads), str(ratio or "")])
    return table if len(labels) > 1 else [row[:-1] for row in table]


def aligned(table: list[list[str]]) -> Iterator[str]:
    """The table's lines, for a terminal."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield f"  {'  '.join(cells)}".rstrip()


def markdown(table: list[list[str]]) -> Iterator[str]:
    """The table's lines, for the documentation."""
    for place, row in enumerate(table):
        yield f"| {' | '.join(row)} |"
        if place == 0:
            yield f"| --- |{' ---: |' * (len(row) - 1)}"


def as_json(outcome: Outcome, machine: str, revision: str) -> dict[str, Any]:
    """Everything about a scenario's run; `valid` says whether the first subject has enough good rounds."""
    scenario = outcome.scenario
    first = scenario.subjects[0].label
    return {
        "title": scenario.title,
        "machine": machine,
        "revision": revision,
        "valid": len(outcome.good(first)) >= LEAST_ROUNDS,
        "left_out": outcome.left_out,
        "rounds": [
            {label: {"figures": dict(sample.figures), "faults": list(sample.faults)} for label, sample in one.items()}
            for one in outcome.rounds
        ],
    }


def from_json(scenario: Scenario, kept: Mapping[str, Any]) -> Outcome:
    """The outcome that `as_json` was given."""
    rounds = [
        {label: Sample(sample["figures"], tuple(sample["faults"])) for label, sample in one.items()}
        for one in kept["rounds"]
    ]
    return Outcome(replace(scenario, title=kept["title"]), rounds, kept["left_out"])
