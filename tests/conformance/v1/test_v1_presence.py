"""Who else is there: told at welcome and with each subscription, only where somebody is (V4.3)."""

import pytest

from tests.conformance.peer import new_id
from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People
from tests.running import ServerProcess

pytestmark = pytest.mark.anyio


async def events_heard(peer: V1Peer) -> list[str]:
    return [frame.event for frame in await peer.caught_up()]


def user(peer_id: str, name: str = "Unknown User", picture: str | None = None) -> JSON:
    return {"user_id": peer_id, "display_name": name, "profile_image_url": picture}


@pytest.mark.clause("V4.3")
async def test_creator_and_vets_are_told_of_each_other_after_creation_and_invitation(people: V1People) -> None:
    owner = await people.client(name="Ada", picture="https://pets.example/ada.png")
    vet, other_vet = await people.provider(name="Dr. Åse", picture="http://pets.example/ase.png"), new_id()
    phone = await people.another_device_of(owner)
    created = await owner.create(vet.user_id, other_vet)
    await phone.expect("conversation_created")
    for device in (owner, phone):
        presence = await device.frame_of("presence_state")
        assert presence.params == {"conversation_id": created["id"], "users": [user(vet.user_id, "Dr. Åse")]}
    await vet.expect("new_conversation_invitation", id=created["id"])
    presence = await vet.frame_of("presence_state")
    assert presence.params == {
        "conversation_id": created["id"],
        "users": [user(owner.user_id, "Ada", "https://pets.example/ada.png")],
    }
    for peer in (owner, phone, vet):
        await peer.expect_silence()


@pytest.mark.clause("V4.3", "R5.5")
async def test_a_user_with_several_devices_is_named_once_and_never_to_itself(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(owner)
    assert (await phone.frame_of("presence_state")).params["users"] == [user(vet.user_id)]
    vet_phone = await people.another_device_of(vet)
    assert (await vet_phone.frame_of("presence_state")).params["users"] == [user(owner.user_id)]
    await vet.subscribe(conversation)
    assert (await vet.frame_of("presence_state")).params["users"] == [user(owner.user_id)]
    for peer in (owner, phone, vet, vet_phone):
        await peer.expect_silence()


@pytest.mark.clause("V4.3")
async def test_where_nobody_else_is_there_is_nothing_to_tell(people: V1People) -> None:
    owner = await people.client()
    conversation = (await owner.create(new_id()))["id"]
    await owner.subscribe(conversation)
    await owner.expect_silence()
    phone = await people.another_device_of(owner)
    await phone.subscribe(conversation)
    await phone.create()
    assert await events_heard(phone) == []
    assert await events_heard(owner) == ["conversation_created"]


@pytest.mark.clause("V4.3", "R4.24")
async def test_somebody_who_unsubscribed_or_left_is_not_there(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    await owner.subscribe(conversation)
    await owner.expect_silence()
    await vet.subscribe(conversation)
    assert (await vet.frame_of("presence_state")).params["users"] == [user(owner.user_id)]
    await owner.expect("user_joined")
    await vet.close()
    await owner.expect("user_left")
    await owner.subscribe(conversation)
    await owner.expect_silence()


@pytest.mark.clause("V4.3", "V1.4")
async def test_at_welcome_each_conversation_with_somebody_in_it_is_told_once(people: V1People) -> None:
    vet_id = new_id()
    here = [await people.client() for _ in range(3)]
    gone = await people.client()
    conversations = {(await owner.create(vet_id))["id"]: owner for owner in here}
    both = (await here[0].create(vet_id))["id"]
    await gone.create(vet_id)
    await gone.close()
    vet = await people.provider(vet_id)
    frames = await vet.caught_up()
    assert {frame.event for frame in frames} == {"presence_state"}
    told = {frame.params["conversation_id"]: frame.params["users"] for frame in frames}
    assert told == {
        conversation: [user(owner.user_id)] for conversation, owner in (conversations | {both: here[0]}).items()
    }
    assert len(frames) == 4


@pytest.mark.clause("V4.3", "R2.7")
async def test_what_a_welcome_tells_about_presence_fills_no_outbox(narrow_server: ServerProcess) -> None:
    async with V1People(narrow_server) as people:
        owner, vet_id = await people.client(), new_id()
        conversations = {(await owner.create(vet_id))["id"] for _ in range(60)}
        vet = await people.provider(vet_id)
        frames = await vet.caught_up()
        assert [frame.event for frame in frames] == 60 * ["presence_state"]
        assert {frame.params["conversation_id"] for frame in frames} == conversations


@pytest.mark.clause("V4.3", "S2.1")
async def test_base_connections_count_as_there_and_are_told_nothing(people: V1People) -> None:
    base = await people.base.client(name="Ada")
    vet = await people.provider()
    created = await base.create(vet.user_id)
    await vet.expect("new_conversation_invitation")
    assert (await vet.frame_of("presence_state")).params["users"] == [user(base.user_id, "Ada")]
    await base.subscribe(created["id"])
    await base.expect_silence()


@pytest.mark.clause("V4.3", "R5.5")
async def test_presence_state_and_what_follows_never_disagree(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    there: set[str] = set()
    watcher = await people.another_device_of(owner)
    for _ in range(5):
        await vet.unsubscribe(conversation)
        await vet.subscribe(conversation)
        vet.cut()
        vet = await people.another_device_of(vet)
    for frame in await watcher.caught_up():
        if frame.event == "presence_state":
            there = {one["user_id"] for one in frame.params["users"]}
        if frame.event == "user_joined":
            assert frame.params["user_id"] not in there
            there.add(frame.params["user_id"])
        if frame.event == "user_left":
            there.remove(frame.params["user_id"])
    assert there == {vet.user_id}
