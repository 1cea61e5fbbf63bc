"""The same chat with a server that knows the base protocol alone: what works, what cannot, and what nobody can know."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from anyio import Event, create_task_group, fail_after
from vetchat_client import (
    Dialect,
    Disconnected,
    NotSupported,
    OutcomeUnknown,
    Refused,
    Reset,
    Role,
    UnknownUser,
    connect,
    events,
)
from vetchat_client.transport import Request, Transport, open_websocket

from tests.client.company import PATIENCE, contents, items, next_of
from tests.client.plain import PlainServer
from tests.client.proxy import Point, Proxy
from tests.conformance.peer import new_id


@pytest.mark.clause("R2.6", "S2.1")
async def test_the_same_calls_do_the_same(plain_server: PlainServer) -> None:
    ann_id, vet, pet = new_id(), new_id(), new_id()
    async with connect(plain_server.url, user_id=ann_id) as ann:
        assert (ann.dialect, ann.user, ann.role, ann.position) == (Dialect.BASE, ann_id, Role.CLIENT, None)
        conversation = await ann.create_conversation(pet, [vet])
        assert (conversation.client, conversation.pet, conversation.providers) == (ann_id, pet, (vet,))
        async with create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(ann.send, conversation.id, str(number))
                plain_server.say(conversation.id, vet, str(number))
        await ann.subscribe(conversation.id)
        await ann.unsubscribe(conversation.id)
        assert [one.id for one in await ann.conversations()] == [conversation.id]
        assert [one.id async for page in ann.conversation_pages() for one in page] == [conversation.id]
        pages = [page async for page in ann.history_pages(conversation.id, limit=4)]
        assert [len(page.messages) for page in pages] == [4, 4, 2]
        told = [(await next_of(ann, events.MessageSent)).params.id for _ in range(10)]
        assert told == [message["id"] for message in plain_server.messages]


@pytest.mark.clause("R2.3", "R2.4", "S2.1")
async def test_the_wire_is_the_base_protocols_own(plain_server: PlainServer) -> None:
    ann_id, pet = new_id(), new_id()
    async with connect(plain_server.url, user_id=ann_id) as ann:
        conversation = await ann.create_conversation(pet)
        message = await ann.send(conversation.id, "Hello.")
        await ann.history(conversation.id)
        await ann.conversations()
    said = [(frame["event"], frame["params"]) for frame in plain_server.received]
    assert said == [
        ("new_conversation", {"pet_id": pet, "providers": []}),
        ("message", {"conversation_id": conversation.id, "content": message.content}),
        ("conversation_history", {"conversation_id": conversation.id, "page": 0, "limit": 20}),
        ("conversations", {}),
    ]
    assert {tuple(frame) for frame in plain_server.received} == {("sender_id", "event", "params")}
    assert {frame["sender_id"] for frame in plain_server.received} == {ann_id}


async def test_history_shows_each_message_once_though_others_write_meanwhile(plain_server: PlainServer) -> None:
    async with connect(plain_server.url, user_id=new_id()) as ann:
        conversation = await ann.create_conversation(new_id())
        for number in range(6):
            await ann.send(conversation.id, str(number))
        seen: list[str] = []
        async for page in ann.history_pages(conversation.id, limit=2):
            seen += [message.content for message in page.messages]
            plain_server.say(conversation.id, new_id(), "Meanwhile.")
        assert seen == ["5", "4", "3", "2", "1", "0"]


@pytest.mark.clause("R2.6")
async def test_the_same_words_from_another_device_may_stand_for_ones_own_but_nothing_is_lost(
    plain_server: PlainServer,
) -> None:
    async with connect(plain_server.url, user_id=new_id()) as ann:
        conversation = await ann.create_conversation(new_id())
        plain_server.say(conversation.id, ann.user, "Hello.")
        sent = await ann.send(conversation.id, "Hello.")
        assert sent.id in {message["id"] for message in plain_server.messages}
        told = [(await next_of(ann, events.MessageSent)).params.id for _ in range(2)]
        assert told == [message["id"] for message in plain_server.messages]


@pytest.mark.clause("R1.4")
async def test_a_server_that_does_not_say_who_one_is_has_to_be_told(plain_server: PlainServer) -> None:
    with pytest.raises(UnknownUser, match="pass your user id"):
        async with connect(plain_server.url):
            pass


@pytest.mark.clause("S6.1")
async def test_an_error_has_no_code_there(plain_server: PlainServer) -> None:
    async with connect(plain_server.url, user_id=new_id()) as ann:
        with pytest.raises(Refused, match="There is no such conversation") as refused:
            await ann.send(new_id(), "Hello?")
        assert refused.value.code is None


async def test_what_the_wire_cannot_do_is_said_and_not_sent(plain_server: PlainServer) -> None:
    async with connect(plain_server.url, user_id=new_id()) as ann:
        conversation = await ann.create_conversation(new_id())
        with pytest.raises(NotSupported, match="has no typing"):
            await ann.typing(conversation.id)
        with pytest.raises(NotSupported, match="has no mark_read"):
            await ann.mark_read(conversation.id, 1)
        with pytest.raises(NotSupported, match="has no ping"):
            await ann.ping()
        with pytest.raises(NotSupported, match="takes no before"):
            await ann.history(conversation.id, before=3)
        with pytest.raises(NotSupported, match="takes no subscribe"):
            await ann.history(conversation.id, subscribe=False)
        with pytest.raises(NotSupported, match="takes no limit"):
            await ann.conversations(limit=3)
        with pytest.raises(NotSupported, match="takes no client_message_id"):
            await ann.send(conversation.id, "Hello.", client_message_id="a")
    assert len(plain_server.received) == 1


async def test_a_message_without_an_answer_may_be_stored_or_not_and_the_program_is_told(
    plain_server: PlainServer,
) -> None:
    async with Proxy.before(plain_server.port) as proxy, connect(proxy.url, user_id=new_id()) as ann:
        conversation = await ann.create_conversation(new_id())
        for point, expected in ((Point("up", "frames", 3), []), (Point("down", "frames", 3), ["Hello."])):
            proxy.arm("cut", point)
            with pytest.raises(OutcomeUnknown, match="look whether"):
                await ann.send(conversation.id, "Hello.")
            assert await contents(ann, conversation.id) == expected


async def test_what_only_asks_is_asked_again(plain_server: PlainServer) -> None:
    async with Proxy.before(plain_server.port) as proxy, connect(proxy.url, user_id=new_id()) as ann:
        for byte in (0, 3):
            proxy.arm("cut", Point("down", "frames", byte))
            assert await ann.conversations() == ()
        assert proxy.connections == 3


@pytest.mark.clause("V1.2")
async def test_every_reconnect_is_a_reset(plain_server: PlainServer) -> None:
    async with Proxy.before(plain_server.port) as proxy, connect(proxy.url, user_id=new_id()) as ann:
        proxy.cut()
        assert await items(ann, Reset) == [Disconnected(), Reset()]


class Counting:
    """Opens connections and counts the pings of the WebSocket that were answered."""

    def __init__(self, enough: int) -> None:
        self.answered = 0
        self.enough = Event()
        self._wanted = enough

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Transport]:
        async with open_websocket(request) as transport:
            ping = transport.ping

            async def counted() -> None:
                await ping()
                self.answered += 1
                if self.answered == self._wanted:
                    self.enough.set()

            transport.ping = counted
            yield transport


async def test_a_line_that_is_only_silent_is_asked_and_kept(
    plain_server: PlainServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vetchat_protocol.client.machine.HEARTBEAT", 100)
    counting = Counting(enough=3)
    async with Proxy.before(plain_server.port) as proxy, connect(proxy.url, user_id=new_id(), opener=counting.open):
        with fail_after(PATIENCE):
            await counting.enough.wait()
        assert proxy.connections == 1


async def test_a_line_that_is_dead_is_given_up(plain_server: PlainServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vetchat_protocol.client.machine.HEARTBEAT", 100)
    async with Proxy.before(plain_server.port) as proxy, connect(proxy.url, user_id=new_id()) as ann:
        proxy.arm("stall", Point("down", "frames", 3))
        with fail_after(PATIENCE):
            assert await ann.conversations() == ()
        assert proxy.connections == 2
