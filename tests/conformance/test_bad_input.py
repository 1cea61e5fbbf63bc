"""Bad input of every kind gets an error, changes nothing, and leaves the connection open (R2.5, R6.2)."""

import json
from typing import Any

import pytest

from tests.conformance.peer import People, new_id

pytestmark = pytest.mark.anyio

MARK = "Zyzzyva"
"""Written into bad frames where it fits: no error may repeat it (R6.2)."""


async def assert_refused(people: People, text: str | bytes, *, binary: bool = False) -> None:
    """Sends one frame in a conversation: the sender gets one error, nobody gets anything else, nothing is stored.

    `$conversation` and `$sender` in a text stand for what would make the frame a good one.
    """
    owner, vet, conversation = await people.consultation()
    if isinstance(text, bytes):
        await (owner.send_binary(text) if binary else owner.send_text(text))
    else:
        await owner.send_text(text.replace("$conversation", conversation).replace("$sender", owner.user_id))
    message = await owner.expect_error()
    assert MARK not in message, "R6.2: an error never repeats the input"
    await vet.expect_silence()
    assert await owner.contents(conversation) == []
    assert len(await owner.conversations()) == 1


NOT_JSON = {
    "nothing": "",
    "white space": " \n\t ",
    "plain text": f"Hello, {MARK}!",
    "a name without quotes": f"{{event: {MARK}}}",
    "single quotes": "{'event': 'conversations'}",
    "cut off": '{"sender_id":"$sender","event":"conversations","params":{}',
    "a comma at the end": '{"sender_id":"$sender","event":"conversations","params":{},}',
    "something behind it": '{"sender_id":"$sender","event":"conversations","params":{}} {}',
    "two frames in one": '{"event":"conversations"}\n{"event":"conversations"}',
    "a byte order mark": '\ufeff{"event":"conversations"}',
    "a comment": '{"event":"conversations" /* all of them */}',
    "a raw control character": '{"event":"message","params":{"conversation_id":"$conversation","content":"a\nb"}}',
    "a raw NUL": '{"event":"message","params":{"conversation_id":"$conversation","content":"a\x00b"}}',
    "a bad escape": r'{"event":"message","params":{"conversation_id":"$conversation","content":"\x41"}}',
    "a leading zero": '{"event":"conversation_history","params":{"conversation_id":"$conversation","page":00}}',
    "NaN": '{"event":"conversation_history","params":{"conversation_id":"$conversation","page":NaN}}',
    "NaN in an unknown key": '{"event":"conversations","params":{"x":NaN}}',
    "Infinity in an unknown key": '{"event":"conversations","x":[Infinity]}',
    "-Infinity in an unknown key": '{"event":"conversations","x":{"y":-Infinity}}',
    "too deep and never closed": "[" * 100_000,
    "objects too deep and never closed": '{"a":' * 20_000,
}

NOT_AN_OBJECT = {
    "null": "null",
    "true": "true",
    "a number": "42",
    "a string": f'"{MARK}"',
    "an empty array": "[]",
    "a frame in an array": '[{"sender_id":"$sender","event":"conversations","params":{}}]',
    "a frame in a string": json.dumps('{"event":"conversations"}'),
}

LONE_SURROGATES = {
    "in the content": r'{"event":"message","params":{"conversation_id":"$conversation","content":"a\ud800b"}}',
    "a low one": r'{"event":"message","params":{"conversation_id":"$conversation","content":"\udc00"}}',
    "the wrong way round": r'{"event":"message","params":{"conversation_id":"$conversation","content":"\ude00\ud83d"}}',
    "two high ones": r'{"event":"message","params":{"conversation_id":"$conversation","content":"\ud83d\ud83d\ude00"}}',
    "in capitals": r'{"event":"message","params":{"conversation_id":"$conversation","content":"\uD8FF!"}}',
    "in an unknown key's value": r'{"event":"conversations","params":{"x":"\ud800"}}',
    "in an unknown key's name": r'{"event":"conversations","params":{"\udfff":1}}',
    "deep in an unknown key": r'{"event":"conversations","x":[{"y":["\ud9ab"]}]}',
    "in the event": r'{"event":"conversations\ud800","params":{}}',
    "in the sender": r'{"sender_id":"\ud800","event":"conversations","params":{}}',
    "in an id": r'{"event":"message","params":{"conversation_id":"$conversation\ud800","content":"Hello."}}',
}

UNKNOWN_EVENTS = {
    "a word": '{"event":"Zyzzyva","params":{}}',
    "nothing": '{"event":"","params":{}}',
    "in capitals": '{"event":"CONVERSATIONS","params":{}}',
    "with a space": '{"event":"conversations ","params":{}}',
    "with a NUL": r'{"event":"conversations\u0000","params":{}}',
    "an answer": '{"event":"message_sent","params":{"conversation_id":"$conversation","content":"Zyzzyva"}}',
    "an announcement": '{"event":"user_left","params":{"conversation_id":"$conversation"}}',
    "an error": '{"event":"error","params":{"message":"Zyzzyva"}}',
    "hello": '{"event":"hello","params":{}}',
    "ping": '{"event":"ping","params":{}}',
    "refresh": '{"event":"refresh","params":{"token":"Zyzzyva"}}',
    "typing": '{"event":"typing","params":{"conversation_id":"$conversation","state":"active"}}',
    "mark_read": '{"event":"mark_read","params":{"conversation_id":"$conversation","seq":0}}',
}

ENVELOPES = {
    "no key at all": "{}",
    "no event": '{"sender_id":"$sender","params":{}}',
    "event null": '{"sender_id":"$sender","event":null,"params":{}}',
    "event a number": '{"sender_id":"$sender","event":1,"params":{}}',
    "event an array": '{"sender_id":"$sender","event":["conversations"],"params":{}}',
    "event an object": '{"sender_id":"$sender","event":{"conversations":{}},"params":{}}',
    "params a string": '{"sender_id":"$sender","event":"conversations","params":"Zyzzyva"}',
    "params an array": '{"sender_id":"$sender","event":"conversations","params":[]}',
    "params a number": '{"sender_id":"$sender","event":"conversations","params":0}',
    "params false": '{"sender_id":"$sender","event":"conversations","params":false}',
    "params written as a string": json.dumps({"event": "conversations", "params": "{}"}),
    "params of a message as an array": '{"event":"message","params":["$conversation","Zyzzyva"]}',
}

CONVERSATION_COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("message", {"content": MARK}),
    ("conversation_history", {}),
    ("subscribe_conversation", {}),
    ("unsubscribe_conversation", {"status": "success"}),
]
NOT_A_STRING: list[Any] = [None, 7, 1.5, True, [], {}, ["$conversation"], {"id": "$conversation"}]
NOT_AN_ARRAY: list[Any] = [None, {}, "", new_id(), 7, True]
NOT_AN_INTEGER: list[Any] = ["0", "", 0.5, True, False, [], [1], {}]

PARAMS: list[tuple[str, dict[str, Any]]] = [
    *((event, rest) for event, rest in CONVERSATION_COMMANDS),
    *((event, rest | {"conversation_id": bad}) for event, rest in CONVERSATION_COMMANDS for bad in [*NOT_A_STRING, ""]),
    ("message", {"conversation_id": "$conversation"}),
    *(("message", {"conversation_id": "$conversation", "content": bad}) for bad in NOT_A_STRING),
    *(("conversation_history", {"conversation_id": "$conversation", "page": bad}) for bad in NOT_AN_INTEGER),
    *(("conversation_history", {"conversation_id": "$conversation", "limit": bad}) for bad in NOT_AN_INTEGER),
    ("new_conversation", {}),
    ("new_conversation", {"providers": []}),
    ("new_conversation", {"pet_id": new_id()}),
    *(("new_conversation", {"pet_id": bad, "providers": []}) for bad in [*NOT_A_STRING, "", MARK]),
    *(("new_conversation", {"pet_id": new_id(), "providers": bad}) for bad in NOT_AN_ARRAY),
    *(("new_conversation", {"pet_id": new_id(), "providers": [new_id(), bad]}) for bad in [*NOT_A_STRING, "", MARK]),
    ("new_conversation", {"pet": new_id(), "providers": []}),
]


@pytest.mark.clause("R2.5", "R6.2")
@pytest.mark.parametrize("text", NOT_JSON.values(), ids=NOT_JSON.keys())
async def test_what_is_not_json_is_an_error(people: People, text: str) -> None:
    await assert_refused(people, text)


@pytest.mark.clause("R2.5", "R6.2")
@pytest.mark.parametrize("text", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT.keys())
async def test_what_is_not_an_object_is_an_error(people: People, text: str) -> None:
    await assert_refused(people, text)


@pytest.mark.clause("R2.5")
@pytest.mark.parametrize("text", LONE_SURROGATES.values(), ids=LONE_SURROGATES.keys())
async def test_a_lone_surrogate_anywhere_is_an_error(people: People, text: str) -> None:
    await assert_refused(people, text)


@pytest.mark.clause("R2.5", "R6.2")
@pytest.mark.parametrize("text", UNKNOWN_EVENTS.values(), ids=UNKNOWN_EVENTS.keys())
async def test_an_unknown_event_is_an_error(people: People, text: str) -> None:
    await assert_refused(people, text)


@pytest.mark.clause("R2.5", "R6.2")
@pytest.mark.parametrize("text", ENVELOPES.values(), ids=ENVELOPES.keys())
async def test_an_envelope_with_a_missing_or_mistyped_key_is_an_error(people: People, text: str) -> None:
    await assert_refused(people, text)


@pytest.mark.clause("R2.5", "R6.2")
async def test_params_with_a_missing_or_mistyped_key_are_an_error(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    for event, params in PARAMS:
        writer = await people.another_device_of(owner)  # a new connection each, so that R2.7 stays out of it
        await writer.send_text(writer.frame(event, params).replace("$conversation", conversation))
        message = await writer.expect_error()
        assert MARK not in message, "R6.2: an error never repeats the input"
        await writer.close()
    await owner.expect_silence()
    await vet.expect_silence()
    assert await vet.contents(conversation) == []
    assert [entry["id"] for entry in await owner.conversations()] == [conversation]


@pytest.mark.clause("R2.5")
@pytest.mark.parametrize("content", [r"\u0000", r"a\u0000b", r"Hello.\u0000"])
async def test_nul_in_a_string_that_is_used_is_an_error(people: People, content: str) -> None:
    frame = '{"event":"message","params":{"conversation_id":"$conversation","content":"' + content + '"}}'
    await assert_refused(people, frame)


@pytest.mark.clause("R2.5")
@pytest.mark.parametrize("key", ["page", "limit"])
@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e308", "9" * 400, "9" * 5000, "-1", "1.5"])
async def test_a_number_that_cannot_be_is_an_error(people: People, key: str, number: str) -> None:
    frame = '{"event":"conversation_history","params":{"conversation_id":"$conversation","' + key + '":' + number + "}}"
    await assert_refused(people, frame)


@pytest.mark.clause("R2.5")
@pytest.mark.parametrize(
    "value",
    ["[" * 1_000 + "]" * 1_000, "[" * 60_000 + "]" * 60_000, '{"a":' * 9_000 + "1" + "}" * 9_000, "9" * 100_000],
    ids=["deep", "as deep as can be", "deep objects", "a long number"],
)
async def test_what_a_reader_of_json_may_set_a_limit_to_gets_one_answer_and_harms_nothing(
    people: People, value: str
) -> None:
    owner = await people.client()
    await owner.send_text('{"event":"conversations","x":' + value + "}")
    assert (await owner.receive()).event in ("conversations", "error")  # RFC 8259, section 9: both are right
    await owner.expect_silence()


@pytest.mark.clause("R2.5", "R2.6")
@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\xff", b'{"event":"conversations","params":{}}', b"Zyzzyva"],
    ids=["empty", "bytes", "JSON", "text"],
)
async def test_a_binary_frame_is_an_error(people: People, data: bytes) -> None:
    await assert_refused(people, data, binary=True)


@pytest.mark.clause("R2.5")
@pytest.mark.parametrize(
    "data",
    [
        b'{"event":"message\xff"}',
        b"\xc3",
        b'{"event":"conversations","x":"\xed\xa0\x80"}',
        b'{"event":"conversations","x":"\xc0\xaf"}',
        b'{"event":"conversations","x":"\xf5\x80\x80\x80"}',
    ],
    ids=["a stray byte", "cut off", "an encoded surrogate", "an overlong form", "beyond Unicode"],
)
async def test_a_text_frame_that_is_not_utf_8_closes_with_1007(people: People, data: bytes) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.send_text(data)
    assert await owner.closed() == 1007
    await vet.expect("user_left", user_id=owner.user_id, reason="disconnected")
    assert await vet.contents(conversation) == []


@pytest.mark.clause("R2.5", "S6.1")
async def test_the_connection_stays_open_after_every_kind_of_bad_frame(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    bad = [*NOT_JSON.values(), *NOT_AN_OBJECT.values(), *UNKNOWN_EVENTS.values(), *ENVELOPES.values()]
    for text in bad:
        await owner.send_text(text.replace("$conversation", conversation).replace("$sender", owner.user_id))
    for _ in bad:
        await owner.expect_error()
    await owner.say(conversation, "Still here.")
    await vet.expect("message_sent", content="Still here.")


@pytest.mark.clause("R2.5", "R4.8")
async def test_a_proper_surrogate_pair_is_a_character_like_any_other(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    text = owner.frame("message", {"conversation_id": conversation, "content": "🐈‍⬛ \U0010ffff"})
    assert r"\ud83d" in text
    await owner.send_text(text)
    for peer in (owner, vet):
        await peer.expect("message_sent", content="🐈‍⬛ \U0010ffff")
