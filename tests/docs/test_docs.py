"""Code, tests and docs speak of the same clauses, and what is generated is current."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from vetchat_protocol.clauses import CLAUSES, SECTIONS

from docs import generate

ROOT: Final = Path(__file__).parents[2]
CLAUSE_ID: Final = re.compile(r"\b[SRV]\d+\.\d+\b")
TEXT: Final = {".css", ".html", ".js", ".jsonl", ".md", ".py", ".toml", ".yml"}

NOT_TESTED_YET: Final = frozenset(
    {
        *("V1.1", "V1.2", "V1.3", "V1.4", "V1.5", "V1.6"),
        *("V2.1", "V2.2", "V2.3", "V2.4"),
        *("V3.1", "V3.2", "V3.3", "V3.4", "V3.5", "V3.6"),
        *("V4.1", "V4.2", "V4.3"),
        *("V5.1", "V5.2", "V5.3", "V5.4"),
    }
)
"""The clauses of the extension that no test names so far. It only ever shrinks."""


def texts(*folders: str) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in TEXT and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


@cache
def clauses_named_by_tests() -> dict[str, str]:
    """Each clause that a `pytest.mark.clause("…", …)` under tests/ names, with the place of one such mark."""
    return {
        str(ast.literal_eval(argument)): f"{path}:{node.lineno}"
        for path, source in texts("tests")
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.clause"
        for argument in node.args
    }


def test_generated_pages_say_that_they_are_generated() -> None:
    for page in generate.PAGES:
        assert (generate.DOCS / page).read_text(encoding="utf-8").startswith(f"{generate.NOTE}\n")


def test_generated_pages_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    status = generate.main(["--check"])
    assert (status, capsys.readouterr().err) == (0, "")


def test_a_generated_page_that_is_missing_or_stale_is_named_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([], folder=tmp_path) == 0
    assert generate.main(["--check"], folder=tmp_path) == 0
    stale = next(iter(generate.PAGES))
    (tmp_path / stale).write_text("what somebody wrote into it by hand", encoding="utf-8")
    assert generate.main(["--check"], folder=tmp_path) == 1
    assert capsys.readouterr().err == f"docs/{stale} is stale: run .venv/bin/python docs/generate.py\n"
    assert generate.main([], folder=tmp_path) == 0
    assert generate.main(["--check"], folder=tmp_path) == 0


def test_clauses_stand_in_the_order_of_their_numbers() -> None:
    numbers = [re.fullmatch(r"(?:[SR]|(V))(\d+)\.(\d+)", clause_id) for clause_id in CLAUSES]
    keys = [(found[1] or "", int(found[2]), int(found[3])) for found in numbers if found is not None]
    assert len(keys) == len(CLAUSES)
    assert keys == sorted(set(keys))


def test_every_section_has_clauses_of_its_own_dialect() -> None:
    for section in SECTIONS.values():
        ids = [clause.id for clause in CLAUSES.values() if clause.section == section.id]
        assert ids, section.id
        assert {clause_id.startswith("V") for clause_id in ids} == {section.dialect == "vetchat.v1"}


def test_every_clause_id_that_is_mentioned_exists() -> None:
    mentioned = [
        (clause_id, path) for path, text in texts("packages", "docs", "tests") for clause_id in CLAUSE_ID.findall(text)
    ]
    assert [f"{path}: {clause_id}" for clause_id, path in mentioned if clause_id not in CLAUSES] == []


def test_every_mark_of_a_test_names_a_clause_that_exists() -> None:
    assert {name: place for name, place in clauses_named_by_tests().items() if name not in CLAUSES} == {}


def test_every_clause_is_named_by_a_test() -> None:
    excused = NOT_TESTED_YET | clauses_named_by_tests().keys()
    assert [clause_id for clause_id in CLAUSES if clause_id not in excused] == []


def test_a_clause_that_has_a_test_is_no_longer_excused() -> None:
    assert sorted(NOT_TESTED_YET & clauses_named_by_tests().keys()) == []
