"""The command `conversations`: what the list holds, and in which order (S4.1, R4.2, R4.3)."""

import pytest

from tests.conformance.peer import People, new_id

pytestmark = pytest.mark.anyio


@pytest.mark.clause("S4.1")
async def test_the_answer_is_an_array_of_whole_conversations(people: People) -> None:
    owner, vet = await people.client(), await people.provider()
    absent, pet = new_id(), new_id()
    created = await owner.create(vet.user_id, absent, pet=pet)
    assert created["providers"] == [vet.user_id, absent]
    assert (created["client"], created["pet"]) == (owner.user_id, pet)
    assert await owner.conversations() == [created]
    await vet.expect("new_conversation_invitation")
    assert await vet.conversations() == [created]


@pytest.mark.clause("S4.1")
async def test_somebody_without_conversations_gets_an_empty_array(people: People) -> None:
    assert await (await people.client()).conversations() == []
    assert await (await people.provider()).conversations() == []


@pytest.mark.clause("R4.2")
async def test_all_conversations_come_newest_first_however_many_and_ties_by_id(people: People) -> None:
    owner = await people.client()
    count = 120
    for _ in range(count):
        await owner.send("new_conversation", {"pet_id": new_id(), "providers": []})
    created = [await owner.expect("conversation_created") for _ in range(count)]
    expected = sorted(created, key=lambda entry: (-entry["last_updated_timestamp"], entry["id"]))
    assert await owner.conversations() == expected


@pytest.mark.clause("R4.2")
async def test_a_message_brings_its_conversation_to_the_top(people: People) -> None:
    owner, vet, first = await people.consultation()
    second = (await owner.create(vet.user_id))["id"]
    await vet.expect("new_conversation_invitation")
    for conversation in (first, second, first):
        await vet.say(conversation)
        await owner.expect("message_sent")
        listed = await owner.conversations()
        times = {entry["id"]: entry["last_updated_timestamp"] for entry in listed}
        assert times[conversation] == max(times.values())
        assert listed == sorted(listed, key=lambda entry: (-entry["last_updated_timestamp"], entry["id"]))


@pytest.mark.clause("R4.3", "S4.12")
async def test_a_new_conversation_has_no_last_message_and_the_time_of_its_creation(people: People) -> None:
    owner = await people.client()
    created = await owner.create()
    assert created["last_message"] == ""
    (listed,) = await owner.conversations()
    assert listed["last_message"] == ""
    assert listed["last_updated_timestamp"] == created["last_updated_timestamp"]


@pytest.mark.clause("R4.3")
async def test_last_message_is_the_full_text_of_the_latest_one_with_its_time(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.say(conversation, "The first.")
    await vet.expect("message_sent")
    long = "  Ein längerer Satz. 🐕\n" * 300
    said = await vet.say(conversation, long)
    await owner.expect("message_sent")
    for peer in (owner, vet):
        (listed,) = await peer.conversations()
        assert listed["last_message"] == long
        assert listed["last_updated_timestamp"] == said["timestamp"]
