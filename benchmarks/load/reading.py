"""What reading costs, in a small database and in a large one, and what coming back to many missed frames does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Any

from .ledger import Ledger
from .meter import Meter
from .people import Peer
from .plan import BIG, OWNER, Reading, Result, Resuming, Target

PAGE = 20


class Askers:
    """Connections of one user that ask the same, each again when it was answered."""

    def __init__(self, target: Target, plan: Reading) -> None:
        self.ledger = Ledger()
        self.peers = [Peer(target, self.ledger, "client", OWNER) for _ in range(plan.askers)]
        self._target = target
        self._seconds = plan.seconds / 3

    async def ask(
        self, command: str, params: dict[str, object], answer: str, right: Callable[[Any], bool]
    ) -> tuple[float, float]:
        """The CPU time of the server, and of the database, for each request, in µs."""
        asked = 0
        until = perf_counter() + self._seconds

        async def keep_asking(peer: Peer) -> None:
            nonlocal asked
            while perf_counter() < until:
                if not right(await peer.ask(command, params, answer)):
                    self.ledger.fault(f"a wrong answer to {command}")
                asked += 1

        meter = Meter(self._target).start()
        await asyncio.gather(*(keep_asking(peer) for peer in self.peers))
        meter.stop()
        return meter.server / asked * 1e6, meter.database / asked * 1e6


async def read(target: Target, plan: Reading) -> Result:
    """Asks for the newest page, for one in the middle, and for the list of conversations."""
    askers = Askers(target, plan)
    for peer in askers.peers:
        await peer.connect()
    total = plan.messages // 2

    def right(answer: Any) -> bool:
        return answer["total_count"] == total and len(answer["messages"]) == PAGE

    figures: dict[str, float] = {}
    for name, page in (("newest", 0), ("middle", total // 2 // PAGE)):
        asking: dict[str, object] = {"conversation_id": BIG, "page": page, "limit": PAGE}
        took = await askers.ask("conversation_history", asking, "conversation_history_response", right)
        figures[f"{name}_us"], figures[f"{name}_database_us"] = took
    figures["list_us"], figures["list_database_us"] = await askers.ask("conversations", {}, "conversations", bool)
    for peer in askers.peers:
        await peer.close()
    if not target.database:
        figures = {name: value for name, value in figures.items() if "database" not in name}
    return Result(figures=figures, faults=askers.ledger.faults)


class Returning(Peer):
    """Counts the durable frames that are replayed to it, whose offsets must only grow."""

    frames = 0
    offset = 0
    until = 0

    def received(self, payload: bytes) -> None:
        if b'"message_sent"' not in payload:
            super().received(payload)
            return
        offset = int(payload.rpartition(b'"offset":')[2].rstrip(b"}"))
        self.frames += 1 if offset > self.offset else -self.until
        self.offset = offset
        if self.frames == self.until:
            super().other("replayed", None)


async def resume(target: Target, plan: Resuming) -> Result:
    """Comes back to the same offset for as long as the plan says, one connection after the other."""
    ledger = Ledger()
    took: list[float] = []
    meter = Meter(target).start()
    begun = perf_counter()
    while perf_counter() - begun < plan.seconds:
        peer = Returning(target, ledger, "client", OWNER)
        peer.until = plan.frames
        resuming = {"resume": {"epoch": plan.epoch, "offset": plan.since}}
        replayed = peer.expect("replayed")
        asked = perf_counter()
        await peer.connect(hello=peer.wire.command("hello", resuming))
        try:
            await asyncio.wait_for(replayed, 60)
        except TimeoutError:
            ledger.fault(f"{peer.frames} of {plan.frames} missed frames came")
        took.append(perf_counter() - asked)
        await peer.close()
    meter.stop()
    figures = {
        "frames_per_cpu_s": plan.frames * len(took) / meter.server,
        "resume_ms": sorted(took)[len(took) // 2] * 1_000,
    }
    return Result(figures=figures | meter.figures(), faults=ledger.faults)
