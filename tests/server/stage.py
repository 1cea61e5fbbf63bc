"""A service with peers in the test's own event loop: everything but the network."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from anyio import fail_after
from vetchat_protocol.session import Terms
from vetchat_server import OpenAuthenticator, Service, Store
from vetchat_server.connection import Connection, Disconnected
from vetchat_server.upgrade import Upgrade

from tests.conformance.peer import new_id

PATIENCE = 15
V1 = "vetchat.v1"


class Wire:
    """A peer that keeps up: what it is written is at once in `frames`; `served` ends with its connection."""

    served: asyncio.Task[None]

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self._gone = False
        self._incoming: deque[str] = deque()
        self._arrived: Callable[[], None] | None = None
        self._wanted = 0
        self._enough = asyncio.Event()

    def listen(self, arrived: Callable[[], None]) -> None:
        self._arrived = arrived

    def take(self) -> str | bytes | None:
        if self._gone:
            raise Disconnected
        return self._incoming.popleft() if self._incoming else None

    def write(self, payload: bytes) -> bool:
        self.frames.append(payload)
        if len(self.frames) == self._wanted:
            self._enough.set()
        return True

    async def send(self, payload: bytes) -> None:
        raise AssertionError("a peer that keeps up is never waited for")

    def say(self, event: str, *, times: int = 1, ref: str | None = None, **params: Any) -> None:
        """Puts a command on the wire, or so many that arrive together, without waiting."""
        frame = {"event": event, "params": params} | ({"ref": ref} if ref else {})
        self._incoming.extend([json.dumps(frame)] * times)
        self._ring()

    def hang_up(self) -> None:
        """Is gone."""
        self._gone = True
        self._ring()

    def _ring(self) -> None:
        if self._arrived is not None:
            self._arrived()

    async def until(self, count: int) -> None:
        """Waits until so many frames have come since the last `clear`."""
        self._wanted = count
        self._enough.clear()
        if len(self.frames) < count:
            with fail_after(PATIENCE):
                await self._enough.wait()

    def clear(self) -> None:
        self.frames.clear()


class Stage:
    """A service with peers, all in the test's own event loop."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._tasks: set[asyncio.Task[None]] = set()

    async def enter(
        self, role: str, user_id: str, *subprotocols: str, greets: bool = True, wire: Wire | None = None
    ) -> Wire:
        """Connects a user; in `vetchat.v1` it has said hello, if it `greets`."""
        upgrade = Upgrade({"host": "127.0.0.1"}, {"role": role, "user_id": user_id}, subprotocols)
        connection = await self.service.upgrade(upgrade)
        wire = wire or Wire()
        wire.served = asyncio.create_task(self._serve(connection, wire))
        self._tasks.add(wire.served)
        if subprotocols and greets:
            wire.say("hello")
            await wire.until(1)
            wire.clear()
        return wire

    async def consultation(self, vets: int = 1) -> tuple[str, Wire, list[Wire]]:
        """A conversation of an owner and vets, everybody connected; its id and their wires."""
        ids = [new_id() for _ in range(vets)]
        wires = [await self.enter("provider", user_id) for user_id in ids]
        owner = await self.enter("client", new_id())
        owner.say("new_conversation", pet_id=new_id(), providers=ids)
        for wire in (owner, *wires):
            await wire.until(1)
        conversation = json.loads(owner.frames[0])["params"]["id"]
        for wire in (owner, *wires):
            wire.clear()
        return conversation, owner, wires

    async def _serve(self, connection: Connection, wire: Wire) -> None:
        try:
            await connection.run(wire)
        finally:
            self.service.release(connection)

    async def close(self) -> None:
        """Cuts all wires."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def staged(store: Store) -> AsyncGenerator[Stage]:
    """A stage on a store, without the limits that would be in the way."""
    terms = Terms(commands_per_second=0, providers=1_000)
    async with Service(store, OpenAuthenticator(), terms=terms) as service:
        stage = Stage(service)
        yield stage
        await stage.close()
