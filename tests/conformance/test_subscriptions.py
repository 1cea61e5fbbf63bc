"""Subscribing and unsubscribing, by hand and by itself, per connection (S4.20 to R4.24, S5.1, S5.2)."""

from typing import Any

import pytest

from tests.conformance.peer import People, new_id

pytestmark = pytest.mark.anyio


@pytest.mark.clause("S4.20", "S4.21", "S5.2")
async def test_events_come_while_one_is_subscribed_and_only_then(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left", user_id=vet.user_id)
    await owner.say(conversation, "Unheard.")
    await vet.expect_silence()
    await vet.subscribe(conversation)
    await owner.expect("user_joined", user_id=vet.user_id)
    await owner.say(conversation, "Heard.")
    await vet.expect("message_sent", content="Heard.")


@pytest.mark.clause("S4.20", "S4.21")
async def test_the_answers_name_the_conversation_and_success(people: People) -> None:
    owner = await people.client()
    conversation = (await owner.create())["id"]
    for event, answer in (("unsubscribe_conversation", "unsubscribed"), ("subscribe_conversation", "subscribed")):
        await owner.send(event, {"conversation_id": conversation})
        assert await owner.expect(answer) == {"conversation_id": conversation, "status": "success"}


@pytest.mark.clause("S4.20", "R4.23", "S3.3")
async def test_both_need_participation(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    for stranger in (await people.client(), await people.provider()):
        await stranger.refused("subscribe_conversation", {"conversation_id": conversation})
        await stranger.refused("unsubscribe_conversation", {"conversation_id": conversation})
        await owner.say(conversation)
        await vet.expect("message_sent")
        await stranger.expect_silence()
    await owner.expect_silence()


@pytest.mark.clause("R4.22")
@pytest.mark.parametrize("status", ["success", "failure", "", None, 7, [], {"x": 1}])
async def test_the_status_of_an_unsubscribe_request_is_accepted_with_any_value(people: People, status: Any) -> None:
    owner = await people.client()
    conversation = (await owner.create())["id"]
    await owner.send("unsubscribe_conversation", {"conversation_id": conversation, "status": status})
    await owner.expect("unsubscribed", status="success")


@pytest.mark.clause("R4.23")
async def test_repeating_either_succeeds_and_announces_nothing(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.subscribe(conversation)
    await owner.expect_silence()
    for _ in range(3):
        await vet.unsubscribe(conversation)
    await owner.expect("user_left", user_id=vet.user_id)
    await owner.expect_silence()
    for _ in range(3):
        await vet.subscribe(conversation)
    await owner.expect("user_joined", user_id=vet.user_id)
    await owner.expect_silence()
    await owner.say(conversation)
    await vet.expect("message_sent")
    await vet.expect_silence()


@pytest.mark.clause("R4.24")
async def test_unsubscribing_one_device_leaves_the_other_alone(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(vet)
    await phone.unsubscribe(conversation)
    await owner.say(conversation)
    await vet.expect("message_sent")
    await phone.expect_silence()
    await owner.expect_silence()


@pytest.mark.clause("R4.24", "S5.1", "S5.8")
async def test_a_subscription_does_not_outlive_its_connection(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left", user_id=vet.user_id, reason="unsubscribed")
    await people.leave(vet)
    again = await people.another_device_of(vet)
    await owner.expect("user_joined", user_id=vet.user_id)
    await owner.say(conversation)
    await again.expect("message_sent")


@pytest.mark.clause("S5.1")
async def test_one_is_subscribed_on_connecting_to_every_conversation_one_is_part_of(people: People) -> None:
    owner, vet_id = await people.client(), new_id()
    conversations = [(await owner.create(vet_id))["id"] for _ in range(5)]
    vet = await people.provider(vet_id)
    joined = [await owner.expect("user_joined", user_id=vet_id) for _ in conversations]
    assert {event["conversation_id"] for event in joined} == set(conversations)
    for conversation in conversations:
        await owner.say(conversation)
        await vet.expect("message_sent", conversation_id=conversation)
    phone = await people.another_device_of(owner)
    for conversation in conversations:
        await vet.say(conversation)
        await owner.expect("message_sent", conversation_id=conversation)
        await phone.expect("message_sent", conversation_id=conversation)


@pytest.mark.clause("S5.1", "S4.6", "S4.18")
@pytest.mark.parametrize("way", ["message", "conversation_history", "subscribe_conversation"])
async def test_each_way_back_subscribes_this_connection_only(people: People, way: str) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(vet)
    for device in (vet, phone):
        await device.unsubscribe(conversation)
    await owner.expect("user_left", user_id=vet.user_id)
    if way == "message":
        await vet.say(conversation)
        await owner.expect("user_joined", user_id=vet.user_id)
        await owner.expect("message_sent")
    else:
        await (vet.history if way == "conversation_history" else vet.subscribe)(conversation)
        await owner.expect("user_joined", user_id=vet.user_id)
    await owner.say(conversation, "Who hears me?")
    await vet.expect("message_sent", content="Who hears me?")
    await phone.expect_silence()


@pytest.mark.clause("S5.2", "S4.21")
async def test_events_of_a_conversation_never_reach_anybody_outside_it(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    others = [await people.client(), await people.provider()]
    elsewhere = (await owner.create(others[1].user_id))["id"]
    await others[1].expect("new_conversation_invitation", id=elsewhere)
    await owner.say(conversation)
    await vet.expect("message_sent")
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    await vet.subscribe(conversation)
    await owner.expect("user_joined")
    await people.leave(vet)
    await owner.expect("user_left")
    for peer in (*others, owner):
        await peer.expect_silence()
