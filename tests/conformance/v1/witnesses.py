"""Those who see a shutdown: some talk, some only listen, in either dialect, and each notes how it ends (V5.4)."""

from contextlib import suppress
from itertools import count

from anyio import CancelScope, Event, Semaphore, create_task_group
from websockets.exceptions import ConnectionClosed

from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People, durable
from tests.conformance.v1.shapes import V1Frame

UNDER_WAY = 50


class Witnesses:
    """A crowd that is there when the server is told to end."""

    def __init__(self, people: V1People) -> None:
        self.people = people
        self.talkers: list[Talker] = []
        self.silent: list[V1Peer] = []
        self.enough = Event()
        """Set when the talkers have been answered so often that a shutdown may come."""

    async def gather(self) -> None:
        owner, vet, self.conversation = await self.people.consultation()
        self.talkers = [Talker(peer) for peer in (owner, vet, await self.people.another_device_of(owner))]
        owner, vet, _ = await self.people.consultation()
        self.silent = [owner, vet, *[await self.people.client() for _ in range(10)]]
        self.base = await self.people.base.provider(vet.user_id)
        self.waiting = await self.people.waiting()

    async def see(self) -> None:
        """Talks until the end, and judges how it came to those who only listened."""
        async with create_task_group() as group:
            for talker in self.talkers:
                group.start_soon(talker.listen, self.enough)
                group.start_soon(talker.talk, self.conversation)
            after: set[int] = set()
            for peer in self.silent:
                heard, code = await peer.until_closed(within=60)
                assert [frame.event for frame in heard] == ["reconnect"], "V5.4: nobody is told that somebody left"
                assert code == 4200
                after.add(heard[0].params["after_ms"])
            assert len(after) > len(self.silent) // 2, "V5.4: spread out at random"
            assert await self.base.closed() == 1001
            assert (await self.waiting.until_closed())[1] == 4200

    async def check(self) -> None:
        """What the talkers were answered is exactly what is stored, and by resuming each has it all."""
        reader = await self.people.another_device_of(self.talkers[0].peer)
        log = await reader.log_of(self.conversation)
        answered = [message_id for talker in self.talkers for message_id in talker.answered]
        assert sorted(answered) == sorted(message["id"] for message in log)
        for talker in self.talkers:
            talker.check_end()
            again = await self.people.back(talker.peer)
            missed = [frame.params for frame in durable(await again.caught_up())]
            assert talker.messages + missed == log


class Talker:
    """Sends one message after the other without waiting for each answer, and notes all that it hears, to the end."""

    def __init__(self, peer: V1Peer) -> None:
        self.peer = peer
        self.heard: list[V1Frame] = []
        self._under_way = Semaphore(UNDER_WAY)
        self._talking = CancelScope()

    async def talk(self, conversation: str) -> None:
        with self._talking, suppress(ConnectionClosed):
            for number in count():
                await self._under_way.acquire()
                await self.peer.start("message", {"conversation_id": conversation, "content": str(number)})

    async def listen(self, enough: Event) -> None:
        async for frame in self.peer.frames():
            self.heard.append(frame)
            if frame.ref is not None:
                self._under_way.release()
            if len(self.heard) == 3 * UNDER_WAY:
                enough.set()
        self._talking.cancel()

    @property
    def messages(self) -> list[JSON]:
        return [frame.params for frame in self.heard if frame.event == "message_sent"]

    @property
    def answered(self) -> list[str]:
        """The ids of this talker's own messages."""
        return [frame.params["id"] for frame in self.heard if frame.event == "message_sent" and frame.ref is not None]

    def check_end(self) -> None:
        """The end was announced once, and came with the code that asks to come back now."""
        events = [frame.event for frame in self.heard]
        assert events.count("reconnect") == 1
        assert set(events) <= {"message_sent", "reconnect", "presence_state"}
        assert self.peer.socket.close_code == 4200
        self.peer.check_reason()
