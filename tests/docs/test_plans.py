"""The query plans on the site are those that the databases follow, and none of them reads the log from end to end."""

import re
from pathlib import Path

import pytest

from docs import plans
from tests.databases import postgres_database


@pytest.mark.clause("R4.19", "V3.3")
def test_sqlite_follows_the_plans_on_the_site(tmp_path: Path) -> None:
    found = plans.on_sqlite(tmp_path / "plans.sqlite3")
    assert plans.written(found) == (plans.PLANS / "sqlite.txt").read_text(encoding="utf-8")
    assert not any(re.search(r"SCAN (l|m|log|p|participants)\b", plan) for plan in found)


@pytest.mark.clause("R4.19", "V3.3")
def test_postgres_reaches_the_log_by_its_indexes_alone() -> None:
    with postgres_database() as url:
        found = plans.on_postgres(url)
    assert len(found) == len(plans.QUERIES)
    assert not any(re.search(r"Seq Scan on (log|participants)\b", plan) for plan in found)
