"""What one does with a chat: calls, events, mistakes, and leaving; against a real server, on asyncio and trio."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid4

import pytest
from anyio import (
    BusyResourceError,
    CancelScope,
    create_task_group,
    fail_after,
    lowlevel,
    move_on_after,
    to_thread,
)
from vetchat_client import (
    Chat,
    Closed,
    Code,
    ForbiddenRole,
    InvalidCommand,
    LocalError,
    Refused,
    Resumed,
    Role,
    Unreachable,
    VetChatError,
    connect,
    events,
)
from vetchat_client.transport import Request, Transport, open_websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.client.company import PATIENCE, consultation, contents, next_of
from tests.client.scripted import ScriptedServer, serves, welcomes_and_closes
from tests.conformance.peer import new_id
from tests.protocol.counterpart import frame, message, welcome
from tests.running import ServerProcess, free_port, running_server

# -- calls -------------------------------------------------------------------------------------------------------------


async def test_an_owner_and_a_vet_talk(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation_id):
        assert (ann.role, bell.role, ann.dialect) == (Role.CLIENT, Role.PROVIDER, "vetchat.v1")
        sent = await ann.send(conversation_id, "Rex will not eat.")
        heard = await next_of(bell, events.MessageSent)
        assert heard.params == sent
        assert (sent.sender_id, sent.content, sent.seq) == (ann.user, "Rex will not eat.", 1)
        await bell.typing(conversation_id)
        typing = await next_of(ann, events.Typing)
        assert (typing.params.user_id, typing.params.state) == (bell.user, "active")
        await bell.mark_read(conversation_id, 1)
        await bell.mark_read(UUID(conversation_id), 1)
        marker = await next_of(ann, events.ReadMarker)
        assert (marker.params.user_id, marker.params.seq) == (bell.user, 1)
        (listed,) = await bell.conversations()
        assert (listed.id, listed.last_message, listed.unread_count) == (conversation_id, "Rex will not eat.", 0)
        assert await bell.ping() == marker.offset


@pytest.mark.clause("S4.5", "V3.2")
async def test_ones_own_messages_are_events_too_in_the_order_of_the_log(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation_id):
        for number in range(5):
            await (ann, bell)[number % 2].send(conversation_id, f"Number {number}")
        for chat in (ann, bell):
            seen = [await next_of(chat, events.MessageSent) for _ in range(5)]
            assert [event.params.content for event in seen] == [f"Number {number}" for number in range(5)]


@pytest.mark.clause("V3.5", "R4.17")
async def test_history_comes_page_by_page_and_around_a_message(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation_id):
        for number in range(1, 8):
            await ann.send(conversation_id, str(number))
        pages = [page async for page in bell.history_pages(conversation_id, limit=3)]
        assert [[one.seq for one in page.messages] for page in pages] == [[7, 6, 5], [4, 3, 2], [1]]
        around = await bell.history(conversation_id, around=4, limit=3, subscribe=False)
        assert ([one.seq for one in around.messages], around.has_more, around.has_newer) == ([5, 4, 3], True, True)
        page = await bell.history(conversation_id, page=1, limit=5)
        assert ([one.seq for one in page.messages], page.total_count, page.has_more) == ([2, 1], 7, False)
        newer = await bell.history(conversation_id, after=5)
        assert [one.seq for one in newer.messages] == [7, 6]


@pytest.mark.clause("V3.6")
async def test_conversations_come_page_by_page(open_server: ServerProcess) -> None:
    async with connect(open_server.ws_url) as ann:
        created = [(await ann.create_conversation(uuid4())).id for _ in range(5)]
        pages = [[one.id for one in page] async for page in ann.conversation_pages(limit=2)]
        assert pages == [created[:2:-1], created[2:0:-1], created[:1]]


@pytest.mark.clause("S4.20", "S4.21")
async def test_who_has_unsubscribed_hears_nothing_until_subscribing_again(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation_id):
        await bell.unsubscribe(conversation_id)
        await ann.send(conversation_id, "Unheard.")
        assert await bell.subscribe(conversation_id) == 1
        await ann.send(conversation_id, "Heard.")
        assert (await next_of(bell, events.MessageSent)).params.content == "Heard."


@pytest.mark.clause("V2.2")
async def test_a_retry_with_the_same_id_returns_the_message_of_the_first_time(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, _, conversation_id):
        first = await ann.send(conversation_id, "Once.", client_message_id="a")
        again = await ann.send(conversation_id, "Once.", client_message_id="a")
        assert (again.id, first.duplicate, again.duplicate) == (first.id, None, True)
        with pytest.raises(Refused) as refusal:
            await ann.send(conversation_id, "Something else.", client_message_id="a")
        assert refusal.value.code is Code.IDEMPOTENCY_CONFLICT
        created = [await ann.create_conversation(ann.user, client_conversation_id="b") for _ in range(2)]
        assert created[0].id == created[1].id
        assert await contents(ann, conversation_id) == ["Once."]


@pytest.mark.clause("V2.2")
async def test_what_is_said_once_is_said_once_in_whatever_words(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation_id):
        first = await bell.send_once(conversation_id, "We are closed until eight.", "night 1")
        again = await bell.send_once(conversation_id, "We are closed until eight.", "night 1")
        assert first is not None
        assert again is not None
        assert (again.id, again.duplicate) == (first.id, True)
        assert await bell.send_once(conversation_id, "We are closed until nine.", "night 1") is None
        assert await bell.send_once(conversation_id, "We are closed until nine.", "night 2") is not None
        assert await contents(ann, conversation_id) == ["We are closed until eight.", "We are closed until nine."]
        with pytest.raises(Refused) as refusal:
            await bell.send_once(new_id(), "Hello?", "night 3")
        assert refusal.value.code is Code.NOT_FOUND


@pytest.mark.clause("V3.6", "R3.4")
async def test_a_conversation_is_found_by_its_id_however_many_there_are(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation_id):
        for _ in range(101):
            await ann.create_conversation(new_id(), [bell.user])
        found = await bell.conversation(UUID(conversation_id))
        assert (found.id, found.client, found.providers) == (conversation_id, ann.user, (bell.user,))
        assert (await bell.conversation(conversation_id.upper())).id == conversation_id
        with pytest.raises(InvalidCommand, match="a list of ids, not one id"):
            await ann.create_conversation(new_id(), bell.user)
        with pytest.raises(Refused) as refusal:
            await bell.conversation(new_id())
        assert refusal.value.code is Code.NOT_FOUND


@pytest.mark.clause("R2.7")
async def test_more_commands_than_the_server_allows_take_longer_and_all_succeed(database: str) -> None:
    with running_server(database, secret=None, rate_limit=50, rate_burst=5, max_refusals=60) as server:
        async with connect(server.ws_url) as ann:
            conversation = await ann.create_conversation(new_id())
            async with create_task_group() as tasks:
                for number in range(60):
                    tasks.start_soon(ann.send, conversation.id, str(number))
            assert sorted(await contents(ann, conversation.id)) == sorted(str(number) for number in range(60))


# -- mistakes ----------------------------------------------------------------------------------------------------------


async def test_every_error_says_whose_fault_it_is(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation_id):
        with pytest.raises(InvalidCommand, match="content must not be empty") as invalid:
            await ann.send(conversation_id, " ")
        assert (invalid.value.code, isinstance(invalid.value, LocalError)) == (Code.INVALID_PARAMS, True)
        with pytest.raises(ForbiddenRole, match="Only a client"):
            await bell.create_conversation(new_id())
        with pytest.raises(Refused, match="You have no conversation of this id") as refused:
            await ann.send(new_id(), "Hello?")
        assert (refused.value.code, refused.value.message) == (Code.NOT_FOUND, "You have no conversation of this id.")
        assert issubclass(Refused, VetChatError)
        await ann.send(conversation_id, "Nothing of this did any harm.")
    with pytest.raises(Closed):
        await ann.send(conversation_id, "Too late.")
    assert [event async for event in ann if isinstance(event, events.Error)] == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/ws/", "ws://", "127.0.0.1"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="begins with ws://"):
        connect(url)


def test_an_id_or_a_role_that_is_none_is_refused_at_once_by_its_name() -> None:
    url = "ws://127.0.0.1:8000"
    with pytest.raises(ValueError, match=r"^user_id must be a UUID in its 36-character form\.$"):
        connect(url, user_id="Ann")
    with pytest.raises(ValueError, match=r"^role must be client or provider, not 'vet'\.$"):
        connect(url, role="vet")


def test_a_place_to_resume_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="resume must be a Resume"):
        connect("ws://127.0.0.1:8000", resume="chat.position")  # pyright: ignore[reportArgumentType]


def test_a_buffer_that_holds_nothing_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="at least one event"):
        connect("ws://127.0.0.1:8000", buffer=0)


async def test_where_nobody_listens_the_last_trouble_is_told() -> None:
    with pytest.raises(Unreachable, match=r"within 0\.3 s") as unreachable:
        async with connect(f"ws://127.0.0.1:{free_port()}", open_timeout=0.3):
            pass
    assert unreachable.value.__cause__ is not None


async def test_the_endpoint_is_found_without_a_path(open_server: ServerProcess) -> None:
    async with connect(f"ws://127.0.0.1:{open_server.port}") as ann:
        assert await ann.conversations() == ()


# -- cancelling and leaving --------------------------------------------------------------------------------------------


async def test_a_call_can_be_cancelled_at_any_step_and_made_again(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation_id):
        for steps in range(30):
            with CancelScope() as scope:
                async with create_task_group() as tasks:
                    tasks.start_soon(_cancel_after, steps, scope)
                    await ann.send(conversation_id, str(steps), client_message_id=f"{conversation_id} {steps}")
            await ann.send(conversation_id, str(steps), client_message_id=f"{conversation_id} {steps}")
        said = [str(steps) for steps in range(30)]
        assert await contents(ann, conversation_id) == said
        assert [(await next_of(bell, events.MessageSent)).params.content for _ in said] == said


async def _cancel_after(steps: int, scope: CancelScope) -> None:
    for _ in range(steps):
        await lowlevel.checkpoint()
    scope.cancel()


async def test_waiting_for_an_event_can_be_cancelled_without_losing_one(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation_id):
        seen: list[str] = []
        async with create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(ann.send, conversation_id, str(number))
            with fail_after(PATIENCE):
                while len(seen) < 30:
                    with move_on_after(0.001):
                        event = await anext(bell)
                        if isinstance(event, events.MessageSent):
                            seen.append(event.params.content)
        assert sorted(seen, key=int) == [str(number) for number in range(30)]


async def test_only_one_task_iterates_at_a_time(open_server: ServerProcess) -> None:
    async with connect(open_server.ws_url) as ann, create_task_group() as tasks:
        tasks.start_soon(anext, ann)
        await lowlevel.checkpoint()
        await lowlevel.checkpoint()
        with pytest.raises(BusyResourceError):
            await anext(ann)
        tasks.cancel_scope.cancel()


async def test_what_the_block_raises_comes_out_as_it_is(open_server: ServerProcess) -> None:
    with pytest.raises(ZeroDivisionError):
        async with connect(open_server.ws_url):
            raise ZeroDivisionError
    with move_on_after(0.2) as scope:
        async with connect(open_server.ws_url) as ann:
            async for _ in ann:
                pass
    assert scope.cancelled_caught


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_of_asyncio_can_be_cancelled_inside_the_block(open_server: ServerProcess) -> None:
    inside = asyncio.Event()

    async def program() -> None:
        async with connect(open_server.ws_url) as ann:
            inside.set()
            async for _ in ann:
                pass

    task = asyncio.create_task(program())
    await asyncio.wait_for(inside.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, PATIENCE)
    assert task.cancelled()


async def test_a_mistake_in_what_makes_the_connections_is_not_hidden() -> None:
    attempts: list[Request] = []

    @asynccontextmanager
    async def broken(request: Request) -> AsyncGenerator[Transport]:
        attempts.append(request)
        if len(attempts) == 2:
            raise ZeroDivisionError
        async with open_websocket(request) as transport:
            yield transport

    with ScriptedServer(welcomes_and_closes(4200)) as server, pytest.raises(ExceptionGroup) as group:
        async with connect(server.url, opener=broken) as ann:
            await next_of(ann, events.MessageSent)
    assert group.group_contains(ZeroDivisionError)
    await lowlevel.checkpoint()  # nothing of the cancellation is left


async def test_leaving_the_block_ends_the_iteration_and_whoever_waits(open_server: ServerProcess) -> None:
    ended: list[str] = []

    async def listen(chat: Chat) -> None:
        async for _ in chat:
            pass
        ended.append("the iteration")

    async with create_task_group() as tasks, connect(open_server.ws_url) as ann:
        tasks.start_soon(listen, ann)
        await ann.ping()
    assert ended == ["the iteration"]
    assert repr(ann) == f"<Chat of client {ann.user} with {open_server.ws_url}, vetchat.v1, closed>"


async def test_leaving_the_block_says_goodbye_to_the_server() -> None:
    goodbyes: list[int | None] = []
    heard = threading.Event()

    def listen(peer: ServerConnection) -> None:
        with suppress(ConnectionClosed):  # the goodbye may come before everything is sent
            peer.send(welcome())
            peer.recv()
        goodbyes.append(peer.close_code)
        heard.set()

    with ScriptedServer(listen) as server:
        async with connect(server.url, buffer=1) as ann:
            assert ann.connected
        assert not ann.connected
        assert await to_thread.run_sync(heard.wait, PATIENCE), "the server never heard that we are gone"
    assert goodbyes == [1000]


async def test_leaving_while_many_events_are_unread_says_goodbye_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vetchat_client.transport.GOODBYE", 1.5 * PATIENCE)  # cutting the line comes too late
    goodbyes: list[int | None] = []
    many, heard = threading.Event(), threading.Event()

    def talk(peer: ServerConnection) -> None:
        with suppress(ConnectionClosed):  # the goodbye comes before everything is sent
            peer.send(welcome())
            for offset in range(1, 100_000):
                peer.send(frame("message_sent", message(offset, "Woof."), offset=offset))
                if offset == 500:
                    many.set()
        goodbyes.append(peer.close_code)
        heard.set()

    with ScriptedServer(talk) as server, fail_after(PATIENCE):
        async with connect(server.url, buffer=10):
            assert await to_thread.run_sync(many.wait, PATIENCE)
        assert await to_thread.run_sync(heard.wait, PATIENCE), "the server never heard that we are gone"
    assert goodbyes == [1000]


# -- a slow consumer ---------------------------------------------------------------------------------------------------


@pytest.mark.clause("V5.3", "V3.3")
async def test_who_calls_from_within_the_loop_never_waits_for_ever_however_small_the_buffer(
    open_server: ServerProcess,
) -> None:
    async with consultation(open_server.ws_url, buffer=2) as (ann, bell, conversation_id):
        questions = [f"Question {number}" for number in range(40)]

        async def ask() -> None:
            for question in questions:
                await ann.send(conversation_id, question)

        heard: list[str] = []
        async with create_task_group() as tasks:
            tasks.start_soon(ask)
            with fail_after(30):
                async for event in bell:
                    if isinstance(event, events.MessageSent) and event.params.sender_id == ann.user:
                        heard.append(event.params.content)
                        await bell.send(conversation_id, f"Answer to {event.params.content}")
                        if len(heard) == len(questions):
                            break
        assert heard == questions
        answers = [content for content in await contents(bell, conversation_id) if content.startswith("Answer")]
        assert answers == [f"Answer to {question}" for question in questions]


@pytest.mark.clause("V5.3")
async def test_while_the_buffer_is_full_the_server_has_to_wait_and_nothing_is_read_in_vain() -> None:
    woofs = [frame("message_sent", message(offset, "Woof."), offset=offset) for offset in range(1, 2_001)]
    with ScriptedServer(serves(*woofs)) as server:
        async with connect(server.url, buffer=10) as ann:
            heard = [(await next_of(ann, events.MessageSent)).offset for _ in woofs]
            assert heard == list(range(1, 2_001))
        assert len(server.hellos) == 1


@pytest.mark.clause("V5.3", "V3.3", "R4.9")
async def test_who_does_not_look_for_so_long_that_the_server_gives_up_finds_everything_in_order(database: str) -> None:
    with running_server(database, secret=None, rate_limit=0, outbox_frames=10) as server:
        async with consultation(server.ws_url, buffer=10) as (ann, bell, conversation_id):
            words = [f"{number} {'woof ' * 1_500}" for number in range(1_000)]
            for word in words:
                await ann.send(conversation_id, word)
            with fail_after(60):
                seen = [await anext(bell)]
                while not (isinstance(seen[-1], events.MessageSent) and seen[-1].params.seq == len(words)):
                    seen.append(await anext(bell))
        assert [event.params.content for event in seen if isinstance(event, events.MessageSent)] == words
        assert Resumed() in seen


async def test_who_never_iterates_can_call_all_the_same(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url, buffer=2) as (ann, _, conversation_id):
        for number in range(20):
            await ann.send(conversation_id, str(number))
        assert len(await contents(ann, conversation_id)) == 20


# -- logs --------------------------------------------------------------------------------------------------------------


async def test_no_log_shows_a_token_or_what_was_said(
    default_server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    user = new_id()
    async with connect(f"{default_server.ws_url}?token=secret", token=default_server.token(user, "client")) as ann:
        conversation = await ann.create_conversation(new_id())
        await ann.send(conversation.id, "Nobody else's business.")
        assert "secret" not in repr(ann)
    assert f"connected server={default_server.ws_url} user={user} role=client dialect=vetchat.v1" in caplog.messages
    assert "business" not in caplog.text
    assert "eyJ" not in caplog.text
    assert "secret" not in caplog.text
