"""The client machine and its connections: how one begins, how it ends, and what comes after (V1, V5)."""

import json

import pytest
from vetchat_protocol import Dialect, Role
from vetchat_protocol.client import (
    AnotherUser,
    Client,
    ComeBack,
    Disconnected,
    Leave,
    OutcomeUnknown,
    Probe,
    TokenWanted,
    UnknownUser,
    Verdict,
    of_close,
    of_status,
)
from vetchat_protocol.commands import Resume

from tests.protocol.bench import HELLO, ROOM, come_back, error_of, on_base, on_v1, said, told, verdict
from tests.protocol.counterpart import ANN, BELL, frame, welcome

# -- greeting ----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.1", "V1.2")
def test_the_first_frame_is_hello_and_commands_wait_for_the_welcome() -> None:
    client = Client()
    client.connected(Dialect.V1, 0)
    client.send("message", HELLO, 0, key="k")
    assert said(client) == {"event": "hello", "params": {}, "ref": "0"}
    assert client.to_send(0) is None
    client.received(welcome(7), 0)
    assert said(client) == {
        "sender_id": ANN,
        "event": "message",
        "params": {**HELLO, "client_message_id": "k"},
        "ref": "1",
    }
    assert client.position == Resume(epoch="one", offset=7)


@pytest.mark.clause("V1.1")
def test_a_welcome_that_does_not_come_in_time_ends_the_connection() -> None:
    client = Client(patience=500)
    client.connected(Dialect.V1, 1_000)
    assert client.deadline() == 1_500
    assert client.tick(1_499) == []
    assert client.tick(1_500) == [Leave("the server is silent")]
    assert client.to_send(1_500) is None
    assert verdict(client.lost(None)) == Verdict(ComeBack.LATER)


@pytest.mark.clause("V1.1")
def test_a_refused_hello_ends_the_connection_and_is_tried_again_later() -> None:
    client = Client()
    client.connected(Dialect.V1, 0)
    refusal = frame("error", {"message": "Not now.", "code": "unavailable", "event": "hello"}, ref="0")
    assert client.received(refusal, 0) == [Leave("hello was refused (unavailable)")]
    assert verdict(client.lost(None)) == Verdict(ComeBack.LATER)


@pytest.mark.clause("R1.6")
def test_a_server_that_takes_the_client_for_somebody_else_is_not_talked_to() -> None:
    client = on_v1()
    client.lost(None)
    with pytest.raises(AnotherUser):
        client.connected(Dialect.V1, 0, user_id=BELL)
    client = Client(role=Role.PROVIDER)
    client.connected(Dialect.V1, 0)
    with pytest.raises(AnotherUser):
        client.received(welcome(), 0)


@pytest.mark.clause("R1.4")
def test_on_the_base_wire_somebody_has_to_say_who_one_is() -> None:
    with pytest.raises(UnknownUser):
        Client().connected(Dialect.BASE, 0)
    client = Client(user_id=ANN.upper())
    client.connected(Dialect.BASE, 0)
    assert (client.user_id, client.role) == (ANN, Role.CLIENT)


# -- losing the connection ---------------------------------------------------------------------------------------------


@pytest.mark.clause("V2.2")
def test_on_v1_what_was_not_answered_is_sent_again_as_it_was() -> None:
    client = on_v1()
    client.send("message", HELLO, 0, key="first")
    client.send("new_conversation", {"pet_id": BELL, "providers": []}, 0, key="second")
    client.send("conversations", {}, 0)
    before = [said(client) for _ in range(3)]
    client.send("ping", {}, 0)
    come_back(client)
    client.received(welcome(recovered=True), 0)
    after = [said(client) for _ in range(4)]
    assert after[:3] == before
    assert after[3]["event"] == "ping"
    assert after[0]["params"]["client_message_id"] == "first"
    assert after[1]["params"]["client_conversation_id"] == "second"


def test_on_the_base_wire_a_message_without_an_answer_fails_for_it_may_have_been_stored() -> None:
    client = on_base()
    written = [client.send("message", HELLO, 0, key="k"), client.send("conversations", {}, 0)]
    said(client)
    said(client)
    waiting = client.send("message", {**ROOM, "content": "Later."}, 0, key="l")
    outputs = client.lost(None)
    assert isinstance(error_of(outputs, written[0]), OutcomeUnknown)
    assert len(outputs) == 2
    client.connected(Dialect.BASE, 0)
    assert [said(client)["event"], said(client)["params"]["content"]] == ["conversations", "Later."]
    assert not waiting.forgotten


def test_a_message_that_was_sent_on_v1_is_not_repeated_on_the_base_wire() -> None:
    client = on_v1()
    call = client.send("message", HELLO, 0, key="k")
    said(client)
    assert [type(output) for output in client.lost(None)] == [Verdict]
    assert isinstance(error_of(client.connected(Dialect.BASE, 0), call), OutcomeUnknown)


def test_a_forgotten_call_is_not_repeated() -> None:
    client = on_v1()
    call = client.send("message", HELLO, 0, key="k")
    said(client)
    client.forget(call)
    come_back(client)
    client.received(welcome(recovered=True), 0)
    assert client.to_send(0) is None


@pytest.mark.clause("V5.2")
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, Verdict(ComeBack.NEVER)) for code in (4003, 4008, 4042, 1008)),
        *((code, Verdict(ComeBack.LATER)) for code in (4100, 4108, 4109, 4110, 1013, 1000, 1002, 4999)),
        *((code, Verdict(ComeBack.NOW)) for code in (4200, 4201, 1001, 1011, 1012, None)),
        *((code, Verdict(ComeBack.NOW, new_token=True)) for code in (4001, 4202)),
    ],
)
def test_a_close_code_says_whether_to_come_back(code: int | None, expected: Verdict) -> None:
    client = on_v1()
    assert verdict(client.lost(code)) == of_close(code) == expected


@pytest.mark.clause("R1.7", "R2.7", "V1.3")
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Verdict(ComeBack.NOW, new_token=True)),
        *((status, Verdict(ComeBack.LATER)) for status in (429, 500, 502, 503)),
        *((status, Verdict(ComeBack.NEVER)) for status in (400, 403, 404)),
    ],
)
def test_the_status_of_a_refused_handshake_says_whether_to_try_again(status: int, expected: Verdict) -> None:
    assert of_status(status) == expected


@pytest.mark.clause("V5.4")
def test_a_server_that_restarts_is_left_alone_for_as_long_as_it_asks() -> None:
    client = on_v1()
    assert client.received(frame("reconnect", {"after_ms": 1_234}), 0) == []
    assert verdict(client.lost(4200)) == Verdict(ComeBack.NOW, after_ms=1_234)
    assert told(client) == [Disconnected()]


# -- silence, pace and tokens ------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.2", "V5.1")
def test_after_two_silent_intervals_the_client_pings_and_after_one_more_it_reconnects() -> None:
    client = on_v1(offset=3)
    assert client.deadline() == 50_000
    assert client.tick(49_999) == []
    assert client.tick(50_000) == []
    assert said(client, 50_000) == {"sender_id": ANN, "event": "ping", "params": {"offset": 3}, "ref": "1"}
    assert client.tick(74_999) == []
    client.received(frame("pong", {"offset": 3}, ref="1"), 74_999)
    assert client.deadline() == 124_999
    client.tick(124_999)
    said(client, 124_999)
    assert client.tick(client.deadline() or 0) == [Leave("the server is silent")]
    assert client.deadline() is None
    assert verdict(client.lost(None)) == Verdict(ComeBack.NOW)


@pytest.mark.clause("V1.2")
def test_the_welcome_sets_the_interval() -> None:
    client = Client()
    client.connected(Dialect.V1, 0)
    client.received(welcome(heartbeat_interval_ms=300), 0)
    assert client.deadline() == 600


@pytest.mark.clause("V1.2")
def test_while_an_answer_is_due_one_silent_interval_is_enough_to_ask() -> None:
    client = on_v1()
    client.send("conversations", {}, 10_000)
    said(client, 10_000)
    assert client.deadline() == 25_000
    client.tick(25_000)
    assert said(client, 25_000)["event"] == "ping"


def test_on_the_base_wire_silence_is_probed_by_a_ping_of_the_websocket() -> None:
    client = on_base()
    assert client.tick(50_000) == [Probe()]
    client.heard(60_000)
    assert client.deadline() == 110_000
    assert client.tick(110_000) == [Probe()]
    assert client.tick(135_000) == [Leave("the server is silent")]


@pytest.mark.clause("R2.7", "V2.3")
def test_a_command_over_the_rate_waits_and_is_sent_again_at_the_servers_pace() -> None:
    client = on_v1()
    calls = [client.send("message", {**ROOM, "content": f"Number {number}"}, 0, key=str(number)) for number in range(4)]
    refs = [said(client)["ref"], said(client)["ref"]]
    refusal = {"message": "Too many commands.", "code": "rate_limited", "event": "message", "retry_after_ms": 30}
    for ref in refs:
        assert client.received(frame("error", refusal, ref=ref), 0) == []
    assert client.to_send(29) is None
    assert client.to_send_at() == 30
    written: list[tuple[int, str]] = []
    for now in range(0, 300, 10):
        text = client.to_send(now)
        if text is not None:
            written.append((now, json.loads(text)["ref"]))
    assert written == [(30, calls[0].ref), (80, calls[1].ref), (130, calls[2].ref), (180, calls[3].ref)]


@pytest.mark.clause("R2.7")
def test_no_more_commands_are_in_flight_than_a_server_forgives_refusals() -> None:
    client = on_v1()
    for _ in range(120):
        client.send("conversations", {}, 0)
    written = 0
    while client.to_send(0) is not None:
        written += 1
    assert written == 50
    client.received(frame("conversations", [], ref="1"), 0)
    assert client.to_send(0) is not None
    assert client.to_send(0) is None


@pytest.mark.clause("V1.5")
def test_a_token_that_runs_out_soon_is_refreshed_on_the_connection() -> None:
    client = on_v1()
    assert client.received(frame("token_expiring", {"token_expires_at": 1}), 0) == [TokenWanted()]
    client.refresh("another")
    assert said(client) == {"sender_id": ANN, "event": "refresh", "params": {"token": "another"}, "ref": "1"}
    assert client.received(frame("refreshed", {"token_expires_at": 2}, ref="1"), 0) == []
    client.refresh("one that the next connection brings")
    come_back(client)
    client.received(welcome(recovered=True), 0)
    assert client.to_send(0) is None
