"""Liveness and the end of a connection: pings, close codes, slow readers (V5.1 to V5.3).

A shutdown (V5.4) is played in test_restart.py, under load and with what comes after it.
"""

from collections.abc import AsyncIterator

import pytest
from anyio import fail_after

from tests.conformance.peer import PATIENCE, Peer, new_id
from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People
from tests.conformance.v1.shapes import V1Frame
from tests.running import ServerProcess

pytestmark = pytest.mark.anyio

LONG = 8_000 * "🐾"
"""The longest legal content: 32,000 bytes of UTF-8."""


async def pong_of(peer: V1Peer, params: JSON) -> int:
    """The offset of the pong; the peer checks that it is its position."""
    return (await peer.command("pong", "ping", params))["offset"]


# -- ping and pong -----------------------------------------------------------------------------------------------------


@pytest.mark.clause("V5.1")
async def test_a_pong_tells_the_last_durable_offset_sent_on_this_connection(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    fresh = await people.another_device_of(vet)
    assert await pong_of(fresh, {}) == owner.position
    await people.consultation()  # what others do moves nothing
    assert await pong_of(fresh, {}) == owner.position
    said = await owner.ask("message", {"conversation_id": conversation, "content": "Hello.", "client_message_id": "m"})
    assert await pong_of(fresh, {}) == await pong_of(owner, {}) == said.offset
    await owner.say(conversation, "Hello.", client_message_id="m")
    await owner.types(conversation)
    await owner.reads(conversation, 1)
    assert await pong_of(owner, {}) == await pong_of(fresh, {}) == said.offset
    marker = await vet.reads(conversation, 1)
    assert await pong_of(owner, {}) == await pong_of(fresh, {}) == marker.offset


@pytest.mark.clause("V5.1", "V3.3")
async def test_a_connection_begins_at_the_position_that_it_resumed_from_or_else_at_the_head(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    begin = vet.resume
    await vet.close()
    await people.consultation()
    recovered, other = await people.waiting("provider", vet.user_id), await people.waiting("provider", vet.user_id)
    assert (await recovered.hello(resume=begin))["recovered"] is True
    assert await pong_of(recovered, {}) == begin["offset"]
    welcome = await other.hello(resume=begin | {"epoch": "another"})
    assert welcome["offset"] > begin["offset"]
    assert await pong_of(other, {}) == welcome["offset"]
    said = await owner.ask("message", {"conversation_id": conversation, "content": "Hello."})
    assert await pong_of(recovered, {}) == await pong_of(other, {}) == said.offset


@pytest.mark.clause("V5.1", "V3.3")
async def test_after_a_replay_the_position_is_that_of_the_last_frame_replayed(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.close()
    said = await owner.ask("message", {"conversation_id": conversation, "content": "Missed."})
    await people.consultation()  # others move the head of the log on
    again = await people.back(vet)
    assert await pong_of(again, {}) == said.offset


@pytest.mark.clause("V5.1", "R2.4")
async def test_a_ping_needs_no_params_and_may_tell_ones_own_position(people: V1People) -> None:
    owner = await people.client()
    await owner.create()
    for params in (None, {}, {"offset": 0}, {"offset": owner.position}, {"offset": 10**12}, {"unknown": 1}):
        assert await pong_of(owner, params) == owner.position
    await owner.send("ping")
    await owner.expect("pong", offset=owner.position)


@pytest.mark.clause("V5.1", "V5.2", "V1.2")
async def test_a_peer_that_answers_no_ping_is_closed_with_4201(narrow_server: ServerProcess) -> None:
    async with V1People(narrow_server) as people:
        owner = await people.waiting()
        assert (await owner.hello())["heartbeat_interval_ms"] == 1_000
        vet, base = await people.provider(), await people.base.provider()
        await owner.create(vet.user_id, base.user_id)
        for peer in (owner, vet):
            await peer.caught_up()
        await base.expect("new_conversation_invitation")
        for peer in (vet, base):
            peer.socket.transport.pause_reading()
        gone = {(await owner.frame_of("user_left")).params["user_id"] for _ in range(2)}
        assert gone == {vet.user_id, base.user_id}
        for peer in (vet, base):
            peer.socket.transport.resume_reading()
        _, code = await vet.until_closed()
        assert code == 4201
        await owner.expect_silence()


# -- close codes -------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V5.2", "R2.7")
async def test_a_frame_that_is_too_big_closes_with_1009(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    text = owner.frame("message", {"conversation_id": conversation, "content": "Too big."}, x=131_072 * "x")
    await owner.send_text(text)
    with fail_after(2 * PATIENCE):
        assert [frame async for frame in owner.frames()] == []
    assert owner.socket.close_code == 1009
    await vet.expect("user_left", user_id=owner.user_id)
    assert await vet.log_of(conversation) == []


@pytest.mark.clause("V5.2", "R1.9")
async def test_the_base_dialect_knows_no_grace_and_no_warning(people: V1People) -> None:
    token = people.server.token(new_id(), "client", ttl=2)
    async with await Peer.connect(people.server.ws_url, token=token) as peer:
        assert await peer.closed() == 4202


# -- slow readers ------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V5.3", "V3.3", "R2.7")
async def test_a_peer_that_does_not_read_is_closed_with_4109_and_misses_nothing_when_it_resumes(
    people: V1People,
) -> None:
    owner, vet = await people.client(), await people.waiting("provider", deaf=True)
    await vet.hello()
    conversation = (await owner.create(vet.user_id))["id"]
    await owner.caught_up()
    sent = 0
    async for frame in speaks_at_length(owner, conversation):
        if frame.event == "user_left":
            assert frame.params["user_id"] == vet.user_id
            break
        sent += 1
        assert sent < 1_000, "32 MB wait for a peer that does not read"
    for _ in range(3):
        await owner.say(conversation, "While it was away.")
    heard, code = await vet.until_closed(4 * PATIENCE)
    assert code == 4109
    again = await people.back(vet)
    heard += await again.caught_up()
    messages = [frame.params for frame in heard if frame.event == "message_sent"]
    assert len(messages) >= sent + 3
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    assert all(message["content"] == LONG for message in messages[:sent])
    await owner.say(conversation, "Live.")
    await again.expect("message_sent", content="Live.")


async def speaks_at_length(peer: V1Peer, conversation: str) -> AsyncIterator[V1Frame]:
    """What this peer hears while it sends one long message after the other."""
    while True:
        await peer.send("message", {"conversation_id": conversation, "content": LONG})
        frame = await peer.receive()
        while frame.event != "message_sent":
            yield frame
            frame = await peer.receive()
        yield frame
