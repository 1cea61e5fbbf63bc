"""Code, tests and docs speak of the same clauses, and what is generated is current."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from vetchat_protocol.clauses import CLAUSES, SECTIONS
from vetchat_server.metrics import Metrics

from docs import generate
from docs.generator.markdown import CLAUSE_ID, NOTE
from docs.generator.traceability import SUITES, traces

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = {".css", ".html", ".js", ".json", ".jsonl", ".md", ".mjs", ".py", ".toml", ".txt", ".yml"}


def texts(*folders: str) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in TEXT and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def test_generated_pages_say_that_they_are_generated() -> None:
    pages = [page for page in generate.PAGES if page.endswith(".md")]
    assert pages
    for page in pages:
        assert (generate.DOCS / page).read_text(encoding="utf-8").startswith(f"{NOTE}\n")


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
    assert capsys.readouterr().err == f"docs/{stale} is stale: run ./dev docs\n"
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
    assert {name: trace.tests for name, trace in traces().items() if trace.tests and name not in CLAUSES} == {}


def test_every_mark_of_a_test_names_some_clause() -> None:
    assert [place for folder in SUITES for place in marks_without_a_clause(ROOT / folder)] == []


def marks_without_a_clause(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.clause" and not node.args:
                yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_clause_is_named_by_a_test() -> None:
    assert [clause_id for clause_id in CLAUSES if clause_id not in traces() or not traces()[clause_id].tests] == []


def test_every_clause_is_named_by_the_code_that_keeps_it() -> None:
    assert [clause_id for clause_id in CLAUSES if clause_id not in traces() or not traces()[clause_id].code] == []


def test_every_conformance_test_names_a_clause() -> None:
    """They judge the wire, which the clauses alone describe."""
    nameless = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in sorted((ROOT / "tests" / "conformance").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not any("pytest.mark.clause" in ast.unparse(mark) for mark in node.decorator_list)
    ]
    assert nameless == []


def test_every_metric_is_explained_to_operators() -> None:
    page = (generate.DOCS / "server" / "monitoring.md").read_text(encoding="utf-8")
    families = list(Metrics().registry.collect())
    assert families
    names = [f"{family.name}_total" if family.type == "counter" else family.name for family in families]
    assert [name for name in names if f"`{name}`" not in page] == []
