"""How a connection takes up commands: one after the other, whatever becomes of one of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import pytest
from anyio import fail_after
from structlog.testing import capture_logs
from vetchat_protocol.models import Listing
from vetchat_protocol.records import Outcome, Stamped
from vetchat_protocol.server import Response, respond
from vetchat_protocol.session import Session
from vetchat_server import MemoryStore, connection, environment, service
from vetchat_server.hub import Hub
from vetchat_server.ports import StoreUnavailable
from vetchat_server.upgrade import Denied

from tests.conformance.peer import new_id
from tests.server.stage import PATIENCE, V1, Stage, Wire, staged

pytestmark = pytest.mark.anyio


class HeldStore(MemoryStore):
    """A store in memory whose commits wait while it is not `free`, are counted, and fail while there is a `failure`."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()
        self.asked = asyncio.Event()
        self.failure: Exception | None = None
        self.commits = 0

    async def commit(self, entries: Sequence[Stamped]) -> Sequence[Outcome]:
        self.asked.set()
        self.commits += 1
        await self.free.wait()
        if self.failure is not None:
            raise self.failure
        return await super().commit(entries)


@pytest.fixture
def store() -> HeldStore:
    return HeldStore()


@pytest.fixture
async def stage(store: HeldStore) -> AsyncIterator[Stage]:
    async with staged(store) as stage:
        yield stage


def drop(wire: Wire) -> None:
    """What a shutdown that takes too long does to a connection."""
    wire.served.cancel()


def contents(wire: Wire) -> list[str]:
    frames = [json.loads(frame) for frame in wire.frames]
    return [frame["params"]["content"] for frame in frames if frame["event"] == "message_sent"]


@pytest.mark.clause("R2.6")
async def test_thousands_of_commands_that_arrive_together_are_answered_one_after_the_other(stage: Stage) -> None:
    owner = await stage.enter("client", new_id(), V1)
    owner.say("ping", times=5_000)
    await owner.until(5_000)
    assert {json.loads(frame)["event"] for frame in owner.frames} == {"pong"}


async def test_a_mistake_of_ours_ends_the_connection_and_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mistaken(session: Session, received: str | bytes) -> Response:
        if "mistake" in str(received):
            raise ZeroDivisionError
        return await respond(session, received)

    monkeypatch.setattr(connection, "respond", mistaken)
    conversation, owner, (vet,) = await stage.consultation()
    owner.say("message", conversation_id=conversation, content="mistake", times=2)
    with pytest.raises(ZeroDivisionError), fail_after(PATIENCE):
        await owner.served
    vet.say("message", conversation_id=conversation, content="Are you there?")
    await vet.until(2)
    assert [json.loads(frame)["event"] for frame in vet.frames] == ["user_left", "message_sent"]


async def test_a_mistake_of_ours_in_the_middle_of_a_commit_fails_nobody_else_in_it(
    stage: Stage, store: HeldStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(_hub: Hub, _recipient: object, _answer: object) -> None:
        raise ZeroDivisionError

    conversation, _, vets = await stage.consultation(vets=2)
    laptop = await stage.enter("client", new_id(), V1)
    laptop.say("new_conversation", pet_id=new_id(), providers=[], client_conversation_id="once")
    await laptop.until(1)
    monkeypatch.setattr(Hub, "answer", mistaken)
    store.free.clear()
    store.asked.clear()
    vets[0].say("message", conversation_id=conversation, content="First.")
    await store.asked.wait()
    laptop.say("new_conversation", pet_id=new_id(), providers=[], client_conversation_id="once")
    vets[1].say("message", conversation_id=conversation, content="Second.")
    store.free.set()
    with pytest.raises(ZeroDivisionError), fail_after(PATIENCE):
        await laptop.served
    await vets[0].until(2)
    assert contents(vets[0]) == contents(vets[1]) == ["First.", "Second."]


@pytest.mark.clause("R4.7")
@pytest.mark.parametrize("how", [Wire.hang_up, drop], ids=["goes", "is dropped"])
async def test_a_message_is_stored_and_delivered_although_its_sender_is_gone(
    stage: Stage, store: HeldStore, how: Callable[[Wire], None]
) -> None:
    conversation, owner, (vet,) = await stage.consultation()
    store.free.clear()
    owner.say("message", conversation_id=conversation, content="Rex will not eat.", times=2)
    how(owner)
    store.free.set()
    with fail_after(PATIENCE):
        await asyncio.wait([owner.served])
    await vet.until(2)
    assert contents(vet) == ["Rex will not eat."], "the second was not begun"


@pytest.mark.clause("S5.8")
async def test_a_connection_that_is_dropped_while_it_comes_in_leaves_nothing_behind(
    stage: Stage, store: HeldStore
) -> None:
    store.free.clear()
    store.asked.clear()
    owner = await stage.enter("client", new_id(), V1, greets=False)
    owner.say("hello")
    with fail_after(PATIENCE):
        await store.asked.wait()
    with capture_logs() as logged:
        owner.served.cancel()
        await asyncio.wait([owner.served])
        store.free.set()
        conversation, client, _ = await stage.consultation()
        client.say("message", conversation_id=conversation, content="Is anybody there?")
        await client.until(1)
        await stage.close()
    assert logged == []
    assert stage.service._environment.hub.empty  # pyright: ignore[reportPrivateUsage]


@pytest.mark.clause("R1.4", "R4.13")
async def test_a_role_is_recorded_when_it_is_new_and_not_again(stage: Stage, store: HeldStore) -> None:
    someone = new_id()
    for role, commits in (("client", 1), ("client", 0), ("provider", 1), ("client", 0), ("provider", 0)):
        before = store.commits
        wire = await stage.enter(role, someone)
        assert store.commits - before == commits
        wire.hang_up()
    assert await store.only_clients([someone]) == frozenset()


@pytest.mark.clause("R1.4", "R4.13")
async def test_a_role_that_could_not_be_recorded_is_recorded_the_next_time(stage: Stage, store: HeldStore) -> None:
    someone = new_id()
    store.failure = StoreUnavailable()
    with pytest.raises(Denied):
        await stage.enter("client", someone)
    store.failure = None
    await stage.enter("client", someone)
    assert await store.only_clients([someone]) == {someone}


async def test_only_so_many_roles_are_remembered(
    stage: Stage, store: HeldStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "RECORDED", 2)
    users = [new_id() for _ in range(3)]
    for user in users:
        await stage.enter("client", user)
    before = store.commits
    await stage.enter("client", users[2])
    assert store.commits == before
    await stage.enter("client", users[0])
    assert store.commits == before + 1


async def test_an_operation_that_cancels_itself_fails_its_command_and_hangs_nobody(
    stage: Stage, store: HeldStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(*_: object) -> Sequence[Listing]:
        raise asyncio.CancelledError

    owner = await stage.enter("client", new_id(), V1)
    with monkeypatch.context() as patch:
        patch.setattr(store, "list_conversations", cancelled)
        owner.say("conversations")
        await owner.until(1)
    assert json.loads(owner.frames[0])["params"]["code"] == "internal"
    owner.say("conversations")
    await owner.until(2)
    assert json.loads(owner.frames[1])["event"] == "conversations"


class SlowWire(Wire):
    """A peer that never keeps up: each frame is waited for."""

    def write(self, payload: bytes) -> bool:
        return False

    async def send(self, payload: bytes) -> None:
        await asyncio.sleep(0)
        super().write(payload)


class BrokenWire(Wire):
    """A peer whose socket fails in a way that nobody thought of."""

    def write(self, payload: bytes) -> bool:
        return False

    async def send(self, payload: bytes) -> None:
        raise ZeroDivisionError


@pytest.mark.clause("R2.6", "V5.3")
async def test_a_slow_peer_gets_every_answer_once_and_in_order(stage: Stage) -> None:
    owner = await stage.enter("client", new_id(), V1, wire=SlowWire())
    for number in range(200):
        owner.say("ping", ref=str(number))
    await owner.until(200)
    assert [json.loads(frame)["ref"] for frame in owner.frames] == [str(number) for number in range(200)]


@pytest.mark.clause("V5.3", "V4.1")
async def test_a_slow_peer_is_told_what_happens_in_a_callback_of_another_connection(stage: Stage) -> None:
    vet_id = new_id()
    vet = await stage.enter("provider", vet_id, V1, wire=SlowWire())
    owner = await stage.enter("client", new_id(), V1)
    owner.say("new_conversation", pet_id=new_id(), providers=[vet_id])
    await owner.until(2)
    await vet.until(2)
    conversation = json.loads(owner.frames[0])["params"]["id"]
    vet.clear()
    say = partial(owner.say, "typing", conversation_id=conversation, state="active", times=20)
    asyncio.get_running_loop().call_soon(say)  # as a frame arrives: outside of any task
    await vet.until(20)
    assert [json.loads(frame)["event"] for frame in vet.frames] == ["typing"] * 20


async def test_a_socket_that_fails_ends_its_connection_and_tells(stage: Stage) -> None:
    owner = await stage.enter("client", new_id(), V1, wire=BrokenWire(), greets=False)
    owner.say("hello")
    with pytest.raises(ZeroDivisionError), fail_after(PATIENCE):
        await owner.served


class StuckWire(SlowWire):
    """A peer that reads nothing until it is `free`, and then may fail."""

    def __init__(self, failure: BaseException | None = None) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.stuck = asyncio.Event()
        self.failure = failure

    async def send(self, payload: bytes) -> None:
        self.stuck.set()
        await self.free.wait()
        if self.failure is not None:
            raise self.failure
        await super().send(payload)


async def test_a_frame_whose_sending_is_cancelled_from_below_ends_the_connection_and_tells(stage: Stage) -> None:
    wire = StuckWire(asyncio.CancelledError())
    wire.free.set()
    owner = await stage.enter("client", new_id(), V1, wire=wire, greets=False)
    owner.say("hello")
    with pytest.raises(ConnectionAbortedError), fail_after(PATIENCE):
        await owner.served


@pytest.mark.clause("V5.4")
async def test_a_socket_that_fails_after_the_end_has_begun_holds_nobody_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (connection, service):
        monkeypatch.setattr(module, "FINISH", 10 * PATIENCE)
    monkeypatch.setattr(service, "FLUSH", 10 * PATIENCE)
    wire = StuckWire(ZeroDivisionError())
    owner = await stage.enter("client", new_id(), V1, wire=wire, greets=False)
    owner.say("hello")
    with fail_after(PATIENCE):
        await wire.stuck.wait()
        draining = asyncio.create_task(stage.service.drain())
        await asyncio.sleep(0)
        wire.free.set()
        with pytest.raises(ZeroDivisionError):
            await owner.served
        await draining


@pytest.mark.clause("R2.7")
async def test_the_next_command_waits_until_the_answers_to_the_last_one_are_written(stage: Stage) -> None:
    wire = StuckWire()
    wire.free.set()
    await stage.enter("client", new_id(), V1, wire=wire)
    wire.free.clear()
    wire.stuck.clear()
    wire.say("ping", times=3)
    with fail_after(PATIENCE):
        await wire.stuck.wait()
    assert b'vetchat_commands_total{event="ping",outcome="ok"} 1.0' in stage.service.metrics.text()
    wire.free.set()
    await wire.until(3)
