"""What a bot does with events: which handlers run, in which order, how many at a time, and what becomes of failures."""

import inspect
import re
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any, get_type_hints

import pytest
from anyio import Event, fail_after
from vetchat_client import (
    Bot,
    Chat,
    ConnectOptions,
    Disconnected,
    Heard,
    Received,
    Resumed,
    connect,
    events,
)

from tests.client.bots import answer, at_work, gated, owner_of_talks, settle
from tests.client.company import PATIENCE, contents, next_of
from tests.client.scripted import ScriptedServer, serves, welcomes_and_closes
from tests.conformance.peer import new_id
from tests.running import ServerProcess

# -- which handlers run ------------------------------------------------------------------------------------------------


async def test_a_bot_answers_what_it_hears_and_never_itself(open_server: ServerProcess) -> None:
    bot = Bot("opening-hours")
    heard: list[Heard] = []

    @bot.hears(r"\b(open|hours)\b")
    async def hours(message: Heard) -> None:
        heard.append(message)
        await message.reply("We are open from eight.")

    async with at_work(bot, open_server.ws_url) as chat, owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)):
        for text in ("When are you OPEN?", "I have opened a tin.", "Your hours?"):
            await ann.send(talk, text)
        for _ in range(2):
            await answer(ann)
        said = await contents(ann, talk)
    assert (said.count("We are open from eight."), len(said)) == (2, 5)
    assert [(one.text, one.match[1]) for one in heard] == [("When are you OPEN?", "OPEN"), ("Your hours?", "hours")]
    assert (heard[0].message.seq, heard[0].conversation_id, heard[0].chat) == (1, talk, chat)


async def test_every_handler_that_wants_an_event_runs_one_after_the_other_as_they_were_registered(
    open_server: ServerProcess,
) -> None:
    bot = Bot("chorus")

    @bot.hears(re.compile("Woof"))
    async def first(message: Heard) -> None:
        await settle()
        await message.reply("first")

    @bot.hears(re.compile("woof"))
    async def never(message: Heard) -> None:
        await message.reply("never")

    @bot.on(events.MessageSent)
    async def second(event: Received[events.MessageSent]) -> None:
        if event.event.params.sender_id != event.chat.user:
            await event.reply("second")

    @bot.hears("woof")
    async def third(message: Heard) -> None:
        await message.reply("third")

    async with at_work(bot, open_server.ws_url) as chat, owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)):
        await ann.send(talk, "Woof.")
        assert [(await answer(ann)).content for _ in range(3)] == ["first", "second", "third"]
        assert await contents(ann, talk) == ["Woof.", "first", "second", "third"]


async def test_a_handler_of_event_classes_gets_them_raw_its_own_messages_too(open_server: ServerProcess) -> None:
    bot = Bot("greeter")
    seen: list[tuple[str, bool]] = []
    done = Event()

    @bot.on(events.NewConversationInvitation, events.MessageSent)
    async def greet(event: Received[events.NewConversationInvitation | events.MessageSent]) -> None:
        seen.append((type(event.event).__name__, event.conversation_id == talk))
        if isinstance(event.event, events.NewConversationInvitation):
            await event.reply("Hello, this is the bot.")
        else:
            done.set()

    talk = ""
    async with at_work(bot, open_server.ws_url) as chat, connect(open_server.ws_url) as ann:
        talk = (await ann.create_conversation(new_id(), [chat.user], client_conversation_id="t")).id
        assert (await answer(ann)).content == "Hello, this is the bot."
        with fail_after(PATIENCE):
            await done.wait()
    assert seen == [("NewConversationInvitation", True), ("MessageSent", True)]


async def test_whatever_happens_in_a_conversation_says_where(open_server: ServerProcess) -> None:
    bot, complete = Bot("observer"), Event()
    seen: dict[type[Any], str | None] = {}
    kinds = (
        events.ConversationCreated,
        events.MessageSent,
        events.PresenceState,
        events.ReadMarker,
        events.Typing,
        events.UserJoined,
        events.UserLeft,
    )

    @bot.on(*kinds)
    async def observe(event: Received[Any]) -> None:
        seen[type(event.event)] = event.conversation_id
        if len(seen) == len(kinds):
            complete.set()

    vet = ConnectOptions(role="provider", user_id=new_id())
    async with at_work(bot, open_server.ws_url, role="client") as chat:
        async with connect(open_server.ws_url, **vet) as bell:
            talk = await chat.create_conversation(new_id(), [bell.user])
            await bell.send(talk.id, "Woof.")
            await bell.typing(talk.id)
            await chat.mark_read(talk.id, 1)
        async with connect(open_server.ws_url, **vet):
            with fail_after(PATIENCE):
                await complete.wait()
    assert seen == dict.fromkeys(kinds, talk.id)


async def test_what_belongs_to_no_conversation_can_be_answered_elsewhere_only() -> None:
    bot = Bot("notices")
    seen: list[Received[Any]] = []
    back = Event()

    @bot.on(Disconnected, Resumed)
    async def notice(event: Received[Disconnected | Resumed]) -> None:
        seen.append(event)
        with pytest.raises(ValueError, match=r"belongs to no conversation: say where, with send\(\)"):
            await event.reply("Where?")
        if isinstance(event.event, Resumed):
            back.set()

    with ScriptedServer(welcomes_and_closes(4200), serves(recovered=True)) as server:
        async with at_work(bot, server.url, role=None, user_id=None):
            with fail_after(PATIENCE):
                await back.wait()
    assert [(type(one.event), one.conversation_id) for one in seen] == [(Disconnected, None), (Resumed, None)]


def test_names_and_numbers_that_cannot_be_are_refused() -> None:
    bot = Bot("twins")

    @bot.hears("a")
    async def twin(message: Heard) -> None: ...

    with pytest.raises(ValueError, match="Two handlers are named twin"):
        bot.on(events.Typing)(twin)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="at least one class"):
        bot.on()
    with pytest.raises(ValueError, match="at least one class"):
        bot.on(twin)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="Say what the bot hears"):
        bot.hears(twin)  # pyright: ignore[reportArgumentType]
    with pytest.raises(re.error):
        bot.hears("(")
    for options in ({"attempts": 0}, {"concurrency": 0}):
        with pytest.raises(ValueError, match="at least one"):
            Bot("none", **options)
    with pytest.raises(ValueError, match="has a name"):
        Bot("")
    assert repr(bot) == "<Bot twins: twin>"
    assert repr(Bot("new")) == "<Bot new: no handlers>"


def test_a_function_that_cannot_be_awaited_is_refused_when_it_is_registered() -> None:
    bot = Bot("plain")

    def plain(_: object) -> None: ...

    async def proper(_: object) -> None: ...

    @wraps(proper)
    def wrapper(given: object) -> Awaitable[None]:
        return proper(given)

    for register in (bot.hears("a"), bot.on(events.Typing), bot.background):
        with pytest.raises(TypeError, match="plain must be an async function"):
            register(plain)  # pyright: ignore[reportArgumentType]
    awaitable: list[Callable[[object], Awaitable[None]]] = [wrapper, partial(proper), lambda _: proper("anything")]
    for function in awaitable:
        bot.background(function)


def test_a_decorator_gives_the_function_back() -> None:
    bot = Bot("plain")

    async def one(message: Heard) -> None: ...
    async def two(event: Received[events.Typing]) -> None: ...
    async def three(chat: Chat) -> None: ...

    assert (bot.hears("a")(one), bot.on(events.Typing)(two), bot.background(three)) == (one, two, three)


def test_a_bot_takes_what_connect_takes() -> None:
    theirs = inspect.signature(connect, eval_str=True).parameters
    ours = get_type_hints(ConnectOptions)
    assert ours == {name: theirs[name].annotation for name in theirs if name not in ("url", "resume")}


# -- order and concurrency ---------------------------------------------------------------------------------------------


async def test_within_a_conversation_one_after_the_other_and_across_side_by_side(open_server: ServerProcess) -> None:
    bot, gate = gated()
    async with (
        at_work(bot, open_server.ws_url) as chat,
        owner_of_talks(open_server.ws_url, chat, 2) as (ann, (one, two)),
    ):
        for text in ("1 a", "1 b", "1 c"):
            await ann.send(one, text)
        await ann.send(two, "2 a")
        await gate.until(begun=2)
        assert gate.begun == ["1 a", "2 a"]
        gate.let("2 a", "1 b", "1 c")
        await gate.until(ended=1)
        assert gate.begun == ["1 a", "2 a"]
        gate.let("1 a")
        await gate.until(ended=4)
        assert gate.ended == ["2 a", "1 a", "1 b", "1 c"]


async def test_no_more_handlers_run_at_a_time_than_were_asked_for(open_server: ServerProcess) -> None:
    bot, gate = gated(concurrency=2)
    async with (
        at_work(bot, open_server.ws_url) as chat,
        owner_of_talks(open_server.ws_url, chat, 4) as (ann, talks),
    ):
        for number, talk in enumerate(talks):
            await ann.send(talk, str(number))
        await gate.until(begun=2)
        assert gate.begun == ["0", "1"]
        gate.let("1")
        await gate.until(begun=3)
        assert gate.begun == ["0", "1", "2"]
        gate.let("0", "2", "3")
        await gate.until(ended=4)


@pytest.mark.clause("V5.3")
async def test_while_too_much_is_unfinished_the_next_event_is_not_asked_for(open_server: ServerProcess) -> None:
    bot, gate = gated(concurrency=1)
    words = [str(number) for number in range(40)]
    async with (
        at_work(bot, open_server.ws_url, buffer=15) as chat,
        owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)),
    ):
        for word in words:
            await ann.send(talk, word)
        sent = [(await next_of(ann, events.MessageSent)).offset for _ in words]
        await gate.until(begun=1)
        await chat.ping()
        await settle()
        assert chat.position is not None
        assert chat.position.offset == sent[8], "nine are done with for the chat, the tenth was the last to be taken"
        gate.let(*words)
        await gate.until(ended=40)
    assert gate.ended == words
