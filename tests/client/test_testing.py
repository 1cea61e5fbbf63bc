"""The harness for programs that talk to VetChat: virtual time, and faults at moments that a seed picks."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal
from zoneinfo import ZoneInfo

import anyio
import pytest
from anyio.to_thread import run_sync
from vetchat_client import Chat, Disconnected, Message, Resumed, Unauthenticated, Unreachable, events
from vetchat_client.bot import Bot, Heard
from vetchat_client.testing import Clinic, Deadlock, Person, Running, Scene, Talk, rehearsal, rehearse

Backend = Literal["asyncio", "trio"]

MORNING = int(datetime(2026, 1, 5, 9, 0, tzinfo=UTC).timestamp() * 1_000)
"""When a scene begins, in ms since the epoch."""

ADVICE = "Call the emergency line."


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param


async def porter(chat: Chat) -> None:
    """Answers everything."""
    async for event in chat:
        match event:
            case events.MessageSent(params=message) if message.sender_id != chat.user:
                await chat.send(message.conversation_id, ADVICE)
            case _:
                pass


async def consultation(clinic: Clinic) -> tuple[Person, Running, Talk]:
    bot = await clinic.run(porter, name="Porter")
    ann = await clinic.owner("Ann")
    return ann, bot, await ann.opens([bot])


# -- a scene -----------------------------------------------------------------------------------------------------------


def test_a_bot_answers_an_owner(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> Sequence[tuple[str, str]]:
        _, _, talk = await consultation(clinic)
        await talk.says("My dog has eaten chocolate.")
        assert await talk.hears() == ADVICE
        await talk.hears_nothing(within=60)
        return await talk.said()

    assert rehearse(scene, backend=backend) == [("Ann", "My dog has eaten chocolate."), ("Porter", ADVICE)]


def test_a_vet_is_invited_and_talks_with_an_owner_who_is_writing(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        ann, bell = await clinic.owner("Ann"), await clinic.vet("Dr Bell")
        hers = await ann.opens([bell.user])
        his = await bell.is_invited()
        await ann.chat.typing(hers.id)
        assert (await bell.sees(events.Typing)).params.state == "active"
        await clinic.passes(seconds=6)
        assert (await bell.sees(events.Typing, within=0)).params.state == "done"
        await his.says("Yes?")
        assert await hers.hears() == "Yes?"
        assert [message.seq for message in await bell.talk(hers).messages()] == [1]

    rehearse(scene, backend=backend)


def test_a_program_that_calls_connect_itself_needs_no_more_than_the_address_and_the_opener(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        async with clinic.connect(role="provider", name="Bell") as bell:
            ann = await clinic.owner("Ann")
            talk = await ann.opens([bell.user])
            await bell.send(talk.id, "Here I am.")
            assert await talk.said() == [("Bell", "Here I am.")]

    rehearse(scene, backend=backend)


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_week_passes_at_once(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> timedelta:
        _, _, talk = await consultation(clinic)
        began = clinic.now()
        for _ in range(7):
            await clinic.passes(days=1)
            await talk.says("Still there?")
            assert await talk.hears() == ADVICE
        return clinic.now() - began

    began = time.perf_counter()
    assert rehearse(scene, backend=backend) == timedelta(days=7)
    assert time.perf_counter() - began < 2


def test_the_wall_clock_begins_where_it_is_told_to_and_knows_its_time_zone(backend: Backend) -> None:
    berlin = ZoneInfo("Europe/Berlin")

    async def scene(clinic: Clinic) -> None:
        assert clinic.now() == datetime(2026, 10, 24, 21, 30, tzinfo=berlin)
        await clinic.passes(hours=14)
        assert f"{clinic.now():%H:%M %z}" == "10:30 +0100"
        ann = await clinic.owner("Ann")
        talk = await ann.opens()
        await clinic.until(datetime(2026, 10, 25, 12, 0, tzinfo=berlin))
        assert f"{clinic.now():%H:%M %z}" == "12:00 +0100"
        await clinic.passes(hours=1)
        assert f"{clinic.now():%H:%M %z}" == "13:00 +0100"
        message = await talk.says("An hour more than it seems.")
        assert datetime.fromtimestamp(message.timestamp / 1_000, UTC) == datetime(2026, 10, 25, 12, 0, tzinfo=UTC)
        with pytest.raises(ValueError, match="already"):
            await clinic.until(datetime(2026, 10, 25, 11, 59, tzinfo=berlin))

    rehearse(scene, backend=backend, start=datetime(2026, 10, 24, 21, 30, tzinfo=berlin))
    with pytest.raises(ValueError, match="time zone"):
        rehearse(scene, backend=backend, start=datetime(2026, 1, 1))  # noqa: DTZ001


def test_timers_far_from_the_beginning_go_off_in_time(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        began = clinic.now()
        await clinic.passes(days=20_000, seconds=0.123456)
        for _ in range(1_000):
            await anyio.sleep(0.001)
        assert abs(clinic.now() - began - timedelta(days=20_000, seconds=1.123456)) < timedelta(milliseconds=1)

    rehearse(scene, backend=backend, longest=timedelta(days=30_000))


def test_time_stands_still_while_a_thread_works(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        _, _, talk = await consultation(clinic)
        began = clinic.now()
        await run_sync(time.sleep, 0.02)
        if backend == "asyncio":
            await asyncio.to_thread(time.sleep, 0.02)
        assert clinic.now() == began
        await talk.says("Files take real time, and no other.")
        assert await talk.hears(within=0.001) == ADVICE

    rehearse(scene, backend=backend)


# -- seeds -------------------------------------------------------------------------------------------------------------


async def troubled(clinic: Clinic) -> str:
    """Two bots that both answer, on lines that break, and a server that crashes."""
    bots = [await clinic.run(porter, name="Porter"), await clinic.run(annotator, name="Annotator")]
    ann = await clinic.owner("Ann")
    talk = await ann.opens(bots)
    for text in ("One.", "Two."):
        await talk.says(text)
        await clinic.cut()
    async with clinic.outage():
        await clinic.passes(minutes=random.uniform(1, 3))
    await clinic.passes(minutes=5)
    return clinic.transcript()


async def annotator(chat: Chat) -> None:
    """Answers owners only, with what it has counted."""
    count = 0
    async for event in chat:
        match event:
            case events.MessageSent(params=message) if message.content != ADVICE and message.sender_id != chat.user:
                count += 1
                await chat.send(message.conversation_id, f"Number {count}.")
            case _:
                pass


def test_the_same_seed_plays_the_same_again(backend: Backend) -> None:
    for seed in range(10):
        assert rehearse(troubled, backend=backend, seed=seed) == rehearse(troubled, backend=backend, seed=seed)


def test_other_seeds_play_in_other_orders(backend: Backend) -> None:
    assert len({rehearse(troubled, backend=backend, seed=seed) for seed in range(20)}) > 5


def test_what_random_draws_is_repeated_in_a_scene_and_undisturbed_outside(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> float:
        return random.random()

    random.seed(12)
    before = random.getstate()
    assert rehearse(scene, backend=backend, seed=3) == rehearse(scene, backend=backend, seed=3)
    assert random.getstate() == before


def test_two_hundred_scenes_take_seconds() -> None:
    async def scene(clinic: Clinic) -> None:
        _, _, talk = await consultation(clinic)
        await talk.says("My dog has eaten chocolate.")
        await talk.hears()

    began = time.perf_counter()
    for seed in range(200):
        rehearse(scene, seed=seed)
    assert time.perf_counter() - began < 10


# -- scenes that fail --------------------------------------------------------------------------------------------------


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", ()))


def test_who_hears_nothing_says_so_and_shows_what_was_said(backend: Backend) -> None:
    async def silent(chat: Chat) -> None:
        await anyio.sleep_forever()

    async def scene(clinic: Clinic) -> None:
        ann = await clinic.owner("Ann")
        talk = await ann.opens([await clinic.run(silent, name="Mute")])
        await talk.says("Anybody there?")
        await talk.hears(within=20)

    with pytest.raises(AssertionError, match=r"^Ann hears nothing within 20 s\.") as failed:
        rehearse(scene, backend=backend, seed=7)
    assert notes(failed.value) == (
        f"The scene was rehearsed on {backend} with seed=7. What was said:\n"
        "Mon 05 Jan 09:00:00  #1  Ann begins a conversation with Mute\n"
        "Mon 05 Jan 09:00:00  #1  Ann: Anybody there?"
    )


def test_who_hears_or_sees_what_should_not_or_should_be_says_so(backend: Backend) -> None:
    async def chatty(clinic: Clinic) -> None:
        _, _, talk = await consultation(clinic)
        await talk.says("Quiet, please.")
        await talk.hears_nothing(within=1)

    async def lonely(clinic: Clinic) -> None:
        await (await clinic.vet("Dr Bell")).is_invited(within=2)

    with pytest.raises(AssertionError, match="Ann should hear nothing, and hears 'Call the"):
        rehearse(chatty, backend=backend)
    with pytest.raises(AssertionError, match="Dr Bell sees no NewConversationInvitation within 2 s"):
        rehearse(lonely, backend=backend)


def test_a_program_that_raises_fails_the_scene_with_its_own_error(backend: Backend) -> None:
    async def faulty(chat: Chat) -> None:
        async for event in chat:
            if isinstance(event, events.MessageSent):
                raise ZeroDivisionError("Rex weighs nothing.")

    async def scene(clinic: Clinic) -> None:
        ann = await clinic.owner("Ann")
        talk = await ann.opens([await clinic.run(faulty, name="Dosage")])
        await talk.says("How much?")
        await talk.hears()

    with pytest.raises(ZeroDivisionError, match="Rex weighs nothing") as failed:
        rehearse(scene, backend=backend)
    assert "Raised by Dosage at 09:00:00 UTC." in notes(failed.value)
    assert "Ann: How much?" in notes(failed.value)


def test_a_scene_that_waits_for_what_never_comes_ends(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        await consultation(clinic)
        await anyio.Event().wait()

    with pytest.raises(TimeoutError, match="did not end within 366 days") as failed:
        rehearse(scene, backend=backend)
    assert "Ann begins a conversation with Porter" in notes(failed.value)


def test_a_scene_that_waits_for_a_server_that_is_down_ends(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        ann = await clinic.owner("Ann")
        talk = await ann.opens()
        async with clinic.outage():
            await talk.says("Hello?")

    with pytest.raises(RuntimeError, match="were in vain"):
        rehearse(scene, backend=backend)


STUBBORN = """
import anyio
from vetchat_client.testing import rehearse

async def stubborn(chat):
    with anyio.CancelScope(shield=True):
        await anyio.Event().wait()

async def scene(clinic):
    await clinic.run(stubborn)
    await clinic.passes(seconds=1)

rehearse(scene, backend="BACKEND")
"""


def test_a_program_that_does_not_let_itself_be_ended_is_a_deadlock(backend: Backend) -> None:
    """In a process of its own: such a program cannot be got rid of."""
    command = [sys.executable, "-c", STUBBORN.replace("BACKEND", backend)]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30, check=False)
    assert ended.returncode != 0
    assert f"{Deadlock.__qualname__}: Everybody waits, and nothing is left that could happen." in ended.stderr


def test_a_program_that_answers_itself_is_stopped(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vetchat_client.testing.server.AT_ONCE", 1_000)

    async def echo(chat: Chat) -> None:
        async for event in chat:
            if isinstance(event, events.MessageSent):
                await chat.send(event.params.conversation_id, "Did you say something?")

    async def scene(clinic: Clinic) -> None:
        ann = await clinic.owner("Ann")
        talk = await ann.opens([await clinic.run(echo)])
        await talk.says("Hello?")
        await clinic.passes(hours=1)

    with pytest.raises(RuntimeError, match="does a program answer itself") as failed:
        rehearse(scene, backend=backend)
    assert "earlier" in notes(failed.value)


def test_a_program_that_never_connects_is_named(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        async with clinic.outage():
            await clinic.run(porter, name="Porter")

    with pytest.raises(Unreachable):
        rehearse(scene, backend=backend)


# -- faults ------------------------------------------------------------------------------------------------------------


async def repeater(chat: Chat) -> None:
    async for event in chat:
        match event:
            case events.MessageSent(params=message) if message.sender_id != chat.user:
                await chat.send(message.conversation_id, f"You said: {message.content}")
            case _:
                pass


def test_what_is_cut_comes_back_and_nothing_is_lost_or_doubled(backend: Backend) -> None:
    texts = [f"Number {number}." for number in range(5)]

    async def scene(clinic: Clinic) -> None:
        bot = await clinic.run(repeater, name="Repeater")
        ann = await clinic.owner("Ann")
        talk = await ann.opens([bot])
        for text in texts:
            await talk.says(text)
            await clinic.cut(*random.choice([(), (bot,), (ann,)]))
        assert [await talk.hears() for _ in texts] == [f"You said: {text}" for text in texts]
        await talk.hears_nothing(within=60)
        assert sorted(await talk.said()) == sorted(
            [("Ann", text) for text in texts] + [("Repeater", f"You said: {text}") for text in texts]
        )

    for seed in range(25):
        rehearse(scene, backend=backend, seed=seed)


def test_a_cut_is_seen_by_the_program(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        ann = await clinic.owner("Ann")
        await clinic.cut(ann)
        await ann.sees(Disconnected)
        await ann.sees(Resumed, within=1)

    rehearse(scene, backend=backend)


def test_a_cut_strikes_before_and_after_the_server_has_stored_what_was_sent() -> None:
    """Over the seeds: stored and answered, stored and the answer lost, or lost on its way and stored later."""

    async def scene(clinic: Clinic) -> tuple[bool | None, bool]:
        ann = await clinic.owner("Ann")
        talk = await ann.opens()
        answers: list[Message] = []

        async def say() -> None:
            answers.append(await talk.says("Once."))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(say)
            tasks.start_soon(clinic.cut, ann)
        assert await talk.said() == [("Ann", "Once.")]
        return answers[0].duplicate, answers[0].timestamp > MORNING

    assert {rehearse(scene, seed=seed) for seed in range(100)} == {(None, False), (True, False), (None, True)}


def test_a_server_that_is_down_for_a_while_has_lost_nothing(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        ann, _, talk = await consultation(clinic)
        async with anyio.create_task_group() as tasks, clinic.outage():
            tasks.start_soon(talk.says, "Is the line dead?")
            await clinic.passes(minutes=5)
            assert not ann.chat.connected
        assert await talk.hears(within=60) == ADVICE
        assert await talk.said() == [("Ann", "Is the line dead?"), ("Porter", ADVICE)]

    for seed in range(10):
        rehearse(scene, backend=backend, seed=seed)


def test_who_is_offline_hears_later_what_was_said_meanwhile(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        ann, bell = await clinic.owner("Ann"), await clinic.vet("Dr Bell")
        hers = await ann.opens([bell])
        his = await bell.is_invited()
        async with clinic.offline(ann):
            await his.says("Ann?")
            await hers.hears_nothing(within=600)
            assert bell.chat.connected
        assert await hers.hears(within=60) == "Ann?"

    rehearse(scene, backend=backend)


def test_a_program_is_stopped_and_started_again(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        _, bot, talk = await consultation(clinic)
        await bot.kill()
        assert not bot.running
        await talk.says("Nobody there.")
        await talk.hears_nothing(within=3_600)
        await bot.start()
        await talk.says("And now?")
        assert await talk.hears() == ADVICE
        with pytest.raises(RuntimeError, match="Porter runs already"):
            await bot.start()

    rehearse(scene, backend=backend)


def test_what_was_missed_comes_at_the_pace_of_who_missed_it(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        me = clinic.new_id()
        async with clinic.connect(user_id=me, role="provider", name="Bell") as bell:
            position = bell.position
        ann = await clinic.owner("Ann")
        talk = await ann.opens([me])
        for number in range(1_500):
            await talk.says(str(number))
        async with clinic.connect(user_id=me, role="provider", resume=position, buffer=10) as bell:
            await clinic.passes(minutes=1)
            seen = [await anext(bell) for _ in range(1_503)]
            assert isinstance(seen[1], events.NewConversationInvitation)
            assert [item.params.content for item in seen if isinstance(item, events.MessageSent)] == [
                str(number) for number in range(1_500)
            ]
            assert not any(isinstance(item, Disconnected) for item in seen)

    rehearse(scene, backend=backend)


def test_a_program_that_reads_too_slowly_is_cut_off_and_gets_everything_in_the_end(backend: Backend) -> None:
    heard: list[str] = []
    lost: list[Disconnected] = []

    async def sleepy(chat: Chat) -> None:
        await anyio.sleep(60)
        async for event in chat:
            match event:
                case events.MessageSent(params=message):
                    heard.append(message.content)
                case Disconnected():
                    lost.append(event)
                case _:
                    pass

    async def scene(clinic: Clinic) -> None:
        ann = await clinic.owner("Ann")
        talk = await ann.opens([await clinic.run(sleepy)])
        for number in range(2_100):
            await talk.says(str(number))
        await clinic.passes(minutes=2)

    rehearse(scene, backend=backend)
    assert heard == [str(number) for number in range(2_100)]
    assert lost


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_program_with_a_source_of_tokens_stays_for_a_day(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> int:
        me, count = clinic.new_id(), 0

        async def token() -> str:
            nonlocal count
            count += 1
            return clinic.issue(me, name="Porter", lasts=timedelta(hours=1))

        bot = await clinic.run(porter, name="Porter", user_id=me, token=token)
        ann = await clinic.owner("Ann")
        talk = await ann.opens([bot])
        await clinic.passes(days=1)
        await talk.says("Still there?")
        assert await talk.hears() == ADVICE
        return count

    assert 24 <= rehearse(scene, backend=backend) <= 26


def test_a_program_with_one_token_is_thrown_out_when_it_has_run_out(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        me = clinic.new_id()
        await clinic.run(porter, user_id=me, token=clinic.issue(me, lasts=timedelta(hours=1)))
        await clinic.passes(hours=1)
        await clinic.passes(minutes=1)

    with pytest.raises(Unauthenticated):
        rehearse(scene, backend=backend)


def test_a_token_that_has_run_out_is_refused_at_the_door(backend: Backend) -> None:
    async def scene(clinic: Clinic) -> None:
        token = clinic.issue(clinic.new_id(), lasts=timedelta(hours=1))
        await clinic.passes(hours=1)
        with pytest.raises(Unauthenticated) as refused:
            async with clinic.connect(token=token):
                pass
        assert refused.value.status == 401

    rehearse(scene, backend=backend)


# -- bots --------------------------------------------------------------------------------------------------------------


def counting(*, with_keys: bool) -> Bot:
    """A bot that answers by an id that derives from the question, or without any."""
    bot = Bot("Counter")

    @bot.hears("")
    async def answer(heard: Heard) -> None:
        if with_keys:
            await heard.reply(f"That was {heard.text}")
        else:
            await heard.chat.send(heard.message.conversation_id, f"That was {heard.text}")

    return bot


def killed_again_and_again(bot: Bot) -> Scene[Sequence[str]]:
    async def scene(clinic: Clinic) -> Sequence[str]:
        counter = await clinic.run(bot)
        ann = await clinic.owner("Ann")
        talk = await ann.opens([counter])
        for number in range(4):
            await talk.says(str(number))
            await counter.kill()
            await clinic.passes(minutes=1)
            await counter.start()
        await clinic.passes(minutes=1)
        return [text for name, text in await talk.said() if name == "Counter"]

    return scene


def test_a_bot_that_is_killed_at_any_moment_answers_each_message_once(backend: Backend) -> None:
    for seed in range(40):
        answers = rehearse(killed_again_and_again(counting(with_keys=True)), backend=backend, seed=seed)
        assert answers == [f"That was {number}" for number in range(4)], f"seed {seed}"


def test_a_bot_that_would_answer_twice_is_found_out() -> None:
    answers = [rehearse(killed_again_and_again(counting(with_keys=False)), seed=seed) for seed in range(40)]
    assert any(len(answer) > 4 for answer in answers)


def test_a_bot_that_is_stopped_may_still_save_where_it_is_and_one_that_is_killed_may_not(backend: Backend) -> None:
    async def scene(clinic: Clinic, how: str) -> bool:
        counter = await clinic.run(counting(with_keys=True))
        ann = await clinic.owner("Ann")
        talk = await ann.opens([counter])
        await talk.says("One")
        await talk.hears()
        await (counter.stop() if how == "stop" else counter.kill())
        await clinic.passes(minutes=1)
        before = counter.kept.position
        await counter.start()
        await clinic.passes(minutes=1)
        return counter.kept.position == before

    saved = {
        how: sum(rehearse(partial(scene, how=how), backend=backend, seed=seed) for seed in range(30))
        for how in ("stop", "kill")
    }
    assert saved["stop"] == 30
    assert saved["kill"] < 30


# -- what it needs -----------------------------------------------------------------------------------------------------


def test_neither_trio_nor_pytest_is_needed() -> None:
    code = "import sys, vetchat_client.testing; sys.exit(bool({'trio', 'pytest'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_trio_a_scene_on_trio_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(_: Clinic) -> None: ...

    def nowhere(_: str) -> None: ...

    monkeypatch.setattr(rehearsal, "find_spec", nowhere)
    with pytest.raises(ModuleNotFoundError, match=r"vetchat-client\[testing\]"):
        rehearse(scene, backend="trio")
