"""One connection at work: what reads, what writes and what keeps time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from anyio import CancelScope, create_task_group, current_time, move_on_after
from anyio.abc import TaskGroup
from vetchat_protocol import ProtocolError
from vetchat_protocol.client import Client, Output

from .signals import Signal
from .transport import Ended, Transport


def now() -> int:
    """The event loop's clock, in ms."""
    return int(current_time() * 1_000)


class Wire:
    """Carries frames between the machine and an open connection, until one of the two has had enough.

    `react` is handed whatever the machine puts out. Afterwards `ended` says how it ended, and `error` is what the
    machine raised, if it did.
    """

    def __init__(self, client: Client, transport: Transport, react: Callable[[Sequence[Output]], None]) -> None:
        self.ended: Ended = Ended()
        self.error: ProtocolError | None = None
        self._client = client
        self._transport = transport
        self._react = react
        self._room = Signal()
        self._work = Signal()
        self._sooner = Signal()
        self._armed: int | None = None
        self._scope = CancelScope()
        self._tasks: TaskGroup | None = None

    async def run(self) -> None:
        """Returns when the connection is of no use any more; it is still to be closed then."""
        with self._scope:
            async with create_task_group() as self._tasks:
                self._tasks.start_soon(self._write)
                self._tasks.start_soon(self._keep_time)
                await self._read()
                self._scope.cancel()

    def wake(self) -> None:
        """The application has done something: there may be room, something to write, or less time."""
        self._room.set()
        self._work.set()
        deadline = self._client.deadline()
        if deadline is not None and (self._armed is None or deadline < self._armed):
            self._sooner.set()

    def leave(self) -> None:
        """Ends it."""
        self._scope.cancel()

    def probe(self) -> None:
        """Asks for a sign of life."""
        if self._tasks is not None:
            self._tasks.start_soon(self._probe)

    async def _read(self) -> None:
        """Takes in frames as long as the machine wants them; meanwhile the peer has to wait (back-pressure)."""
        try:
            while True:
                while not self._client.reading:
                    await self._room.wait()
                text = await self._transport.receive()
                self._react(self._client.received(text, now()))
                self.wake()
        except Ended as ended:
            self.ended = ended
        except ProtocolError as error:
            self.error = error

    async def _write(self) -> None:
        try:
            while True:
                text = self._client.to_send(now())
                if text is not None:
                    await self._transport.send(text)
                    self.wake()
                else:
                    await _wait(self._work, until=self._client.to_send_at())
        except Ended:
            return  # the reader finds out why, after what came before: it reads, since an answer is due

    async def _keep_time(self) -> None:
        while True:
            self._armed = self._client.deadline()
            await _wait(self._sooner, until=self._armed)
            self._react(self._client.tick(now()))
            self._work.set()

    async def _probe(self) -> None:
        try:
            await self._transport.ping()
        except Ended:
            return  # the reader finds out why
        self._client.heard(now())


async def _wait(signal: Signal, *, until: int | None) -> None:
    """Waits for the signal, but not past this time (ms)."""
    with move_on_after(None if until is None else max(0, until - now()) / 1_000):
        await signal.wait()
