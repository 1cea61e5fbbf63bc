"""The example bots as a practice would run them: as processes, against a real server."""

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from anyio import Path as AsyncPath
from vetchat_client import Chat, connect, events

from tests.client.company import PATIENCE, contents, next_of
from tests.client.examples import BERLIN, BOTS, Calendar, appointment_reminder, emergency, out_of_hours, row
from tests.conformance.peer import new_id
from tests.running import ServerProcess


@pytest.fixture
def calendar(tmp_path: Path) -> Calendar:
    return Calendar(tmp_path / "appointments.json")


@contextmanager
def process(program: Path, *arguments: str, **environment: str) -> Generator[subprocess.Popen[bytes]]:
    """A bot as a practice would run it, in its own folder; killed at the end."""
    environment |= {name: value for name, value in os.environ.items() if not name.startswith("VETCHAT_")}
    command = [sys.executable, "-W", "error", str(program), *arguments]
    with subprocess.Popen(command, cwd=program.parent, env=environment) as running:
        try:
            yield running
        finally:
            assert running.poll() is None, "the bot ended by itself"
            running.kill()


@asynccontextmanager
async def owner_with(server: ServerProcess, bot: str) -> AsyncGenerator[tuple[Chat, str]]:
    async with connect(server.ws_url, role="client", name="Ann") as ann:
        yield ann, (await ann.create_conversation(new_id(), [bot])).id


def installed(name: str, folder: Path, **changed: tuple[str, str]) -> Path:
    """The program with other settings, as a practice would have it."""
    text = (BOTS / f"{name}.py").read_text(encoding="utf-8")
    for old, new in changed.values():
        assert text.count(old) == 1
        text = text.replace(old, new)
    program = folder / f"{name}.py"
    program.write_text(text, encoding="utf-8")
    return program


async def exists(path: Path) -> None:
    """Returns once the program has begun, and says so by saving where."""
    with anyio.fail_after(PATIENCE):
        while not await AsyncPath(path).exists():
            await anyio.lowlevel.checkpoint()


async def answer(ann: Chat) -> str:
    while (message := (await next_of(ann, events.MessageSent)).params).sender_id == ann.user:
        pass
    return message.content


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_program_answers_out_of_hours(open_server: ServerProcess, tmp_path: Path) -> None:
    soon = datetime.now(BERLIN) + timedelta(hours=12)
    week = f"WEEK = [[(time({soon.hour}), time({soon.hour}, 1))]] * 7"
    week_of_the_page = "WEEK = [DAY, DAY, DAY, DAY, DAY, [(time(9), time(12))], []]"
    program = installed("out_of_hours", tmp_path, week=(week_of_the_page, week))
    async with owner_with(open_server, out_of_hours.ME) as (ann, talk):
        with process(program, open_server.ws_url):
            await exists(tmp_path / "out_of_hours.position")
            await ann.send(talk, "Rex limps.")
            assert "The practice is closed" in await answer(ann)
        with process(program, open_server.ws_url):
            await ann.send(talk, "Still.")
            async with owner_with(open_server, out_of_hours.ME) as (bob, his):
                await bob.send(his, "Hello?")
                await answer(bob)
        assert len(await contents(ann, talk)) == 3


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_program_reminds_of_appointments(
    open_server: ServerProcess, tmp_path: Path, calendar: Calendar
) -> None:
    program = installed("appointment_reminder", tmp_path)
    noon = (datetime.now(UTC) + timedelta(hours=3)).replace(second=0, microsecond=0)
    async with owner_with(open_server, appointment_reminder.ME) as (ann, talk):
        calendar.holds(row(talk, noon))
        with process(program, open_server.ws_url, calendar.path.name):
            assert "Rex's vaccination" in await answer(ann)
        calendar.holds(row(talk, noon), row(talk, noon + timedelta(hours=1), "Another"))
        with process(program, open_server.ws_url, calendar.path.name):
            assert "Another" in await answer(ann)
        assert len(await contents(ann, talk)) == 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_program_alerts_the_vet_on_call(open_server: ServerProcess, tmp_path: Path) -> None:
    program = installed("emergency", tmp_path)
    async with (
        connect(open_server.ws_url, role="provider", name="Dr Bell") as bell,
        owner_with(open_server, emergency.ME) as (ann, talk),
    ):
        with process(program, open_server.ws_url, "--on-call", bell.user):
            assert (await next_of(bell, events.NewConversationInvitation)).params.client == emergency.DESK
            await exists(tmp_path / "emergency.position")
            await ann.send(talk, "Rex is not breathing!")
            assert emergency.PHONE in await answer(ann)
            assert talk in (await next_of(bell, events.MessageSent)).params.content


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("name", ["out_of_hours", "appointment_reminder"])
async def test_a_program_with_a_token_is_who_the_token_says(
    default_server: ServerProcess, tmp_path: Path, calendar: Calendar, name: str
) -> None:
    server, me = default_server, new_id()
    arguments = [server.ws_url, *([calendar.path.name] if name == "appointment_reminder" else [])]
    async with connect(server.ws_url, token=server.token(new_id(), "client")) as ann:
        await ann.create_conversation(new_id(), [me])
        with process(installed(name, tmp_path), *arguments, VETCHAT_TOKEN=server.token(me, "provider")):
            assert (await next_of(ann, events.UserJoined)).params.user_id == me


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_program_that_alerts_has_two_tokens(default_server: ServerProcess, tmp_path: Path) -> None:
    server, (me, desk, vet) = default_server, [new_id() for _ in range(3)]
    tokens = {"VETCHAT_TOKEN": server.token(me, "provider"), "VETCHAT_DESK_TOKEN": server.token(desk, "client")}
    async with (
        connect(server.ws_url, token=server.token(vet, "provider")) as bell,
        connect(server.ws_url, token=server.token(new_id(), "client")) as ann,
    ):
        await ann.create_conversation(new_id(), [me])
        with process(installed("emergency", tmp_path), server.ws_url, "--on-call", vet, **tokens):
            assert (await next_of(bell, events.NewConversationInvitation)).params.client == desk
            assert (await next_of(ann, events.UserJoined)).params.user_id == me
