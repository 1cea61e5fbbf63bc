"""Traffic: conversations in which one member speaks and everybody must hear it, in a closed or an open loop."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from .hostile import Hostiles
from .ledger import Ledger
from .meter import Meter, resident_kib
from .people import Peer, at_once, converse
from .plan import Result, Target, Traffic
from .wires import Utterance

TICK = 0.001
"""How often an open loop looks which messages are due, in seconds: an event loop's timer is no finer."""


class Speaker(Peer):
    """Tells the scene when it hears its own message; `place` is the conversation that it spoke in last."""

    scene: Scene
    place: int

    def numbered(self, number: int) -> None:
        super().numbered(number)
        self.scene.heard(self.place)


class Hearer(Peer):
    """Hears relayed frames that cannot bear a number (`typing`) in the order in which they were sent."""

    def __init__(self, target: Target, ledger: Ledger, role: str) -> None:
        super().__init__(target, ledger, role)
        self.unmarked: deque[int] = deque()

    def other(self, event: str, params: Any) -> None:
        if event == "typing":
            self.numbered(self.unmarked.popleft())
        else:
            super().other(event, params)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Who speaks, in which frame, who hears it, and how often it must arrive."""

    speaker: Speaker
    utterance: Utterance
    hearers: list[Hearer]
    deliveries: int


class Scene:
    """All conversations of one run."""

    def __init__(self, target: Target, traffic: Traffic) -> None:
        self.ledger = Ledger()
        self._target = target
        self._traffic = traffic
        self._unmarked = target.wire == "v1" and traffic.says == "relay"
        self._conversations: list[Conversation] = []
        self._peers: list[Peer] = []
        self._running = False
        self._stopped = asyncio.Event()
        self._hostiles = Hostiles(target, self.ledger) if traffic.hostile else None

    # -- setting up ----------------------------------------------------------------------------------------------------

    async def set_up(self) -> None:
        """Connects everybody and opens all conversations."""
        traffic = self._traffic
        groups = [self._group() for _ in range(max(1, traffic.conversations // traffic.each))]
        idle = [Peer(self._target, self.ledger, "client") for _ in range(traffic.idle)]
        stalled = {id(hearers[-1]) for _, hearers in groups[: traffic.stalled]}
        self._peers = [*(peer for speaker, hearers in groups for peer in (speaker, *hearers)), *idle]
        await at_once(64, (peer.connect(small=id(peer) in stalled) for peer in self._peers))
        for _ in range(traffic.each):
            self._conversations += await at_once(32, (self._open(*group, stalled) for group in groups))
        if self._hostiles is not None:
            await self._hostiles.set_up()

    def _group(self) -> tuple[Speaker, list[Hearer]]:
        speaker = Speaker(self._target, self.ledger, "client")
        speaker.scene = self
        hearers = [Hearer(self._target, self.ledger, "provider") for _ in range(self._traffic.members - 1)]
        return speaker, hearers

    async def _open(self, speaker: Speaker, hearers: list[Hearer], stalled: set[int]) -> Conversation:
        conversation_id = await converse(speaker, hearers)
        deaf = [hearer for hearer in hearers if id(hearer) in stalled]
        utterance = speaker.wire.utterance(self._traffic.says, conversation_id, self._traffic.content)
        deliveries = 1 if self._traffic.says == "echo" else self._traffic.members - len(deaf)
        for hearer in deaf:
            hearer.stop_reading()
        return Conversation(speaker, utterance, hearers, deliveries)

    # -- talking -------------------------------------------------------------------------------------------------------

    def start(self) -> asyncio.Task[None]:
        """Begins to talk; the task ends after `stop`."""
        self._running = True
        now = perf_counter()
        for turn in range(self._traffic.in_flight):
            self._say(turn % len(self._conversations), now)
        return asyncio.create_task(self._keep_schedule())

    def stop(self) -> None:
        """Nobody says anything any more."""
        self._running = False
        self._stopped.set()

    def heard(self, place: int) -> None:
        """A speaker heard its own message: in a closed loop the next message follows."""
        if self._running and self._traffic.in_flight:
            self._say((place + self._traffic.in_flight) % len(self._conversations), perf_counter())
        if self._hostiles is not None:
            self._hostiles.between()

    def _say(self, place: int, due: float) -> None:
        conversation = self._conversations[place]
        conversation.speaker.place = place
        number = self.ledger.send(due, conversation.deliveries)
        if self._unmarked:
            for hearer in conversation.hearers:
                hearer.unmarked.append(number)
        conversation.speaker.send(conversation.utterance(number))

    async def _keep_schedule(self) -> None:
        """In an open loop message k is due k / rate seconds after the start, whatever became of those before it."""
        begun, rate, turn = perf_counter(), self._traffic.rate, 0
        if not rate:
            await self._stopped.wait()
        while self._running:
            now = perf_counter()
            while (due := begun + turn / rate) <= now:
                self._say(turn % len(self._conversations), due)
                turn += 1
            await asyncio.sleep(TICK)

    async def close(self) -> None:
        """Ends all connections."""
        if self._hostiles is not None:
            await self._hostiles.close()
        await at_once(200, (peer.close() for peer in self._peers))


async def run(target: Target, traffic: Traffic) -> Result:
    """One run: set up, warm up, measure, and wait for the last delivery."""
    scene = Scene(target, traffic)
    ledger = scene.ledger
    await scene.set_up()
    gc.collect()
    gc.freeze()
    gc.disable()  # the generator must not pause while it takes the time
    talking = scene.start()
    await asyncio.sleep(traffic.warmup)
    first, arrived, delivered, memory = ledger.sent, ledger.arrived, ledger.deliveries, resident_kib(target.pid)
    meter = Meter(target).start()
    await asyncio.sleep(traffic.seconds)
    meter.stop()
    last, arrived, delivered = ledger.sent, ledger.arrived - arrived, ledger.deliveries - delivered
    scene.stop()
    await talking
    await ledger.drain(traffic.patience)
    grown = resident_kib(target.pid) - memory
    await scene.close()
    figures = {
        "messages_per_s": arrived / meter.seconds,
        "messages_per_cpu_s": arrived / max(meter.server, 0.001),
        "deliveries_per_cpu_s": delivered / max(meter.server, 0.001),
        **ledger.latencies(first, last),
        **meter.figures(),
        "grown_kib": float(grown),
    }
    return Result(figures=figures, faults=ledger.faults, stored=ledger.sent if traffic.says == "message" else 0)
