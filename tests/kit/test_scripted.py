"""The scripted server plays a transcript for a client, and says where the client leaves it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio import create_task_group, fail_after
from vetchat_client import Chat, Resumed, connect, events
from vetchat_conformance.scripted import ScriptedServer, Transcript, Verdict

from tests.kit.mirror import Mirror

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parents[2] / "docs" / "transcripts"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.jsonl"))}
CONVERSATION = "c4a7e210-58b9-4f3d-8e61-2d9b0f7a3c04"
PATIENCE = 5.0


async def played(text: str, by: str | None = None, *, talkative: bool = False, patience: float = PATIENCE) -> Verdict:
    """What a server that plays one transcript says of a client that plays the same, or another."""
    async with ScriptedServer(Transcript.parse(text), patience=patience) as server:
        async with create_task_group() as group:
            group.start_soon(Mirror(Transcript.parse(by or text), server.url, talkative=talkative).play)
        return await server.verdict()


# -- clients that keep to the transcript -------------------------------------------------------------------------------


@pytest.mark.parametrize("talkative", [False, True], ids=["taciturn", "talkative"])
@pytest.mark.parametrize("name", TEXTS)
async def test_a_client_that_does_what_the_transcript_says_passes(name: str, talkative: bool) -> None:
    verdict = await played(TEXTS[name], talkative=talkative)
    assert verdict.passed, str(verdict)


@asynccontextmanager
async def stage(name: str, **who: Any) -> AsyncGenerator[Chat]:
    """Our own client, connected to a server that plays a transcript; at the end it must have kept to it."""
    async with ScriptedServer(Transcript.parse(TEXTS[name]), patience=PATIENCE) as server:
        with fail_after(2 * PATIENCE):
            async with connect(server.url, **who) as ann:
                yield ann
        verdict = await server.verdict()
    assert verdict.passed, str(verdict)


async def test_our_own_client_sends() -> None:
    async with stage("send", role="client") as ann:
        sent = await ann.send(CONVERSATION, "Rex has not touched his food since Monday.")
        assert sent.seq == 1


async def test_our_own_client_reads_a_page() -> None:
    async with stage("history") as ann:
        page = await ann.history(CONVERSATION, page=1, limit=2)
        assert [one.content for one in page.messages] == ["One."]


async def test_our_own_client_resumes_after_a_cut() -> None:
    heard: list[str] = []
    async with stage("resume") as ann:
        async for item in ann:
            if isinstance(item, events.MessageSent):
                heard.append(item.params.content)
            if heard[-1:] == ["Three."]:
                break
    assert heard == ["One.", "Two.", "Three."]


async def test_our_own_client_fetches_another_token_when_one_has_expired() -> None:
    tokens = iter(("the first token", "the second token"))

    async def token() -> str:
        return next(tokens)

    async with stage("token-expired", token=token) as ann:
        async for item in ann:
            if isinstance(item, Resumed):
                break


async def test_our_own_client_gives_each_call_its_own_answer() -> None:
    sent: dict[str, int | None] = {}
    async with stage("slow") as ann:

        async def send(content: str) -> None:
            sent[content] = (await ann.send(CONVERSATION, content)).seq

        async with create_task_group() as group:
            group.start_soon(send, "First.")
            group.start_soon(send, "Second.")
    assert sent == {"First.": 2, "Second.": 4}


# -- clients that leave it ---------------------------------------------------------------------------------------------


def changed(name: str, old: str, new: str) -> str:
    assert old in TEXTS[name]
    return TEXTS[name].replace(old, new)


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "sentence"),
    [
        ("connect", '"subprotocol": "vetchat.v1"', '"subprotocol": null', 2, "must offer the subprotocol vetchat.v1"),
        ("connect", '"event": "hello"', '"event": "conversation"', 5, "the frame.event must be 'hello'"),
        ("connect", '"event": "hello"', f'"sender_id": "{CONVERSATION}", "event": "hello"', 5, "R2.3"),
        ("connect", '{"closes": true}', '{"client": {"event": "hello"}}', 7, "must close here"),
        ("send", "since Monday", "since Sunday", 7, "content must be"),
        ("send", '"content": ', '"text": ', 7, "must have the key 'content'"),
        ("resume", '"resume": {"epoch": "2026-11-25", "offset": 2}', '"x": 0', 10, "must have the key 'resume'"),
        ("resume", '-25", "offset": 2', '-25", "offset": 1', 10, "offset must be 2, and is 1"),
        ("history", '"page": 1', '"page": 2', 7, "page must be 1, and is 2"),
    ],
)
async def test_a_client_that_does_something_else_is_told_where(
    name: str, old: str, new: str, line: int, sentence: str
) -> None:
    verdict = await played(TEXTS[name], changed(name, old, new))
    assert (verdict.passed, verdict.line) == (False, line)
    assert sentence in verdict.sentence


async def test_a_client_that_does_nothing_is_told_what_was_expected() -> None:
    verdict = await played(TEXTS["connect"], '{"about": "Nothing."}', patience=0.2)
    assert (verdict.passed, verdict.line) == (False, 2)
    assert verdict.sentence == "The client must connect, and did not within 0.2 s."


async def test_an_upgrade_can_be_refused_and_frames_may_come_in_any_order() -> None:
    lines: list[dict[str, Any]] = [
        {"about": "A client is refused, comes back, and asks two things at once."},
        {"refuse": 503},
        {"connect": {}},
        {"in_any_order": [{"event": "conversations"}, {"event": "subscribe_conversation", "params": "$_"}]},
        {"server": {"event": "error", "params": {"message": "One."}}},
        {"closes": True},
    ]
    verdict = await played("\n".join(map(json.dumps, lines)))
    assert verdict.passed, str(verdict)


# -- transcripts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "A transcript needs a first line"),
        ('{"connect": {}}', "Line 1 must say what the transcript is about"),
        ('{"about": "x", "clauses": ["X1.1"]}', "Line 1 must say"),
        ('{"about": "x"}\n[]', "Line 2 is not a JSON object"),
        ('{"about": "x"}\n\n{"say": 1}', "Line 3 is none of the steps"),
    ],
)
async def test_a_transcript_that_is_none_is_refused_by_its_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Transcript.parse(text)
