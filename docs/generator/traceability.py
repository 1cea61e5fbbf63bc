"""The page that ties each clause to the code that keeps it and the tests that prove it, and what it is read from."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from textwrap import shorten
from typing import Final

from vetchat_conformance.checks import CHECKS
from vetchat_protocol.clauses import CLAUSES, SECTIONS

from .markdown import CLAUSE_ID, anchor, indented, linked, page

ROOT: Final = Path(__file__).parents[2]

SUITES: Final = ("tests", "packages/vetchat-server/src/vetchat_server/testing")
"""The folders with tests: ours, and the suites that we ship."""

KIT: Final = "packages/vetchat-conformance"
"""The conformance kit, which keeps no clause but judges whether others do."""

SHORT: Final = 56
"""How many characters of a clause stand in the line that it is folded up into."""

WORDS: Final = frozenset({"clauses.py", "meanings.py"})
"""Modules that only put the clauses, or what follows from them, into words."""

INTRODUCTION: Final = """\
Every rule of the protocol, with the places in the code that name it, the tests that prove it, and the checks by which
the conformance kit judges any server. The build fails when a clause has no code or no test, and when a test names a
clause that does not exist. How often a clause is named says nothing about its worth.
"""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(slots=True)
class Trace:
    """Where a clause is named: places in the code, tests as `path::name`, and the kit's checks as sentences."""

    code: dict[str, None] = field(default_factory=dict[str, None])
    tests: dict[str, None] = field(default_factory=dict[str, None])
    checks: dict[str, None] = field(default_factory=dict[str, None])


@cache
def traces() -> Mapping[str, Trace]:
    """The trace of every id that is named anywhere, one that is no clause included."""
    found: dict[str, Trace] = {}
    for path in _modules("packages"):
        if path.name not in WORDS and not _judges(path):
            for clause_id, place in _named_in_code(path):
                found.setdefault(clause_id, Trace()).code[place] = None
    for path in _modules(*SUITES):
        for clause_id, test in _named_by_tests(path):
            found.setdefault(clause_id, Trace()).tests[test] = None
    for check in CHECKS:
        for clause_id in check.clauses:
            found.setdefault(clause_id, Trace()).checks[check.sentence] = None
    return found


def _modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in path.parts)


def _judges(path: Path) -> bool:
    """Whether a module tests or checks, instead of doing."""
    return any(path.is_relative_to(ROOT / folder) for folder in (*SUITES, KIT))


def _named_in_code(path: Path) -> Iterator[tuple[str, str]]:
    """Each clause that a docstring or a comment of a module names, with the innermost definition it stands in."""
    source = path.read_text(encoding="utf-8")
    definitions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, Definition)]
    parts = path.relative_to(ROOT).with_suffix("").parts[3:]
    for number, line in enumerate(source.splitlines(), start=1):
        around = [node for node in definitions if node.lineno <= number <= (node.end_lineno or node.lineno)]
        names = [node.name for node in sorted(around, key=lambda node: node.lineno)]
        for clause_id in CLAUSE_ID.findall(line):
            yield clause_id, ".".join([*parts, *names])


def _named_by_tests(path: Path) -> Iterator[tuple[str, str]]:
    """Each clause that a mark names, with the test, class or module that is marked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    place = path.relative_to(ROOT).as_posix().removeprefix("packages/vetchat-server/src/")
    decorated = [node for node in ast.walk(tree) if isinstance(node, Definition)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.clause":
            marked = next(
                (one for one in decorated if any(node in ast.walk(mark) for mark in one.decorator_list)), None
            )
            test = place if marked is None else f"{place}::{marked.name}"
            yield from ((str(ast.literal_eval(argument)), test) for argument in node.args)


def traceability() -> str:
    """Every clause, folded up, under its section's heading."""
    parts = [INTRODUCTION]
    for section in SECTIONS.values():
        parts.append(f"## {section.title}")
        parts += [_clause(clause.id) for clause in CLAUSES.values() if clause.section == section.id]
    return page("From clause to code to test", *parts)


def _clause(clause_id: str) -> str:
    trace = traces().get(clause_id, Trace())
    counts = [_count(trace.code, "place"), _count(trace.tests, "test")]
    if trace.checks:
        counts.append(_count(trace.checks, "check"))
    inside = [linked(CLAUSES[clause_id].text) + f" [→ clause](clauses.md#{anchor(clause_id)})"]
    if trace.code:
        inside.append("Code:\n\n" + "\n".join(f"* `{place}`" for place in trace.code))
    if trace.tests:
        inside.append("Tests:\n\n" + "\n".join(f"* `{test}`" for test in trace.tests))
    if trace.checks:
        inside.append("Checks of the conformance kit:\n\n" + "\n".join(f"* {sentence}" for sentence in trace.checks))
    title = f"{clause_id} {_summary(CLAUSES[clause_id].text)} ({', '.join(counts)})"
    return f'??? clause "{title}"\n\n{indented((chr(10) * 2).join(inside))}'


def _summary(text: str) -> str:
    """The first words of a clause, without what Markdown or the end of a title would take for its own."""
    plain = text.replace("`", "").replace("*", "").replace('"', "'")
    return shorten(plain, SHORT, placeholder=" …")


def _count(things: Mapping[str, None], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"
