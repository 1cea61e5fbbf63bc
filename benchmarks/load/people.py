"""Users with one connection each, and how they get into conversations."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar
from uuid import uuid4

from .ledger import Ledger
from .plan import Target
from .sockets import Socket, connect
from .wires import DIGITS, MARK, WIRES

T = TypeVar("T")
SKIP: Final = len(MARK)
END: Final = SKIP + DIGITS
PATIENCE = 30.0
"""How long anything may take while a scene is set up, in seconds."""


class Peer:
    """One user's connection. What bears a message's number is entered in the ledger; the rest are events."""

    def __init__(self, target: Target, ledger: Ledger, role: str, user_id: str | None = None) -> None:
        self.user_id = user_id or str(uuid4())
        self.wire = WIRES[target.wire]
        self.leaving = False
        """Whether its connection may end, by either side."""
        self._url = self.wire.url(target.url, self.user_id, role)
        self._ledger = ledger
        self._last = -1
        self._socket: Socket | None = None
        self._expected: dict[str, asyncio.Future[Any]] = {}

    # -- coming and going ----------------------------------------------------------------------------------------------

    async def connect(self, *, small: bool = False, hello: bytes | None = None) -> None:
        """Opens the connection and waits until it is ready."""
        ready = self.expect(self.wire.ready) if self.wire.ready else None
        self._socket = await connect(self._url, self, self.wire.headers, small=small)
        self.leaving = False
        if first := hello or self.wire.first:
            self._socket.send(first)
        if ready is not None:
            await asyncio.wait_for(ready, PATIENCE)

    async def close(self) -> None:
        self.leaving = True
        if self._socket is not None:
            await self._socket.close()

    def stop_reading(self) -> None:
        """From now on it takes nothing off the wire; what becomes of its connection is the server's business."""
        assert self._socket is not None
        self.leaving = True
        self._socket.stop_reading()

    def closed(self, code: int) -> None:
        if not self.leaving:
            self._ledger.fault(f"the server closed a connection (code {code})")

    # -- talking -------------------------------------------------------------------------------------------------------

    def send(self, payload: bytes) -> None:
        assert self._socket is not None
        self._socket.send(payload)

    def expect(self, event: str) -> asyncio.Future[Any]:
        """The params of the next event of this name."""
        future = self._expected[event] = asyncio.get_running_loop().create_future()
        return future

    async def ask(self, event: str, params: dict[str, object], answer: str) -> Any:
        """Sends a command; the params of its answer."""
        future = self.expect(answer)
        self.send(self.wire.command(event, params))
        return await asyncio.wait_for(future, PATIENCE)

    def received(self, payload: bytes) -> None:
        at = payload.find(MARK)
        if at < 0:
            self.other(*self.wire.event(payload))
        else:
            self.numbered(int(payload[at + SKIP : at + END]))

    def numbered(self, number: int) -> None:
        """A message came; on one connection their numbers only ever grow."""
        if number <= self._last:
            self._ledger.fault(f"message {number} came after message {self._last}")
        self._last = number
        self._ledger.deliver(number)

    def other(self, event: str, params: Any) -> None:
        """Any other event came."""
        if event == "error":
            self._ledger.fault(f"the server answered with an error: {params.get('message')}")
        elif event == "engine_ping":
            self.send(b"3")
        elif event in self._expected:
            future = self._expected.pop(event)
            if not future.done():
                future.set_result(params)


async def at_once(most: int, work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Runs all of it, so many at a time; the results in the same order."""
    room = asyncio.Semaphore(most)

    async def one(job: Coroutine[Any, Any, T]) -> T:
        async with room:
            return await job

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(job)) for job in work]
    return [task.result() for task in tasks]


async def converse(owner: Peer, vets: Sequence[Peer]) -> str:
    """The id of a new conversation of all of them, once everybody has been told of it."""
    invited = [vet.expect("new_conversation_invitation") for vet in vets]
    params: dict[str, object] = {"pet_id": str(uuid4()), "providers": [vet.user_id for vet in vets]}
    created = await owner.ask("new_conversation", params, "conversation_created")
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*invited)
    return str(created["id"])
