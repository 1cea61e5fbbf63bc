"""What the server's component tests share: a database for many tests, servers in this process, the command line."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import structlog
from vetchat_protocol import cli

from tests.databases import postgres_database, sqlite_url
from tests.server.serving import LocalServer, serving

Vetchat = Callable[..., tuple[int, str]]
"""Runs `vetchat` with these words and these settings; answers its exit status and all that it said."""


@pytest.fixture(scope="session")
def shared_database(leg: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database of the leg for all tests that do not mind what others left in it."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("shared")
        yield sqlite_url(folder) if leg == "sqlite" else stack.enter_context(postgres_database())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is in use is given up at once, not after the time that a killed server's lock may take."""
    monkeypatch.setattr("vetchat_server.backends.tortoise.database.LOCK_PATIENCE", 0.1)


@pytest.fixture
def local_server() -> Iterator[LocalServer]:
    """A server in this process, in memory and with tokens; `serving` makes others."""
    with serving() as server:
        yield server


@pytest.fixture
def unchanged_logging() -> Iterator[None]:
    """Whatever a test does to the process's logging is undone."""
    root, known = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("tortoise", "aiosqlite", "asyncio", "filelock")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    structlog.configure(**known)


@pytest.fixture
def vetchat(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, unchanged_logging: None) -> Vetchat:
    """The `vetchat` command, in this process and with no settings but those given."""
    for name in [name for name in os.environ if name.startswith("VETCHAT_")]:
        monkeypatch.delenv(name)

    def run(*words: str, **settings: object) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(f"VETCHAT_{name.upper()}", str(value))
            try:
                status = cli.main(words)
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 0
        said = capsys.readouterr()
        return status, said.out + said.err

    return run
