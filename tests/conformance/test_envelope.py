"""The envelope: its keys, the sender, ids, and answers in order (S2.1 to R2.4, R2.6, R2.8)."""

import json
from typing import Any

import pytest

from tests.conformance.peer import ABSENT, People, new_id
from tests.conformance.shapes import NIL, is_uuid

pytestmark = pytest.mark.anyio


@pytest.mark.clause("S2.1", "S2.2")
async def test_frames_from_the_server_are_one_object_with_three_keys_in_order(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.send("message", {"conversation_id": conversation, "content": "Hello."})
    for peer in (owner, vet):
        frame = await peer.receive()
        without_space = frame.text.replace(" ", "")
        assert without_space.startswith('{"sender_id":"' + NIL + '","event":"message_sent","params":{"id":"')
        assert json.dumps(json.loads(frame.text), separators=(",", ":")) == without_space
        assert is_uuid(frame.params["id"])
        assert type(frame.params["timestamp"]) is int


@pytest.mark.clause("S2.1")
async def test_the_keys_of_a_command_may_come_in_any_order(people: People) -> None:
    owner = await people.client()
    await owner.send_text(json.dumps({"params": {}, "event": "conversations", "sender_id": owner.user_id}))
    assert await owner.expect("conversations") == []


# -- the sender --------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R2.3", "R1.8")
async def test_the_sender_is_oneself_or_the_nil_uuid_or_left_out(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    for sender_id in (owner.user_id, NIL, ABSENT, owner.user_id.upper()):
        await owner.send("message", {"conversation_id": conversation, "content": "It is me."}, sender_id=sender_id)
        await owner.expect("message_sent", sender_id=owner.user_id)
        await vet.expect("message_sent", sender_id=owner.user_id)


@pytest.mark.clause("R2.3")
@pytest.mark.parametrize("kind", ["the other's", "nobody's", "text", "", "number", "object", "null"])
async def test_any_other_sender_is_an_error_without_effect(people: People, kind: str) -> None:
    owner, vet, conversation = await people.consultation()
    other: dict[str, Any] = {"the other's": vet.user_id, "nobody's": new_id(), "number": 7, "object": {}, "null": None}
    params = {"conversation_id": conversation, "content": "It is not me."}
    await owner.refused("message", params, sender_id=other.get(kind, kind))
    await vet.expect_silence()
    assert await vet.contents(conversation) == []


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R2.4")
async def test_unknown_keys_are_ignored_everywhere(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    nothing: list[Any] = []
    extra: dict[str, Any] = {"ref": 7, "offset": nothing, "x": {"y": None}, "nul": "\0", "": ""}
    await owner.send("conversations", {"limit": "x", "before": {}} | extra, ref={}, x=1)
    assert [entry["id"] for entry in await owner.expect("conversations")] == [conversation]
    for _ in range(2):  # client_message_id and ref belong to vetchat.v1 (V2.1, V2.2): here they mean nothing
        params = {"conversation_id": conversation, "content": "Hello.", "client_message_id": "1"} | extra
        await owner.send("message", params, ref="r")
        assert (await owner.expect("message_sent", content="Hello."))["id"] == (await vet.expect("message_sent"))["id"]
    params = {"conversation_id": conversation, "after": 1, "before": "x", "around": -1, "subscribe": False} | extra
    await owner.send("conversation_history", params)
    assert (await owner.expect("conversation_history_response"))["total_count"] == 2
    for event, answer in (("unsubscribe_conversation", "unsubscribed"), ("subscribe_conversation", "subscribed")):
        await owner.send(event, {"conversation_id": conversation} | extra)
        await owner.expect(answer)
    creation = extra | {"pet_id": new_id(), "providers": nothing, "client_conversation_id": "1"}
    await owner.send("new_conversation", creation)
    first = await owner.expect("conversation_created")
    await owner.send("new_conversation", creation)
    assert (await owner.expect("conversation_created"))["id"] != first["id"]


@pytest.mark.clause("R2.4")
async def test_a_huge_number_in_an_unknown_key_is_ignored(people: People) -> None:
    owner = await people.client()
    for number in ("1e400", "-1e400", "9" * 400, "0." + "9" * 5000):
        await owner.send_text('{"event":"conversations","params":{"x":' + number + '},"y":' + number + "}")
        assert await owner.expect("conversations") == []


@pytest.mark.clause("R2.4")
@pytest.mark.parametrize("params", [ABSENT, None, {}], ids=["absent", "null", "empty"])
async def test_params_may_be_null_or_absent_where_none_is_required(people: People, params: Any) -> None:
    owner = await people.client()
    await owner.send("conversations", params)
    assert await owner.expect("conversations") == []


@pytest.mark.clause("R2.4")
@pytest.mark.parametrize("params", [ABSENT, None], ids=["absent", "null"])
@pytest.mark.parametrize(
    "event",
    ["message", "new_conversation", "conversation_history", "subscribe_conversation", "unsubscribe_conversation"],
)
async def test_params_may_not_be_null_or_absent_anywhere_else(people: People, event: str, params: Any) -> None:
    owner = await people.client()
    await owner.refused(event, params)
    await owner.expect_silence()


# -- ids ---------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R2.8", "S2.2")
async def test_ids_count_in_any_case_and_come_back_in_lower_case(people: People) -> None:
    owner, vet = await people.client(), await people.provider()
    pet = new_id()
    await owner.send("new_conversation", {"pet_id": pet.upper(), "providers": [vet.user_id.upper(), vet.user_id]})
    created = await owner.expect("conversation_created", pet=pet, providers=[vet.user_id])
    assert await vet.expect("new_conversation_invitation") == created
    shouted = created["id"].upper()
    await vet.send("message", {"conversation_id": shouted, "content": "Hello."}, sender_id=vet.user_id.upper())
    for peer in (vet, owner):
        await peer.expect("message_sent", conversation_id=created["id"], sender_id=vet.user_id)
    await owner.send("conversation_history", {"conversation_id": shouted})
    assert (await owner.expect("conversation_history_response"))["total_count"] == 1
    await owner.send("unsubscribe_conversation", {"conversation_id": shouted})
    await owner.expect("unsubscribed", conversation_id=created["id"])
    await vet.expect("user_left", user_id=owner.user_id, conversation_id=created["id"])
    await owner.send("subscribe_conversation", {"conversation_id": shouted})
    await owner.expect("subscribed", conversation_id=created["id"])


@pytest.mark.clause("R2.8")
@pytest.mark.parametrize(
    "spelling",
    ["{{{id}}}", "urn:uuid:{id}", "{hex}", " {id}", "{id} ", "{id}\n", "{short}", "{id}0", "{int}", "{wide}"],
)
async def test_any_other_spelling_of_an_id_is_an_error(people: People, spelling: str) -> None:
    owner, _, conversation = await people.consultation()

    def spelled(id_: str) -> str:
        plain = id_.replace("-", "")
        wide = "".join(chr(ord(digit) + 0xFEE0) if digit.isdigit() else digit for digit in id_)
        return spelling.format(id=id_, hex=plain, short=id_[:-1], int=int(plain, 16), wide=wide)

    await owner.refused("message", {"conversation_id": spelled(conversation), "content": "Hello."})
    await owner.refused("conversation_history", {"conversation_id": spelled(conversation)})
    await owner.refused("subscribe_conversation", {"conversation_id": spelled(conversation)})
    await owner.refused("unsubscribe_conversation", {"conversation_id": spelled(conversation)})
    await owner.refused("new_conversation", {"pet_id": spelled(new_id()), "providers": []})
    await owner.refused("new_conversation", {"pet_id": new_id(), "providers": [spelled(new_id())]})
    await owner.refused("conversations", {}, sender_id=spelled(owner.user_id))
    assert [entry["id"] for entry in await owner.conversations()] == [conversation]


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R2.6")
async def test_each_command_gets_exactly_one_answer_and_all_come_in_order(people: People) -> None:
    owner, _, conversation = await people.consultation()
    here = {"conversation_id": conversation}
    commands: list[tuple[str, Any, str]] = [
        ("conversations", {}, "conversations"),
        ("message", here | {"content": "Hello."}, "message_sent"),
        ("message", here | {"content": ""}, "error"),
        ("conversation_history", here, "conversation_history_response"),
        ("unsubscribe_conversation", here, "unsubscribed"),
        ("unsubscribe_conversation", here, "unsubscribed"),
        ("nonsense", {}, "error"),
        ("subscribe_conversation", here, "subscribed"),
        ("conversation_history", {"conversation_id": new_id()}, "error"),
        ("new_conversation", {"pet_id": new_id(), "providers": []}, "conversation_created"),
    ]
    rounds = 8  # few enough refused frames for R2.7
    for event, params, _ in commands * rounds:
        await owner.send(event, params)
    for _, _, answer in commands * rounds:
        await owner.expect(answer)
    await owner.expect_silence()


@pytest.mark.clause("R2.6")
async def test_a_command_sees_what_the_one_before_it_did(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    contents = [f"Message {number}" for number in range(50)]
    for content in contents:
        await owner.send("message", {"conversation_id": conversation, "content": content})
        await owner.send("conversations")
    for content in contents:
        await owner.expect("message_sent", content=content)
        assert (await owner.expect("conversations"))[0]["last_message"] == content
        await vet.expect("message_sent", content=content)
    assert await vet.contents(conversation) == contents
