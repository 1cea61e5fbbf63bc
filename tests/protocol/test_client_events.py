"""The client machine and its events: each is told once, in order, and the position is right (V1.2, V3.3)."""

from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vetchat_protocol import Dialect, events
from vetchat_protocol.client import (
    Answered,
    Client,
    ComeBack,
    Disconnected,
    Leave,
    PassedOver,
    Reset,
    Resumed,
    Verdict,
)
from vetchat_protocol.commands import Resume

from tests.protocol.bench import HELLO, ROOM, come_back, heard, offsets, on_base, on_v1, said, told, verdict
from tests.protocol.counterpart import ANN, BELL, frame, message, welcome

# -- positions ---------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.2", "V3.3")
def test_the_next_connection_resumes_behind_the_last_event_that_came() -> None:
    client = on_v1(offset=3)
    heard(client, 5, 9)
    assert come_back(client) == {"resume": {"epoch": "one", "offset": 9}}
    client.received(welcome(12, recovered=True), 0)
    heard(client, 9, 11)
    items = told(client)
    assert [type(item) for item in items] == [
        events.MessageSent,
        events.MessageSent,
        Disconnected,
        Resumed,
        events.MessageSent,
    ]
    assert offsets(items) == [5, 9, 11]


@pytest.mark.clause("V1.2")
def test_the_position_to_save_is_behind_the_last_event_that_the_application_is_done_with() -> None:
    client = on_v1(offset=3)
    heard(client, 5, 9)
    for offset in (3, 5):
        client.take(0)
        assert client.position == Resume(epoch="one", offset=offset)
    assert client.take(0) is None
    assert client.position == Resume(epoch="one", offset=9)


@pytest.mark.clause("V1.2", "V3.4")
def test_after_a_resume_that_was_not_recovered_there_is_no_position_until_the_reload_is_complete() -> None:
    client = on_v1(offset=3)
    heard(client, 5)
    come_back(client)
    client.received(welcome(2, epoch="two"), 0)
    assert client.position is None
    assert come_back(client) == {}
    client.received(welcome(4, epoch="two"), 0)
    heard(client, 5)
    items = told(client)
    assert [item for item in items if isinstance(item, Reset)] == [Reset(4)]
    assert offsets(items) == [5, 5]
    assert client.position == Resume(epoch="two", offset=5)
    assert come_back(client) == {"resume": {"epoch": "two", "offset": 5}}


@pytest.mark.clause("V1.2", "V3.4")
def test_a_reset_counts_as_dealt_with_when_the_next_event_is_asked_for() -> None:
    client = on_v1()
    come_back(client)
    client.received(welcome(7), 0)
    assert [type(client.take(0)), type(client.take(0))] == [Disconnected, Reset]
    assert client.position is None
    assert client.take(0) is None
    assert client.position == Resume(epoch="one", offset=7)


@pytest.mark.clause("V1.2")
def test_a_saved_position_is_resumed_by_the_first_connection() -> None:
    client = Client(resume=Resume(epoch="one", offset=4))
    client.connected(Dialect.V1, 0)
    assert said(client)["params"] == {"resume": {"epoch": "one", "offset": 4}}
    client.received(welcome(5, recovered=True), 0)
    heard(client, 5)
    items = told(client)
    assert items[0] == Resumed()
    assert offsets(items) == [5]
    late = Client(resume=Resume(epoch="one", offset=4))
    late.connected(Dialect.V1, 0)
    late.received(welcome(9), 0)
    assert told(late)[-1] == Reset(9)


@pytest.mark.clause("R4.9", "V3.2")
def test_a_durable_event_is_told_once_and_a_duplicate_answer_is_none() -> None:
    client = on_v1()
    call = client.send("message", HELLO, 0, key="k")
    said(client)
    heard(client, 1, 1)
    again = frame("message_sent", {**message(1, "Hello.", ANN), "duplicate": True}, ref=call.ref)
    (answered,) = client.received(again, 0)
    assert isinstance(answered, Answered)
    assert offsets(told(client)) == [1]


@pytest.mark.clause("V5.1")
def test_a_pong_that_is_ahead_of_what_came_makes_the_client_resume() -> None:
    client = on_v1(offset=3)
    heard(client, 5)
    client.send("ping", {}, 0)
    outputs = client.received(frame("pong", {"offset": 5}, ref=said(client)["ref"]), 0)
    assert [type(output) for output in outputs] == [Answered]
    client.send("ping", {}, 0)
    outputs = client.received(frame("pong", {"offset": 6}, ref=said(client)["ref"]), 0)
    assert [type(output) for output in outputs] == [Answered, Leave]
    assert verdict(client.lost(None)) == Verdict(ComeBack.NOW)


@pytest.mark.clause("V5.1")
def test_after_a_resume_the_pong_is_compared_with_where_it_began() -> None:
    client = on_v1(offset=3)
    come_back(client)
    client.received(welcome(8, recovered=True), 0)
    client.send("ping", {}, 0)
    outputs = client.received(frame("pong", {"offset": 3}, ref=said(client)["ref"]), 0)
    assert [type(output) for output in outputs] == [Answered]
    client.send("ping", {}, 0)
    outputs = client.received(frame("pong", {"offset": 5}, ref=said(client)["ref"]), 0)
    assert [type(output) for output in outputs] == [Answered, Leave]


@pytest.mark.clause("R2.4", "V3.2", "V5.1")
def test_an_event_of_a_later_version_is_passed_over_and_the_position_moves_on() -> None:
    client = on_v1(offset=3)
    assert client.received(frame("weather", {"sky": "blue"}, offset=4), 0) == [PassedOver("weather")]
    assert client.position == Resume(epoch="one", offset=4)
    heard(client, 5)
    client.received(frame("weather", {"sky": "grey"}, offset=6), 70)
    client.received(frame("weather", {"sky": "dark"}), 80)
    assert client.deadline() == 50_080, "it is a sign of life"
    assert client.position == Resume(epoch="one", offset=4)
    client.take(0)
    assert client.position == Resume(epoch="one", offset=4), "the event at 5 is not done with"
    assert client.take(0) is None
    assert client.position == Resume(epoch="one", offset=6)
    client.send("ping", {}, 90)
    outputs = client.received(frame("pong", {"offset": 6}, ref=said(client, 90)["ref"]), 90)
    assert [type(output) for output in outputs] == [Answered], "nothing was lost"
    assert come_back(client) == {"resume": {"epoch": "one", "offset": 6}}


@pytest.mark.clause("R2.4", "V1.1")
def test_an_event_of_a_later_version_may_precede_the_welcome_and_means_nothing() -> None:
    client = Client(resume=Resume(epoch="one", offset=3))
    client.connected(Dialect.V1, 0)
    said(client)
    assert client.received(frame("weather", {}, offset=9), 0) == [PassedOver("weather")]
    client.received(welcome(5, recovered=True), 0)
    heard(client, 4)
    assert offsets(told(client)) == [4]


@pytest.mark.clause("R2.4", "V5.3", "V3.3")
def test_an_event_of_a_later_version_does_not_hide_one_that_did_not_fit() -> None:
    client = on_v1(buffer=1)
    client.send("conversations", {}, 0)
    heard(client, 1, 2)
    client.received(frame("weather", {}, offset=3), 0)
    assert offsets([item for item in (client.take(0), client.take(0)) if item is not None]) == [1]
    assert client.position == Resume(epoch="one", offset=1)
    assert come_back(client) == {"resume": {"epoch": "one", "offset": 1}}


def test_a_reconnect_on_the_base_wire_is_a_reset_for_nobody_knows_what_was_missed() -> None:
    client = on_base()
    client.lost(None)
    client.connected(Dialect.BASE, 0)
    assert told(client) == [Disconnected(), Reset()]
    assert client.position is None


# -- a slow application ------------------------------------------------------------------------------------------------


@pytest.mark.clause("V5.3")
def test_a_full_buffer_stops_the_reading() -> None:
    client = on_v1(buffer=2)
    heard(client, 1)
    assert client.reading
    heard(client, 2)
    assert not client.reading
    assert client.deadline() is None, "silence is the client's own doing now"
    client.take(60_000)
    assert client.reading
    assert client.deadline() == 110_000


@pytest.mark.clause("V5.3")
def test_with_a_full_buffer_answers_come_through_and_what_did_not_fit_is_asked_for_again() -> None:
    client = on_v1(buffer=2)
    heard(client, 1, 2)
    call = client.send("message", HELLO, 0, key="k")
    said(client)
    assert client.reading
    heard(client, 3)
    (answered,) = client.received(frame("message_sent", message(4, "Hello.", ANN), ref=call.ref, offset=4), 0)
    assert isinstance(answered, Answered)
    assert not client.reading
    client.take(0)
    assert client.tick(0) == [], "what is there comes first"
    assert offsets(told(client)) == [2]
    assert client.tick(0) == [Leave("to catch up with what did not fit")]
    assert verdict(client.lost(None)) == Verdict(ComeBack.NOW)
    client.connected(Dialect.V1, 0)
    assert said(client)["params"] == {"resume": {"epoch": "one", "offset": 2}}
    client.received(welcome(4, recovered=True), 0)
    heard(client, 3, 4)
    assert offsets(told(client)) == [3, 4]


@pytest.mark.clause("V5.3")
def test_on_the_base_wire_what_did_not_fit_is_a_reset() -> None:
    client = on_base(buffer=1)
    client.send("conversations", {}, 0)
    said(client)
    for number in (1, 2):
        client.received(frame("message_sent", message(number, "Hello.")), 0)
    assert [type(item) for item in told(client)] == [events.MessageSent]
    assert client.tick(0) == []
    assert told(client) == [Reset()]


@given(st.lists(st.sampled_from(["lost", "back", "event", "take"])))
def test_the_buffer_holds_its_bound_of_events_and_between_two_of_them_one_notice_of_each_kind(steps: list[str]) -> None:
    client, offset = on_v1(buffer=2), 0
    for step in steps:
        if step == "take":
            client.take(0)
        elif step == "event" and client.ready:
            offset += 1
            heard(client, offset)
        elif step == "lost" and client.ready:
            client.lost(None)
        elif step == "back" and not client.ready:
            client.connected(Dialect.V1, 0)
            client.received(welcome(offset), 0)
    items = told(client)
    assert sum(isinstance(item, events.MessageSent) for item in items) <= 2
    for _, notices in groupby(items, key=lambda item: isinstance(item, events.MessageSent)):
        kinds = [type(item) for item in notices if not isinstance(item, events.MessageSent)]
        assert len(kinds) == len(set(kinds))


# -- unsubscribing -----------------------------------------------------------------------------------------------------


CREATED = {
    "id": BELL,
    "providers": [BELL],
    "client": ANN,
    "pet": ANN,
    "last_message": "",
    "last_updated_timestamp": 1,
}


def muted(**options: Any) -> Client:
    """A client that has unsubscribed from the conversation."""
    client = on_v1(**options)
    client.send("unsubscribe_conversation", ROOM, 0)
    client.received(frame("unsubscribed", {**ROOM, "status": "success"}, ref=said(client)["ref"]), 0)
    return client


@pytest.mark.clause("R4.24", "V3.3")
def test_what_was_unsubscribed_stays_so_over_a_reconnect_until_it_is_subscribed_again() -> None:
    client = muted()
    come_back(client)
    client.received(welcome(1, recovered=True), 0)
    assert said(client)["event"] == "unsubscribe_conversation"
    heard(client, 1)
    assert offsets(told(client)) == []
    assert come_back(client) == {"resume": {"epoch": "one", "offset": 1}}
    client.received(welcome(1, recovered=True), 0)
    said(client)
    client.send("subscribe_conversation", ROOM, 0)
    client.received(frame("subscribed", {**ROOM, "status": "success", "last_seq": 1}, ref=said(client)["ref"]), 0)
    heard(client, 2)
    assert offsets(told(client)) == [2]
    come_back(client)
    client.received(welcome(2, recovered=True), 0)
    assert client.to_send(0) is None


@pytest.mark.clause("R4.24", "V3.5")
def test_only_reading_the_history_subscribes_to_nothing() -> None:
    client = muted()
    client.send("conversation_history", {**ROOM, "subscribe": False}, 0)
    history: dict[str, Any] = {"messages": [], "total_count": 0, "has_more": False}
    client.received(frame("conversation_history_response", history, ref=said(client)["ref"]), 0)
    heard(client, 1)
    assert told(client) == []


@pytest.mark.clause("V5.3", "V3.3")
def test_an_event_that_nobody_wants_does_not_hide_one_that_did_not_fit() -> None:
    client = muted(buffer=1)
    client.send("conversations", {}, 0)
    for offset in (1, 2):
        client.received(frame("new_conversation_invitation", CREATED, offset=offset), 0)
    heard(client, 3)
    assert come_back(client) == {"resume": {"epoch": "one", "offset": 1}}
