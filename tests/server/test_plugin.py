"""VetChat inside somebody else's Litestar application, served by a plain uvicorn."""

import http.client
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import uvicorn
from litestar import Litestar, get
from vetchat_protocol.models import Role
from vetchat_server import JwtAuthenticator, Service, TortoiseStore, VetChatPlugin, secret_key
from vetchat_server.service import Phase

from tests.conformance.peer import Peer, new_id, refusal
from tests.databases import sqlite_url
from tests.running import SECRET
from tests.server.serving import LocalServer, in_background

pytestmark = pytest.mark.anyio


@get("/pets", sync_to_thread=False)
def pets() -> list[str]:
    return ["Luna"]


@contextmanager
def clinic(database: str, **options: str | bool) -> Generator[LocalServer]:
    """A clinic's own application, with VetChat in it."""
    service = Service(TortoiseStore(database), JwtAuthenticator([secret_key(SECRET)]))
    app = Litestar(route_handlers=[pets], plugins=[VetChatPlugin(service, **options)])  # pyright: ignore[reportArgumentType]
    server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_config=None, log_level="error"))

    async def serve(listener: socket.socket, started: Callable[[], None]) -> None:
        started()
        await server.serve([listener])

    with in_background(server, serve) as (port, loop):
        yield LocalServer(service, port, loop)


def get_page(server: LocalServer, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    status, body = response.status, response.read().decode()
    connection.close()
    return status, body


@pytest.mark.clause("S1.1", "S4.5", "S4.12")
async def test_people_chat_inside_another_application(tmp_path: Path) -> None:
    database = sqlite_url(tmp_path)
    with clinic(database) as server:
        async with (
            await server.connect() as owner,
            await server.connect(Role.PROVIDER) as vet,
            await Peer.connect(server.ws_url.removesuffix("/"), token=server.token(new_id(), "client")),
        ):
            conversation = await owner.create(vet.user_id)
            await vet.expect("new_conversation_invitation", id=conversation["id"])
            await owner.say(conversation["id"], "Does the clinic still work?")
            await vet.expect("message_sent", content="Does the clinic still work?")
        assert get_page(server, "/pets") == (200, '["Luna"]')
        assert get_page(server, "/health") == (200, "serving")
        assert "vetchat_connections" in get_page(server, "/metrics")[1]
        assert get_page(server, "/")[0] == 404, "without tokens only is there a demo page"
    with clinic(database) as server:  # the first one gave its database back
        async with await server.connect(sub=owner.user_id) as owner:
            assert await owner.contents(conversation["id"]) == ["Does the clinic still work?"]


@pytest.mark.clause("S1.1", "R1.7")
async def test_the_endpoint_may_have_another_path_and_the_probes_may_be_left_out(tmp_path: Path) -> None:
    with clinic(sqlite_url(tmp_path), path="/api/chat", probes=False) as server:
        for path in ("/api/chat", "/api/chat/"):
            url = f"ws://127.0.0.1:{server.port}{path}"
            assert await refusal(url) == 401
            async with await Peer.connect(url, token=server.token(new_id(), "client")) as owner:
                await owner.create()
        assert get_page(server, "/health")[0] == 404
        assert get_page(server, "/metrics")[0] == 404


async def test_the_applications_own_lifespan_opens_and_closes_the_service(tmp_path: Path) -> None:
    seen: list[Phase] = []
    service = Service(TortoiseStore(sqlite_url(tmp_path)), JwtAuthenticator([secret_key(SECRET)]))

    @asynccontextmanager
    async def own(_app: Litestar) -> AsyncGenerator[None]:
        seen.append(service.phase)
        yield
        seen.append(service.phase)

    app = Litestar(lifespan=[own], plugins=[VetChatPlugin(service)], logging_config=None)
    assert service.phase is Phase.STARTING
    async with app.lifespan():
        seen.append(service.phase)
    assert seen[1] is Phase.SERVING
    assert service.phase is Phase.DRAINING
