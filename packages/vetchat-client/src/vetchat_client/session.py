"""The driver: carries calls to the protocol's client machine and events from it, and keeps it connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anyio import Event, ResourceGuard
from anyio.lowlevel import checkpoint
from vetchat_protocol import LocalProtocolError
from vetchat_protocol.client import Answered, Call, Client, Failed, Item, Output
from vetchat_protocol.events import Answer, Error

from .errors import Refused, VetChatError, translated
from .signals import Signal
from .wire import Wire, now


class EndOfEvents(Exception):
    """The chat was closed; there will be no further event."""


class _Caller:
    """Somebody who waits for the answer to a call."""

    def __init__(self) -> None:
        self._settled = Event()
        self._outcome: Answer | VetChatError | None = None

    @property
    def settled(self) -> bool:
        return self._settled.is_set()

    def settle(self, outcome: Answer | VetChatError) -> None:
        self._outcome = outcome
        self._settled.set()

    async def answer(self) -> Answer:
        await self._settled.wait()
        outcome = self._outcome
        assert outcome is not None
        if isinstance(outcome, Error):
            raise Refused.of(outcome.params)
        if isinstance(outcome, VetChatError):
            raise outcome.with_traceback(None)
        return outcome


class Session:
    """What a program holds on to while connections come and go: its calls, its events, and how it all ended.

    `wire` is the connection at hand, None while there is none.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.wire: Wire | None = None
        self._callers: dict[Call, _Caller] = {}
        self._news = Signal()
        self._consuming = ResourceGuard("iterating over")
        self._end: VetChatError | None = None
        self._closed = False

    async def call(self, event: str, params: Mapping[str, object], *, key: str | None = None) -> Answer:
        """Sends a command and returns its answer, over as many connections as it takes.

        Raises:
            LocalError: it may not be sent like this, or the chat is over.
            Refused: the server refused it.
            OutcomeUnknown: on the base wire, the connection broke and it cannot be sent again.
            Rejected, ServerFault: the chat has ended meanwhile.
        """
        if self._end is not None:
            raise self._end.with_traceback(None)
        try:
            call = self.client.send(event, params, now(), key=key)
        except LocalProtocolError as error:
            raise translated(error) from None
        caller = self._callers[call] = _Caller()
        self.wake()
        try:
            return await caller.answer()
        finally:
            del self._callers[call]
            if not caller.settled:
                self.client.forget(call)

    async def next(self) -> Item:
        """The next event or notice; asking for it says that the one before has been dealt with.

        Raises:
            EndOfEvents: the chat was closed.
            Rejected, ServerFault, AnotherUser: it has ended, and everything that came before has been taken.
            anyio.BusyResourceError: another task is asking already.
        """
        with self._consuming:
            await checkpoint()
            while (item := self.client.take(now())) is None:
                self.wake()
                if self._end is not None:
                    raise EndOfEvents if self._closed else self._end.with_traceback(None)
                await self._news.wait()
            self.wake()
            return item

    def react(self, outputs: Sequence[Output]) -> None:
        """Settles the calls that the machine is done with."""
        for output in outputs:
            match output:
                case Answered(call, answer):
                    self._callers[call].settle(answer)
                case Failed(call, error):
                    self._callers[call].settle(translated(error))
                case _:
                    pass
        self._news.set()

    def end(self, error: VetChatError, *, closed: bool = False) -> None:
        """It is over: nobody waits any longer."""
        if self._end is not None:
            return
        self._end, self._closed = error, closed
        for caller in self._callers.values():
            caller.settle(error)
        self._news.set()

    @property
    def ended(self) -> VetChatError | None:
        """Why it is over; None while it is not."""
        return self._end

    def wake(self) -> None:
        """The machine was told something by the application."""
        if self.wire is not None:
            self.wire.wake()
