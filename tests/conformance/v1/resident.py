"""A vetchat.v1 client as its users wish it: it retries and resumes, and so loses nothing whatever happens to it."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from itertools import count, repeat

from anyio import Event, sleep
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.conformance.peer import Refused
from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People
from tests.conformance.v1.shapes import V1Frame

BACK_OFF = 0.05


class Resident:
    """One device that talks in one conversation without a pause, from its beginning, through many connections.

    It keeps `window` messages unanswered at a time. After each connection it resumes from its position, which must
    succeed, and retries what was not answered. `lives` tells after how many frames it breaks each of its first
    connections off (0: before the welcome); the last one it keeps.
    """

    def __init__(
        self,
        people: V1People,
        peer: V1Peer,
        conversation: str,
        on_answer: Callable[[], None],
        *,
        window: int = 1,
    ) -> None:
        self.people = people
        self.peer = peer
        self.conversation = conversation
        self.on_answer = on_answer
        self.window = window
        self.lives: list[int] = []
        self.name = f"{peer.user_id} {id(self)}"
        self.resume = peer.resume
        self.stream: list[JSON] = []
        """Every message heard live or replayed, in order."""
        self.answered: dict[str, JSON] = {}
        """The message that each `client_message_id` of this device became."""
        self.codes: list[int | None] = []
        """How its connections ended, other than by its own doing."""
        self.settled = Event()
        """Set when this device has lived all its lives, was told to stop, and is answered."""
        self._unanswered: dict[str, None] = {}
        self._numbers = count()
        self._talking = True

    async def run(self) -> None:
        """Talks and listens, through all its connections, until `leave`."""
        while not await self._live(self.lives.pop(0) if self.lives else None):
            self.peer = await self._come_back()

    def stop(self) -> None:
        """Begins no further message."""
        self._talking = False
        self._settle()

    async def leave(self) -> None:
        """Lets `run` end once all that is on its way has been heard."""
        await self.peer.start("ping", {})

    def check(self, log: Sequence[JSON]) -> None:
        """All that was said was heard once and in order, and all that this device said was stored once."""
        assert self.stream == list(log)
        own = {message["content"]: message for message in log if message["content"].startswith(f"{self.name}:")}
        assert self.answered == own
        assert len({message["content"] for message in log}) == len(log)

    async def _live(self, frames_to_live: int | None) -> bool:
        """One connection; whether it was the last."""
        try:
            for message_id in self._unanswered:
                await self._send(message_id)
            await self._refill(frames_to_live)
            async with aclosing(self.peer.frames()) as frames:
                for _ in repeat(None) if frames_to_live is None else range(frames_to_live):
                    frame = await anext(frames)
                    if frame.event == "pong":
                        return True
                    if frame.event == "error":
                        assert frame.params["code"] == "unavailable", f"{self.peer} heard {frame}"
                        break
                    self._note(frame)
                    await self._refill(frames_to_live)
        except (ConnectionClosed, StopAsyncIteration):
            self.codes.append(self.peer.socket.close_code)
        self.peer.cut()
        return False

    async def _refill(self, frames_to_live: int | None) -> None:
        """As many messages are under way as may be."""
        while len(self._unanswered) < self.window and (self._talking or frames_to_live is not None):
            message_id = f"{self.name}: {next(self._numbers)}"
            self._unanswered[message_id] = None
            await self._send(message_id)
        self._settle()

    async def _send(self, message_id: str) -> None:
        params = {"conversation_id": self.conversation, "content": message_id, "client_message_id": message_id}
        await self.peer.start("message", params, ref=message_id)

    def _note(self, frame: V1Frame) -> None:
        if frame.event == "welcome":
            assert frame.params["recovered"] is True, f"{self.peer} was not recovered at {self.resume}: {frame}"
        if frame.event == "message_sent":
            message = {key: value for key, value in frame.params.items() if key != "duplicate"}
            if frame.offset is not None:
                self.stream.append(message)
                self.resume["offset"] = frame.offset
            if frame.ref is not None:
                del self._unanswered[frame.ref]
                self.answered[frame.ref] = message
                self.on_answer()

    def _settle(self) -> None:
        if not (self._talking or self._unanswered or self.lives):
            self.settled.set()

    async def _come_back(self) -> V1Peer:
        while True:
            try:
                peer = await self.people.waiting(self.peer.role, self.peer.user_id)
                await peer.start_hello(resume=dict(self.resume))
                return peer
            except (OSError, Refused, InvalidHandshake, ConnectionClosed):
                await sleep(BACK_OFF)


class Crowd:
    """Residents of several conversations, run together."""

    def __init__(self, people: V1People) -> None:
        self.people = people
        self.residents: list[Resident] = []
        self.answers = 0
        self._moved = Event()

    async def settle_in(self, conversations: int, devices: int, window: int = 1) -> None:
        """New conversations between an owner and a vet with so many devices each; nobody talks yet."""
        for _ in range(conversations):
            owner, vet, conversation = await self.people.consultation()
            peers = [owner, vet]
            for _ in range(devices - 1):
                peers += [await self.people.another_device_of(peer) for peer in (owner, vet)]
            self.residents += [Resident(self.people, peer, conversation, self._count, window=window) for peer in peers]

    async def until_answered(self, more: int) -> None:
        """Waits for so many more answers."""
        target = self.answers + more
        while self.answers < target:
            await self._moved.wait()

    async def part(self) -> None:
        """Everybody says what is still to be said, hears all that is on its way, and ends."""
        for resident in self.residents:
            resident.stop()
        for resident in self.residents:
            await resident.settled.wait()
        for resident in self.residents:
            await resident.leave()

    async def check(self) -> int:
        """Judges everybody's stream by the log as history tells it, and returns how many messages were said."""
        logs: dict[str, list[JSON]] = {}
        for resident in self.residents:
            if resident.conversation not in logs:
                reader = await self.people.another_device_of(resident.peer)
                logs[resident.conversation] = await reader.log_of(resident.conversation)
                await reader.close()
            resident.check(logs[resident.conversation])
        return sum(map(len, logs.values()))

    def _count(self) -> None:
        self.answers += 1
        self._moved.set()
        self._moved = Event()
