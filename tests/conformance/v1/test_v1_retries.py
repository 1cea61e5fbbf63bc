"""Sending is safe to retry: what a client named itself is stored once, for ever (V2.2)."""

from typing import Any

import pytest
from anyio import create_task_group

from tests.conformance.peer import new_id
from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People, durable
from tests.conformance.v1.shapes import V1Frame

pytestmark = pytest.mark.anyio

WRONG_IDS = {
    "a number": 7,
    "true": True,
    "empty": "",
    "65 characters": 65 * "m",
    "an array": ["m"],
    "an object": {"id": "m"},
    "with NUL": "m\x00",
}
ALIKE = [
    "m",
    "M",
    "m ",
    " m",
    "é",
    "e\u0301",
    "E\u0301",
    "ß",
    "ss",
    "🐾",
    "1",
    "01",
    64 * "m",
    64 * "🐾",
    "%",
    "_",
    "'",
]
"""Ids that a careless comparison takes for one another."""


def original_of(duplicate: JSON) -> JSON:
    """What a retry was answered with, without the mark that it was one."""
    return {key: value for key, value in duplicate.items() if key != "duplicate"}


async def retried(peer: V1Peer, conversation: str, content: str, message_id: str) -> JSON:
    """The message that a retry, which must be taken for one, is answered with."""
    again = await peer.say(conversation, content, client_message_id=message_id)
    assert again["duplicate"] is True
    return original_of(again)


# -- messages ----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V2.2")
async def test_a_retry_returns_the_original_to_the_retrying_connection_alone(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(owner)
    await phone.caught_up()
    said = await owner.say(conversation, "Once.", client_message_id="m")
    assert "duplicate" not in said
    await vet.say(conversation, "In between.")
    for peer in (owner, phone, vet):
        await peer.caught_up()
    assert await retried(owner, conversation, "Once.", "m") == said
    assert await retried(phone, conversation, "Once.", "m") == said
    assert await retried(owner, conversation.upper(), "Once.", "m") == said
    for peer in (owner, phone, vet):
        await peer.expect_silence()
    assert [message["content"] for message in await vet.log_of(conversation)] == ["Once.", "In between."]


@pytest.mark.clause("V2.2")
async def test_a_retry_after_the_answer_was_lost_finds_the_message(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    for number in range(10):
        params = {"conversation_id": conversation, "content": str(number), "client_message_id": str(number)}
        await owner.send("message", params)
        await vet.expect("message_sent", content=str(number))
        owner.cut()
        owner = await people.client(owner.user_id)
        await retried(owner, conversation, str(number), str(number))
        await vet.caught_up()
    assert [message["content"] for message in await vet.log_of(conversation)] == [str(number) for number in range(10)]


@pytest.mark.clause("V2.2", "R2.6")
async def test_a_retry_that_overtakes_the_answer_is_a_retry(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    params = {"conversation_id": conversation, "content": "Once.", "client_message_id": "m"}
    refs = [await owner.start("message", params) for _ in range(5)]
    first, *others = [await owner.receive() for _ in refs]
    assert first.offset is not None
    for frame in others:
        assert frame.params["duplicate"] is True
        assert original_of(frame.params) == first.params
    assert len(await vet.caught_up()) == 1


@pytest.mark.clause("V2.2", "R4.9")
async def test_concurrent_retries_on_two_connections_store_each_message_once(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    devices = [owner, await people.another_device_of(owner)]
    await devices[1].caught_up()
    total = 50
    heard: list[list[V1Frame]] = [[], []]

    async def send_all(device: int) -> None:
        refs = set[str]()
        for number in range(total):
            params = {"conversation_id": conversation, "content": str(number), "client_message_id": f"m{number}"}
            refs.add(await devices[device].start("message", params))
        while refs:
            heard[device].append(await devices[device].receive())
            refs.discard(heard[device][-1].ref or "")

    async with create_task_group() as group:
        group.start_soon(send_all, 0)
        group.start_soon(send_all, 1)
    stored = await vet.log_of(conversation)
    assert sorted(int(message["content"]) for message in stored) == list(range(total))
    assert [frame.params for frame in await vet.caught_up()] == stored
    for device in (0, 1):
        frames = heard[device] + await devices[device].caught_up()
        assert [frame.params for frame in frames if frame.offset is not None] == stored
        answers = [original_of(frame.params) for frame in frames if frame.ref is not None]
        assert sorted(answer["seq"] for answer in answers) == list(range(1, total + 1))
        assert all(answer in stored for answer in answers)
    originals = [frame for frames in heard for frame in frames if frame.ref is not None and frame.offset is not None]
    assert len(originals) == total, "one of the two is the original"


@pytest.mark.clause("V2.2")
async def test_an_id_with_other_content_or_another_conversation_is_a_conflict(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    elsewhere = (await owner.create(vet.user_id))["id"]
    said = await owner.say(conversation, "Once.", client_message_id="m")
    for peer in (owner, vet):
        await peer.caught_up()
    for place, content in ((conversation, "Twice."), (conversation, "Once. "), (elsewhere, "Once.")):
        params = {"conversation_id": place, "content": content, "client_message_id": "m"}
        assert await owner.fails("message", params) == "idempotency_conflict"
    for peer in (owner, vet):
        await peer.expect_silence()
    assert await retried(owner, conversation, "Once.", "m") == said
    assert await vet.log_of(conversation) == [said]
    assert await vet.log_of(elsewhere) == []


@pytest.mark.clause("V2.2")
async def test_of_concurrent_messages_with_one_id_that_differ_one_is_stored_and_the_others_conflict(
    people: V1People,
) -> None:
    owner, vet, conversation = await people.consultation()
    elsewhere = (await owner.create(vet.user_id))["id"]
    devices = [owner, *[await people.another_device_of(owner) for _ in range(2)]]
    for peer in (*devices, vet):
        await peer.caught_up()
    answers: list[V1Frame] = []

    async def send_all(device: V1Peer, place: str, content: str) -> None:
        for number in range(20):
            params = {"conversation_id": place, "content": content, "client_message_id": f"m{number}"}
            answers.append(await device.ask("message", params))

    async with create_task_group() as group:
        for device, place, content in zip(devices, (conversation, conversation, elsewhere), "aba", strict=True):
            group.start_soon(send_all, device, place, content)
    stored = [frame.params for frame in answers if frame.event == "message_sent"]
    assert {frame.params["code"] for frame in answers if frame.event == "error"} == {"idempotency_conflict"}
    assert (len(stored), len(answers)) == (20, 60)
    assert [frame.params["id"] for frame in await vet.caught_up()] == [message["id"] for message in stored]
    assert len(await vet.log_of(conversation)) + len(await vet.log_of(elsewhere)) == 20


@pytest.mark.clause("V2.2")
async def test_an_id_belongs_to_its_sender(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    for peer in (owner, vet):
        said = await peer.say(conversation, "The same.", client_message_id="m")
        assert "duplicate" not in said
        assert said["sender_id"] == peer.user_id
    assert len(await owner.log_of(conversation)) == 2


@pytest.mark.clause("V2.2")
async def test_ids_are_the_same_only_character_by_character(people: V1People) -> None:
    owner, _, conversation = await people.consultation()
    said = [await owner.say(conversation, "The same.", client_message_id=alike) for alike in ALIKE]
    assert [message["seq"] for message in said] == list(range(1, len(ALIKE) + 1))
    for alike, message in zip(ALIKE, said, strict=True):
        assert await retried(owner, conversation, "The same.", alike) == message


@pytest.mark.clause("V2.2", "V2.3")
@pytest.mark.parametrize("wrong", WRONG_IDS.values(), ids=WRONG_IDS.keys())
async def test_an_id_of_a_wrong_type_or_length_stores_nothing(people: V1People, wrong: Any) -> None:
    owner, vet, conversation = await people.consultation()
    params = {"conversation_id": conversation, "content": "Hello.", "client_message_id": wrong}
    assert await owner.fails("message", params) == "invalid_params"
    params = {"pet_id": new_id(), "providers": [vet.user_id], "client_conversation_id": wrong}
    assert await owner.fails("new_conversation", params) == "invalid_params"
    await vet.expect_silence()
    assert await owner.log_of(conversation) == []
    assert len(await owner.conversations()) == 1


@pytest.mark.clause("V2.2", "R6.3")
async def test_an_id_of_a_message_that_was_refused_is_free(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    for place, content in ((conversation, " "), (new_id(), "Hello.")):
        params = {"conversation_id": place, "content": content, "client_message_id": "m"}
        assert await owner.fails("message", params) in ("invalid_params", "not_found")
    said = await owner.say(conversation, "Hello.", client_message_id="m")
    assert "duplicate" not in said
    await vet.expect("message_sent", id=said["id"])


@pytest.mark.clause("V2.2", "S2.1")
async def test_on_the_base_wire_both_ids_are_unknown_keys(people: V1People) -> None:
    owner, vet = await people.base.client(), await people.provider()
    creation = {"pet_id": new_id(), "providers": [vet.user_id], "client_conversation_id": "c"}
    created: list[str] = []
    for _ in range(2):
        await owner.send("new_conversation", creation)
        created.append((await owner.expect("conversation_created"))["id"])
    assert created[0] != created[1]
    for client_message_id in ("m", "m", 7, "", None):
        params = {"conversation_id": created[0], "content": "Hello.", "client_message_id": client_message_id}
        await owner.send("message", params)
        await owner.expect("message_sent")
    assert [message["seq"] for message in await vet.log_of(created[0])] == [1, 2, 3, 4, 5]


# -- conversations -----------------------------------------------------------------------------------------------------


@pytest.mark.clause("V2.2")
async def test_a_creation_that_is_retried_happens_once(people: V1People) -> None:
    owner, vet = await people.client(), await people.provider()
    phone, pet = await people.another_device_of(owner), new_id()
    created = await owner.create(vet.user_id, pet=pet, client_conversation_id="c")
    assert "duplicate" not in created
    for peer in (owner, phone, vet):
        await peer.caught_up()
    for device in (owner, phone):
        again = await device.create(vet.user_id, pet=pet, client_conversation_id="c")
        assert again["duplicate"] is True
        assert original_of(again) == created
    for peer in (phone, vet):
        assert not [frame for frame in await peer.caught_up() if frame.event != "presence_state"]
    assert [entry["id"] for entry in await vet.conversations()] == [created["id"]]


@pytest.mark.clause("V2.2")
async def test_concurrent_creations_with_one_id_on_two_connections_happen_once(people: V1People) -> None:
    owner, vet = await people.client(), await people.provider()
    devices, pet, total = [owner, await people.another_device_of(owner)], new_id(), 20
    answers: list[JSON] = []

    async def create_all(device: V1Peer) -> None:
        names = [f"c{number}" for number in range(total)]
        answers.extend([await device.create(vet.user_id, pet=pet, client_conversation_id=name) for name in names])

    async with create_task_group() as group:
        for device in devices:
            group.start_soon(create_all, device)
    assert len({answer["id"] for answer in answers}) == total
    assert len([answer for answer in answers if "duplicate" in answer]) == total
    assert len(await vet.conversations()) == total
    originals = {answer["id"] for answer in answers if "duplicate" not in answer}
    heard = [frame for device in devices for frame in durable(await device.caught_up())]
    assert len(heard) == total, "each device hears of what the other created"
    assert {frame.params["id"] for frame in heard} == originals
    invitations = [frame for frame in await vet.caught_up() if frame.event == "new_conversation_invitation"]
    assert len(invitations) == total


@pytest.mark.clause("V2.2")
async def test_a_creation_with_another_pet_or_other_vets_is_a_conflict(people: V1People) -> None:
    owner, vet = await people.client(), await people.provider()
    pet = new_id()
    await owner.create(vet.user_id, pet=pet, client_conversation_id="c")
    await vet.caught_up()
    for other_pet, providers in (
        (new_id(), [vet.user_id]),
        (pet, []),
        (pet, [vet.user_id, new_id()]),
        (pet, [new_id()]),
    ):
        params = {"pet_id": other_pet, "providers": providers, "client_conversation_id": "c"}
        assert await owner.fails("new_conversation", params) == "idempotency_conflict"
    await vet.expect_silence()
    assert len(await owner.conversations()) == 1


@pytest.mark.clause("V2.2")
async def test_ids_of_messages_and_of_conversations_never_meet(people: V1People) -> None:
    owner, _, conversation = await people.consultation()
    assert "duplicate" not in await owner.say(conversation, client_message_id="x")
    assert "duplicate" not in await owner.create(client_conversation_id="x")
    other = await people.client()
    assert "duplicate" not in await other.create(client_conversation_id="x")
