"""A report for people, for programs and for continuous integration: a table, JSON, JUnit's XML."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree as ET

import click
from vetchat_protocol.clauses import Clause

from .checks import CHECKS, OUT_OF_REACH
from .report import Failure, Verdict
from .runner import Status
from .scene import Step

__all__ = ["as_json", "as_junit", "as_table", "explained", "summary"]

WIDTH: Final = 120
MARGIN: Final = 17
"""How far in the sentences of the table begin, in columns."""

LONGEST_FRAME: Final = 400
COLORS: Final[dict[Status, str]] = {"passed": "green", "failed": "red", "left out": "yellow"}
WORDS: Final[dict[Status, str]] = {"passed": "pass", "failed": "FAIL", "left out": "left out"}


def as_table(verdicts: Sequence[Verdict], width: int | None = None) -> str:
    """A line for each clause, below a failed one the frames that show it, and how many passed at the end.

    On a terminal of this `width`, in columns, all that is longer goes on below, further in.
    """
    return "\n".join((*_rows(verdicts, width), summary(verdicts)))


def _rows(verdicts: Sequence[Verdict], width: int | None) -> Iterator[str]:
    for verdict in verdicts:
        status = click.style(f"{WORDS[verdict.status]:8}", fg=COLORS[verdict.status])
        sentence = textwrap.shorten(verdict.clause.text, (width or WIDTH) - MARGIN, placeholder=" …")
        yield f"{verdict.clause.id:6} {status}  {sentence}"
        for note in verdict.notes:
            yield from _folded(("" if verdict.status == "left out" else "Left out in part. ") + note, width)
        for failure in verdict.failures:
            yield from _shown(failure, width)


def _folded(text: str, width: int | None, more: int = 0) -> list[str]:
    """The text below a sentence, `more` columns further in."""
    margin = " " * (MARGIN + more)
    if width is None:
        return [margin + text]
    return textwrap.wrap(text, width, initial_indent=margin, subsequent_indent=f"{margin}  ", break_on_hyphens=False)


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many clauses passed, failed and were left out."""
    counts = {status: sum(verdict.status == status for verdict in verdicts) for status in COLORS}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"Of {len(verdicts)} clauses, {told}."


def _shown(failure: Failure, width: int | None) -> Iterator[str]:
    yield from _folded(failure.sentence, width)
    for line in _folded(failure.reason, width):
        yield click.style(line, fg="red")
    for step in failure.record:
        yield from _folded(_line(step), width, more=2)


def _line(step: Step) -> str:
    text = (
        step.text if len(step.text) <= LONGEST_FRAME else f"{step.text[:LONGEST_FRAME]}… ({len(step.text)} characters)"
    )
    return f"{step.who} {step.does} {text}".rstrip()


def explained(clause: Clause, width: int | None = None) -> Iterator[str]:
    """A clause in full, and what each of its checks does."""
    columns = width or WIDTH
    yield click.style(clause.id, bold=True)
    yield textwrap.fill(clause.text, columns)
    for check in CHECKS:
        if clause.id in check.clauses:
            yield f"\n* {check.sentence}{' (slow)' if check.slow else ''}"
            yield textwrap.fill(check.story, columns, initial_indent="  ", subsequent_indent="  ")
    if clause.id in OUT_OF_REACH:
        yield f"\nNo check reaches it. {OUT_OF_REACH[clause.id]}"


def as_json(url: str, profile: str, verdicts: Sequence[Verdict]) -> str:
    """The report as one JSON object; `frames` are the last ones before the failure."""
    clauses = [
        {
            "clause": verdict.clause.id,
            "sentence": verdict.clause.text,
            "status": verdict.status,
            "notes": list(verdict.notes),
            "failures": [
                {
                    "check": failure.sentence,
                    "reason": failure.reason,
                    "frames": [{"who": step.who, "does": step.does, "text": step.text} for step in failure.record],
                }
                for failure in verdict.failures
            ],
        }
        for verdict in verdicts
    ]
    report = {"url": url, "profile": profile, "summary": summary(verdicts), "clauses": clauses}
    return json.dumps(report, ensure_ascii=False, indent=2)


def as_junit(profile: str, verdicts: Sequence[Verdict]) -> str:
    """The report as JUnit's XML, one test case for each clause."""
    failed = sum(verdict.status == "failed" for verdict in verdicts)
    skipped = sum(verdict.status == "left out" for verdict in verdicts)
    counts = {"tests": str(len(verdicts)), "failures": str(failed), "skipped": str(skipped)}
    suite = ET.Element("testsuite", {"name": f"VetChat conformance: {profile}", **counts})
    for verdict in verdicts:
        name = {"classname": verdict.clause.section, "name": f"{verdict.clause.id} {verdict.clause.text}"}
        case = ET.SubElement(suite, "testcase", name)
        for failure in verdict.failures:
            told = ET.SubElement(case, "failure", {"message": _printable(failure.reason)})
            told.text = _printable("\n".join((failure.sentence, *map(_line, failure.record))))
        if verdict.status == "left out":
            ET.SubElement(case, "skipped", {"message": " ".join(verdict.notes)})
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def _printable(text: str) -> str:
    """The text without the characters that XML cannot hold."""
    return "".join(one if one in "\n\t" or one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
