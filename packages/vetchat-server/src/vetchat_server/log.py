"""Group commit: drafts wait while a commit runs and go into the next one together; what is committed is delivered.

Every connection has at most one draft waiting, so the queue is bounded by the connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, cast

import structlog
from vetchat_protocol.delivery import Origin
from vetchat_protocol.errors import UNAVAILABLE, Closing, Code, Refusal
from vetchat_protocol.records import (
    ConversationStarted,
    Draft,
    MessageStored,
    Outcome,
    ReadDraft,
    ReadMoved,
    Record,
    Stamped,
)

from .clock import Clock, NewId
from .metrics import Metrics
from .ports import OutcomeUnknown, Rejected, Store, StoreUnavailable

logger = structlog.stdlib.get_logger(__name__)
T = TypeVar("T")

BATCH = 1_000
"""The most drafts in one commit."""

LOOK_FOR = 5.0
"""How long senders wait for the log to find out what became of a broken commit, in seconds (R4.7)."""

Deliver = Callable[[Sequence[tuple[Record, Origin | None]]], None]

Then = Callable[[T | None, Exception | None], None]
"""What happens when something is done: it is called once, with what came of it or with the error it ended in."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A stamped draft on its way, who asked for it, and who is told of its outcome, once."""

    entry: Stamped
    origin: Origin | None
    then: Then[Outcome] | None

    def tell(self, outcome: Outcome | None, error: Exception | None = None) -> None:
        then, self.then = self.then, None
        if then is None:
            return
        try:
            then(outcome, error)
        except Exception:  # what one sender does with its outcome must not keep the others from theirs
            logger.exception("sender_failed")

    def fail(self, error: Exception) -> None:
        self.tell(None, error)


class Log:
    """The one writer of the store. `deliver` is called for each commit's records, in log order, before anybody whose
    draft was in it goes on. It must not fail."""

    def __init__(self, store: Store, deliver: Deliver, *, clock: Clock, new_id: NewId, metrics: Metrics) -> None:
        self._store = store
        self._deliver = deliver
        self._clock = clock
        self._new_id = new_id
        self._metrics = metrics
        self._queue: list[Waiting] = []
        self._wake = asyncio.Event()
        self._lost = False
        self.head = 0

    def submit(self, draft: Draft, origin: Origin | None, then: Then[Outcome]) -> None:
        """Stores a draft; tells its outcome once it is durable and has been delivered, or one of these errors.

        * `Refusal`: `unavailable` or `internal`; it was certainly not stored (R6.3).
        * `Closing`: nobody can tell whether it was stored (R4.7).
        """
        waiting = Waiting(Stamped(draft, self._new_id(), self._clock()), origin, then)
        if self._lost:
            waiting.fail(_unavailable())
            return
        if not self._queue:
            self._wake.set()
        self._queue.append(waiting)

    async def append(self, draft: Draft, origin: Origin | None = None) -> Outcome:
        """The same for a caller who waits; the draft is stored even if that one is cancelled meanwhile.

        Raises:
            Refusal, Closing: as `submit` says.
        """
        outcome = asyncio.get_running_loop().create_future()
        self.submit(draft, origin, partial(settle, outcome))
        return await outcome

    async def run(self) -> None:
        """Commits what waits, for ever; cancel it when nobody appends any more."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
                await self._commit(batch)

    async def _commit(self, batch: list[Waiting]) -> None:
        try:
            with self._metrics.commit(len(batch)):
                outcomes = await self._store.commit([waiting.entry for waiting in batch])
        except OutcomeUnknown:
            logger.warning("commit_outcome_unknown", batch=len(batch))
            await self._look(batch)
        except Rejected:
            await self._one_by_one(batch)
        except Exception as error:  # noqa: BLE001 - a store may fail in any way; its senders must hear of it
            _log_failure(error)
            for waiting in batch:
                waiting.fail(_unavailable())
        else:
            await self._publish(batch, outcomes)

    async def _one_by_one(self, batch: list[Waiting]) -> None:
        """One bad entry must fail only its sender."""
        if len(batch) > 1:
            for waiting in batch:
                await self._commit([waiting])
            return
        logger.error("entry_rejected", draft=type(batch[0].entry.draft).__name__)
        batch[0].fail(Refusal(Code.INTERNAL, "The server could not store this; nothing was changed."))

    async def _publish(self, batch: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
        """Delivers what is new in log order, then lets the senders go on."""
        records: list[tuple[Record, Origin | None]] = [
            (outcome, waiting.origin)
            for waiting, outcome in zip(batch, outcomes, strict=True)
            if isinstance(outcome, Record)
        ]
        if records and records[0][0].offset != self.head + 1:
            records = await self._with_holes(records)
        self._advance(records)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.tell(outcome)

    async def _with_holes(self, records: list[tuple[Record, Origin | None]]) -> list[tuple[Record, Origin | None]]:
        """Reads from the log what somebody else appended while this server had lost its store for a while."""
        origins = {record.offset: origin for record, origin in records}
        found = await self._until_found()
        return [(record, origins.get(record.offset)) for record in found]

    def _advance(self, records: Sequence[tuple[Record, Origin | None]]) -> None:
        if records:
            self.head = records[-1][0].offset
            self._deliver(records)

    async def _look(self, batch: list[Waiting]) -> None:
        """Looks in the log for what became of a broken commit; senders who waited too long are closed (R4.7)."""
        self._lost = True
        give_up = asyncio.get_running_loop().call_later(LOOK_FOR, self._give_up, batch)
        try:
            records = await self._until_found()
        finally:
            give_up.cancel()
        stored = {_identity_of(record): record for record in records}
        found = {waiting: stored.get(_identity_of_entry(waiting.entry)) for waiting in batch}
        origins = {record.offset: waiting.origin for waiting, record in found.items() if record is not None}
        self._advance([(record, origins.get(record.offset)) for record in records])
        self._lost = False
        for waiting, record in found.items():
            if record is None:
                waiting.fail(_unavailable())
            else:
                waiting.tell(record)

    def _give_up(self, batch: Sequence[Waiting]) -> None:
        """Nobody can tell what became of the batch; what waits behind it was certainly not stored."""
        queued, self._queue = self._queue, []
        for waiting in batch:
            waiting.fail(Closing(UNAVAILABLE))
        for waiting in queued:
            waiting.fail(_unavailable())

    async def _until_found(self) -> Sequence[Record]:
        """The records after the head, asked for until the store answers."""
        pause = 0.05
        while True:
            try:
                return await self._store.records_after(self.head)
            except Exception as error:  # noqa: BLE001 - whatever it is, the log cannot go on without knowing
                _log_failure(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)


def settle(future: asyncio.Future[T], value: T | None, error: Exception | None) -> None:
    """A `Then` for those who wait for a future; whoever was cancelled waits no more."""
    if future.done():
        return
    if error is None:
        future.set_result(cast("T", value))
    else:
        future.set_exception(error)


def _identity_of(record: Record) -> tuple[str, ...]:
    match record:
        case MessageStored():
            return (record.message.id,)
        case ConversationStarted():
            return (record.conversation.id,)
        case ReadMoved():
            return (record.conversation_id, record.user_id, str(record.seq))


def _identity_of_entry(entry: Stamped) -> tuple[str, ...]:
    draft = entry.draft
    if isinstance(draft, ReadDraft):
        return (draft.conversation_id, draft.user_id, str(draft.seq))
    return (entry.id,)


def _unavailable() -> Refusal:
    return Refusal(Code.UNAVAILABLE, "The server cannot store anything now; nothing was changed. Try again later.")


def _log_failure(error: Exception) -> None:
    """Names the failure without its text, which may hold what somebody wrote."""
    if isinstance(error, StoreUnavailable):
        logger.warning("store_unavailable", error=type(error.__cause__ or error).__name__)
    else:
        logger.error("commit_failed", error=type(error).__name__)
