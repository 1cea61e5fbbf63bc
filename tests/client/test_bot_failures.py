"""What becomes of a bot's failures: of a handler, of the log, of what runs beside, and of the chat itself."""

import inspect
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import pytest
from anyio import Event, create_task_group, fail_after, lowlevel
from vetchat_client import (
    Bot,
    Chat,
    Heard,
    Message,
    NotSupported,
    Received,
    Refused,
    Rejected,
    Reset,
    Resume,
    connect,
    events,
)
from vetchat_client.bot import handlers
from vetchat_client.transport import Request, Transport, open_websocket

from tests.client.bots import Memory, answer, at_work, gated, owner_of_talks, settle
from tests.client.company import PATIENCE, contents
from tests.client.plain import PlainServer
from tests.client.scripted import ScriptedServer, serves, welcomes_and_closes
from tests.conformance.peer import new_id
from tests.protocol.counterpart import frame, message
from tests.running import ServerProcess

# -- failures ----------------------------------------------------------------------------------------------------------


@contextmanager
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> Generator[list[float]]:
    """Pauses between two runs take no time, and are written down."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await lowlevel.checkpoint()

    with monkeypatch.context() as patch:
        patch.setattr(handlers, "sleep", sleep)
        yield pauses


async def test_a_handler_that_fails_is_run_again_and_what_it_said_before_is_said_once(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, runs = Bot("stumbling"), 0

    @bot.hears("question")
    async def stumble(message: Heard) -> None:
        nonlocal runs
        runs += 1
        await message.reply("Let me see.")
        await message.reply("Let me see.")
        if runs < 3:
            raise ZeroDivisionError
        await message.reply("Yes.")

    with no_pauses(monkeypatch) as pauses:
        async with at_work(bot, open_server.ws_url) as chat, owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)):
            await ann.send(talk, "A question.")
            while (await answer(ann)).content != "Yes.":
                pass
            assert await contents(ann, talk) == ["A question.", "Let me see.", "Let me see.", "Yes."]
    assert pauses == [1.0, 4.0]


async def test_only_the_conversation_of_a_failed_handler_waits(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, pausing, over = Bot("patient", concurrency=1), Event(), Event()
    failed: list[str] = []

    async def sleep(seconds: float) -> None:
        pausing.set()
        await over.wait()

    monkeypatch.setattr(handlers, "sleep", sleep)

    @bot.hears("")
    async def hear(message: Heard) -> None:
        if message.text == "bad" and not failed:
            failed.append(message.text)
            raise ZeroDivisionError
        await message.reply(f"{message.text}!")

    async with (
        at_work(bot, open_server.ws_url) as chat,
        owner_of_talks(open_server.ws_url, chat, 2) as (ann, (one, two)),
    ):
        await ann.send(one, "bad")
        await ann.send(one, "next")
        with fail_after(PATIENCE):
            await pausing.wait()
        await ann.send(two, "good")
        assert (await answer(ann)).content == "good!"
        assert await contents(ann, one) == ["bad", "next"]
        over.set()
        assert [(await answer(ann)).content for _ in range(2)] == ["bad!", "next!"]


async def test_a_message_that_cannot_be_handled_is_given_up_logged_without_its_text_and_the_next_one_is_handled(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bot, runs, positions = Bot("poisoned", attempts=2), 0, Memory()

    def swallow(text: str) -> None:
        if "poison" in text:
            raise ValueError(f"cannot swallow {text}")

    @bot.hears("")
    async def hear(message: Heard) -> None:
        nonlocal runs
        runs += 1
        swallow(message.text)
        await message.reply("Good.")

    @bot.hears("")
    async def other(message: Heard) -> None:
        await message.reply("Next.")

    with no_pauses(monkeypatch):
        async with (
            at_work(bot, open_server.ws_url, positions) as chat,
            owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)),
        ):
            await ann.send(talk, "poison")
            await ann.send(talk, "water")
            assert [(await answer(ann)).content for _ in range(3)] == ["Next.", "Good.", "Next."]
            await positions.reaches(await ann.ping() - 1)
    assert runs == 3
    records = [record for record in caplog.records if "a handler failed" in record.getMessage()]
    assert [record.levelname for record in records] == ["WARNING", "ERROR"]
    line = inspect.getsourcelines(swallow)[1] + 2
    assert records[1].getMessage() == (
        f"a handler failed for good bot=poisoned handler=hear run=2 error=ValueError where={__file__}:{line}"
    )
    assert "poison " not in caplog.text
    assert "swallow " not in caplog.text
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.clause("V2.2")
async def test_what_a_handler_says_differently_when_it_is_run_again_is_not_said(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, results = Bot("fickle"), list[Message | None]()

    @bot.hears("time")
    async def clock(message: Heard) -> None:
        results.append(await message.reply(f"It is {len(results)}."))
        if len(results) == 1:
            raise ZeroDivisionError
        await message.reply("Done.")

    with no_pauses(monkeypatch):
        async with at_work(bot, open_server.ws_url) as chat, owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)):
            await ann.send(talk, "What time is it?")
            assert [(await answer(ann)).content for _ in range(2)] == ["It is 0.", "Done."]
    assert results[0] is not None
    assert results[1] is None


async def test_what_a_handler_says_elsewhere_when_it_is_run_again_is_another_message(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, talks, places = Bot("wandering"), list[str](), list[str]()

    @bot.hears("who")
    async def alert(message: Heard) -> None:
        places.append(talks[len(places)])
        assert await message.send(places[-1], "Your turn.") is not None
        if len(places) == 1:
            raise ZeroDivisionError

    with no_pauses(monkeypatch):
        async with (
            at_work(bot, open_server.ws_url) as chat,
            owner_of_talks(open_server.ws_url, chat, 3) as (ann, three),
        ):
            talks.extend(three)
            await ann.send(three[2], "To whom?")
            assert [(await answer(ann)).conversation_id for _ in range(2)] == three[:2]


async def test_other_refusals_are_the_handlers_own_business(open_server: ServerProcess) -> None:
    bot = Bot("lost")

    @bot.hears("")
    async def hear(message: Heard) -> None:
        with pytest.raises(Refused, match="not_found"):
            await message.send(new_id(), "Anybody?")
        assert message.conversation_id is not None
        await message.send(message.conversation_id.upper(), "Nobody.")

    async with at_work(bot, open_server.ws_url) as chat, owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)):
        await ann.send(talk, "Ask.")
        assert (await answer(ann)).content == "Nobody."


async def test_an_event_that_is_not_kept_is_answered_each_time_and_once(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, runs = Bot("eager"), 0

    @bot.on(events.Typing)
    async def see(event: Received[events.Typing]) -> None:
        nonlocal runs
        runs += 1
        if event.event.params.state == "active":
            await event.reply("I see you typing.")
        if runs == 1:
            raise ZeroDivisionError

    with no_pauses(monkeypatch):
        async with at_work(bot, open_server.ws_url) as chat, owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)):
            for _ in range(2):
                await ann.typing(talk)
                await answer(ann)
                await ann.typing(talk, active=False)
            assert await contents(ann, talk) == ["I see you typing."] * 2


# -- a reset -----------------------------------------------------------------------------------------------------------


def missing_events() -> ScriptedServer:
    """Two messages; then the log is another one, and there is a third."""
    said = [frame("message_sent", message(offset, f"Number {offset}."), offset=offset) for offset in (1, 2, 21)]
    elsewhere = serves(said[2], recovered=False, epoch="two", offset=20)
    return ScriptedServer(welcomes_and_closes(4200, *said[:2], recovered=True), elsewhere)


@pytest.mark.clause("V3.4", "V1.2")
async def test_a_reset_waits_for_all_that_came_before_and_all_that_comes_after_waits_for_it() -> None:
    bot, gate = gated()
    positions = Memory(Resume(epoch="one", offset=0))

    @bot.on(Reset)
    async def reload(event: Received[Reset]) -> None:
        assert event.chat.position is None
        await gate.passes("reload")

    with missing_events() as server:
        async with at_work(bot, server.url, positions, role=None, user_id=None) as chat:
            await gate.until(begun=1)
            gate.let("Number 2.", "Number 21.")
            with fail_after(PATIENCE):
                while chat.position is not None:
                    await chat.ping()
            await settle()
            assert gate.begun == ["Number 1."]
            gate.let("Number 1.")
            await gate.until(begun=3)
            assert gate.begun == ["Number 1.", "Number 2.", "reload"]
            assert {one.epoch for one in positions.saved} == {"one"}
            gate.let("reload")
            await gate.until(ended=4)
            await positions.reaches(21)
            assert [one.offset for one in positions.saved if one.epoch == "two"] in ([20, 21], [21])
    assert gate.ended == ["Number 1.", "Number 2.", "reload", "Number 21."]


@pytest.mark.clause("V3.4")
async def test_a_bot_that_does_not_know_what_to_do_about_missing_events_says_so_and_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bot, gate = gated()
    gate.let("Number 1.", "Number 2.", "Number 21.")
    positions = Memory(Resume(epoch="one", offset=0))
    with missing_events() as server:
        async with at_work(bot, server.url, positions, role=None, user_id=None):
            await gate.until(ended=3)
            await positions.reaches(21)
    assert positions.saved[-1] == Resume(epoch="two", offset=21)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "events are missing and no handler for Reset makes up for them bot=gated"


@pytest.mark.clause("V3.4")
async def test_a_handler_of_a_reset_can_answer_wherever_somebody_else_had_the_last_word(
    open_server: ServerProcess,
) -> None:
    bot, user = Bot("returning"), new_id()

    @bot.on(Reset)
    async def catch_up(event: Received[Reset]) -> None:
        chat = event.chat
        async for page in chat.conversation_pages():
            for conversation in page:
                for last in (await chat.history(conversation.id, limit=1)).messages:
                    if last.sender_id != chat.user:
                        text = "I was away."
                        await chat.send(conversation.id, text, client_message_id=f"away {last.id}")

    async with connect(open_server.ws_url, name="Ann") as ann:
        talks = [(await ann.create_conversation(new_id(), [user])).id for _ in range(3)]
        for talk in talks[:2]:
            await ann.send(talk, "Anybody?")
        for _ in range(2):
            positions = Memory(Resume(epoch="another log", offset=7))
            async with at_work(bot, open_server.ws_url, positions, user_id=user):
                await positions.reaches(await ann.ping())
        assert [await contents(ann, talk) for talk in talks] == [["Anybody?", "I was away."]] * 2 + [[]]


# -- beside the handlers -----------------------------------------------------------------------------------------------


async def test_what_runs_in_the_background_is_run_again_when_it_fails_and_ends_with_the_bot(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bot, third, over = Bot("reminder"), Event(), Event()
    runs = 0

    @bot.background
    async def remind(chat: Chat) -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ZeroDivisionError
        await chat.ping()
        third.set()
        try:
            await Event().wait()
        finally:
            over.set()

    @bot.background
    async def once(chat: Chat) -> None:
        await chat.ping()

    with no_pauses(monkeypatch) as pauses:
        async with at_work(bot, open_server.ws_url):
            with fail_after(PATIENCE):
                await third.wait()
            assert not over.is_set()
    assert over.is_set()
    assert pauses == [1.0, 4.0]
    assert [line.partition(" where=")[0] for line in caplog.messages if "background" in line] == [
        "a background task failed bot=reminder task=remind error=ZeroDivisionError"
    ] * 2


# -- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V5.2")
async def test_a_chat_that_the_server_ends_ends_the_bot_with_the_reason() -> None:
    with ScriptedServer(welcomes_and_closes(4003)) as server, pytest.raises(Rejected) as ended:
        await Bot("unwanted").run(server.url)
    assert ended.value.close_code == 4003


@pytest.mark.clause("V5.2")
async def test_a_chat_that_ends_under_a_handler_leaves_the_event_unfinished_whatever_the_handler_makes_of_it() -> None:
    for swallowed in (False, True):
        bot, positions = Bot("cut off", attempts=1), Memory()

        @bot.hears("")
        async def hear(message: Heard, swallowed: bool = swallowed) -> None:
            try:
                await message.reply("Never stored.")
            except Rejected:
                if not swallowed:
                    raise

        said = frame("message_sent", message(1, "Woof."), offset=1)
        with ScriptedServer(welcomes_and_closes(4003, said)) as server, pytest.raises(Rejected):
            await bot.run(server.url, position=positions)
        assert positions.saved == [Resume(epoch="one", offset=0)]


async def test_a_chat_that_is_left_ends_the_bot_without_a_word(open_server: ServerProcess) -> None:
    async with create_task_group() as tasks, connect(open_server.ws_url) as chat:
        tasks.start_soon(Bot("content").attend, chat)
        await chat.ping()


async def test_an_error_of_another_chat_is_a_failure_like_any_other(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = Bot("two-faced")
    async with connect(open_server.ws_url) as closed:
        pass

    @bot.hears("")
    async def ask(message: Heard) -> None:
        await closed.ping()

    @bot.hears("")
    async def say(message: Heard) -> None:
        await message.reply("Still here.")

    with no_pauses(monkeypatch) as pauses:
        async with at_work(bot, open_server.ws_url) as chat, owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)):
            await ann.send(talk, "Are you?")
            assert (await answer(ann)).content == "Still here."
    assert len(pauses) == 2


@pytest.mark.parametrize("user_id", [None, "7d0f3c52-9a1b-4e68-b0c7-2f5d8e6a4b19"])
async def test_a_server_that_speaks_the_base_wire_is_not_enough_and_the_error_says_why(
    plain_server: PlainServer, user_id: str | None
) -> None:
    with pytest.raises(NotSupported, match="lose messages and answer others twice"), fail_after(PATIENCE):
        await Bot("modern").run(plain_server.url, user_id=user_id)


async def test_a_server_that_falls_back_to_the_base_wire_ends_the_bot(plain_server: PlainServer) -> None:
    with ScriptedServer(welcomes_and_closes(4200)) as server:
        urls = [server.url, plain_server.url]

        @asynccontextmanager
        async def moving(request: Request) -> AsyncGenerator[Transport]:
            async with open_websocket(replace(request, url=urls.pop(0))) as transport:
                yield transport

        with pytest.raises(NotSupported, match="lose messages and answer others twice"), fail_after(PATIENCE):
            await Bot("modern").run(server.url, opener=moving)
    assert urls == []


async def test_run_connects_as_connect_does(open_server: ServerProcess) -> None:
    bot, started = Bot("runner"), Event()
    users: list[str] = []

    @bot.background
    async def note(chat: Chat) -> None:
        users.append(f"{chat.role} {chat.user}")
        started.set()

    user = new_id()
    async with create_task_group() as tasks:

        async def run() -> None:
            await bot.run(open_server.ws_url, user_id=user, role="provider", opener=open_websocket)

        tasks.start_soon(run)
        with fail_after(PATIENCE):
            await started.wait()
        tasks.cancel_scope.cancel()
    assert users == [f"provider {user}"]


async def test_no_log_and_no_repr_shows_what_was_said(
    open_server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bot, reprs = Bot("discreet"), list[str]()

    @bot.hears("business")
    async def hear(message: Heard) -> None:
        reprs.append(repr(message))
        await message.reply("Nobody else's business.")

    async with at_work(bot, open_server.ws_url) as chat, owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)):
        await ann.send(talk, "My business.")
        await answer(ann)
    assert reprs == [f"<Heard MessageSent in {talk}>"]
    assert f"bot started bot=discreet user={chat.user} handlers=1" in caplog.messages
    assert "business" not in caplog.text
