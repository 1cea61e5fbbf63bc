"""Starting: what cannot work is refused with a sentence, and a non-zero exit (R1.3)."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.databases import sqlite_url
from tests.running import SECRET, ServerProcess, launched_server


def refused_start(folder: Path, *, database: str | None = None, **settings: Any) -> str:
    """The log of a server that must not start with these settings."""
    with launched_server(database or sqlite_url(folder), **settings) as server:
        assert server.wait_for_exit() != 0
        assert server.tracebacks == []
        return server.log


@pytest.mark.clause("R1.3")
def test_open_mode_on_an_address_that_others_reach_is_refused(tmp_path: Path) -> None:
    assert "open" in refused_start(tmp_path, secret=None, host="0.0.0.0").lower()


def test_a_secret_that_is_too_short_is_refused_and_not_shown(tmp_path: Path) -> None:
    log = refused_start(tmp_path, secret="only31bytes".ljust(31, "x"))
    assert "32" in log
    assert "only31bytes" not in log


def test_a_database_that_is_not_known_is_refused(tmp_path: Path) -> None:
    assert "database" in refused_start(tmp_path, database="mysql://root@127.0.0.1/test").lower()


def test_a_database_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "database" in refused_start(tmp_path, database=f"sqlite://{tmp_path / 'file' / 'chat.sqlite3'}").lower()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        database = f"postgres://root:passw0rd@127.0.0.1:{nobody.getsockname()[1]}/test"
        log = refused_start(tmp_path, database=database)
    assert "database" in log.lower()
    assert "passw0rd" not in log


def test_a_setting_with_a_wrong_value_is_refused_by_name(tmp_path: Path) -> None:
    assert "rate_limit" in refused_start(tmp_path, rate_limit="many").lower().replace("-", "_")


def test_a_port_that_is_taken_is_refused(tmp_path: Path, default_server: ServerProcess) -> None:
    assert str(default_server.port) in refused_start(tmp_path, port=default_server.port)
    assert default_server.get("/health")[0] == 200


def test_health_is_200_and_neither_it_nor_the_log_tells_a_secret(default_server: ServerProcess) -> None:
    status, body = default_server.get("/health")
    assert status == 200
    assert SECRET not in json.dumps([body, default_server.log])
