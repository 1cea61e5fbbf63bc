"""How far a bot has come: what is saved, when, where, and what follows from it after a restart."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from anyio import Event, create_task_group, fail_after, lowlevel
from anyio import Path as AsyncPath
from vetchat_client import Bot, Chat, FilePosition, Heard, Resume, UnreadablePosition, connect, events
from vetchat_client.bot import progress

from tests.client.bots import Memory, answer, at_work, gated, owner_of_talks, settle
from tests.client.company import PATIENCE, contents, next_of
from tests.conformance.peer import new_id
from tests.running import ServerProcess


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "GAP", 0.0)
    monkeypatch.setattr(progress, "AGAIN", 0.05)


def echo() -> Bot:
    bot = Bot("echo")

    @bot.hears("")
    async def say(message: Heard) -> None:
        await message.reply(f"{message.text}!")

    return bot


async def offset_of_own(chat: Chat) -> int:
    offset = (await next_of(chat, events.MessageSent)).offset
    assert offset is not None
    return offset


# -- what is saved -----------------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.2")
async def test_what_is_saved_is_the_low_water_mark_whichever_handler_ends_first(open_server: ServerProcess) -> None:
    bot, gate = gated()
    positions = Memory()
    async with (
        at_work(bot, open_server.ws_url, positions) as chat,
        owner_of_talks(open_server.ws_url, chat, 3) as (ann, talks),
    ):
        offsets: list[int] = []
        for name, talk in zip("abc", talks, strict=True):
            await ann.send(talk, name)
            offsets.append(await offset_of_own(ann))
        a, b, c = offsets
        await gate.until(begun=3)
        gate.let("c")
        await gate.until(ended=1)
        await positions.reaches(a - 1)
        gate.let("b")
        await gate.until(ended=2)
        assert positions.offset == a - 1
        gate.let("a")
        await positions.reaches(c)
        assert positions.offset == c
        assert b < c
    assert [one.offset for one in positions.saved] == sorted({one.offset for one in positions.saved})


async def test_what_no_handler_wants_is_done_with_as_well(open_server: ServerProcess) -> None:
    positions = Memory()
    async with (
        at_work(Bot("deaf"), open_server.ws_url, positions) as chat,
        owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)),
    ):
        await ann.send(talk, "Anybody?")
        await positions.reaches(await offset_of_own(ann))


async def test_a_bot_that_is_cancelled_has_saved_what_it_finished_and_no_more(open_server: ServerProcess) -> None:
    bot, gate = gated()
    positions, user = Memory(), new_id()
    async with (
        at_work(bot, open_server.ws_url, positions, user_id=user) as chat,
        owner_of_talks(open_server.ws_url, chat, 2) as (ann, (one, two)),
    ):
        await ann.send(one, "done")
        await ann.send(two, "open")
        done, undone = await offset_of_own(ann), await offset_of_own(ann)
        gate.let("done")
        await gate.until(begun=2, ended=1)
        await positions.reaches(done)
    assert done <= positions.offset < undone
    async with at_work(bot, open_server.ws_url, positions, user_id=user):
        await gate.until(begun=3)
    assert gate.begun == ["done", "open", "open"]


async def test_what_was_finished_since_the_last_save_is_saved_at_the_end(
    open_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "GAP", 3_600.0)
    positions = Memory()
    async with (
        at_work(echo(), open_server.ws_url, positions) as chat,
        owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)),
    ):
        await positions.reaches(await ann.ping())
        for text in ("one", "two"):
            await ann.send(talk, text)
            assert (await answer(ann)).content == f"{text}!"
        await settle()
        finished = positions.offset
    assert positions.offset > finished


async def test_many_events_are_one_save(open_server: ServerProcess) -> None:
    bot, saving, go_on = echo(), Event(), Event()

    class Slow(Memory):
        async def save(self, position: Resume) -> None:
            if self.saved:
                saving.set()
                await go_on.wait()
            await super().save(position)

    positions = Slow()
    async with (
        at_work(bot, open_server.ws_url, positions) as chat,
        owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)),
    ):
        with fail_after(PATIENCE):
            await saving.wait()
        for number in range(20):
            await ann.send(talk, str(number))
        for _ in range(20):
            await answer(ann)
        go_on.set()
        await positions.reaches(await ann.ping() - 1)
    assert len(positions.saved) <= 5


# -- trouble with the store --------------------------------------------------------------------------------------------


async def test_a_save_that_fails_is_told_and_tried_again(
    open_server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    positions = Memory()
    async with at_work(echo(), open_server.ws_url, positions) as chat:
        await positions.reaches(0)
        positions.trouble = [OSError("disk full of secrets"), OSError("disk full of secrets")]
        async with owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)):
            await ann.send(talk, "Hello")
            assert (await answer(ann)).content == "Hello!"
            await positions.reaches(await ann.ping() - 1)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told == ["the position could not be saved bot=echo error=OSError"] * 2


async def test_a_bot_that_cannot_save_its_first_position_does_not_start(open_server: ServerProcess) -> None:
    positions = Memory()
    positions.trouble = [OSError("disk full")]
    with pytest.raises(OSError, match="disk full"):
        await echo().run(open_server.ws_url, position=positions)


# -- the file ----------------------------------------------------------------------------------------------------------


async def test_a_file_keeps_the_position_and_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    file = FilePosition(tmp_path / "bot.json")
    assert await file.load() is None
    for offset in (1, 2):
        await file.save(Resume(epoch="one", offset=offset))
        assert await FilePosition(str(tmp_path / "bot.json")).load() == Resume(epoch="one", offset=offset)
    assert [path.name async for path in AsyncPath(tmp_path).iterdir()] == ["bot.json"]
    assert (tmp_path / "bot.json").read_text() == '{"epoch":"one","offset":2}\n'
    assert repr(file) == f"FilePosition({str(tmp_path / 'bot.json')!r})"


@pytest.mark.parametrize("content", [b"", b'{"epoch":"one","off', b'{"epoch":"one"}', b"\xff\xfe", b"[]"])
async def test_a_file_that_holds_no_position_is_an_error_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bot.json").write_bytes(content)
    with pytest.raises(UnreadablePosition, match=r"holds no position\. Put back a copy .* Or delete it"):
        await echo().run("ws://127.0.0.1:1/", position=tmp_path / "bot.json")
    assert (tmp_path / "bot.json").read_bytes() == content


async def test_a_file_that_cannot_be_opened_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePosition, match=r"cannot be read \(IsADirectoryError\): let this user read"):
        await FilePosition(tmp_path).load()


async def test_a_save_that_is_interrupted_leaves_the_old_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = FilePosition(tmp_path / "bot.json")
    await file.save(Resume(epoch="one", offset=1))

    def full(descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        await file.save(Resume(epoch="one", offset=2))
    assert await file.load() == Resume(epoch="one", offset=1)


# -- restarts ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def running(bot: Bot, server: ServerProcess, user: str, path: Path) -> AsyncGenerator[None]:
    async def run() -> None:
        await bot.run(server.ws_url, position=str(path), user_id=user, role="provider")

    async with create_task_group() as tasks:
        tasks.start_soon(run)
        yield
        tasks.cancel_scope.cancel()


@pytest.mark.clause("V1.2", "V3.3")
async def test_a_new_bot_begins_now_and_an_old_one_where_it_stopped(open_server: ServerProcess, tmp_path: Path) -> None:
    path, user = tmp_path / "bot.json", new_id()
    async with connect(open_server.ws_url) as ann:
        talk = (await ann.create_conversation(new_id(), [user])).id
        await ann.send(talk, "Before there was a bot.")
        async with running(echo(), open_server, user, path):
            with fail_after(PATIENCE):
                while not await AsyncPath(path).exists():
                    await ann.ping()
            await ann.send(talk, "While it runs.")
            assert (await answer(ann)).content == "While it runs.!"
        await ann.send(talk, "While it does not.")
        async with running(echo(), open_server, user, path):
            assert (await answer(ann)).content == "While it does not.!"
        assert len(await contents(ann, talk)) == 5


@pytest.mark.clause("V2.2", "V3.3")
async def test_what_is_handled_again_stores_nothing_twice(open_server: ServerProcess) -> None:
    user, positions, numbers = new_id(), Memory(), [str(number) for number in range(5)]
    async with (
        at_work(echo(), open_server.ws_url, positions, user_id=user) as chat,
        owner_of_talks(open_server.ws_url, chat) as (ann, (talk,)),
    ):
        for number in numbers:
            await ann.send(talk, number)
        assert [(await answer(ann)).content for _ in numbers] == [f"{number}!" for number in numbers]
    old = Memory(positions.saved[0])
    async with (
        at_work(echo(), open_server.ws_url, old, user_id=user),
        connect(open_server.ws_url, user_id=ann.user) as ann,
    ):
        await ann.send(talk, "last")
        assert (await answer(ann)).content == "last!"
        said = await contents(ann, talk)
    assert sorted(said) == sorted([*numbers, *(f"{number}!" for number in numbers), "last", "last!"])


@pytest.mark.clause("V1.2", "V2.2")
async def test_a_bot_that_is_cancelled_at_any_step_answers_each_message_once(
    open_server: ServerProcess, tmp_path: Path
) -> None:
    path, user, numbers = tmp_path / "bot.json", new_id(), [str(steps) for steps in range(0, 120, 4)]
    async with connect(open_server.ws_url) as ann:
        talk = (await ann.create_conversation(new_id(), [user])).id
        async with running(echo(), open_server, user, path):
            with fail_after(PATIENCE):
                while not await AsyncPath(path).exists():
                    await ann.ping()
        for number in numbers:
            await ann.send(talk, number)
            positions = FilePosition(path)
            async with at_work(echo(), open_server.ws_url, positions, user_id=user):
                for _ in range(int(number)):
                    await lowlevel.checkpoint()
        async with running(echo(), open_server, user, path):
            while (await answer(ann)).content != f"{numbers[-1]}!":
                pass
        said = await contents(ann, talk)
    assert [text for text in said if text.endswith("!")] == [f"{number}!" for number in numbers]
