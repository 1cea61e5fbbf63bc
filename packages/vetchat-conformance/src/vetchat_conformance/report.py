"""What a run says about each clause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vetchat_protocol.clauses import CLAUSES, Clause

from .check import Profile, profile_of
from .checks import OUT_OF_REACH
from .runner import Outcome, Status
from .scene import Step

__all__ = ["Failure", "Verdict", "verdicts"]

SHOWN = 12
"""How many of the last lines of a scene show a failure."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a clause failed: the sentence of the check, the reason, and the frames that show it."""

    sentence: str
    reason: str
    record: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one clause. `notes` say what was left out, which a clause that passed may have too."""

    clause: Clause
    status: Status
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]


def verdicts(outcomes: Sequence[Outcome], profile: Profile) -> list[Verdict]:
    """Of every clause of the profile, in their order; the profile `v1` includes the base one."""
    clauses = [clause for clause in CLAUSES.values() if profile == "v1" or profile_of(clause.id) == "base"]
    return [_verdict(clause, outcomes) for clause in clauses]


def _verdict(clause: Clause, outcomes: Sequence[Outcome]) -> Verdict:
    mine = [outcome for outcome in outcomes if clause.id in outcome.check.clauses]
    failures = (*_failed(mine), *_found(clause.id, outcomes))
    notes = [outcome.reason for outcome in mine if outcome.status == "left out"]
    if not mine:
        notes.append(OUT_OF_REACH.get(clause.id, "Its checks were not asked for."))
    passed = any(outcome.status == "passed" for outcome in mine)
    status: Status = "failed" if failures else "passed" if passed else "left out"
    return Verdict(clause, status, failures, tuple(dict.fromkeys(notes)))


def _failed(outcomes: Sequence[Outcome]) -> Iterator[Failure]:
    for outcome in outcomes:
        if outcome.status == "failed":
            yield Failure(outcome.check.sentence, outcome.reason, outcome.record[-SHOWN:])


def _found(clause_id: str, outcomes: Sequence[Outcome]) -> Iterator[Failure]:
    """What was wrong with the form of frames, each kind once, whatever check it came up in."""
    seen: set[str] = set()
    for outcome in outcomes:
        for finding in outcome.findings:
            if finding.clause == clause_id and finding.sentence not in seen:
                seen.add(finding.sentence)
                step = Step("the server", "sends", finding.text)
                yield Failure("Every frame has the form that the clauses say.", finding.sentence, (step,))
