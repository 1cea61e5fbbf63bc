"""The service behind the endpoint: whom it asks, what it counts, and that it forgets who has gone."""

import http.client
import socket
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from vetchat_protocol.models import NIL, Role, User
from vetchat_protocol.operations import Identity
from vetchat_server import Credentials, Limits, MemoryStore, OpenAuthenticator, Service, asgi, create_app
from vetchat_server.ports import LogHead

from tests.conformance.peer import Peer, by_hand, new_id, refusal
from tests.server.serving import PATIENCE, LocalServer, in_background, serving

pytestmark = pytest.mark.anyio


def get(server: LocalServer, path: str) -> http.client.HTTPResponse:
    """The whole answer to a plain HTTP request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("GET", path, headers={"Connection": "close"})
    return connection.getresponse()


async def until(condition: Callable[[], bool]) -> None:
    """Returns once something has become so in the server's thread."""
    with anyio.fail_after(PATIENCE):
        while not condition():
            await anyio.lowlevel.checkpoint()


# -- who is let in, and what they may do -------------------------------------------------------------------------------


class Says:
    """An authenticator that says the same of everybody, or fails."""

    takes_tokens = True

    def __init__(self, answer: Identity | Exception) -> None:
        self._answer = answer

    async def authenticate(self, credentials: Credentials) -> Identity:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.clause("R1.8", "R1.7")
@pytest.mark.parametrize("user_id", [NIL, "", "ann", "B81D4F92-6C37-4E5A-9D20-74F0C3A1E802"])
async def test_an_authenticator_that_returns_no_usable_id_is_refused(user_id: str) -> None:
    with serving(authenticator=Says(Identity(User(user_id, Role.CLIENT)))) as server:
        assert await refusal(server.ws_url, token="whatever") == 401


async def test_an_authenticator_that_fails_lets_nobody_in_and_the_server_goes_on() -> None:
    with serving(authenticator=Says(RuntimeError("the directory is away"))) as server:
        assert await refusal(server.ws_url, token="whatever") == 503
        assert get(server, "/health").status == 200


class NoRabbits:
    """A policy that knows which pet is a rabbit."""

    def __init__(self, rabbit: str, broken: str) -> None:
        self._rabbit = rabbit
        self._broken = broken

    async def permit(self, user: User, pet: str, providers: tuple[str, ...]) -> str | None:
        if pet == self._broken:
            raise RuntimeError("the register is away")
        return "This clinic treats no rabbits." if pet == self._rabbit else None


@pytest.mark.clause("R4.15", "R6.2", "R6.3")
async def test_a_policy_says_which_conversations_may_be_opened() -> None:
    rabbit, broken = new_id(), new_id()
    with serving(policy=NoRabbits(rabbit, broken)) as server:
        async with await server.connect() as owner:
            why = await owner.refused("new_conversation", {"pet_id": rabbit, "providers": []})
            assert why == "This clinic treats no rabbits."
            assert "register" not in await owner.refused("new_conversation", {"pet_id": broken, "providers": []})
            created = await owner.create()
            assert [entry["id"] for entry in await owner.conversations()] == [created["id"]]


@pytest.mark.clause("R5.7")
async def test_a_strict_reader_is_not_told_of_disconnections_but_of_those_who_leave_by_hand() -> None:
    with serving(tells_disconnect=False) as server:
        async with await server.connect() as owner, await server.connect(Role.PROVIDER) as vet:
            other = await server.connect(Role.PROVIDER)
            conversation = (await owner.create(vet.user_id, other.user_id))["id"]
            await other.close()
            await vet.expect("new_conversation_invitation")
            await vet.unsubscribe(conversation)
            await owner.expect("user_left", user_id=vet.user_id, reason="unsubscribed")


# -- starting ----------------------------------------------------------------------------------------------------------


class SlowStore(MemoryStore):
    """A store that takes a while to open."""

    def __init__(self) -> None:
        super().__init__()
        self.open_now = threading.Event()

    async def open(self) -> LogHead:
        await anyio.to_thread.run_sync(self.open_now.wait, PATIENCE)
        return await super().open()


async def test_a_server_that_has_not_opened_its_store_says_so_and_lets_nobody_in() -> None:
    store = SlowStore()
    service = Service(store, OpenAuthenticator())
    config = asgi.configure(create_app(service), frame_bytes=1_000, heartbeat_interval=25, handshake_timeout=10)
    uvicorn = asgi.Server(config, service.drain)

    async def serve(listener: socket.socket, started: Callable[[], None]) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(uvicorn.serve, [listener])
            started()
            async with service:
                await uvicorn.finished.wait()

    with in_background(uvicorn, serve) as (port, loop):
        server = LocalServer(service, port, loop)
        starting = get(server, "/health")
        assert (starting.status, starting.read()) == (503, b"starting")
        assert await refusal(server.ws_url) == 503
        store.open_now.set()
        await until(lambda: get(server, "/health").status == 200)
        async with await Peer.connect(server.ws_url) as owner:
            await owner.create()


# -- leaving nothing behind --------------------------------------------------------------------------------------------


@pytest.mark.clause("S5.8")
async def test_when_everybody_has_gone_nothing_is_left_in_memory() -> None:
    with serving(limits=Limits(connections_per_user=2)) as server:
        environment = server.service._environment  # pyright: ignore[reportPrivateUsage]
        vet_id = new_id()
        vets = [await server.connect(Role.PROVIDER, vet_id) for _ in range(2)]
        owner = await server.connect()
        assert await refusal(server.ws_url, token=server.token(vet_id, "provider")) == 429
        assert await refusal(server.ws_url, token="bad") == 401
        async with by_hand(server.ws_url, headers=[("Sec-WebSocket-Protocol", "vetchat.v1")]) as (silent, _, _):
            assert silent.status == 101
            conversation = (await owner.create(vet_id))["id"]
            await vets[0].expect("new_conversation_invitation")
            await vets[0].unsubscribe(conversation)
            await owner.say(conversation)
            assert not server.call(lambda: environment.hub.empty)
        vets[0].socket.transport.abort()
        await vets[1].close()
        await owner.close()
        await until(lambda: server.call(lambda: environment.hub.empty))
        await until(lambda: server.call(lambda: not server.service._connections))  # pyright: ignore[reportPrivateUsage]


# -- what operators see ------------------------------------------------------------------------------------------------


def measured(server: LocalServer) -> dict[str, float]:
    """Every sample that /metrics gives, by its name and labels."""
    response = get(server, "/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = response.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


async def test_metrics_count_connections_commands_commits_deliveries_refusals_and_closes() -> None:
    with serving(limits=Limits(refusals_per_minute=1)) as server:
        async with await server.connect() as owner, await server.connect(Role.PROVIDER) as vet:
            conversation = (await owner.create(vet.user_id))["id"]
            await owner.say(conversation)
            await owner.refused("message", {"conversation_id": new_id(), "content": "Hello?"})
            assert await refusal(server.ws_url) == 401
            during = measured(server)
            for _ in range(2):
                await vet.send_text("not JSON")
            await vet.drain()
        after = measured(server)
    assert during['vetchat_connections{dialect="base",role="client"}'] == 1
    assert during['vetchat_connections{dialect="base",role="provider"}'] == 1
    assert during['vetchat_commands_total{event="message",outcome="ok"}'] == 1
    assert during['vetchat_commands_total{event="message",outcome="not_found"}'] == 1
    assert during['vetchat_deliveries_total{event="message_sent"}'] == 2
    assert during['vetchat_refused_upgrades_total{status="401"}'] == 1
    assert during["vetchat_commit_batch_size_sum"] == 4, "two roles, a conversation and a message"
    assert during["vetchat_commit_seconds_count"] == during["vetchat_commit_batch_size_count"]
    assert after['vetchat_closes_total{code="4108"}'] == 1
    assert after['vetchat_connections{dialect="base",role="provider"}'] == 0


async def test_the_demo_page_is_there_in_open_mode_and_loads_nothing_from_elsewhere() -> None:
    with serving(secret=None) as server:
        page = get(server, "/")
        assert page.status == 200
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["Content-Type"].startswith("text/html")
        assert b"<script>" not in page.read(), "a script in the page would not run"
        assert get(server, "/demo/app.js").headers["Content-Type"].startswith("text/javascript")
        for path in ("/demo/nowhere.js", "/demo/__init__.py", "/demo/..%2fapp.py", "/demo/../app.py", "/demo/"):
            assert get(server, path).status == 404


async def test_where_tokens_are_asked_for_there_is_no_demo_page(local_server: LocalServer) -> None:
    assert get(local_server, "/").status == 404
    assert get(local_server, "/demo/app.js").status == 404


def test_what_can_be_chosen_for_a_service_has_the_limits_of_the_protocol_by_default() -> None:
    limits: dict[str, Any] = {name: getattr(Limits(), name) for name in Limits.__slots__}  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
    assert limits == {
        "burst": 200,
        "refusals_per_minute": 100,
        "connections_per_user": 20,
        "outbox_frames": 1_000,
        "outbox_bytes": 1_048_576,
        "waiting_for_hello": 1_000,
    }
