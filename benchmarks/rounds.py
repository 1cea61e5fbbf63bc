"""Runs the subjects of a scenario in turn, round after round, and judges what comes out by the rules of a valid run."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from . import environment, seeding
from .contenders import Server
from .load import plan
from .load.plan import Load, Resuming, Target
from .processes import GENERATOR_CORE, SERVER_CORE, BenchmarkError, Process, ask, free_port
from .scenarios import Inside, Scenario, Subject

MOST_GENERATOR: Final = 0.9
"""A generator that needs more of its core than this may have been the bottleneck."""

LEAST_SERVER: Final = 0.8
"""In a closed loop a server that needs less of its core than this was waiting for something else."""

LEAST_ROUNDS: Final = 3


@dataclass(frozen=True)
class Sample:
    """What one subject gave in one round, and everything that makes it void."""

    figures: Mapping[str, float]
    faults: tuple[str, ...] = ()


@dataclass
class Outcome:
    """A scenario's samples by label, round after round. A void sample takes part in nothing."""

    scenario: Scenario
    rounds: list[dict[str, Sample]] = field(default_factory=list[dict[str, Sample]])
    left_out: dict[str, str] = field(default_factory=dict[str, str])

    def good(self, label: str) -> list[Sample]:
        """A subject's samples of all rounds, without the void ones."""
        return [one[label] for one in self.rounds if label in one and not one[label].faults]

    def void(self) -> Iterator[tuple[int, str, str]]:
        """The round (from 1), the label and the fault of everything void."""
        for turn, one in enumerate(self.rounds, 1):
            for label, sample in one.items():
                yield from ((turn, label, fault) for fault in sample.faults)

    def noise(self) -> list[float]:
        """What share of a core everything else used, in every sample that tells."""
        samples = [sample.figures for one in self.rounds for sample in one.values()]
        return [figures["others_core"] for figures in samples if "others_core" in figures]

    def values(self, label: str, figure: str) -> list[float]:
        """A figure of one subject in every good round."""
        return [sample.figures[figure] for sample in self.good(label) if figure in sample.figures]

    def ratios(self, figure: str, label: str, than: str) -> list[float]:
        """How many times the other's figure it was, in every round that is good for both."""
        both = [one for one in self.rounds if all(name in one and not one[name].faults for name in (label, than))]
        pairs = [(one[label].figures.get(figure), one[than].figures.get(figure)) for one in both]
        return [mine / theirs for mine, theirs in pairs if mine is not None and theirs]


def judge(sample: Sample, scenario: Scenario) -> Sample:
    """Adds what the rules object to."""
    faults = list(sample.faults)
    generator = sample.figures.get("generator_core", 0.0)
    if generator > MOST_GENERATOR:
        faults.append(f"the generator used {generator:.2f} of its core")
    if scenario.loop == "closed":
        server = sample.figures["server_core"] + sample.figures.get("database_core", 0.0)
        if server < LEAST_SERVER:
            faults.append(f"the server used only {server:.2f} of its core")
    return replace(sample, faults=tuple(faults))


def objections(result: plan.Result, ending: str | None, server: Server, url: str, rows: int = 0) -> tuple[str, ...]:
    """What voids a run: the generator's faults, a bad `ending` of the server, or something else stored than said.

    The server has stopped; `rows` messages were in its database before.
    """
    faults = [*result.faults, *([ending] if ending else [])]
    if result.stored and server.count:
        stored = seeding.count(url, server.count) - rows
        if stored != result.stored:
            faults.append(f"{result.stored} messages were acknowledged, {stored} are stored")
    return tuple(faults)


class Bench:
    """Where everything that runs leaves its files; seeded databases last as long as it does."""

    def __init__(self, folder: Path, stack: ExitStack, postgres: str | None) -> None:
        self._folder = folder
        self._stack = stack
        self._postgres = postgres
        self._seeded: dict[tuple[bool, int, int], tuple[str, str]] = {}

    def why_not(self, subject: Subject) -> str | None:
        """Why a subject cannot be measured here."""
        if subject.postgres and self._postgres is None:
            return "no PostgreSQL server was named"
        return subject.server.unavailable()

    def measure(self, subject: Subject) -> Sample:
        """One run of one subject.

        Raises:
            BenchmarkError: something could not even be started.
        """
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder)))
            if isinstance(subject.work, Inside):
                return self._run_inside(subject.work, self._new_database(subject, folder, stack))
            if subject.rows:
                url, epoch = self._seed(subject)
            else:
                url, epoch = self._new_database(subject, folder, stack), ""
            return self._load(subject, subject.work, url, epoch, folder)

    def _new_database(self, subject: Subject, folder: Path, stack: ExitStack) -> str:
        if subject.postgres:
            assert self._postgres is not None
            return stack.enter_context(seeding.postgres_database(self._postgres))
        return f"sqlite://{folder / 'chat.sqlite3'}"

    def _seed(self, subject: Subject) -> tuple[str, str]:
        """The URL of a database with so many messages, and the name of its log; made once."""
        key = (subject.postgres, subject.rows, subject.conversations)
        if key not in self._seeded:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder)))
            url = self._new_database(subject, folder, self._stack)
            self._seeded[key] = url, seeding.seed(url, subject.rows, subject.conversations)
        return self._seeded[key]

    @staticmethod
    def _run_inside(work: Inside, url: str) -> Sample:
        arguments = [str(work.seconds), *((url, work.argument) if work.needs_database else ())]
        answer = json.loads(ask([sys.executable, "-m", f"benchmarks.inside.{work.program}", *arguments], SERVER_CORE))
        return Sample(answer["figures"])

    @staticmethod
    def _load(subject: Subject, load: Load, url: str, epoch: str, folder: Path) -> Sample:
        server = subject.server
        port = free_port()
        process = Process(server.command(port, url), server.environment, folder / "server.log", port)
        try:
            process.wait_until_ready(server.health)
            target = Target(
                url=f"ws://127.0.0.1:{port}",
                pid=process.pid,
                wire=server.wire,
                database=url.rpartition("/")[2] if subject.postgres else "",
            )
            asked = replace(load, epoch=epoch) if isinstance(load, Resuming) else load
            generator = [str(environment.PYTHON), "-m", "benchmarks.load"]
            result = plan.Result(**json.loads(ask(generator, GENERATOR_CORE, plan.to_json(target, asked) + "\n")))
        except BenchmarkError as error:
            raise BenchmarkError(f"{error}\nThe server said:\n{process.said()}") from None
        finally:
            process.stop()
        return Sample(result.figures, objections(result, process.fault, server, url, subject.rows))


def run(scenario: Scenario, bench: Bench, rounds: int, progress: Callable[[str], None]) -> Outcome:
    """Measures every subject once a round. Half as many rounds again make up for void samples."""
    outcome = Outcome(scenario)
    subjects = list(_available(scenario, bench, outcome))
    for turn in range(rounds + (rounds + 1) // 2):
        subjects = [subject for subject in subjects if turn < rounds or outcome.good(subject.label)]
        if turn >= rounds and all(len(outcome.good(subject.label)) >= rounds for subject in subjects):
            break
        first = turn % max(1, len(subjects))
        samples: dict[str, Sample] = {}
        for subject in subjects[first:] + subjects[:first]:
            progress(f"round {turn + 1}: {subject.label}")
            samples[subject.label] = judge(bench.measure(subject), scenario)
        outcome.rounds.append(samples)
    return outcome


def _available(scenario: Scenario, bench: Bench, outcome: Outcome) -> Iterator[Subject]:
    for subject in scenario.subjects:
        reason = bench.why_not(subject)
        if reason is None:
            yield subject
        else:
            outcome.left_out[subject.label] = reason
