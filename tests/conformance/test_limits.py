"""Limits: sizes, rates, connections, slow readers and unfinished handshakes (R2.7)."""

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from anyio import fail_after
from websockets.exceptions import ConnectionClosed

from tests.conformance.peer import PATIENCE, Peer, People, Refused, new_id, refusal
from tests.conformance.shapes import Frame
from tests.databases import sqlite_url
from tests.running import ServerProcess, running_server

pytestmark = pytest.mark.anyio

FRAME_BYTES = 131_072
BURST = 200
REFUSED_FRAMES = 100
CONNECTIONS = 20
HANDSHAKE_SECONDS = 1
LONGEST = 8_000 * "🐾"
"""The longest legal content: 32,000 bytes of UTF-8, 96,000 when every character is escaped."""


def padded(frame: str, size: int) -> str:
    """The same frame with an unknown key that makes it `size` bytes long."""
    padding = size - len(frame.encode()) - len(',"x":""')
    return f'{frame[:-1]},"x":"{"x" * padding}"}}'


# -- frames ------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R2.7")
async def test_a_frame_of_131072_bytes_is_read_like_any_other(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    frame = padded(owner.frame("message", {"conversation_id": conversation, "content": "Big."}), FRAME_BYTES)
    assert len(frame.encode()) == FRAME_BYTES
    await owner.send_text(frame)
    for peer in (owner, vet):
        await peer.expect("message_sent", content="Big.")


@pytest.mark.clause("R2.7")
async def test_a_frame_of_one_byte_more_closes_with_1009_and_has_no_effect(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    frame = owner.frame("message", {"conversation_id": conversation, "content": "Too big."})
    await owner.send_text(padded(frame, FRAME_BYTES + 1))
    assert await owner.closed() == 1009
    await vet.expect("user_left", user_id=owner.user_id)
    assert await vet.contents(conversation) == []


@pytest.mark.clause("R2.7", "R4.8")
async def test_the_longest_message_fits_into_a_frame_with_every_character_escaped(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    frame = owner.frame("message", {"conversation_id": conversation, "content": LONGEST})
    assert frame.isascii()
    assert len(frame) > 96_000
    await owner.send_text(frame)
    for peer in (owner, vet):
        await peer.expect("message_sent", content=LONGEST)


# -- rates -------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R2.7")
async def test_a_burst_of_200_commands_passes_and_more_is_an_error_without_effect(
    default_server: ServerProcess,
) -> None:
    async with People(default_server) as people:
        owner = await people.client()
        other_device = await people.another_device_of(owner)
        somebody = await people.client()
        for _ in range(BURST // 2):
            await owner.send("conversations")
            await other_device.send("conversations")
        for _ in range(BURST // 2):
            await owner.expect("conversations")
            await other_device.expect("conversations")
        for _ in range(60):
            await owner.send("new_conversation", {"pet_id": new_id(), "providers": []})
        answers = [await owner.receive() for _ in range(60)]
        created = [answer.params["id"] for answer in answers if answer.event == "conversation_created"]
        refused = [answer for answer in answers if answer.event == "error"]
        assert len(created) + len(refused) == 60
        assert refused, "60 more at once are over the rate"
        await somebody.expect_silence()  # the rate is a user's own
        assert {entry["id"] for entry in await once_allowed(owner)} == set(created)


async def once_allowed(owner: Peer) -> list[dict[str, str]]:
    """The answer to `conversations` once the rate allows it again: 20 commands a second come back."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        await owner.send("conversations")
        answer = await owner.receive()
        if answer.event == "conversations":
            return answer.params
        await asyncio.sleep(0.2)  # the clock is what is tested
    raise AssertionError("the rate never allowed another command")


async def flooded(peer: Peer, event: str, times: int) -> tuple[list[Frame], int]:
    """What comes, and the code of the close, when a peer sends more than it may."""
    with suppress(ConnectionClosed):  # perhaps before all is sent
        for _ in range(times):
            await peer.send(event)
    return await peer.drain()


@pytest.mark.clause("R2.7")
async def test_the_101st_refused_frame_of_a_minute_closes_with_1008(people: People) -> None:
    owner = await people.client()
    for _ in range(REFUSED_FRAMES // 2):
        await owner.refused("nonsense", {})
        await owner.refused("conversations", {}, sender_id=new_id())
    await owner.expect_silence()
    frames, code = await flooded(owner, "nonsense", times=10)
    assert code == 1008
    assert all(frame.event == "error" for frame in frames)
    again = await people.another_device_of(owner)
    await again.expect_silence()


@pytest.mark.clause("R2.7")
async def test_commands_over_the_rate_count_as_refused_frames(default_server: ServerProcess) -> None:
    async with People(default_server) as people:
        owner = await people.client()
        frames, code = await flooded(owner, "conversations", times=BURST + REFUSED_FRAMES + 100)
        assert code == 1008
        assert {frame.event for frame in frames} == {"conversations", "error"}


@pytest.mark.clause("R2.7")
async def test_well_formed_commands_that_fail_do_not_count_as_refused_frames(people: People) -> None:
    vet = await people.provider()
    for _ in range(REFUSED_FRAMES):
        await vet.refused("conversation_history", {"conversation_id": new_id()})
        await vet.refused("new_conversation", {"pet_id": new_id(), "providers": []})
    await vet.expect_silence()


@pytest.mark.clause("R2.7")
async def test_the_limits_are_settings(tmp_path: Path) -> None:
    limits = {"rate_limit": 0.5, "rate_burst": 6, "max_refusals": 3, "max_connections_per_user": 2}
    with running_server(sqlite_url(tmp_path), max_frame_bytes=1_000, **limits) as server:
        async with People(server) as people:
            owner = await people.client()
            phone = await people.another_device_of(owner)
            assert await refusal(server.ws_url, token=server.token(owner.user_id, "client")) == 429
            for _ in range(6):
                await owner.expect_silence()
            await owner.refused("conversations")
            await phone.send_text(padded(phone.frame("conversations"), 1_001))
            assert await phone.closed() == 1009
            vet = await people.provider()
            await vet.send_text(padded(vet.frame("conversations"), 1_000))
            await vet.expect("conversations")
            for _ in range(3):
                await vet.refused("nonsense")
            frames, code = await flooded(vet, "nonsense", times=1)
            assert code == 1008
            assert len(frames) <= 1


# -- connections -------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R2.7", "S5.8")
async def test_a_21st_connection_of_a_user_is_refused_with_429_until_another_one_ends(
    default_server: ServerProcess,
) -> None:
    user_id = new_id()
    async with People(default_server) as people:
        devices = [await people.client(user_id) for _ in range(CONNECTIONS)]
        token = default_server.token(user_id, "client")
        assert await refusal(default_server.ws_url, token=token) == 429
        await people.provider()
        for device in devices:
            await device.expect_silence()
        await people.leave(devices[0])
        await (await connect_once_allowed(people, user_id)).expect_silence()


async def connect_once_allowed(people: People, user_id: str) -> Peer:
    """The server learns of an end a moment after the peer does."""
    with fail_after(PATIENCE):
        while True:
            with suppress(Refused):
                return await people.client(user_id)
            await asyncio.sleep(0.01)


@pytest.mark.clause("R2.7")
async def test_a_handshake_that_is_not_complete_in_time_is_dropped(tmp_path: Path) -> None:
    async def seconds_until_dropped(port: int, said: bytes) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.monotonic()
        writer.write(said)
        with fail_after(HANDSHAKE_SECONDS + PATIENCE):
            while await reader.read(1024):
                pass
        writer.close()
        return time.monotonic() - began

    beginnings = (b"", b"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"GET /ws/ HTTP/1.1\r\nUpgra")
    with running_server(sqlite_url(tmp_path), handshake_timeout=HANDSHAKE_SECONDS) as server:
        for seconds in await asyncio.gather(*(seconds_until_dropped(server.port, said) for said in beginnings)):
            assert HANDSHAKE_SECONDS / 2 < seconds < HANDSHAKE_SECONDS + 2


# -- slow readers ------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R2.7")
async def test_a_peer_that_does_not_read_is_closed_with_1013_and_holds_nobody_up(open_server: ServerProcess) -> None:
    vet_id = new_id()
    query = {"user_id": vet_id, "role": "provider"}
    async with (
        await Peer.connect(open_server.ws_url) as owner,
        await Peer.connect(open_server.ws_url, query=query, deaf=True) as vet,
    ):
        conversation = (await owner.create(vet_id))["id"]
        params = json.dumps({"conversation_id": conversation, "content": LONGEST}, ensure_ascii=False)
        sent = 0
        while True:
            await owner.send_text('{"event":"message","params":' + params + "}")
            answer = await owner.receive()
            if answer.event == "user_left":
                assert answer.params["user_id"] == vet_id
                break
            sent += 1
            assert sent < 1_000, "32 MB wait for a peer that does not read"
        await owner.expect("message_sent")
        frames, code = await vet.drain()
        assert code == 1013
        assert [frame.event for frame in frames[:1]] == ["new_conversation_invitation"]
        assert all(frame.params["content"] == LONGEST for frame in frames[1:])


@pytest.mark.clause("R2.7", "R2.6")
async def test_the_answers_to_its_own_commands_never_close_a_slow_reader(open_server: ServerProcess) -> None:
    async with await Peer.connect(open_server.ws_url, deaf=True) as owner:
        conversation = (await owner.create())["id"]
        for _ in range(8):
            await owner.say(conversation, LONGEST)
        commands = 80  # with answers of 256 KB each: 20 MB
        for _ in range(commands):
            await owner.send("conversation_history", {"conversation_id": conversation})
        for _ in range(commands):
            answer = await owner.expect("conversation_history_response", within=2 * PATIENCE)
            assert len(answer["messages"]) == 8
        await owner.expect_silence()


@pytest.mark.clause("R2.7")
async def test_one_frame_of_any_size_fits_an_empty_outbox(open_server: ServerProcess) -> None:
    async with await Peer.connect(open_server.ws_url) as owner:
        conversation = (await owner.create())["id"]
        for _ in range(40):
            await owner.say(conversation, LONGEST)
        await owner.send("conversation_history", {"conversation_id": conversation, "limit": 100})
        answer = await owner.receive()
        assert len(answer.text.encode()) > 1024 * 1024
        assert len(answer.params["messages"]) == 40
