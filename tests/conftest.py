"""What every room of the tests shares: the clause mark, databases on both legs, and real servers."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from tests.conformance.peer import People
from tests.databases import postgres_database, sqlite_url
from tests.running import ALLOWED_ORIGIN, ServerProcess, running_server

SERVERS = ("server", "open_server", "default_server")
"""The fixtures below whose logs are watched."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "clause(*ids): the clauses of the protocol that this test proves")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def leg(request: pytest.FixtureRequest) -> str:
    """The kind of database: everything that takes this fixture runs once on each."""
    return request.param


@pytest.fixture
def database(leg: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a new, empty database for one test."""
    with ExitStack() as stack:
        yield _new_database(leg, tmp_path_factory, stack)


@pytest.fixture(scope="session")
def server(leg: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with tokens for all tests of a leg, without a limit on the rate of commands."""
    with ExitStack() as stack:
        database = _new_database(leg, tmp_path_factory, stack)
        settings = {"rate_limit": 0, "allowed_origins": ALLOWED_ORIGIN}
        yield stack.enter_context(running_server(database, **settings))


@pytest.fixture(scope="session")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server in open mode (R1.3), without a limit on the rate of commands."""
    with running_server(sqlite_url(tmp_path_factory.mktemp("open")), secret=None, rate_limit=0) as server:
        yield server


@pytest.fixture(scope="session")
def default_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with tokens and every limit at its default (R2.7)."""
    with running_server(sqlite_url(tmp_path_factory.mktemp("default"))) as server:
        yield server


@pytest.fixture
async def people(server: ServerProcess) -> AsyncIterator[People]:
    """Opens connections on the leg's server; all are closed at the end of the test."""
    async with People(server) as people:
        yield people


@pytest.fixture(autouse=True)
def clean_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing that a client can do may write a traceback or a token (JWTs begin with eyJ) to the server's log."""
    servers: list[ServerProcess] = [request.getfixturevalue(name) for name in SERVERS if name in request.fixturenames]
    before = [(server, len(server.tracebacks), len(server.log)) for server in servers]
    yield
    for server, tracebacks, length in before:
        assert server.tracebacks[tracebacks:] == []
        assert "eyJ" not in server.log[length:]


def _new_database(leg: str, folders: pytest.TempPathFactory, stack: ExitStack) -> str:
    if leg == "sqlite":
        return sqlite_url(folders.mktemp("sqlite"))
    return stack.enter_context(postgres_database())
