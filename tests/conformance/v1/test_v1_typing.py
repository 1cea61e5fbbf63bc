"""Typing: told to the others, and over when it must be (V4.1). That it runs out is told in test_v1_waiting.py."""

import pytest

from tests.conformance.peer import new_id
from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People

pytestmark = pytest.mark.anyio


async def typing_heard(peer: V1Peer) -> list[JSON]:
    """The params of everything about typing that this peer has been told."""
    return [frame.params for frame in await peer.caught_up() if frame.event == "typing"]


async def states_heard(peer: V1Peer) -> list[str]:
    return [params["state"] for params in await typing_heard(peer)]


@pytest.mark.clause("V4.1", "V2.4")
async def test_typing_is_told_to_the_other_subscribed_participants_and_answered_ok(people: V1People) -> None:
    owner, vet, other_vet = await people.client(), await people.provider(), await people.provider()
    conversation = (await owner.create(vet.user_id, other_vet.user_id))["id"]
    phone, deaf_to_it = await people.another_device_of(owner), await people.another_device_of(vet)
    await deaf_to_it.unsubscribe(conversation)
    for peer in (owner, vet, other_vet, phone, deaf_to_it):
        await peer.caught_up()
    await owner.types(conversation)
    for peer in (vet, other_vet):
        (active,) = await typing_heard(peer)
        assert active["expires_in_ms"] == 6_000
        assert {key: active[key] for key in ("conversation_id", "user_id", "state")} == {
            "conversation_id": conversation,
            "user_id": owner.user_id,
            "state": "active",
        }
    await owner.types(conversation, "done")
    for peer in (vet, other_vet):
        (done,) = await typing_heard(peer)
        assert (done["conversation_id"], done["user_id"], done["state"]) == (conversation, owner.user_id, "done")
    for peer in (owner, phone, deaf_to_it):
        await peer.expect_silence()


@pytest.mark.clause("V4.1")
async def test_typing_is_over_with_the_message(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.types(conversation)
    assert await states_heard(vet) == ["active"]
    await owner.say(conversation)
    frames = await vet.caught_up()
    assert sorted(frame.event for frame in frames) == ["message_sent", "typing"]
    assert [frame.params["state"] for frame in frames if frame.event == "typing"] == ["done"]
    await owner.say(conversation)
    assert [frame.event for frame in await vet.caught_up()] == ["message_sent"]


@pytest.mark.clause("V4.1")
async def test_typing_is_over_when_the_typist_leaves_the_conversation(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.types(conversation)
    await owner.unsubscribe(conversation)
    frames = await vet.caught_up()
    assert [frame.event for frame in frames if frame.event != "typing"] == ["user_left"]
    assert [frame.params["state"] for frame in frames if frame.event == "typing"] == ["active", "done"]


@pytest.mark.clause("V4.1")
async def test_typing_is_over_when_the_typist_disconnects(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    second = (await owner.create(vet.user_id))["id"]
    await vet.caught_up()
    for place in (conversation, second):
        await owner.types(place)
    assert await states_heard(vet) == ["active", "active"]
    owner.cut()
    frames = [await vet.receive() for _ in range(4)]
    assert sorted(frame.event for frame in frames) == ["typing", "typing", "user_left", "user_left"]
    done = [frame.params for frame in frames if frame.event == "typing"]
    assert {params["conversation_id"] for params in done} == {conversation, second}
    assert {params["state"] for params in done} == {"done"}
    await vet.expect_silence()


@pytest.mark.clause("V4.1")
async def test_several_may_type_at_once_and_each_ends_on_its_own(people: V1People) -> None:
    owner, vet, other_vet = await people.client(), await people.provider(), await people.provider()
    conversation = (await owner.create(vet.user_id, other_vet.user_id))["id"]
    await owner.caught_up()
    for peer in (vet, other_vet):
        await peer.types(conversation)
    assert {params["user_id"] for params in await typing_heard(owner)} == {vet.user_id, other_vet.user_id}
    await vet.say(conversation)
    (done,) = await typing_heard(owner)
    assert (done["user_id"], done["state"]) == (vet.user_id, "done")
    await other_vet.types(conversation, "done")
    (done,) = await typing_heard(owner)
    assert (done["user_id"], done["state"]) == (other_vet.user_id, "done")


@pytest.mark.clause("V4.1", "V2.3", "S3.3")
async def test_only_participants_type_and_only_active_or_done(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    stranger = await people.provider()
    assert await stranger.fails("typing", {"conversation_id": conversation, "state": "active"}) == "not_found"
    assert await owner.fails("typing", {"conversation_id": new_id(), "state": "active"}) == "not_found"
    assert await owner.fails("typing", {"conversation_id": conversation, "state": "ACTIVE"}) == "invalid_params"
    for peer in (owner, vet):
        await peer.expect_silence()


@pytest.mark.clause("V4.1", "S2.1")
async def test_typing_is_neither_told_to_nor_understood_from_a_base_connection(people: V1People) -> None:
    owner = await people.client()
    base, other = await people.base.client(owner.user_id), await people.base.provider()
    conversation = (await owner.create(other.user_id))["id"]
    await base.expect("conversation_created")
    await other.expect("new_conversation_invitation")
    await owner.caught_up()
    await owner.types(conversation)
    for peer in (base, other):
        await peer.expect_silence()
        await peer.refused("typing", {"conversation_id": conversation, "state": "active"})
    await owner.expect_silence()
    await owner.say(conversation)
    for peer in (base, other):
        await peer.expect("message_sent")
        await peer.expect_silence()
