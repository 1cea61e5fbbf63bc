"""The client machine and its calls: what is not even sent, and which answer belongs to which command (R2.6, V2.1)."""

from collections.abc import Mapping
from typing import Any

import pytest
from vetchat_protocol import Dialect, RemoteProtocolError, Role, events
from vetchat_protocol.client import (
    Answered,
    Client,
    ForbiddenRole,
    InvalidCommand,
    NotSupported,
    PassedOver,
)

from tests.protocol.bench import HELLO, ROOM, error_of, on_base, on_v1, said, told
from tests.protocol.counterpart import ANN, BELL, CONVERSATION, LIMITS, frame, message, welcome

# -- checks before the wire --------------------------------------------------------------------------------------------


@pytest.mark.clause("R4.8", "R2.8", "S3.2")
@pytest.mark.parametrize(
    ("command", "params", "error"),
    [
        ("message", {**ROOM, "content": "  "}, InvalidCommand),
        ("message", {**ROOM, "content": "x" * 8_001}, InvalidCommand),
        ("message", {"content": "Hello."}, InvalidCommand),
        ("subscribe_conversation", {"conversation_id": "urn:uuid:" + CONVERSATION}, InvalidCommand),
        ("conversation_history", {**ROOM, "before": 3, "after": 3}, InvalidCommand),
        ("conversation_history", {**ROOM, "limit": 101}, InvalidCommand),
        ("new_conversation", {"pet_id": ANN, "providers": []}, ForbiddenRole),
    ],
)
def test_what_the_server_would_refuse_is_not_sent(command: str, params: dict[str, Any], error: type[Exception]) -> None:
    client = Client(role=Role.PROVIDER)
    client.connected(Dialect.BASE, 0, user_id=BELL)
    client.lost(None)
    client.connected(Dialect.V1, 0)
    said(client)
    client.received(welcome(user_id=BELL, role="provider"), 0)
    with pytest.raises(error):
        client.send(command, params, 0)
    assert client.to_send(0) is None


@pytest.mark.clause("R2.5", "R6.2")
def test_a_lone_surrogate_is_objected_to_in_a_plain_sentence() -> None:
    with pytest.raises(InvalidCommand) as error:
        on_v1().send("message", {**ROOM, "content": "a\ud800"}, 0)
    assert str(error.value) == "The parameter content must not contain a lone surrogate."


@pytest.mark.clause("R2.7", "V1.2")
@pytest.mark.parametrize(
    ("limits", "command", "params"),
    [
        ({"content_chars": 5}, "message", HELLO),
        ({"providers": 1}, "new_conversation", {"pet_id": ANN, "providers": [ANN, BELL]}),
        ({"frame_bytes": 400}, "message", HELLO),
    ],
)
def test_the_limits_of_the_welcome_are_kept(limits: dict[str, int], command: str, params: dict[str, Any]) -> None:
    client = Client()
    client.connected(Dialect.V1, 0)
    client.received(welcome(limits=LIMITS | limits), 0)
    with pytest.raises(InvalidCommand):
        client.send(command, params, 0)
    client.send("conversations", {}, 0)


@pytest.mark.parametrize(
    ("command", "params"),
    [
        ("typing", {**ROOM, "state": "active"}),
        ("mark_read", {**ROOM, "seq": 1}),
        ("ping", {}),
        ("conversation_history", {**ROOM, "before": 7}),
        ("conversation_history", {**ROOM, "subscribe": False}),
        ("conversations", {"limit": 7}),
        ("message", {**HELLO, "client_message_id": "k"}),
    ],
)
def test_what_the_base_wire_cannot_do_is_not_sent(command: str, params: dict[str, Any]) -> None:
    client = on_base()
    with pytest.raises(NotSupported):
        client.send(command, params, 0)
    client = Client(user_id=ANN)
    call = client.send(command, params, 0)  # before anybody knows what the server speaks
    assert isinstance(error_of(client.connected(Dialect.BASE, 0), call), NotSupported)
    assert client.to_send(0) is None


# -- commands and answers ----------------------------------------------------------------------------------------------


@pytest.mark.clause("V2.1")
def test_on_v1_answers_find_their_commands_by_ref_in_any_order() -> None:
    client = on_v1()
    first, second = client.send("conversations", {}, 0), client.send("ping", {}, 0)
    refs = [said(client)["ref"], said(client)["ref"]]
    (answered,) = client.received(frame("pong", {"offset": 0}, ref=refs[1]), 0)
    assert isinstance(answered, Answered)
    assert answered.call is second
    (answered,) = client.received(frame("conversations", [], ref=refs[0]), 0)
    assert isinstance(answered, Answered)
    assert answered.call is first
    assert told(client) == []


@pytest.mark.clause("V2.4", "V4.2")
def test_ok_answers_a_mark_that_moves_nothing() -> None:
    client = on_v1()
    call = client.send("mark_read", {**ROOM, "seq": 1}, 0)
    answer = client.received(frame("ok", {}, ref=said(client)["ref"]), 0)
    assert answer == [Answered(call, events.Ok(ref=call.ref))]


@pytest.mark.clause("V2.3", "S6.1")
def test_an_error_is_an_answer_too() -> None:
    client = on_v1()
    call = client.send("subscribe_conversation", ROOM, 0)
    params = {"message": "You have no conversation of this id.", "code": "not_found", "event": "subscribe_conversation"}
    (answered,) = client.received(frame("error", params, ref=said(client)["ref"]), 0)
    assert isinstance(answered, Answered)
    assert answered.call is call
    assert isinstance(answered.answer, events.Error)


def test_an_answer_that_is_not_one_of_the_command_breaks_the_protocol() -> None:
    client = on_v1()
    client.send("conversations", {}, 0)
    with pytest.raises(RemoteProtocolError):
        client.received(frame("subscribed", {**ROOM, "status": "success"}, ref=said(client)["ref"]), 0)


@pytest.mark.parametrize("text", ["hello", "[]", '{"event": "weather"}', b"{}"])
def test_what_is_no_event_of_the_protocol_is_the_servers_fault(text: str | bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        on_v1().received(text, 0)


@pytest.mark.clause("V2.1")
def test_a_command_that_is_answered_by_an_event_nobody_knows_does_not_wait_for_ever() -> None:
    client = on_v1()
    call = client.send("conversations", {}, 0)
    said(client)
    assert client.received(frame("weather", {}, ref="another"), 0) == [PassedOver("weather")]
    with pytest.raises(RemoteProtocolError):
        client.received(frame("weather", {}, ref=call.ref), 0)


@pytest.mark.clause("R2.4", "R2.6")
def test_on_the_base_wire_an_event_nobody_knows_is_no_answer() -> None:
    client = on_base()
    call = client.send("conversations", {}, 0)
    said(client)
    for event in ("weather", "welcome", "ok", "pong"):
        assert client.received(frame(event, {"text": "Woof."}, ref="1", offset="none"), 0) == [PassedOver(event)]
    (answered,) = client.received(frame("conversations", [], ref=3, offset=3), 0)
    assert isinstance(answered, Answered)
    assert answered.call is call


@pytest.mark.clause("R2.4", "S4.5")
def test_on_the_base_wire_a_key_that_only_v1_has_means_nothing() -> None:
    client = on_base()
    for number in (2, 1):
        params = {**message(number, "Hello."), "seq": "first", "duplicate": True}
        client.received(frame("message_sent", params, offset=0), 0)
    assert [item.params.id[-1] for item in told(client) if isinstance(item, events.MessageSent)] == ["2", "1"]


@pytest.mark.clause("R2.6")
def test_on_the_base_wire_answers_come_in_order_and_broadcasts_fall_between() -> None:
    client = on_base()
    calls = [client.send("message", HELLO, 0), client.send("conversations", {}, 0)]
    assert said(client) == {"sender_id": ANN, "event": "message", "params": HELLO}
    assert said(client) == {"sender_id": ANN, "event": "conversations", "params": {}}
    assert client.received(frame("message_sent", message(1, "Hello.")), 0) == []
    assert client.received(frame("message_sent", message(2, "Hello!", ANN)), 0) == []
    outputs = client.received(frame("message_sent", message(3, "Hello.", ANN)), 0)
    outputs += client.received(frame("conversations", []), 0)
    assert [output.call for output in outputs if isinstance(output, Answered)] == calls
    assert [item.params.id[-1] for item in told(client) if isinstance(item, events.MessageSent)] == ["1", "2", "3"]


@pytest.mark.clause("R2.6")
def test_on_the_base_wire_an_error_answers_the_oldest_command() -> None:
    client = on_base()
    first, second = client.send("conversations", {}, 0), client.send("conversations", {}, 0)
    assert (client.to_send(0), client.to_send(0)) != (None, None)
    for call in (first, second):
        (answered,) = client.received(frame("error", {"message": "Not now."}), 0)
        assert isinstance(answered, Answered)
        assert answered.call is call
    assert client.received(frame("error", {"message": "For no reason."}), 0) == []
    (item,) = told(client)
    assert isinstance(item, events.Error)


@pytest.mark.clause("R2.6")
@pytest.mark.parametrize(
    ("command", "params", "own", "others"),
    [
        (
            "new_conversation",
            {"pet_id": BELL, "providers": [BELL]},
            {"client": ANN, "pet": BELL, "providers": [BELL]},
            {"client": ANN, "pet": BELL, "providers": []},
        ),
        ("subscribe_conversation", ROOM, {**ROOM, "status": "success"}, None),
        ("unsubscribe_conversation", ROOM, {**ROOM, "status": "success"}, None),
        ("conversation_history", ROOM, {"messages": [], "total_count": 0, "has_more": False}, None),
    ],
)
def test_on_the_base_wire_the_content_says_what_is_an_answer(
    command: str, params: Mapping[str, Any], own: dict[str, Any], others: dict[str, Any] | None
) -> None:
    answers = {
        "new_conversation": "conversation_created",
        "subscribe_conversation": "subscribed",
        "unsubscribe_conversation": "unsubscribed",
        "conversation_history": "conversation_history_response",
    }
    more = {"id": CONVERSATION, "last_message": "", "last_updated_timestamp": 1} if "pet" in own else {}
    client = on_base()
    call = client.send(command, params, 0)
    said(client)
    if others is not None:
        assert client.received(frame(answers[command], {**more, **others}), 0) == []
    (answered,) = client.received(frame(answers[command], {**more, **own}), 0)
    assert isinstance(answered, Answered)
    assert answered.call is call


def test_the_answer_to_a_forgotten_call_is_passed_over_but_what_happened_is_told() -> None:
    for client, more in ((on_v1(), {"ref": "1", "offset": 1}), (on_base(), {})):
        forgotten, waiting = client.send("message", HELLO, 0, key="k"), client.send("conversations", {}, 0)
        said(client)
        client.forget(forgotten)
        assert said(client)["event"] == "conversations"
        assert client.received(frame("message_sent", message(1, "Hello.", ANN), **more), 0) == []
        answer = frame("conversations", [], **({"ref": waiting.ref} if more else {}))
        assert [type(output) for output in client.received(answer, 0)] == [Answered]
        assert [type(item) for item in told(client)] == [events.MessageSent]


@pytest.mark.clause("V2.1")
def test_on_v1_an_answer_that_nobody_waits_for_any_more_is_no_event() -> None:
    client = on_v1()
    call = client.send("conversations", {}, 0)
    said(client)
    client.forget(call)
    assert client.received(frame("conversations", [], ref=call.ref), 0) == []
    assert told(client) == []


@pytest.mark.clause("R2.7")
def test_a_forgotten_call_that_was_over_the_rate_is_not_sent_again() -> None:
    client = on_v1()
    call = client.send("message", HELLO, 0, key="k")
    said(client)
    client.forget(call)
    refusal = {"message": "Too many commands.", "code": "rate_limited", "event": "message", "retry_after_ms": 1}
    client.received(frame("error", refusal, ref=call.ref), 0)
    assert client.to_send(1_000) is None


def test_a_call_that_is_forgotten_before_it_is_written_is_never_written() -> None:
    client = on_v1()
    client.forget(client.send("message", HELLO, 0, key="k"))
    assert client.to_send(0) is None
