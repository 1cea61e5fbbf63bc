"""What many connections cost: coming back all at once, and just being there."""

from __future__ import annotations

import asyncio
from typing import Any

from .ledger import Ledger
from .meter import Meter, cpu_seconds, resident_kib
from .people import PATIENCE, Peer, at_once, converse
from .plan import Idle, Result, Storm, Target


class Returner(Peer):
    """One of two; together they count how often one was told that the other has come."""

    told: Told

    def other(self, event: str, params: Any) -> None:
        if event == "user_joined":
            self.told.count += 1
            self.told.once.set()
        super().other(event, params)


class Told:
    """How often."""

    def __init__(self, *both: Returner) -> None:
        self.count = 0
        self.once = asyncio.Event()
        for one in both:
            one.told = self


async def storm(target: Target, plan: Storm) -> Result:
    """Everybody comes back at once. Of each two, the one who came first must be told of the other, once."""
    ledger = Ledger()
    pairs = [
        (Returner(target, ledger, "client"), Returner(target, ledger, "provider")) for _ in range(plan.conversations)
    ]
    peers = [peer for pair in pairs for peer in pair]
    for pair in pairs:
        Told(*pair)
    await at_once(plan.at_once, (peer.connect() for peer in peers))
    await at_once(32, (converse(owner, [vet]) for owner, vet in pairs))
    await at_once(plan.at_once, (peer.close() for peer in peers))
    await _quiet(target.pid)
    told = [Told(*pair) for pair in pairs]
    meter = Meter(target).start()
    await at_once(plan.at_once, (peer.connect() for peer in peers))
    await at_once(len(told), (_once(one, ledger) for one in told))
    meter.stop()
    await _quiet(target.pid)
    for one in told:
        if one.count != 1:
            ledger.fault(f"of two who came back, {one.count} were told of the other")
    await at_once(plan.at_once, (peer.close() for peer in peers))
    figures = {"connects_per_s": len(peers) / meter.seconds, "connects_per_cpu_s": len(peers) / meter.server}
    return Result(figures=figures | meter.figures(), faults=ledger.faults)


async def _once(told: Told, ledger: Ledger) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await told.once.wait()
    except TimeoutError:
        ledger.fault("somebody who came back was not announced")


async def idle(target: Target, plan: Idle) -> Result:
    """What the server's memory grows by, after a tenth as many connections have warmed it up."""
    ledger = Ledger()
    first = [Peer(target, ledger, "client") for _ in range(plan.connections // 10)]
    peers = [Peer(target, ledger, "client") for _ in range(plan.connections)]
    await at_once(64, (peer.connect() for peer in first))
    await _quiet(target.pid)
    before = resident_kib(target.pid)
    await at_once(64, (peer.connect() for peer in peers))
    await _quiet(target.pid)
    after = resident_kib(target.pid)
    await at_once(200, (peer.close() for peer in (*first, *peers)))
    figures = {"kib_per_connection": (after - before) / len(peers), "rss_kib": float(after)}
    return Result(figures=figures, faults=ledger.faults)


async def _quiet(pid: int) -> None:
    """Waits until the server does nothing."""
    async with asyncio.timeout(PATIENCE):
        before = cpu_seconds(pid)
        while True:
            await asyncio.sleep(0.3)
            if (now := cpu_seconds(pid)) - before <= 0.02:
                return
            before = now
