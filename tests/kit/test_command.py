"""`vetchat conformance` as one calls it: what it prints, what it writes, and how it ends."""

import json
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE
from xml.etree import ElementTree as ET

import click
import pytest
from anyio import BrokenResourceError, create_task_group, create_tcp_listener, fail_after, open_process, run_process
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.text import TextReceiveStream
from vetchat_conformance import Failure, Verdict, from_file
from vetchat_conformance.rendering import as_table
from vetchat_conformance.scene import Step
from vetchat_conformance.scripted import Transcript
from vetchat_protocol.clauses import CLAUSES

from tests.kit.broken_servers.envelope import LetsAnybodyWriteAsAnybody
from tests.kit.mirror import Mirror
from tests.kit.reference import ReferenceServer

pytestmark = pytest.mark.anyio

COMMAND = (sys.executable, "-W", "error", "-m", "vetchat_protocol.cli", "conformance")
USER = "d0b1e000-0000-4000-8000-000000000001"
TRANSCRIPT = Path(__file__).parents[2] / "docs" / "transcripts" / "connect.jsonl"


@pytest.fixture
async def good() -> AsyncIterator[str]:
    async with ReferenceServer() as server:
        yield server.url


@pytest.fixture
async def broken() -> AsyncIterator[str]:
    async with LetsAnybodyWriteAsAnybody() as server:
        yield server.url


async def called(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, output and complaints."""
    with fail_after(30):
        done = await run_process([*COMMAND, *map(str, arguments)], check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_a_good_server_gives_status_0_and_a_table_of_clauses(good: str) -> None:
    status, told, _ = await called(good, "--open", "--only", "R2.3", "--only", "R1.9")
    assert status == 0
    expires, reason, sender, summary = told.splitlines()
    assert expires.startswith("R1.9   left out  A token must carry `exp`, which holds to the second")
    assert reason.strip() == "It needs tokens, which open mode has not."
    assert sender.startswith("R2.3   pass      The `sender_id` of a request must be the connection's own user id")
    assert summary == "Of 2 clauses, 1 passed, 0 failed, 1 left out."


async def test_a_broken_server_gives_status_1_and_the_frames_that_show_it(broken: str) -> None:
    status, told, _ = await called(broken, "--open", "--only", "R2.3")
    assert status == 1
    assert "R2.3   FAIL" in told
    assert "the owner must hear error here, and heard message_sent." in told
    assert '"content": "In your name."' in told


async def test_the_report_can_be_had_as_json_and_as_junit(broken: str, tmp_path: Path) -> None:
    junit = tmp_path / "report.xml"
    status, told, _ = await called(broken, "--open", "--only", "R2.3", "--only", "R2.4", "--json", "--junit", junit)
    report = json.loads(told)
    assert (status, [one["status"] for one in report["clauses"]]) == (1, ["failed", "passed"])
    assert report["clauses"][0]["failures"][0]["frames"]
    suite = ET.fromstring(junit.read_text(encoding="utf-8"))
    assert suite.attrib | {"tests": "2", "failures": "1", "skipped": "0"} == suite.attrib
    assert [len(case.findall("failure")) for case in suite] == [1, 0]


async def test_a_clause_can_be_explained() -> None:
    status, told, _ = await called("--explain", "S4.6")
    assert status == 0
    assert told.startswith("S4.6\nSending subscribes the sender to the conversation.")
    assert "* Sending subscribes the sender and the others are told first." in told
    _, told, _ = await called("--explain", "R4.19")
    assert told.endswith("No check reaches it. What a page costs shows only on a large database.\n")


async def test_tokens_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps([{"user_id": USER, "role": "client", "token": "opaque"}]), encoding="utf-8")
    async with ReferenceServer({"opaque": (USER, "client")}) as server:
        status, told, _ = await called(server.url, "--tokens", file, "--only", "R2.6")
    assert (status, told.splitlines()[-1]) == (0, "Of 1 clauses, 1 passed, 0 failed, 0 left out.")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nothing", "The file must hold a JSON array"),
        ('[{"role": "client", "token": "x"}]', "The file must hold a JSON array"),
        (
            '[{"user_id": "7", "role": "client", "token": "x"}]',
            "A token's user id is a UUID of 36 characters",
        ),
        ('[{"user_id": "7", "role": "boss", "token": "x"}]', "A token's role is client or provider, not 'boss'."),
        (
            '[{"user_id": "7", "role": "client", "token": "x", "state": "old"}]',
            "A token's state is good, expiring or revoked, not 'old'.",
        ),
    ],
)
def test_a_file_of_tokens_that_is_none_is_refused_with_what_it_must_hold(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        from_file(text)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "Name the server"),
        (("ws://127.0.0.1:1/ws/",), "Say --open for a server in open mode, or give it tokens"),
        (("ws://127.0.0.1:1/ws/", "--open", "--token", "a.b.c"), "A token is not a JWT with a sub and a role"),
        (("ws://127.0.0.1:1/ws/", "--open", "--only", "S"), "There is no clause S;"),
        (("ws://127.0.0.1:1/ws/", "--open", "--only", "V1.1"), "V1.1 belongs to vetchat.v1: add --profile v1."),
        (("http://127.0.0.1:1/", "--open"), "begins with ws:// or wss://"),
    ],
)
async def test_what_cannot_be_run_gives_status_2_and_says_what_to_do(
    arguments: tuple[str, ...], complaint: str
) -> None:
    status, told, complaints = await called(*arguments)
    assert (status, told) == (2, "")
    assert complaint in " ".join(complaints.split())


async def test_a_server_that_is_not_there_is_said_once() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{nobody.getsockname()[1]}/ws/"
        status, told, complaints = await called(url, "--open")
    assert (status, told) == (2, "")
    assert f"Nothing listens at {url}." in complaints


async def test_a_server_that_lets_the_kit_not_in_is_said_once(good: str) -> None:
    status, told, complaints = await called(good.removesuffix("ws/"), "--open")
    assert (status, told) == (2, "")
    assert "with HTTP 404. Is / its endpoint?" in " ".join(complaints.split())


async def test_a_server_that_asks_for_tokens_is_not_judged_as_an_open_one() -> None:
    async with ReferenceServer({}) as server:
        status, told, complaints = await called(server.url, "--open")
    assert (status, told) == (2, "")
    assert "it is not in open mode. Give it tokens by --token or --tokens." in " ".join(complaints.split())


async def test_a_token_that_the_server_refuses_is_said_once_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps([{"user_id": USER, "role": "client", "token": "of another"}]), encoding="utf-8")
    async with ReferenceServer({"opaque": (USER, "client")}) as server:
        status, told, complaints = await called(server.url, "--tokens", file)
    assert (status, told) == (2, "")
    assert f"The server refuses {USER} as a client with HTTP 401." in " ".join(complaints.split())
    assert "of another" not in complaints


async def test_a_server_that_speaks_no_websocket_is_said_once() -> None:
    async def answer(stream: SocketStream) -> None:
        async with stream:
            with suppress(BrokenResourceError):
                await stream.send(b"220 mail.example ESMTP\r\n")

    async with await create_tcp_listener(local_host="127.0.0.1") as listener, create_task_group() as group:
        group.start_soon(listener.serve, answer)
        url = f"ws://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/ws/"
        status, told, complaints = await called(url, "--open")
        assert (status, told) == (2, "")
        assert f"No WebSocket server answers at {url}." in " ".join(complaints.split())
        group.cancel_scope.cancel()


async def test_where_nothing_could_be_judged_the_status_is_2(good: str) -> None:
    status, told, _ = await called(good, "--open", "--only", "R4.19")
    assert (status, told.splitlines()[-1]) == (2, "Of 1 clauses, 0 passed, 0 failed, 1 left out.")


def test_on_a_narrow_terminal_no_line_is_longer_than_it() -> None:
    frame = Step("the owner", "hears", json.dumps({"message": "word " * 30, "id": USER}))
    failure = Failure("Nobody speaks for somebody else.", "The owner must hear an error. " * 5, (frame,))
    verdict = Verdict(CLAUSES["R2.3"], "failed", (failure,), ("It needs tokens, which open mode has not. " * 3,))
    table = click.unstyle(as_table([verdict], 80))
    assert max(map(len, table.splitlines())) <= 80
    assert all(line.startswith(" " * 17) for line in table.splitlines()[1:-1])
    assert USER in table


@pytest.mark.parametrize(("change", "status"), [("hello", 0), ("howdy", 1)])
async def test_a_transcript_is_served_for_a_client(change: str, status: int) -> None:
    text = TRANSCRIPT.read_text(encoding="utf-8").replace('"event": "hello"', f'"event": "{change}"')
    with fail_after(30):
        async with await open_process([*COMMAND, "--serve", str(TRANSCRIPT)], stderr=PIPE) as process:
            assert process.stdout is not None
            told = ""
            async for chunk in TextReceiveStream(process.stdout):
                told += chunk
                if told.count("\n") == 2:
                    await Mirror(Transcript.parse(text), told.split()[-1]).play()
            assert await process.wait() == status
    assert ("FAIL at line 5: the frame.event must be 'hello'" in told) == bool(status)
