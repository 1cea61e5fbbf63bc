"""Presence: who is told that a user joined or left, once per user and in alternation (S5.3 to R5.6)."""

import random
import time
from typing import Any

import pytest

from tests.conformance.peer import People, new_id

pytestmark = pytest.mark.anyio

PICTURE = "https://pictures.example/ada.jpg"


# -- what the events hold ----------------------------------------------------------------------------------------------


@pytest.mark.clause("R5.4", "S5.3")
async def test_joined_and_left_carry_the_users_profile(people: People) -> None:
    owner, vet, conversation = await people.consultation(name="Dr. Ada", picture=PICTURE)
    profile = {
        "user_id": vet.user_id,
        "display_name": "Dr. Ada",
        "profile_image_url": PICTURE,
        "conversation_id": conversation,
    }
    await vet.unsubscribe(conversation)
    left = await owner.expect("user_left")
    assert left == profile | {"timestamp": left["timestamp"], "reason": "unsubscribed"}
    await vet.subscribe(conversation)
    joined = await owner.expect("user_joined")
    assert joined == profile | {"timestamp": joined["timestamp"]}
    assert left["timestamp"] <= joined["timestamp"]
    assert abs(joined["timestamp"] - time.time() * 1000) < 2_000


@pytest.mark.clause("R5.4")
@pytest.mark.parametrize(
    ("identity", "name", "picture"),
    [
        ({}, "Unknown User", None),
        ({"name": "Bo"}, "Bo", None),
        ({"picture": PICTURE}, "Unknown User", PICTURE),
        ({"picture": "http://pictures.example/ada.jpg"}, "Unknown User", None),
        ({"picture": "javascript:alert(1)"}, "Unknown User", None),
        ({"picture": "data:image/png;base64,AA=="}, "Unknown User", None),
        ({"picture": "//pictures.example/ada.jpg"}, "Unknown User", None),
        ({"picture": "ada.jpg"}, "Unknown User", None),
        ({"picture": ""}, "Unknown User", None),
    ],
)
async def test_an_unknown_name_and_a_picture_that_is_no_https_url_have_a_stand_in(
    people: People, identity: dict[str, str], name: str, picture: str | None
) -> None:
    owner, vet_id = await people.client(), new_id()
    await owner.create(vet_id)
    await people.provider(vet_id, **identity)
    await owner.expect("user_joined", user_id=vet_id, display_name=name, profile_image_url=picture)


# -- who is told, and when ---------------------------------------------------------------------------------------------


@pytest.mark.clause("S5.3", "R5.6")
async def test_connecting_unsubscribing_and_subscribing_are_told_to_all_other_participants(people: People) -> None:
    owner, first, second_id = await people.client(), await people.provider(), new_id()
    conversation = (await owner.create(first.user_id, second_id))["id"]
    await first.expect("new_conversation_invitation")
    second = await people.provider(second_id)
    for event, act in (("user_joined", None), ("user_left", second.unsubscribe), ("user_joined", second.subscribe)):
        if act is not None:
            await act(conversation)
        for peer in (owner, first):
            await peer.expect(event, user_id=second_id, conversation_id=conversation)
    for peer in (owner, first, second):
        await peer.expect_silence()


@pytest.mark.clause("R5.6")
async def test_who_is_not_subscribed_is_not_told(people: People) -> None:
    owner, first, second = await people.client(), await people.provider(), await people.provider()
    conversation = (await owner.create(first.user_id, second.user_id))["id"]
    for vet in (first, second):
        await vet.expect("new_conversation_invitation")
    await first.unsubscribe(conversation)
    for peer in (owner, second):
        await peer.expect("user_left", user_id=first.user_id)
    await second.unsubscribe(conversation)
    await owner.expect("user_left", user_id=second.user_id)
    await second.subscribe(conversation)
    await owner.expect("user_joined", user_id=second.user_id)
    await first.expect_silence()


@pytest.mark.clause("R5.5", "R5.6")
async def test_a_second_device_joins_and_leaves_unannounced(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(vet)
    await phone.unsubscribe(conversation)
    await phone.subscribe(conversation)
    await vet.unsubscribe(conversation)
    await owner.expect_silence()
    await phone.unsubscribe(conversation)
    await owner.expect("user_left", user_id=vet.user_id, reason="unsubscribed")
    await vet.subscribe(conversation)
    await owner.expect("user_joined", user_id=vet.user_id)
    await phone.subscribe(conversation)
    await owner.expect_silence()
    for device in (vet, phone):
        await device.expect_silence()  # nobody is told about oneself


@pytest.mark.clause("R5.6")
async def test_ones_own_devices_are_not_told_about_oneself(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(owner)
    await owner.unsubscribe(conversation)
    await owner.subscribe(conversation)
    await people.leave(owner)
    await vet.say(conversation)
    await phone.expect("message_sent")
    await people.leave(phone)
    await vet.expect("user_left", user_id=owner.user_id, reason="disconnected")
    await vet.expect_silence()


@pytest.mark.clause("R5.5", "R3.5")
async def test_one_id_in_both_roles_is_present_only_in_the_role_it_takes_part_in(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    double = await people.provider(owner.user_id)
    other_owner = await people.client()
    elsewhere = (await other_owner.create(owner.user_id))["id"]
    await double.expect("new_conversation_invitation", id=elsewhere)
    await vet.expect_silence()
    await owner.expect_silence()
    await people.leave(double)
    await other_owner.expect("user_left", user_id=owner.user_id, conversation_id=elsewhere)
    await vet.expect_silence()
    await people.leave(owner)
    await vet.expect("user_left", user_id=owner.user_id, conversation_id=conversation)
    await other_owner.expect_silence()


@pytest.mark.clause("R5.5")
async def test_somebody_created_or_invited_leaves_and_joins_from_then_on(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.unsubscribe(conversation)
    await vet.expect("user_left", user_id=owner.user_id)
    await owner.subscribe(conversation)
    await vet.expect("user_joined", user_id=owner.user_id)
    await vet.unsubscribe(conversation)
    await owner.expect("user_left", user_id=vet.user_id)
    await vet.subscribe(conversation)
    await owner.expect("user_joined", user_id=vet.user_id)


@pytest.mark.clause("R5.5", "R5.7")
@pytest.mark.parametrize("seed", range(4))
async def test_joined_and_left_of_a_user_strictly_alternate_whatever_its_devices_do(people: People, seed: int) -> None:
    choose = random.Random(seed)
    owner, first, conversation = await people.consultation()
    vet_id, devices, present = first.user_id, [first], True
    heard: list[str] = []

    def note(event: str, params: Any) -> None:
        nonlocal present
        assert event in ("user_joined", "user_left", "message_sent")
        if event != "message_sent":
            assert params["user_id"] == vet_id
            assert (event == "user_joined") is not present, f"{event} after {heard}"
            present = event == "user_joined"
            heard.append(event)

    for _ in range(40):
        action = choose.choice(("connect", "leave", "subscribe", "unsubscribe", "unsubscribe", "message"))
        if not devices or (action == "connect" and len(devices) < 3):
            devices.append(await people.provider(vet_id))
        elif action in ("connect", "leave"):
            await people.leave(devices.pop(choose.randrange(len(devices))))
        elif action == "message":
            await choose.choice(devices).send("message", {"conversation_id": conversation, "content": "Hello."})
        else:
            await choose.choice(devices).send(f"{action}_conversation", {"conversation_id": conversation})
    await people.leave(*devices)
    last = await people.provider(vet_id)
    await last.send("message", {"conversation_id": conversation, "content": "The end."})  # after what is on its way
    while (frame := await owner.receive()).event != "message_sent" or frame.params["content"] != "The end.":
        note(frame.event, frame.params)
    assert present
    assert len(heard) >= 2
