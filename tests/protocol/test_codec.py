"""Text to frames and back: every bad input has its answer, and the base wire stays what it is."""

import json
from collections.abc import Mapping
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from vetchat_protocol import (
    Code,
    Dialect,
    Refusal,
    RemoteProtocolError,
    UnknownEvent,
    commands,
    events,
    read_event,
    write_command,
)
from vetchat_protocol.codec import COMMANDS, EVENTS, read_command, read_envelope, write_event
from vetchat_protocol.commands import Command
from vetchat_protocol.events import Event
from vetchat_protocol.models import NIL, Conversation, Message, Role

from tests.conformance import shapes
from tests.conformance.shapes import JSON
from tests.conformance.v1 import shapes as v1_shapes

BASE, V1 = Dialect.BASE, Dialect.V1
WIRES = pytest.mark.parametrize("dialect", [BASE, V1])
ONE = "aaaaaaaa-0000-4000-8000-000000000001"
TWO = "bbbbbbbb-0000-4000-8000-000000000002"


def read(received: str | bytes, dialect: Dialect = BASE) -> Command:
    return read_command(read_envelope(received, dialect), dialect)


def command(event: str, params: JSON, dialect: Dialect = BASE, **more: JSON) -> Command:
    return read(json.dumps({"event": event, "params": params, **more}), dialect)


def refused(received: str | bytes, dialect: Dialect = BASE) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        read(received, dialect)
    return refusal.value


def refused_params(event: str, params: JSON, dialect: Dialect = BASE) -> str:
    refusal = refused(json.dumps({"event": event, "params": params}), dialect)
    assert refusal.code == "invalid_params"
    return refusal.message


# -- what cannot be read (R2.5) ----------------------------------------------------------------------------------------


@pytest.mark.clause("R2.5", "V2.3")
@WIRES
@pytest.mark.parametrize(
    "received",
    [
        "",
        " ",
        "Hello?",
        "{",
        '{"event": "conversations"',
        '{"event": "conversations"} {}',
        "{'event': 'conversations'}",
        '{"event": "conversations", "params": {"limit": NaN}}',
        '{"event": "conversations", "params": {"limit": Infinity}}',
        '{"event": "conversations", "params": {"limit": -Infinity}}',
        '{"event": "conversations", "unknown": NaN}',
        r'{"event": "conversations", "unknown": "\ud800"}',
        r'{"event": "conversations", "\udc00": 1}',
        r'{"event": "message", "params": {"content": "\udfff\ud800"}}',
        "[" * 100_000,
        '{"a":' * 100_000,
        b'{"event": "conversations"}',
        b"",
    ],
)
def test_what_is_not_one_json_text_is_refused(received: str | bytes, dialect: Dialect) -> None:
    assert refused(received, dialect).code == "invalid_json"


@pytest.mark.clause("S2.1", "R2.5", "V2.3")
@WIRES
@pytest.mark.parametrize(
    "received",
    [
        "null",
        "7",
        '"conversations"',
        "[]",
        '[{"event": "conversations"}]',
        "{}",
        '{"params": {}}',
        '{"event": null}',
        '{"event": 7}',
        '{"event": ["conversations"]}',
        '{"event": "conversations", "sender_id": null}',
        '{"event": "conversations", "sender_id": 7}',
        '{"event": "conversations", "params": []}',
        '{"event": "conversations", "params": ""}',
        '{"event": "conversations", "params": 0}',
        '{"event": "conversations", "params": false}',
    ],
)
def test_an_envelope_that_is_not_in_order_is_refused(received: str, dialect: Dialect) -> None:
    assert refused(received, dialect).code == "invalid_envelope"


@pytest.mark.clause("V2.1")
@pytest.mark.parametrize("ref", ["", "x" * 65, 7, True, [], {}, 1.5, "a\0b"])
def test_a_ref_that_is_not_a_string_of_1_to_64_characters_is_refused(ref: object) -> None:
    refusal = refused(json.dumps({"event": "conversations", "ref": ref}), V1)
    assert refusal.code == "invalid_envelope"
    assert refusal.ref is None


@pytest.mark.clause("V2.1")
@pytest.mark.parametrize("ref", ["1", "x" * 64, "🐕" * 64, None])
def test_any_other_ref_is_read(ref: str | None) -> None:
    assert command("conversations", {}, V1, ref=ref).ref == ref


@pytest.mark.clause("V2.1")
def test_a_refusal_of_the_envelope_or_of_params_carries_the_ref() -> None:
    assert refused('{"ref": "mine"}', V1).ref == "mine"
    assert refused('{"event": "message", "params": {}, "ref": "mine"}', V1).ref == "mine"


@pytest.mark.clause("R2.4", "V2.1")
@pytest.mark.parametrize("ref", ["mine", 7, None, ""])
def test_on_the_base_wire_a_ref_is_an_unknown_key(ref: object) -> None:
    assert command("conversations", {}, ref=ref).ref is None


@pytest.mark.clause("R2.5")
@WIRES
@given(received=st.text() | st.binary())
def test_whatever_comes_is_refused_or_read(received: str | bytes, dialect: Dialect) -> None:
    with pytest.raises(Refusal):
        read(received, dialect)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = (
    "after", "around", "before", "client_conversation_id", "client_message_id", "content", "conversation_id", "limit",
    "offset", "page", "pet_id", "providers", "resume", "seq", "state", "subscribe", "token",
)  # fmt: skip


@pytest.mark.clause("R2.5", "R6.2")
@WIRES
@given(
    event=st.sampled_from(sorted(COMMANDS)),
    params=st.dictionaries(st.sampled_from(KEYS), ANYTHING) | ANYTHING,
)
def test_any_params_are_read_or_refused_in_one_sentence(event: str, params: object, dialect: Dialect) -> None:
    refusal = refusal_of(event, params, dialect)
    if refusal is not None:
        assert refusal.code in ("invalid_params", "invalid_envelope")
        assert refusal.message.startswith("The ")
        assert refusal.message.endswith(".")
        assert len(refusal.message) < 200


def refusal_of(event: str, params: object, dialect: Dialect) -> Refusal | None:
    try:
        command(event, params, dialect)
    except Refusal as refusal:
        return refusal
    return None


# -- what is read ------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R2.3", "R2.4")
@WIRES
@pytest.mark.parametrize("rest", ['"params": {}', '"params": null', '"unknown": {"a": [1e400]}', '"sender_id": "x"'])
def test_conversations_needs_no_params(rest: str, dialect: Dialect) -> None:
    assert isinstance(read(f'{{"event": "conversations", {rest}}}', dialect), commands.Conversations)


@pytest.mark.clause("R2.4")
def test_ping_needs_no_params() -> None:
    assert isinstance(read('{"event": "ping"}', V1), commands.Ping)


@pytest.mark.clause("R2.4", "R2.5")
@pytest.mark.parametrize("event", sorted(COMMANDS.keys() - {"conversations", "ping"}))
@pytest.mark.parametrize("rest", ["", ', "params": null'])
def test_every_other_command_needs_params(event: str, rest: str) -> None:
    assert refused(f'{{"event": "{event}"{rest}}}', V1).message == "The key params is required."


@pytest.mark.clause("R2.4", "R4.22")
@WIRES
def test_unknown_keys_are_ignored(dialect: Dialect) -> None:
    params = {"conversation_id": ONE, "status": 7, "colour": None}
    read_ = command("unsubscribe_conversation", params, dialect, weather={"rain": True})
    assert read_ == commands.UnsubscribeConversation(params=commands.ConversationParams(conversation_id=ONE))


@pytest.mark.clause("R2.8")
@WIRES
def test_ids_are_read_in_any_case_and_lowered(dialect: Dialect) -> None:
    read_ = command("new_conversation", {"pet_id": ONE.upper(), "providers": [TWO.title()]}, dialect)
    assert isinstance(read_, commands.NewConversation)
    assert (read_.params.pet_id, read_.params.providers) == (ONE, (TWO,))


BAD_IDS: list[object] = [
    "",
    "x",
    ONE[:-1],
    ONE + "0",
    ONE.replace("-", ""),
    f"{{{ONE}}}",
    f"urn:uuid:{ONE}",
    f" {ONE}",
    f"{ONE}\n",
    ONE.replace("a", "g"),
    ONE.replace("1", "\u0661"),
    ONE.replace("8", "\uff18"),
    NIL,
    7,
    None,
    [ONE],
    {"id": ONE},
]


@pytest.mark.clause("R1.8", "R2.5", "R2.8")
@WIRES
@pytest.mark.parametrize("bad", BAD_IDS)
def test_any_other_spelling_of_an_id_is_refused(bad: object, dialect: Dialect) -> None:
    refused_params("subscribe_conversation", {"conversation_id": bad}, dialect)
    refused_params("message", {"conversation_id": bad, "content": "Hello."}, dialect)
    refused_params("conversation_history", {"conversation_id": bad}, dialect)
    refused_params("new_conversation", {"pet_id": bad, "providers": []}, dialect)
    refused_params("new_conversation", {"pet_id": ONE, "providers": [TWO, bad]}, dialect)


@pytest.mark.clause("R4.8")
@WIRES
@pytest.mark.parametrize("content", [".", "x" * 8_000, "🐕" * 8_000, " x ", "\n\tx", "e\u0301", "\u200b", "\ufeff"])
def test_content_of_1_to_8000_code_points_is_kept_exactly(content: str, dialect: Dialect) -> None:
    read_ = command("message", {"conversation_id": ONE, "content": content}, dialect)
    assert isinstance(read_, commands.Message)
    assert read_.params.content == content


@pytest.mark.clause("R2.5", "R4.8")
@WIRES
@pytest.mark.parametrize(
    "content", ["", " ", "\n\t\r ", "\u3000\u00a0", "x" * 8_001, "🐕" * 8_001, "a\0b", None, 7, True, ["x"], {"x": "y"}]
)
def test_any_other_content_is_refused(content: object, dialect: Dialect) -> None:
    refused_params("message", {"conversation_id": ONE, "content": content}, dialect)


@pytest.mark.clause("R2.5", "R4.13")
@WIRES
@pytest.mark.parametrize("providers", [None, "", ONE, {}, 7, {"0": ONE}])
def test_providers_is_a_required_array(providers: object, dialect: Dialect) -> None:
    assert "providers" in refused_params("new_conversation", {"pet_id": ONE, "providers": providers}, dialect)
    assert "is required" in refused_params("new_conversation", {"pet_id": ONE}, dialect)


@pytest.mark.clause("R4.13")
def test_providers_may_be_empty() -> None:
    assert isinstance(command("new_conversation", {"pet_id": ONE, "providers": []}), commands.NewConversation)


@pytest.mark.clause("R4.17")
@WIRES
@pytest.mark.parametrize("key", ["page", "limit"])
def test_page_and_limit_are_integers_in_their_range(key: str, dialect: Dialect) -> None:
    good, bad = {"page": ([0, 2**31 - 1], [-1, 2**31]), "limit": ([1, 100], [0, 101, -1])}[key]
    for value in good:
        read_ = command("conversation_history", {"conversation_id": ONE, key: value}, dialect)
        assert isinstance(read_, commands.ConversationHistory)
        assert getattr(read_.params, key) == value
    for wrong in [*bad, 10**400, "1", 1.5, 1.0, True, None, [1]]:
        assert key in refused_params("conversation_history", {"conversation_id": ONE, key: wrong}, dialect)


@pytest.mark.clause("R4.17")
def test_page_and_limit_have_defaults() -> None:
    read_ = command("conversation_history", {"conversation_id": ONE})
    assert isinstance(read_, commands.ConversationHistory)
    assert (read_.params.page, read_.params.limit, read_.params.subscribe) == (0, 20, True)


@pytest.mark.clause("R2.5")
def test_a_number_beyond_all_floats_is_no_integer() -> None:
    received = f'{{"event": "conversation_history", "params": {{"conversation_id": "{ONE}", "page": 1e400}}}}'
    assert refused(received).code in ("invalid_json", "invalid_params")


# -- what only vetchat.v1 reads ----------------------------------------------------------------------------------------


@pytest.mark.clause("V3.5")
@pytest.mark.parametrize("anchor", ["before", "after", "around"])
def test_a_history_may_be_asked_for_by_seq(anchor: str) -> None:
    params = {"conversation_id": ONE, anchor: 0, "subscribe": False}
    read_ = command("conversation_history", params, V1)
    assert isinstance(read_, commands.ConversationHistory)
    assert getattr(read_.params, anchor) == 0
    assert not read_.params.subscribe


@pytest.mark.clause("V3.5")
@pytest.mark.parametrize("anchors", [("page", "before"), ("before", "after"), ("after", "around"), ("page", "around")])
def test_a_history_takes_at_most_one_anchor(anchors: tuple[str, str]) -> None:
    message = refused_params("conversation_history", {"conversation_id": ONE, **dict.fromkeys(anchors, 0)}, V1)
    assert "only one of page, before, after and around" in message


V1_PARAMS: list[tuple[str, Mapping[str, object], str, object]] = [
    ("message", {"conversation_id": ONE, "content": "."}, "client_message_id", "x" * 65),
    ("message", {"conversation_id": ONE, "content": "."}, "client_message_id", ""),
    ("message", {"conversation_id": ONE, "content": "."}, "client_message_id", 7),
    ("new_conversation", {"pet_id": ONE, "providers": []}, "client_conversation_id", "a\0b"),
    ("conversation_history", {"conversation_id": ONE}, "before", -1),
    ("conversation_history", {"conversation_id": ONE}, "after", "1"),
    ("conversation_history", {"conversation_id": ONE}, "around", 1.5),
    ("conversation_history", {"conversation_id": ONE}, "subscribe", 1),
    ("conversations", {}, "limit", 0),
    ("conversations", {}, "limit", 1_001),
    ("conversations", {}, "before", -1),
]


@pytest.mark.clause("R2.4", "V2.2", "V3.5", "V3.6")
@pytest.mark.parametrize(("event", "params", "key", "bad"), V1_PARAMS)
def test_a_bad_extension_parameter_is_refused_in_v1_and_unknown_on_base(
    event: str, params: Mapping[str, object], key: str, bad: object
) -> None:
    assert key in refused_params(event, {**params, key: bad}, V1)
    assert command(event, {**params, key: bad}) == command(event, params)


@pytest.mark.clause("R2.4", "V3.5")
def test_on_base_even_a_good_extension_parameter_is_unknown() -> None:
    params = {"conversation_id": ONE, "page": 1, "before": 3, "subscribe": False}
    assert command("conversation_history", params) == command("conversation_history", params | {"before": -3})


@pytest.mark.clause("V1.2", "V4.1", "V4.2", "V5.1")
@pytest.mark.parametrize(
    ("event", "params"),
    [
        ("hello", {"token": 7}),
        ("hello", {"token": "a\0b"}),
        ("hello", {"resume": {}}),
        ("hello", {"resume": {"epoch": "e"}}),
        ("hello", {"resume": {"epoch": "", "offset": 0}}),
        ("hello", {"resume": {"epoch": "e" * 65, "offset": 0}}),
        ("hello", {"resume": {"epoch": 1, "offset": 0}}),
        ("hello", {"resume": {"epoch": "e", "offset": -1}}),
        ("hello", {"resume": {"epoch": "e", "offset": "0"}}),
        ("hello", {"resume": {"epoch": "e", "offset": True}}),
        ("hello", {"resume": "e:0"}),
        ("refresh", {"token": 7}),
        ("typing", {"conversation_id": ONE}),
        ("typing", {"conversation_id": ONE, "state": "paused"}),
        ("mark_read", {"conversation_id": ONE}),
        ("mark_read", {"conversation_id": ONE, "seq": -1}),
        ("ping", {"offset": -1}),
    ],
)
def test_params_of_extension_commands_are_checked(event: str, params: Mapping[str, object]) -> None:
    refused_params(event, params, V1)


# -- sentences (R6.2) --------------------------------------------------------------------------------------------------


@pytest.mark.clause("R6.2")
@pytest.mark.parametrize(
    ("event", "params", "sentence"),
    [
        ("message", {"conversation_id": ONE}, "The parameter content is required."),
        ("message", {"conversation_id": ONE, "content": 7}, "The parameter content must be a string."),
        (
            "message",
            {"conversation_id": ONE, "content": "x" * 8_001},
            "The parameter content must have at most 8000 characters.",
        ),
        (
            "message",
            {"conversation_id": ONE, "content": " "},
            "The parameter content must not be empty or only white space.",
        ),
        (
            "message",
            {"conversation_id": "secret", "content": "."},
            "The parameter conversation_id must be a UUID in its 36-character form.",
        ),
        (
            "message",
            {"conversation_id": NIL, "content": "."},
            "The parameter conversation_id must not be the nil UUID.",
        ),
        ("new_conversation", {"pet_id": ONE, "providers": ""}, "The parameter providers must be an array."),
        ("new_conversation", {"pet_id": ONE, "providers": [7]}, "The parameter providers.0 must be a string."),
        ("conversation_history", {"conversation_id": ONE, "limit": 101}, "The parameter limit must be at most 100."),
        ("conversation_history", {"conversation_id": ONE, "page": -1}, "The parameter page must be at least 0."),
        ("typing", {"conversation_id": ONE, "state": "secret"}, "The parameter state must be 'active' or 'done'."),
        ("hello", {"resume": {"epoch": "e"}}, "The parameter resume.offset is required."),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_is_allowed(event: str, params: JSON, sentence: str) -> None:
    assert refused_params(event, params, V1) == sentence


@pytest.mark.clause("R6.2")
@pytest.mark.parametrize("event", sorted(COMMANDS))
def test_a_refusal_never_repeats_the_input(event: str) -> None:
    for key in KEYS:
        for secret in ("s3cret", ["s3cret"], {"s3cret": "s3cret"}, "s3cret" * 2_000):
            assert "s3cret" not in str(refusal_of(event, {key: secret}, V1))


# -- what is written ---------------------------------------------------------------------------------------------------

CONVERSATION = events.ConversationParams.of(
    Conversation(ONE, ONE, (TWO,), TWO, 1_700_000_000_000, 1_700_000_000_001, "Last.", 2, 7), read_seq=1, unread_count=0
)
NEW = events.ConversationParams.of(Conversation(ONE, ONE, (TWO,), TWO, 1_700_000_000_000, 1_700_000_000_000))
MESSAGE = events.MessageParams.of(Message(ONE, TWO, ONE, "Hello. 🐕", 1_700_000_000_000, 3))
WHO = {"user_id": ONE, "display_name": "Ada", "profile_image_url": None, "conversation_id": TWO}
LIMITS = events.Limits(content_chars=1, frame_bytes=2, providers=3, commands_per_second=4.0, resume_frames=5)
EXAMPLES: list[Event] = [
    events.Conversations(params=(CONVERSATION, CONVERSATION), ref="1"),
    events.Conversations(params=()),
    events.MessageSent(params=MESSAGE, ref="1", offset=9),
    events.ConversationCreated(params=NEW, ref="1", offset=9),
    events.NewConversationInvitation(params=NEW, offset=9),
    events.ConversationHistoryResponse(
        params=events.HistoryParams(
            messages=(MESSAGE,), total_count=3, has_more=True, has_newer=False, conversation_id=TWO, last_seq=3
        ),
        ref="1",
    ),
    events.Subscribed(params=events.SubscribedParams(conversation_id=TWO, last_seq=3), ref="1"),
    events.Unsubscribed(params=events.UnsubscribedParams(conversation_id=TWO), ref="1"),
    events.UserJoined(params=events.UserJoinedParams(**WHO, timestamp=1_700_000_000_000)),  # type: ignore[arg-type]
    events.UserLeft(params=events.UserLeftParams(**WHO, timestamp=1_700_000_000_000, reason="disconnected")),  # type: ignore[arg-type]
    events.Error.of(Refusal(Code.NOT_FOUND, "No.", retry_after_ms=5, ref="1"), event="message"),
    events.Welcome(
        params=events.WelcomeParams(
            user_id=ONE, role=Role.CLIENT, session_id=TWO, epoch="e", offset=0, recovered=False,
            heartbeat_interval_ms=1, token_expires_at=None, limits=LIMITS,
        ),
    ),
    events.Ok(ref="1"),
    events.Refreshed(params=events.ExpiryParams(token_expires_at=1_700_000_000_000)),
    events.TokenExpiring(params=events.ExpiryParams(token_expires_at=1_700_000_000_000)),
    events.Typing(params=events.TypingParams(conversation_id=TWO, user_id=ONE, state="active", expires_in_ms=6_000)),
    events.ReadMarker(params=events.ReadMarkerParams(conversation_id=TWO, user_id=ONE, seq=1), offset=9, ref="1"),
    events.PresenceState(
        params=events.PresenceStateParams(
            conversation_id=TWO, users=(events.PresentUser(user_id=ONE, display_name="Ada", profile_image_url=None),)
        )
    ),
    events.Pong(params=events.PositionParams(offset=0)),
    events.Reconnect(params=events.ReconnectParams(after_ms=5)),
]  # fmt: skip
ON_BASE = [event for event in EXAMPLES if type(event) not in events.V1_EVENTS]


def name(event: Event) -> str:
    return event.event


def test_there_is_an_example_of_every_event() -> None:
    assert {event.event for event in EXAMPLES} == set(EVENTS)


@pytest.mark.clause("S2.1", "S2.2", "V2.1", "V3.2")
@pytest.mark.parametrize("event", EXAMPLES, ids=name)
def test_v1_reads_what_it_writes(event: Event) -> None:
    text = write_event(event, V1)
    assert read_event(text) == event
    v1_shapes.parse(text)


@pytest.mark.clause("S2.1", "S2.2", "R2.4")
@pytest.mark.parametrize("event", ON_BASE, ids=name)
def test_the_base_wire_has_exactly_the_keys_of_the_seed_in_their_order(event: Event) -> None:
    text = write_event(event, BASE)
    frame = shapes.parse(text)
    assert frame.event == event.event
    with_more = json.loads(write_event(event, V1))["params"]
    assert is_part_of(json.loads(text)["params"], with_more)


def is_part_of(less: JSON, more: JSON) -> bool:
    """Whether all that one value holds stands in the other too."""
    match less:
        case dict():
            return all(is_part_of(value, more[key]) for key, value in cast("dict[str, JSON]", less).items())
        case list():
            parts = cast("list[JSON]", less)
            return len(parts) == len(more) and all(map(is_part_of, parts, more))
        case _:
            return less == more


@pytest.mark.clause("S4.12")
def test_a_message_reads_on_the_wire_as_the_seed_writes_it() -> None:
    assert write_event(events.MessageSent(params=MESSAGE, ref="1", offset=9), BASE) == (
        f'{{"sender_id":"{NIL}","event":"message_sent","params":{{"id":"{ONE}","conversation_id":"{TWO}",'
        f'"sender_id":"{ONE}","content":"Hello. 🐕","timestamp":1700000000000}}}}'
    )


@pytest.mark.clause("V2.1", "V2.2")
def test_what_is_absent_is_left_out_and_not_null() -> None:
    text = write_event(events.MessageSent(params=MESSAGE), V1)
    assert "null" not in text
    assert not {"ref", "offset"} & json.loads(text).keys()
    assert "duplicate" not in text


@pytest.mark.clause("R5.4")
def test_a_missing_picture_is_null() -> None:
    assert json.loads(write_event(ON_BASE[8], BASE))["params"]["profile_image_url"] is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "7",
        '{"event": "ok"',
        '{"event": "pong"}',
        '{"event": 7, "params": {}}',
        '{"event": ["pong"], "params": {}}',
        '{"event": "no_such_thing"}',
        '{"event": "no_such_thing", "params": "none"}',
        '{"event": "no_such_thing", "params": null}',
        '{"event": "no_such_thing", "params": {}, "offset": "seven"}',
        '{"event": "no_such_thing", "params": {}, "offset": -1}',
        '{"event": "no_such_thing", "params": {}, "ref": 7}',
        '{"event": "no such\\nthing", "params": {}}',
        '{"event": "", "params": {}}',
        f'{{"event": "no_such_thing", "params": {{}}, "sender_id": "{ONE}"}}',
        '{"event": "no_such_thing", "params": {"text": "\\ud800"}}',
    ],
)
def test_what_is_no_event_is_the_servers_fault(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        read_event(text)


@pytest.mark.clause("R2.4")
@pytest.mark.parametrize("params", ["{}", '{"mood": "good"}', "[1, 2]"])
def test_an_event_of_a_later_version_is_told_apart_from_what_is_none(params: str) -> None:
    text = f'{{"sender_id":"{NIL}","event":"message_edited","params":{params},"ref":"3","offset":7,"mood":1}}'
    with pytest.raises(UnknownEvent) as unknown:
        read_event(text)
    assert (unknown.value.event, unknown.value.offset, unknown.value.ref) == ("message_edited", 7, "3")
    with pytest.raises(UnknownEvent) as unknown:
        read_event(text, BASE)
    assert (unknown.value.event, unknown.value.offset, unknown.value.ref) == ("message_edited", None, None)


@pytest.mark.clause("R2.4")
@pytest.mark.parametrize("model", events.V1_EVENTS)
def test_on_the_base_wire_the_events_of_v1_are_unknown_whatever_they_look_like(model: type[BaseModel]) -> None:
    with pytest.raises(UnknownEvent):
        read_event(json.dumps({"event": model.model_fields["event"].default, "params": {"text": "Welcome!"}}), BASE)


@pytest.mark.clause("R2.4")
@pytest.mark.parametrize("event", ON_BASE, ids=name)
def test_on_the_base_wire_the_keys_of_v1_are_unknown_whatever_they_hold(event: Event) -> None:
    exact = write_event(event, BASE)
    spoilt = spoil(json.loads(write_event(event, V1)), json.loads(exact))
    assert write_event(read_event(json.dumps(spoilt), BASE), V1) == write_event(read_event(exact), V1)


def spoil(value: JSON, exact: JSON) -> JSON:
    """The value with nonsense in each place that is not in the exact one, and under a key that nobody has."""
    match value:
        case dict():
            said = cast("dict[str, JSON]", value).items()
            nonsense: dict[str, JSON] = {key: [] for key, _ in said if key not in exact}
            return {key: spoil(inner, exact[key]) for key, inner in said if key in exact} | nonsense | {"sky": "blue"}
        case list():
            return [spoil(*pair) for pair in zip(cast("list[JSON]", value), exact, strict=True)]
        case _:
            return value


@pytest.mark.clause("R2.4")
@pytest.mark.parametrize("event", EXAMPLES, ids=name)
def test_a_client_ignores_keys_that_it_does_not_know_at_any_depth(event: Event) -> None:
    text = write_event(event, V1)
    frame = json.loads(text)
    assert read_event(json.dumps(spoil(frame, frame))) == event


@pytest.mark.clause("R2.4", "V2.3")
def test_a_code_of_a_later_version_is_none_and_the_sentence_stays() -> None:
    text = f'{{"sender_id":"{NIL}","event":"error","params":{{"message":"Full moon.","code":"full_moon"}}}}'
    assert read_event(text) == events.Error(params=events.ErrorParams(message="Full moon."))
    with pytest.raises(RemoteProtocolError):
        read_event(text.replace('"full_moon"', "7"))


@pytest.mark.parametrize(
    "one",
    [
        commands.Conversations(),
        commands.Conversations(params=commands.ConversationsParams(limit=3, before=9), ref="1"),
        commands.Message(params=commands.MessageParams(conversation_id=ONE, content=" 🐕 "), sender_id=TWO),
        commands.NewConversation(params=commands.NewConversationParams(pet_id=ONE, providers=(TWO,))),
        commands.ConversationHistory(params=commands.ConversationHistoryParams(conversation_id=ONE, limit=3)),
        commands.Hello(params=commands.HelloParams(resume=commands.Resume(epoch="e", offset=3))),
        commands.Ping(),
    ],
)
def test_a_command_is_read_as_it_was_written(one: Command) -> None:
    assert read(write_command(one), V1) == one


@pytest.mark.clause("V3.5")
def test_a_history_by_seq_is_written_without_a_page() -> None:
    one = commands.ConversationHistory(params=commands.ConversationHistoryParams(conversation_id=ONE, before=3))
    assert read(write_command(one), V1) == one
