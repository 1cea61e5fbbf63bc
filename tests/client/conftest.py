"""The client library's tests run on both event loops, against real servers; the faults come from a proxy between."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.client.plain import PlainServer
from tests.client.proxy import Proxy
from tests.databases import sqlite_url
from tests.running import ServerProcess, running_server

HEARTBEAT = 0.5
"""How long a peer of the fault server may be silent before it is asked, in seconds."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def hasty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server in open mode that notices silence soon."""
    database = sqlite_url(tmp_path_factory.mktemp("hasty"))
    with running_server(database, secret=None, rate_limit=0, heartbeat_interval=str(HEARTBEAT)) as server:
        yield server


@pytest.fixture
async def proxy(hasty_server: ServerProcess) -> AsyncIterator[Proxy]:
    """A proxy in front of the hasty server."""
    async with Proxy.before(hasty_server.port) as proxy:
        yield proxy


@pytest.fixture
def plain_server() -> Iterator[PlainServer]:
    """A server that knows the base protocol and nothing else."""
    with PlainServer() as server:
        yield server


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of a new, empty database for one test."""
    return sqlite_url(tmp_path)
