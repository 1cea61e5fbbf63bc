"""Writes the kept results into the documentation: a table for each benchmark and a chart of the most telling one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from . import anatomy, report
from .processes import ROOT, BenchmarkError
from .report import NAMES, Spread
from .rounds import Outcome
from .scenarios import scenarios

RESULTS: Final = Path(__file__).parent / "results.json"
"""What is published; it is kept in the repository, and only a quiet machine's results belong in it."""

PAGE: Final = ROOT / "docs" / "benchmarks.md"
CHART: Final = ROOT / "docs" / "assets" / "benchmarks.svg"
BEGIN, END = "<!-- results -->", "<!-- end of the results -->"
CHARTED: Final = "pair_closed"


def publish() -> None:
    """Writes page and chart.

    Raises:
        BenchmarkError: there are no results, or not one of them is valid.
    """
    if not RESULTS.exists():
        raise BenchmarkError("There are no results. Measure first: ./dev bench all --json benchmarks/results.json")
    kept: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    valid = {name: result for name, result in kept.items() if result["valid"]}
    if not valid:
        raise BenchmarkError("None of the results is valid, so there is nothing to publish.")
    known = scenarios(1)
    outcomes = {name: report.from_json(known[name], result) for name, result in valid.items() if name in known}
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    if CHARTED in outcomes:
        CHART.write_text(chart(outcomes[CHARTED]), encoding="utf-8")
    sections = "\n\n".join(_sections(outcomes, valid))
    PAGE.write_text(f"{before}{BEGIN}\n\n{sections}\n\n{END}{after}", encoding="utf-8")


def _sections(outcomes: Mapping[str, Outcome], kept: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for machine in dict.fromkeys(result["machine"] for result in kept.values()):
        revisions = dict.fromkeys(one["revision"] for one in kept.values() if one["machine"] == machine)
        yield f"Measured on {machine}; VetChat {', '.join(revisions)}."
    if CHARTED in outcomes:
        yield f"![{outcomes[CHARTED].scenario.title}](assets/{CHART.name})"
    for name, outcome in outcomes.items():
        yield f"### `{name}`"
        yield f"{outcome.scenario.title}."
        yield "\n".join(report.markdown(report.rows(outcome)))
        if (noise := max(outcome.noise(), default=0.0)) > report.MOST_NOISE:
            yield f"Everything else on the machine used up to {noise:.2f} of a core meanwhile, which is a lot."
        goals = [report.verdict(outcome, goal) for goal in outcome.scenario.goals]
        if goals:
            words = {True: "reached", False: "**missed**", None: "not measured"}
            yield "\n".join(f"* {one.said}: {words[one.met]}." for one in goals)
    if anatomy.NAME in kept:
        yield from anatomy.markdown(kept[anatomy.NAME])


# -- the chart ---------------------------------------------------------------------------------------------------------

WIDTH, LABEL, ROW, BAR, HEAD = 720, 170, 34, 20, 34
STYLE: Final = """
  text { font: 14px system-ui, sans-serif; fill: #333 }
  .head { font-weight: 600 }
  rect { fill: #9e9e9e }
  .first { fill: #009688 }
  line { stroke: #333; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } line { stroke: #ddd } }
"""


def chart(outcome: Outcome) -> str:
    """A bar for each subject's leading figure; the thin line spans its rounds."""
    scenario = outcome.scenario
    figure = scenario.figures[0]
    found = {one.label: Spread.of(outcome.values(one.label, figure)) for one in scenario.subjects}
    bars = {label: spread for label, spread in found.items() if spread is not None}
    scale = (WIDTH - LABEL - 80) / max(spread.high for spread in bars.values())
    height = HEAD + ROW * len(bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{scenario.title}: {NAMES[figure]}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="head" x="0" y="18">{NAMES[figure][:1].upper()}{NAMES[figure][1:]}</text>',
    ]
    for place, (label, spread) in enumerate(bars.items()):
        parts += _bar(label, spread, HEAD + ROW * place, scale, first=place == 0)
    return "\n".join([*parts, "</svg>\n"])


def _bar(label: str, spread: Spread, top: int, scale: float, *, first: bool) -> list[str]:
    middle = top + BAR / 2
    low, end, high = (LABEL + value * scale for value in (spread.low, spread.median, spread.high))
    kind = "first" if first else "other"
    return [
        f'<text x="{LABEL - 10}" y="{middle + 5:g}" text-anchor="end">{label}</text>',
        f'<rect class="{kind}" x="{LABEL}" y="{top}" width="{end - LABEL:.1f}" height="{BAR}"/>',
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle:g}" y2="{middle:g}"/>',
        f'<text x="{high + 8:.1f}" y="{middle + 5:g}">{report.number(spread.median)}</text>',
    ]
