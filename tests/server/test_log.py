"""Group commit: what waits goes together, one bad entry fails alone, and a broken commit is looked up (R4.7)."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from anyio import fail_after
from structlog.testing import capture_logs
from vetchat_protocol.delivery import Origin
from vetchat_protocol.errors import UNAVAILABLE, Closing, Code, Refusal
from vetchat_protocol.models import Conversation, Role
from vetchat_protocol.records import (
    ConversationDraft,
    ConversationStarted,
    Draft,
    Duplicate,
    MessageDraft,
    MessageStored,
    Outcome,
    ReadDraft,
    ReadMoved,
    Record,
    RoleDraft,
    Stamped,
    Unchanged,
)
from vetchat_server import MemoryStore
from vetchat_server import log as log_module
from vetchat_server.clock import random_id, system_clock
from vetchat_server.log import BATCH, Log, settle
from vetchat_server.metrics import Metrics
from vetchat_server.ports import OutcomeUnknown, StoreUnavailable

from tests.conformance.peer import new_id

pytestmark = pytest.mark.anyio

PATIENCE = 10


class MoodyStore(MemoryStore):
    """A store in memory that can be held up, and that fails when it is told to.

    `held` keeps commits waiting, `failure` is what they raise, `stores` says whether what fails is stored all the same;
    `away` keeps it from being read. `batches` are the sizes of all commits so far, `begun` tells of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held = asyncio.Event()
        self.held.set()
        self.begun = asyncio.Semaphore(0)
        self.batches: list[int] = []
        self.failure: Exception | None = None
        self.stores = False
        self.away = False
        self.asked = asyncio.Event()

    async def commit(self, entries: Sequence[Stamped]) -> Sequence[Outcome]:
        self.batches.append(len(entries))
        self.begun.release()
        await self.held.wait()
        failure = self.failure
        if failure is None:
            return await super().commit(entries)
        if self.stores:
            await super().commit(entries)
        raise failure

    async def records_after(self, position: int) -> Sequence[Record]:
        self.asked.set()
        if self.away:
            raise StoreUnavailable
        return await super().records_after(position)


class Scene:
    """A running log on a moody store, with one conversation; `delivered` is what the log has handed on so far."""

    def __init__(self) -> None:
        self.store = MoodyStore()
        self.delivered: list[tuple[Record, Origin | None]] = []
        self.owner = new_id()
        self.log = Log(self.store, self._deliver, clock=system_clock, new_id=random_id, metrics=Metrics())

    def _deliver(self, records: Sequence[tuple[Record, Origin | None]]) -> None:
        self.delivered += records

    async def begin(self) -> None:
        outcome = await self.log.append(ConversationDraft(self.owner, new_id(), ()))
        assert isinstance(outcome, ConversationStarted)
        self.conversation: Conversation = outcome.conversation
        await self.store.begun.acquire()
        self.delivered.clear()
        self.store.batches.clear()

    def message(self, content: str, key: str | None = None) -> MessageDraft:
        return MessageDraft(self.conversation.id, self.owner, content, key)

    def send(self, *drafts: Draft) -> list[asyncio.Task[Outcome]]:
        """Appends each draft in a task of its own, in this order."""
        return [
            asyncio.create_task(self.log.append(draft, Origin(f"connection {number}")))
            for number, draft in enumerate(drafts)
        ]

    async def send_while_busy(self, *drafts: Draft) -> list[asyncio.Task[Outcome]]:
        """Appends drafts which all wait until the commit before them is let through."""
        self.store.held.clear()
        first = self.send(self.message("First."))
        await self.store.begun.acquire()
        tasks = self.send(*drafts)
        await asyncio.sleep(0)
        self.store.held.set()
        await asyncio.wait(first)
        return tasks

    async def stored(self) -> list[str]:
        """What the conversation says, oldest first."""
        messages = await self.store.read_messages(self.conversation.id, 0, 1_000_000)
        return [message.content for message in reversed(messages)]


@pytest.fixture
async def scene() -> AsyncGenerator[Scene]:
    scene = Scene()
    async with running(scene.log):
        await scene.begin()
        with fail_after(PATIENCE):
            yield scene


@asynccontextmanager
async def running(log: Log) -> AsyncGenerator[None]:
    task = asyncio.create_task(log.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled(), "the log never stops by itself"


async def refused(task: asyncio.Task[Outcome]) -> Code:
    with pytest.raises(Refusal) as refusal:
        await task
    return refusal.value.code


# -- group commit ------------------------------------------------------------------------------------------------------


async def test_drafts_that_wait_during_a_commit_go_into_the_next_one_together(scene: Scene) -> None:
    tasks = await scene.send_while_busy(*(scene.message(str(number)) for number in range(5)))
    outcomes = await asyncio.gather(*tasks)
    assert scene.store.batches == [1, 5]
    assert [outcome.message.seq for outcome in outcomes if isinstance(outcome, MessageStored)] == [2, 3, 4, 5, 6]
    assert await scene.stored() == ["First.", *"01234"]


async def test_a_commit_takes_no_more_than_its_share(scene: Scene) -> None:
    tasks = await scene.send_while_busy(*(scene.message(str(number)) for number in range(BATCH + 1)))
    await asyncio.gather(*tasks)
    assert scene.store.batches == [1, BATCH, 1]
    assert await scene.stored() == ["First.", *map(str, range(BATCH + 1))]


@pytest.mark.clause("R4.9", "V3.2")
async def test_what_is_committed_is_delivered_in_log_order_with_its_origin_before_any_sender_goes_on(
    scene: Scene,
) -> None:
    order: list[str] = []

    async def send(draft: Draft, name: str) -> None:
        outcome = await scene.log.append(draft, Origin(name))
        order.append(name)
        assert (outcome, Origin(name)) in scene.delivered
        assert len(scene.delivered) == 3, "the whole commit is delivered first"

    async with asyncio.TaskGroup() as tasks:
        for name in ("a", "b", "c"):
            tasks.create_task(send(scene.message(name), name))
    assert order == ["a", "b", "c"]
    assert [origin for _, origin in scene.delivered] == [Origin("a"), Origin("b"), Origin("c")]
    assert [record.offset for record, _ in scene.delivered] == [2, 3, 4]
    assert scene.log.head == 4


async def test_a_sender_that_fails_at_its_outcome_keeps_nobody_from_theirs(scene: Scene) -> None:
    def fails(_outcome: Outcome | None, _error: Exception | None) -> None:
        raise ZeroDivisionError

    with capture_logs() as logged:
        scene.log.submit(scene.message("One."), None, fails)
        await scene.log.append(scene.message("Two."))
    assert await scene.stored() == ["One.", "Two."]
    assert [line["event"] for line in logged] == ["sender_failed"]


@pytest.mark.clause("V2.2", "V4.2", "R4.13")
async def test_what_stored_nothing_new_is_answered_and_delivered_to_nobody(scene: Scene) -> None:
    first = await scene.log.append(scene.message("Once.", "key"))
    scene.delivered.clear()
    drafts = scene.message("Once.", "key"), ReadDraft(scene.conversation.id, scene.owner, 1)
    again, read, role = await asyncio.gather(*scene.send(*drafts, RoleDraft(scene.owner, Role.CLIENT)))
    assert isinstance(again, Duplicate)
    assert again.record == first
    assert read == role == Unchanged()
    assert scene.delivered == []


# -- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R6.3")
async def test_one_bad_entry_fails_its_sender_alone(scene: Scene) -> None:
    nowhere = MessageDraft(new_id(), scene.owner, "Lost.")
    good = [scene.message(str(number)) for number in range(4)]
    tasks = await scene.send_while_busy(*good[:2], nowhere, *good[2:])
    bad = tasks.pop(2)
    await asyncio.wait(tasks)
    assert await refused(bad) is Code.INTERNAL
    assert await scene.stored() == ["First.", *"0123"]
    assert [record for record, _ in scene.delivered[1:]] == [task.result() for task in tasks]
    assert [origin for _, origin in scene.delivered[1:]] == [Origin(f"connection {number}") for number in (0, 1, 3, 4)]


@pytest.mark.clause("R6.3")
@pytest.mark.parametrize("failure", [StoreUnavailable("disk full"), RuntimeError("a bug")], ids=["away", "broken"])
async def test_a_failing_store_is_a_refusal_to_the_sender_and_the_log_goes_on(scene: Scene, failure: Exception) -> None:
    scene.store.failure = failure
    tasks = scene.send(scene.message("Lost."), scene.message("Lost too."))
    assert [await refused(task) for task in tasks] == [Code.UNAVAILABLE] * 2
    scene.store.failure = None
    await scene.log.append(scene.message("Here again."))
    assert await scene.stored() == ["Here again."]
    assert [record.offset for record, _ in scene.delivered] == [2]


async def test_a_sender_who_is_cancelled_takes_nothing_with_it(scene: Scene) -> None:
    scene.store.held.clear()
    committing, *waiting = scene.send(scene.message("Committing."))
    await scene.store.begun.acquire()
    waiting = scene.send(scene.message("Waiting."), scene.message("Staying."))
    await asyncio.sleep(0)
    committing.cancel()
    waiting[0].cancel()
    scene.store.held.set()
    assert isinstance(await waiting[1], MessageStored)
    assert committing.cancelled()
    assert waiting[0].cancelled()
    assert await scene.stored() == ["Committing.", "Waiting.", "Staying."]
    assert [record.offset for record, _ in scene.delivered] == [2, 3, 4]


# -- unknown outcomes (R4.7) -------------------------------------------------------------------------------------------


@pytest.mark.clause("R4.7")
async def test_a_commit_that_broke_after_it_was_stored_is_found_and_answered(scene: Scene) -> None:
    await scene.log.append(scene.message("Read this."))
    scene.delivered.clear()
    scene.store.failure, scene.store.stores = OutcomeUnknown(), True
    reader = new_id()
    started = await scene.log.append(ConversationDraft(scene.owner, new_id(), (reader,)), Origin("starter"))
    assert isinstance(started, ConversationStarted)
    message, read = await asyncio.gather(
        *scene.send(
            MessageDraft(started.conversation_id, scene.owner, "Found."),
            ReadDraft(scene.conversation.id, scene.owner, 0),
        ),
        return_exceptions=True,
    )
    assert isinstance(message, MessageStored)
    assert isinstance(read, Refusal), "a position that did not move is nowhere to be found"
    moved = await scene.log.append(ReadDraft(started.conversation_id, reader, 1), Origin("reader"))
    assert moved == ReadMoved(message.offset + 1, started.conversation_id, reader, 1)
    assert scene.delivered == [
        (started, Origin("starter")),
        (message, Origin("connection 0")),
        (moved, Origin("reader")),
    ]


@pytest.mark.clause("R4.7")
async def test_a_commit_that_broke_before_it_was_stored_is_refused(scene: Scene) -> None:
    scene.store.failure = OutcomeUnknown()
    assert await refused(scene.send(scene.message("Lost."))[0]) is Code.UNAVAILABLE
    scene.store.failure = None
    record = await scene.log.append(scene.message("Here."), Origin("sender"))
    assert scene.delivered == [(record, Origin("sender"))]
    assert await scene.stored() == ["Here."]


@pytest.mark.clause("R4.7")
async def test_while_the_log_looks_newcomers_are_refused_at_once_and_those_who_waited_go_on_later(scene: Scene) -> None:
    scene.store.failure, scene.store.stores, scene.store.away = OutcomeUnknown(), True, True
    scene.store.held.clear()
    broken = scene.send(scene.message("Broken."))[0]
    await scene.store.begun.acquire()
    waiting = scene.send(scene.message("Waiting."))[0]
    await asyncio.sleep(0)
    scene.store.held.set()
    await scene.store.asked.wait()
    assert await refused(scene.send(scene.message("Too early."))[0]) is Code.UNAVAILABLE
    scene.store.failure, scene.store.away = None, False
    outcomes = await asyncio.gather(broken, waiting)
    assert [record for record, _ in scene.delivered] == outcomes
    assert await scene.stored() == ["Broken.", "Waiting."]


@pytest.mark.clause("R4.7", "V5.2")
async def test_if_the_store_stays_away_the_senders_are_closed_and_later_the_records_are_delivered(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "LOOK_FOR", 0.01)
    scene.store.failure, scene.store.stores, scene.store.away = OutcomeUnknown(), True, True
    tasks = scene.send(scene.message("Nobody knows."), scene.message("Nobody knows either."))
    for task in tasks:
        with pytest.raises(Closing) as closing:
            await task
        assert closing.value.close is UNAVAILABLE
    assert scene.delivered == []
    scene.store.failure, scene.store.away = None, False
    scene.store.asked.clear()
    await scene.store.asked.wait()
    last = await scene.log.append(scene.message("Here again."))
    assert [record.offset for record, _ in scene.delivered] == [2, 3, 4]
    assert scene.delivered[-1] == (last, None)
    assert [origin for _, origin in scene.delivered[:2]] == [Origin("connection 0"), Origin("connection 1")]


@pytest.mark.clause("R4.9", "V3.2")
async def test_what_somebody_else_appended_meanwhile_is_read_and_delivered_in_its_place(scene: Scene) -> None:
    elsewhere = [Stamped(scene.message(content), new_id(), 0) for content in ("From elsewhere.", "From there too.")]
    stored = await MemoryStore.commit(scene.store, elsewhere)
    mine = await scene.log.append(scene.message("From here."), Origin("sender"))
    assert scene.delivered == [*((record, None) for record in stored), (mine, Origin("sender"))]
    assert scene.log.head == 4


@pytest.mark.clause("R6.3")
async def test_who_waits_behind_a_broken_commit_is_refused_when_the_store_stays_away(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "LOOK_FOR", 0.05)
    scene.store.failure, scene.store.away = OutcomeUnknown(), True
    scene.store.held.clear()
    (broken,) = scene.send(scene.message("Broken."))
    await scene.store.begun.acquire()
    (behind,) = scene.send(scene.message("Behind."))
    await asyncio.sleep(0)
    scene.store.held.set()
    assert await refused(behind) is Code.UNAVAILABLE
    with pytest.raises(Closing):
        await broken


@pytest.mark.clause("R4.7")
async def test_a_sender_whose_commit_was_found_may_go_on_at_once(scene: Scene) -> None:
    second = asyncio.get_running_loop().create_future()
    scene.store.failure, scene.store.stores = OutcomeUnknown(), True

    def go_on(_outcome: Outcome | None, _error: Exception | None) -> None:
        scene.store.failure = None
        scene.log.submit(scene.message("Two."), None, partial(settle, second))

    scene.log.submit(scene.message("One."), None, go_on)
    assert isinstance(await second, MessageStored)
    assert await scene.stored() == ["One.", "Two."]
