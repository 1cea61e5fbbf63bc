"""`./dev bench`: measures, prints, keeps the results, and writes them into the documentation."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from . import anatomy, environment, publish, report
from .machine import machine, revision
from .processes import BenchmarkError
from .rounds import LEAST_ROUNDS, Bench, Outcome, run
from .scenarios import MAIN, Inside, Scenario, Subject, scenarios


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for on the command line."""

    listing: bool
    rounds: int
    seconds: float | None
    only: tuple[str, ...]
    quick: bool
    postgres: str | None
    rows: int
    path: Path | None
    publishing: bool
    lock: bool


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--list", "listing", is_flag=True, help="Only list the benchmarks.")
@click.option(
    "--rounds", type=click.IntRange(min=1), default=LEAST_ROUNDS, show_default=True, help="Rounds to measure."
)
@click.option("--seconds", type=float, help="How long each measurement takes, instead of the benchmark's own time.")
@click.option("--only", multiple=True, metavar="LABEL", help="Measure only this subject; may be repeated.")
@click.option(
    "--quick", is_flag=True, help="A tenth of the load for a moment, once: only to see that everything works."
)
@click.option("--postgres", envvar="VETCHAT_TEST_POSTGRES", metavar="URL", help="A server on which to make databases.")
@click.option("--rows", type=int, default=1_000_000, show_default=True, help="The large database of history_10m.")
@click.option("--json", "path", type=click.Path(path_type=Path, dir_okay=False), help="Keep the results in this file.")
@click.option("--publish", "publishing", is_flag=True, help="Write the kept results into the documentation, and stop.")
@click.option("--lock", is_flag=True, help="Bring benchmarks/requirements.lock up to date, and stop.")
def main(names: tuple[str, ...], **options: Any) -> None:
    """Measure VetChat beside what people would use instead.

    Without a NAME the main benchmarks run, in less than ten minutes; "all" runs every one. benchmarks/README.md has
    the rules of a valid run.
    """
    try:
        _obey(names, Options(**options))
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from None


def _obey(names: tuple[str, ...], options: Options) -> None:
    every = scenarios(options.rows)
    if options.listing:
        _list(every)
    elif options.lock:
        environment.lock()
    elif options.publishing:
        publish.publish()
    else:
        chosen = _chosen(names, every)
        environment.make()
        _measure({name: _adapt(every[name], options) for name in chosen if name in every}, options)
        if anatomy.NAME in chosen:
            _look_inside(options)


def _list(every: Mapping[str, Scenario]) -> None:
    for name, scenario in every.items():
        click.echo(f"{'*' if name in MAIN else ' '} {name:16} {scenario.title}")
    click.echo(f"  {anatomy.NAME:16} {anatomy.TITLE}")
    click.echo("\nThose with a star run when none is named.")


def _chosen(names: Sequence[str], every: Mapping[str, Scenario]) -> Sequence[str]:
    known = (*every, anatomy.NAME)
    if unknown := [name for name in names if name not in (*known, "all")]:
        raise BenchmarkError(f"There is no benchmark {', '.join(unknown)}. ./dev bench --list names them all.")
    return known if "all" in names else names or MAIN


def _adapt(scenario: Scenario, options: Options) -> Scenario:
    """The scenario as the options want it."""
    wanted = [subject for subject in scenario.subjects if not options.only or subject.label in options.only]
    if not wanted:
        raise BenchmarkError(f"No such subject. There are {', '.join(subject.label for subject in scenario.subjects)}.")
    there = {subject.label for subject in wanted}
    goals = tuple(
        goal for goal in scenario.goals if {goal.of or wanted[0].label, goal.than or wanted[0].label} <= there
    )
    return replace(scenario, subjects=tuple(_timed(subject, options) for subject in wanted), goals=goals)


def _timed(subject: Subject, options: Options) -> Subject:
    work = subject.work
    if options.quick:
        work = replace(work, seconds=0.5) if isinstance(work, Inside) else work.shrunk()
    if options.seconds is not None:
        work = replace(work, seconds=options.seconds)
    return replace(subject, work=work)


def _measure(chosen: Mapping[str, Scenario], options: Options) -> None:
    """Runs one after the other; a result is kept as soon as it is there."""
    line, commit = machine(), revision()
    rounds = 1 if options.quick else options.rounds
    click.echo(f"{line}; VetChat {commit}")
    if (load := os.getloadavg()[0]) > 0.5:
        click.echo(f"This machine is busy (load {load:.1f}): what comes out says little.", err=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vetchat-bench-")))
        bench = Bench(folder, stack, options.postgres)
        for name, scenario in chosen.items():
            outcome = _with_bar(name, scenario, bench, rounds)
            for text in report.text(name, outcome):
                click.echo(text)
            if options.path is not None:
                _keep(options.path, name, report.as_json(outcome, line, commit))


def _look_inside(options: Options) -> None:
    with tempfile.TemporaryDirectory(prefix="vetchat-bench-") as folder:
        found = anatomy.measure(Path(folder), options.seconds or (1.0 if options.quick else anatomy.SECONDS))
    for line in anatomy.text(found):
        click.echo(line)
    if options.path is not None:
        _keep(options.path, anatomy.NAME, anatomy.as_json(found, machine(), revision()))


def _with_bar(name: str, scenario: Scenario, bench: Bench, rounds: int) -> Outcome:
    steps = range(rounds * len(scenario.subjects))
    said = ""
    bar = click.progressbar(steps, label=name, item_show_func=lambda _: said, file=sys.stderr)

    def show(what: str) -> None:
        nonlocal said
        said = what
        bar.update(1)

    with bar:
        return run(scenario, bench, rounds, show)


def _keep(path: Path, name: str, result: dict[str, Any]) -> None:
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(kept | {name: result}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(prog_name="./dev bench")
