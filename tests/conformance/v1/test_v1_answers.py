"""One answer to each command, named by its ref, and errors with codes in a stated order (V2.1, V2.3, V2.4)."""

import json
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.conformance.peer import ABSENT, new_id
from tests.conformance.shapes import JSON, NIL
from tests.conformance.v1.peer import V1Peer, V1People
from tests.running import ServerProcess

pytestmark = pytest.mark.anyio

BURST = 200

REFS = {
    "one character": "x",
    "64 characters": 64 * "r",
    "64 characters outside the plane": 64 * "🐾",
    "white space": " \t\n ",
    "a look like a number": "42",
    "quotes and markup": "\"'\\<&>{}[]\u2028",
}
NO_REFS: dict[str, JSON] = {
    "empty": "",
    "65 characters": 65 * "r",
    "a number": 7,
    "true": True,
    "an array": ["r"],
    "an object": {},
}

NOT_JSON = {
    "text": "hello",
    "nothing": "",
    "half an object": '{"event": "ping"',
    "a comma too many": '{"event": "ping", "params": {},}',
    "NaN": '{"event": "ping", "params": {}, "x": NaN}',
    "Infinity": '{"event": "ping", "params": {}, "x": -Infinity}',
    "a lone surrogate in an unknown key": '{"event": "ping", "params": {}, "x": "\\ud800"}',
    "a lone surrogate in an unknown event": '{"event": "\\udfff", "params": {}}',
    "a lone surrogate in a key": '{"event": "ping", "params": {}, "\\ud83d": 1}',
    "a lone surrogate in the ref": '{"event": "ping", "params": {}, "ref": "\\ud800"}',
}
NO_ENVELOPES: dict[str, JSON] = {
    "an empty object": {},
    "no event": {"params": {}},
    "an event that is a number": {"event": 7, "params": {}},
    "an event that is null": {"event": None, "params": {}},
    "a sender that is a number": {"sender_id": 7, "event": "ping", "params": {}},
    "a sender that is an object": {"sender_id": {}, "event": "ping", "params": {}},
}


async def code_for_text(peer: V1Peer, text: str) -> str:
    """The code of the error, without a ref, that answers this text."""
    await peer.send_text(text)
    frame = await peer.frame_of("error")
    assert frame.ref is None
    return frame.params["code"]


# -- ref ---------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V2.1", "V2.4")
async def test_every_command_is_answered_once_with_its_ref_which_nobody_else_sees(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(owner)
    here = {"conversation_id": conversation}
    said = await owner.ask("message", here | {"content": "Hello."})
    commands: list[tuple[str, JSON, str]] = [
        ("conversations", {}, "conversations"),
        ("message", here | {"content": "Hello again."}, "message_sent"),
        ("new_conversation", {"pet_id": new_id(), "providers": [vet.user_id]}, "conversation_created"),
        ("conversation_history", here, "conversation_history_response"),
        ("unsubscribe_conversation", here, "unsubscribed"),
        ("subscribe_conversation", here, "subscribed"),
        ("typing", here | {"state": "active"}, "ok"),
        ("mark_read", here | {"seq": said.params["seq"]}, "ok"),
        ("refresh", {"token": people.token(owner.user_id, "client")}, "refreshed"),
        ("ping", {}, "pong"),
    ]
    for event, params, answer in commands:
        await owner.command(answer, event, params)
    await vet.command("read_marker", "mark_read", here | {"seq": said.params["seq"]})
    for peer in (owner, phone, vet):
        assert not [frame for frame in await peer.caught_up() if frame.ref is not None]


@pytest.mark.clause("V2.1")
@pytest.mark.parametrize("ref", REFS.values(), ids=REFS.keys())
async def test_a_ref_comes_back_exactly_as_it_was_sent(people: V1People, ref: str) -> None:
    peer = await people.waiting()
    await peer.start("hello", {}, ref=ref)
    assert (await peer.frame_of("welcome")).ref == ref
    await peer.start("conversations", {}, ref=ref)
    assert (await peer.frame_of("conversations")).ref == ref
    await peer.start("nonsense", {}, ref=ref)
    assert (await peer.frame_of("error")).ref == ref


@pytest.mark.clause("V2.1", "V2.3")
@pytest.mark.parametrize("ref", NO_REFS.values(), ids=NO_REFS.keys())
async def test_a_ref_that_is_none_is_an_error_without_effect(people: V1People, ref: Any) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.send("message", {"conversation_id": conversation, "content": "Hello."}, ref=ref)
    frame = await owner.frame_of("error")
    assert frame.params["code"] == "invalid_envelope"
    assert frame.ref is None
    await vet.expect_silence()
    assert await owner.log_of(conversation) == []


@pytest.mark.clause("V2.1")
async def test_without_a_ref_or_with_null_the_answer_carries_none(people: V1People) -> None:
    owner = await people.client()
    for more in ({}, {"ref": None}):
        await owner.send("conversations", {}, **more)
        assert (await owner.frame_of("conversations")).ref is None
        await owner.send("nonsense", {}, **more)
        assert (await owner.frame_of("error")).ref is None


@pytest.mark.clause("V2.1")
async def test_an_error_carries_the_ref_of_every_object_that_had_a_valid_one(people: V1People) -> None:
    owner = await people.client()
    frames: list[JSON] = [
        *NO_ENVELOPES.values(),
        {"event": "nonsense", "params": {}},
        {"event": "ping", "params": {}, "sender_id": new_id()},
        {"event": "message", "params": {}},
        {"event": "message", "params": {"conversation_id": "no id", "content": "Hello."}},
        {"event": "message", "params": {"conversation_id": new_id(), "content": "Hello."}},
        {"event": "message", "params": []},
        {"event": "message"},
    ]
    for number, fields in enumerate(frames):
        await owner.start_text(json.dumps(fields | {"ref": f"ref {number}"}), f"ref {number}")
        assert (await owner.frame_of("error")).ref == f"ref {number}", fields


@pytest.mark.clause("V2.1", "R2.6")
async def test_pipelined_commands_are_answered_in_order_each_with_its_own_ref(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    commands: list[tuple[str, JSON]] = [
        ("message", {"conversation_id": conversation, "content": "Hello."}),
        ("ping", {}),
        ("nonsense", {}),
        ("conversation_history", {"conversation_id": conversation, "limit": 3}),
        ("message", {"conversation_id": conversation, "content": " "}),
        ("typing", {"conversation_id": conversation, "state": "active"}),
        ("mark_read", {"conversation_id": new_id(), "seq": 1}),
        ("conversations", {}),
    ]
    refs = [await owner.start(event, params) for _ in range(20) for event, params in commands]
    frames = [await owner.receive() for _ in refs]
    assert [frame.ref for frame in frames] == refs
    answers = [
        "message_sent",
        "pong",
        "error",
        "conversation_history_response",
        "error",
        "ok",
        "error",
        "conversations",
    ]
    assert [frame.event for frame in frames] == 20 * answers
    assert len([frame for frame in await vet.caught_up() if frame.event == "message_sent"]) == 20


@pytest.mark.clause("V2.1")
async def test_a_ref_may_be_used_again(people: V1People) -> None:
    owner = await people.client()
    for _ in range(3):
        await owner.start("conversations", {}, ref="the same")
    for _ in range(3):
        assert (await owner.frame_of("conversations")).ref == "the same"


# -- each code ---------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V2.3", "R2.5")
@pytest.mark.parametrize("text", NOT_JSON.values(), ids=NOT_JSON.keys())
async def test_text_that_is_not_json_is_invalid_json(people: V1People, text: str) -> None:
    owner = await people.client()
    assert await code_for_text(owner, text) == "invalid_json"
    await owner.expect_silence()


@pytest.mark.clause("V2.3", "R2.5")
async def test_a_binary_frame_is_invalid_json(people: V1People) -> None:
    owner = await people.client()
    await owner.send_binary(owner.frame("conversations", {}).encode())
    assert (await owner.frame_of("error")).params["code"] == "invalid_json"
    await owner.expect_silence()


@pytest.mark.clause("V2.3")
async def test_json_that_is_no_envelope_is_invalid_envelope(people: V1People) -> None:
    owner = await people.client()
    for fields in ([], 7, "ping", None, True, [{"event": "ping"}], *NO_ENVELOPES.values()):
        assert await code_for_text(owner, json.dumps(fields)) == "invalid_envelope", fields
    await owner.expect_silence()


@pytest.mark.clause("V2.3", "R2.3", "R2.8")
async def test_a_foreign_sender_is_a_mismatch_and_ones_own_id_may_be_written_in_any_case(people: V1People) -> None:
    owner, vet, _ = await people.consultation()
    for sender in (new_id(), vet.user_id):
        assert await owner.fails("conversations", {}, sender_id=sender) == "sender_mismatch"
    for sender in (NIL, owner.user_id, owner.user_id.upper(), ABSENT):
        await owner.command("conversations", "conversations", {}, sender_id=sender)


@pytest.mark.clause("V2.3", "R3.4")
async def test_a_conversation_of_others_cannot_be_told_from_one_that_is_not(people: V1People) -> None:
    _, _, conversation = await people.consultation()
    stranger = await people.provider()
    rest: dict[str, JSON] = {
        "message": {"content": "Hello."},
        "conversation_history": {},
        "subscribe_conversation": {},
        "unsubscribe_conversation": {},
        "typing": {"state": "active"},
        "mark_read": {"seq": 1},
    }
    for event, params in rest.items():
        errors = [
            await stranger.command("error", event, params | {"conversation_id": one})
            for one in (conversation, new_id())
        ]
        assert errors[0]["code"] == "not_found", event
        assert errors[0] == errors[1], event


@pytest.mark.clause("V2.3", "S3.2", "R3.5")
async def test_the_codes_of_roles_and_participation(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    creation: JSON = {"pet_id": new_id(), "providers": []}
    assert await vet.fails("new_conversation", creation) == "forbidden_role"
    as_client = await people.client(vet.user_id)
    assert await as_client.fails("message", {"conversation_id": conversation, "content": "Hello."}) == "not_found"
    await owner.expect_silence()


WRONG_PARAMS: dict[str, list[JSON]] = {
    "message": [
        {},
        {"content": "Hello."},
        {"conversation_id": new_id()},
        {"conversation_id": new_id(), "content": " "},
    ],
    "new_conversation": [{}, {"pet_id": new_id()}, {"pet_id": NIL, "providers": []}],
    "conversation_history": [{}, {"conversation_id": "no id"}, {"conversation_id": NIL}],
    "subscribe_conversation": [{}, {"conversation_id": 7}],
    "unsubscribe_conversation": [{}, {"conversation_id": None}],
    "typing": [
        {},
        {"conversation_id": new_id()},
        {"conversation_id": new_id(), "state": "thinking"},
        {"conversation_id": new_id(), "state": True},
        {"state": "active"},
    ],
    "mark_read": [
        {},
        {"conversation_id": new_id()},
        {"conversation_id": new_id(), "seq": "1"},
        {"conversation_id": new_id(), "seq": 1.5},
        {"conversation_id": new_id(), "seq": -1},
        {"conversation_id": new_id(), "seq": True},
        {"conversation_id": new_id(), "seq": None},
        {"seq": 1},
    ],
    "ping": [{"offset": "1"}, {"offset": 1.5}, {"offset": -1}, {"offset": True}],
    "conversations": [{"limit": 0}, {"limit": 1001}, {"limit": "3"}, {"limit": 3, "before": "x"}],
}


@pytest.mark.clause("V2.3", "V4.1", "V4.2", "V5.1", "V3.6")
@pytest.mark.parametrize("event", WRONG_PARAMS)
async def test_wrong_params_are_invalid_params(people: V1People, event: str) -> None:
    owner = await people.client()
    for params in WRONG_PARAMS[event]:
        assert await owner.fails(event, params) == "invalid_params", params
    await owner.expect_silence()


@pytest.mark.clause("V2.3", "R6.2")
async def test_an_error_is_one_sentence_that_repeats_nothing_of_what_was_sent(people: V1People) -> None:
    owner = await people.client()
    mark = "Zyzzyva"
    frames: list[tuple[str, JSON]] = [
        (mark, {}),
        ("message", {"conversation_id": mark, "content": "Hello."}),
        ("message", {"conversation_id": new_id(), "content": [mark]}),
        ("message", {"conversation_id": new_id(), "content": "Hello.", "client_message_id": 65 * mark}),
        ("typing", {"conversation_id": new_id(), "state": mark}),
        ("hello", {"resume": mark}),
        ("conversation_history", {"conversation_id": new_id(), "before": mark}),
        ("ping", {"offset": mark}),
    ]
    for event, params in frames:
        await owner.send(event, params)
        assert mark not in await owner.expect_error(), event


# -- the order of the checks -------------------------------------------------------------------------------------------


@pytest.mark.clause("V2.3")
async def test_of_several_faults_the_first_check_that_fails_is_reported(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    said = await vet.say(conversation, "Mine.", client_message_id="mine")
    elsewhere = {"conversation_id": new_id(), "client_message_id": "mine"}
    stranger = new_id()
    faults: list[tuple[str, str]] = [
        ("invalid_json", f'{{"event": 7, "sender_id": "{stranger}", "params": {{}}, "ref": "", "x": "\\ud800"}}'),
        ("invalid_envelope", f'{{"event": "nonsense", "sender_id": "{stranger}", "params": {{}}, "ref": ""}}'),
        ("unknown_event", vet.frame("nonsense", {}, sender_id=stranger)),
        ("sender_mismatch", vet.frame("message", {}, sender_id=stranger)),
        ("sender_mismatch", vet.frame("new_conversation", {"pet_id": 7}, sender_id=stranger)),
        ("sender_mismatch", vet.frame("message", elsewhere | {"content": "Mine."}, sender_id=stranger)),
        ("invalid_params", vet.frame("new_conversation", {"pet_id": "no id", "providers": []})),
        ("invalid_params", vet.frame("message", elsewhere | {"content": " "})),
        ("invalid_params", vet.frame("message", {"conversation_id": NIL, "content": "Mine."})),
        ("invalid_params", vet.frame("typing", {"conversation_id": new_id(), "state": "thinking"})),
        ("forbidden_role", vet.frame("new_conversation", {"pet_id": new_id(), "providers": [owner.user_id]})),
        ("not_found", vet.frame("message", elsewhere | {"content": "Mine."})),
        ("not_found", vet.frame("message", elsewhere | {"content": "Not mine."})),
        ("idempotency_conflict", vet.frame("message", elsewhere | {"conversation_id": conversation, "content": "No."})),
    ]
    for code, text in faults:
        assert await code_for_text(vet, text) == code, text
    assert await vet.log_of(conversation) == [said]


@pytest.mark.clause("V2.3", "V1.1")
async def test_before_hello_text_and_envelope_are_checked_first_and_everything_else_later(people: V1People) -> None:
    peer = await people.waiting()
    faults: list[tuple[str, str]] = [
        ("invalid_json", "conversations"),
        ("invalid_envelope", '{"event": 7, "params": {}}'),
        ("invalid_envelope", '{"event": "conversations", "params": {}, "ref": 7}'),
        ("hello_required", peer.frame("nonsense", {})),
        ("hello_required", peer.frame("conversations", {}, sender_id=new_id())),
        ("hello_required", peer.frame("message", {})),
    ]
    for code, text in faults:
        assert await code_for_text(peer, text) == code, text
    assert await peer.fails("hello", {}, sender_id=new_id()) == "sender_mismatch"
    await peer.hello()


@pytest.mark.clause("V2.3", "R2.7")
async def test_a_command_over_the_rate_fails_after_text_and_envelope_and_before_all_else(
    default_server: ServerProcess,
) -> None:
    async with V1People(default_server) as people:
        owner = await people.client()
        fair, broken = owner.frame("conversations", {}), '{"event": 7, "params": {}}'
        heard = await flood(owner, [*(BURST + 60) * [fair], *10 * [broken], *20 * [owner.frame("nonsense", {})]])
        assert heard[:BURST] == BURST * [None]
        assert set(heard[BURST:-30]) <= {None, "rate_limited"}
        assert heard[-30:-20] == 10 * ["invalid_envelope"]
        assert "rate_limited" in heard[-20:]
        assert set(heard[-20:]) <= {"unknown_event", "rate_limited"}


@pytest.mark.clause("V2.3", "R2.7", "V1.1")
async def test_the_rate_is_checked_before_hello(default_server: ServerProcess) -> None:
    async with V1People(default_server) as people:
        peer = await people.waiting()
        heard = await flood(peer, (BURST + 80) * [peer.frame("conversations", {})])
        assert heard[:BURST] == BURST * ["hello_required"]
        assert set(heard[BURST:]) <= {"hello_required", "rate_limited"}
        assert "rate_limited" in heard[BURST:]


async def flood(peer: V1Peer, texts: list[str]) -> list[str | None]:
    """What each of these frames was answered with: the code of an error, or None."""
    for text in texts:
        await peer.send_text(text)
    frames = [await peer.receive() for _ in texts]
    return [frame.params["code"] if frame.event == "error" else None for frame in frames]


@pytest.mark.clause("R2.7", "V5.2")
async def test_the_101st_refused_frame_of_a_minute_closes_with_4108(people: V1People) -> None:
    owner = await people.client()
    with suppress(ConnectionClosed):  # perhaps before all is sent
        for _ in range(101):
            await owner.send("nonsense", {})
    heard, code = await owner.until_closed()
    assert code == 4108
    assert {frame.params["code"] for frame in heard} == {"unknown_event"}
