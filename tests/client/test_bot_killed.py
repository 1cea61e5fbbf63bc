"""A bot whose process is killed again and again, at random moments, answers each message exactly once and in order."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Self

import pytest
from anyio import Event, create_task_group, fail_after, lowlevel, move_on_after
from anyio import Path as AsyncPath
from vetchat_client import Chat, connect, events

from tests.client import answering_bot
from tests.client.company import PATIENCE, contents
from tests.conformance.peer import new_id
from tests.running import ServerProcess


class Process:
    """A bot's process, which has not begun to work before it is told to."""

    def __init__(self, server: ServerProcess, folder: Path, user: str, backend: str) -> None:
        command = [answering_bot.__file__, server.ws_url, str(folder / "bot.json"), user, backend]
        self._process = subprocess.Popen([sys.executable, "-W", "error", *command], stdin=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"Go.\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """Ends it without asking (SIGKILL). It must not have ended by itself before."""
        assert self._process.poll() is None, f"the bot ended by itself, with status {self._process.returncode}"
        self.__exit__()


@dataclass
class Talk:
    """A conversation between an owner and the bot, and what was said in it."""

    owner: Chat
    id: str
    questions: list[str] = field(default_factory=list[str])

    async def ask(self, number: int) -> None:
        question = f"question {number}"
        self.questions.append(question)
        await self.owner.send(self.id, question)

    def answers(self) -> list[str]:
        """What the bot has to say here, in order."""
        return ["Hello.", *(f"{question}: {part}." for question in self.questions for part in ("one", "two"))]


class Ears:
    """Counts what the bot says."""

    def __init__(self) -> None:
        self.heard = 0
        self._more = Event()

    async def listen(self, owner: Chat) -> None:
        async for event in owner:
            if isinstance(event, events.MessageSent) and event.params.sender_id != owner.user:
                self.heard += 1
                self._more.set()
                self._more = Event()

    async def until(self, count: int) -> None:
        while self.heard < count:
            await self._more.wait()


@asynccontextmanager
async def owners(server: ServerProcess, count: int, ears: Ears) -> AsyncGenerator[list[Chat]]:
    """People who listen to the bot."""
    async with AsyncExitStack() as stack:
        chats = [await stack.enter_async_context(connect(server.ws_url)) for _ in range(count)]
        async with create_task_group() as tasks:
            for chat in chats:
                tasks.start_soon(ears.listen, chat)
            yield chats
            tasks.cancel_scope.cancel()


async def endure(server: ServerProcess, folder: Path, *, talks: int, messages: int, kills: int, seed: int) -> None:
    """While one process works the next one starts, so that no time is lost when the first is killed."""
    luck, ears, user = Random(seed), Ears(), new_id()
    async with owners(server, talks, ears) as people:
        with ExitStack() as processes:
            process = processes.enter_context(Process(server, folder, user, "asyncio"))
            process.begin()
            await saved(folder / "bot.json")
            there = [Talk(owner, (await owner.create_conversation(new_id(), [user])).id) for owner in people]
            for life in range(1, kills + 1):
                successor = processes.enter_context(Process(server, folder, user, ("asyncio", "trio")[life % 2]))
                for number in range(messages * (life - 1) // kills, messages * life // kills):
                    await luck.choice(there).ask(number)
                with move_on_after(PATIENCE) as waiting:
                    await ears.until(luck.randint(ears.heard, due(there)))
                if waiting.cancelled_caught:
                    break  # an answer is missing, and the history tells which one
                process.kill()
                process = successor
                process.begin()
            with move_on_after(PATIENCE):
                await ears.until(due(there))
        for talk in there:
            said = [text for text in await contents(talk.owner, talk.id) if text not in talk.questions]
            assert said == talk.answers()


def due(talks: Sequence[Talk]) -> int:
    """How much the bot has to say in all."""
    return sum(len(talk.answers()) for talk in talks)


async def saved(path: Path) -> None:
    """Returns once the bot's first position is there."""
    with fail_after(PATIENCE):
        while not await AsyncPath(path).exists():
            await lowlevel.checkpoint()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.clause("V2.2", "V3.3", "V1.2")
async def test_a_bot_that_is_killed_twenty_times_answers_each_message_exactly_once(
    open_server: ServerProcess, tmp_path: Path
) -> None:
    await endure(open_server, tmp_path, talks=10, messages=300, kills=20, seed=5)


@pytest.mark.soak
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.clause("V2.2", "V3.3", "V1.2")
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_bot_that_is_killed_two_hundred_times_answers_each_message_exactly_once(
    open_server: ServerProcess, tmp_path: Path, seed: int
) -> None:
    await endure(open_server, tmp_path, talks=20, messages=4_000, kills=200, seed=seed)
