"""What the tests of vetchat.v1 share: people who speak it, and a server with little patience."""

from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack

import pytest

from tests.conformance.v1.long_stories import told
from tests.conformance.v1.peer import V1People
from tests.databases import postgres_database, sqlite_url
from tests.running import ServerProcess, running_server


@pytest.fixture
async def people(server: ServerProcess) -> AsyncIterator[V1People]:
    """Opens vetchat.v1 connections on the leg's server; all are closed at the end of the test."""
    async with V1People(server) as people:
        yield people


@pytest.fixture(scope="session")
def narrow_server(leg: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with tokens whose limits are reached quickly."""
    limits = {"max_waiting_for_hello": 2, "hello_timeout": 1, "max_resume_frames": 10, "outbox_frames": 20}
    with ExitStack() as stack:
        sqlite = leg == "sqlite"
        database = sqlite_url(tmp_path_factory.mktemp("narrow")) if sqlite else stack.enter_context(postgres_database())
        yield stack.enter_context(running_server(database, rate_limit=0, heartbeat_interval=1, **limits))


@pytest.fixture(scope="session")
def long_stories(default_server: ServerProcess) -> Iterator[Mapping[str, Future[None]]]:
    """The ends of the stories that take long, by their names."""
    with told(default_server) as ends:
        yield ends


@pytest.fixture(scope="session", autouse=True)
def early_beginning(request: pytest.FixtureRequest) -> None:
    """The long stories begin with the session, so that nobody waits for them at its end."""
    if any("long_stories" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("long_stories")
