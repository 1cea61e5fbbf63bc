"""Who is told what, in which order: the delivery machine, one input at a time."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from vetchat_protocol import Conversation, Dialect, Message, User
from vetchat_protocol.delivery import TYPING_EXPIRES, Delivery, Origin, Sending
from vetchat_protocol.events import ConversationHistoryResponse, HistoryParams, Subscribed, SubscribedParams
from vetchat_protocol.records import ConversationStarted, MessageStored, ReadMoved

from tests.protocol.stage import OLGA, OTTO_AS_A_VET, PET, VERA, VITO

NOW = 1_700_000_000_000
HERE = "cccccccc-0000-4000-8000-000000000001"
CONVERSATION = Conversation(HERE, OLGA.id, (VERA.id, VITO.id), PET, NOW, NOW)
BASE, V1 = Dialect.BASE, Dialect.V1

Told = list[tuple[str, str]]
"""Who was told which event, in order."""


def told(sendings: Iterable[Sending] | None) -> Told:
    assert sendings is not None
    return [(connection, sending.event.event) for sending in sendings for connection in sending.to]


class Post:
    """A delivery machine and the people it serves; a connection's name begins with its user's, `v1` is in the name of
    those that speak it."""

    def __init__(self, *, tail: int = 1_000, tells_disconnect: bool = True) -> None:
        self.delivery = Delivery(0, tail=tail, tells_disconnect=tells_disconnect)

    def enter(self, *names: str) -> None:
        users = {"olga": OLGA, "vera": VERA, "vito": VITO, "otto": OTTO_AS_A_VET}
        for name in names:
            self.delivery.enter(name, users[name.split()[0]], V1 if "v1" in name else BASE)

    def come(self, *names: str) -> Told:
        """They enter, join the conversation and are live."""
        self.enter(*names)
        heard: Told = []
        for name in names:
            heard += told(self.delivery.join(name, [HERE], NOW))
            if "v1" in name:
                heard += told(self.delivery.go_live(name, self.delivery.head))
        return heard

    def say(self, user: User, origin: str | None = None, ref: str | None = None) -> list[Sending]:
        offset = self.delivery.head + 1
        message = Message(f"message {offset}", HERE, user.id, "Hello.", NOW, offset)
        record = MessageStored(offset, message)
        return list(self.delivery.committed(record, Origin(origin, ref) if origin else None, NOW))

    def start(self, origin: str | None = None, ref: str | None = None) -> list[Sending]:
        record = ConversationStarted(self.delivery.head + 1, CONVERSATION)
        return list(self.delivery.committed(record, Origin(origin, ref) if origin else None, NOW))

    def read(self, user: User, origin: str | None = None, ref: str | None = None) -> list[Sending]:
        record = ReadMoved(self.delivery.head + 1, HERE, user.id, 1)
        return list(self.delivery.committed(record, Origin(origin, ref) if origin else None, NOW))

    def unsubscribe(self, name: str) -> Told:
        return told(self.delivery.unsubscribe(name, HERE, NOW))

    def subscribe(self, name: str) -> Told:
        self.delivery.subscribe(name, HERE)
        return told(self.delivery.announce(name, HERE, Subscribed(params=SubscribedParams(conversation_id=HERE)), NOW))

    def types(self, name: str, *, active: bool = True, at: int = NOW) -> Told:
        return told(self.delivery.show_typing(name, HERE, active, at))


# -- messages ----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("S4.5", "S5.2", "R4.9")
def test_a_message_goes_to_every_subscribed_connection_and_to_nobody_else() -> None:
    post = Post()
    post.come("olga phone", "olga laptop v1", "vera")
    post.enter("vito", "otto")
    assert told(post.say(OLGA, "olga phone")) == [
        ("olga phone", "message_sent"),
        ("olga laptop v1", "message_sent"),
        ("vera", "message_sent"),
    ]


@pytest.mark.clause("S4.6", "V4.1")
def test_for_a_message_the_sender_is_subscribed_then_joins_then_stops_writing_then_is_heard() -> None:
    post = Post()
    post.come("olga", "vera v1")
    post.unsubscribe("olga")
    post.types("olga")
    assert told(post.say(OLGA, "olga")) == [
        ("vera v1", "user_joined"),
        ("vera v1", "typing"),
        ("vera v1", "message_sent"),
        ("olga", "message_sent"),
    ]


@pytest.mark.clause("R4.7", "R4.9")
def test_a_message_whose_sender_is_gone_reaches_the_others_and_answers_nobody() -> None:
    post = Post()
    post.come("vera", "olga laptop")
    sendings = post.say(OLGA, "olga phone", "a ref")
    assert told(sendings) == [("vera", "message_sent"), ("olga laptop", "message_sent")]
    assert all(sending.answers not in sending.to for sending in sendings)


@pytest.mark.clause("R2.6", "V2.1")
def test_only_the_answer_carries_the_ref() -> None:
    post = Post()
    post.come("olga phone v1", "olga laptop v1", "vera v1")
    (answer, others) = post.say(OLGA, "olga phone v1", "a ref")
    assert (answer.to, answer.answers) == (("olga phone v1",), "olga phone v1")
    assert getattr(answer.event, "ref", None) == "a ref"
    assert others.to == ("olga laptop v1", "vera v1")
    assert getattr(others.event, "ref", None) is None


@pytest.mark.clause("R2.7")
def test_without_a_ref_the_answer_is_the_same_frame_and_known_as_the_answer() -> None:
    post = Post()
    post.come("olga", "vera")
    (sending,) = post.say(OLGA, "olga")
    assert (sending.to, sending.answers) == (("olga", "vera"), "olga")


def test_the_log_is_delivered_in_its_order() -> None:
    post = Post()
    record = MessageStored(2, Message("m", HERE, OLGA.id, "Hello.", NOW, 1))
    with pytest.raises(AssertionError, match="in order"):
        list(post.delivery.committed(record, None, NOW))


# -- conversations -----------------------------------------------------------------------------------------------------


@pytest.mark.clause("S4.12", "R4.14", "V4.3")
def test_a_creation_subscribes_and_tells_everybody_concerned_once_and_without_user_joined() -> None:
    post = Post()
    post.enter("olga phone", "olga laptop", "vera one", "vera two", "otto")
    assert told(post.start("olga phone")) == [
        ("olga phone", "conversation_created"),
        ("olga laptop", "conversation_created"),
        ("vera one", "new_conversation_invitation"),
        ("vera two", "new_conversation_invitation"),
    ]
    assert len(told(post.say(VERA))) == 4
    assert post.unsubscribe("vera one") == []
    assert post.unsubscribe("vera two") == [("olga phone", "user_left"), ("olga laptop", "user_left")]


@pytest.mark.clause("R3.5", "R4.14")
def test_an_id_is_invited_only_where_it_came_as_a_provider() -> None:
    post = Post()
    post.delivery.enter("vera as a client", replace(VERA, role=OLGA.role), BASE)
    post.enter("vera")
    assert told(post.start()) == [("vera", "new_conversation_invitation")]


@pytest.mark.clause("V4.3")
def test_after_a_creation_v1_hears_who_else_is_there() -> None:
    post = Post()
    post.enter("olga v1", "vera", "vito v1")
    for name in ("olga v1", "vito v1"):
        post.delivery.go_live(name, 0)
    assert told(post.start("olga v1")) == [
        ("olga v1", "conversation_created"),
        ("vera", "new_conversation_invitation"),
        ("vito v1", "new_conversation_invitation"),
        ("olga v1", "presence_state"),
        ("vito v1", "presence_state"),
    ]


# -- presence ----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("S5.3", "R5.5", "R5.6")
def test_the_others_hear_of_a_user_once_when_the_first_connection_comes() -> None:
    post = Post()
    assert post.come("olga") == []
    assert post.come("vera one") == [("olga", "user_joined")]
    assert post.come("vera two", "olga laptop") == []
    assert post.come("vito") == [(name, "user_joined") for name in ("olga", "vera one", "vera two", "olga laptop")]


@pytest.mark.clause("R5.5", "R5.7", "S5.8")
def test_the_others_hear_that_a_user_is_gone_when_the_last_connection_is_cut() -> None:
    post = Post()
    post.come("olga", "vera one", "vera two")
    assert told(post.delivery.disconnect("vera one", NOW)) == []
    (left,) = post.delivery.disconnect("vera two", NOW)
    assert (left.to, getattr(left.event.params, "reason", None)) == (("olga",), "disconnected")
    assert post.delivery.disconnect("vera two", NOW) == []
    post.delivery.disconnect("olga", NOW)
    assert post.delivery.rooms.empty


@pytest.mark.clause("R5.7")
def test_a_setting_keeps_disconnections_quiet_but_not_unsubscriptions() -> None:
    post = Post(tells_disconnect=False)
    post.come("olga", "vera", "vito")
    assert told(post.delivery.disconnect("vera", NOW)) == []
    assert post.unsubscribe("vito") == [("olga", "user_left")]


@pytest.mark.clause("R4.23")
def test_subscribing_and_unsubscribing_again_announces_nothing() -> None:
    post = Post()
    post.come("olga", "vera")
    assert post.subscribe("vera") == [("vera", "subscribed")]
    assert post.unsubscribe("vera") == [("olga", "user_left")]
    assert post.unsubscribe("vera") == []
    assert post.subscribe("vera") == [("vera", "subscribed"), ("olga", "user_joined")]


@pytest.mark.clause("S4.18", "R5.5")
def test_a_silent_subscription_hears_everything_and_is_told_of_only_when_it_is_announced() -> None:
    post = Post()
    post.come("olga", "vera")
    post.unsubscribe("vera")
    assert post.delivery.subscribe("vera", HERE)
    assert told(post.say(OLGA, "olga")) == [("olga", "message_sent"), ("vera", "message_sent")]
    params = HistoryParams(messages=(), total_count=0, has_more=False)
    announced = post.delivery.announce("vera", HERE, ConversationHistoryResponse(params=params), NOW)
    assert told(announced) == [("vera", "conversation_history_response"), ("olga", "user_joined")]


@pytest.mark.clause("R6.3", "R5.5")
def test_a_silent_subscription_that_is_undone_was_never_there() -> None:
    post = Post()
    post.come("olga", "vera")
    post.unsubscribe("vera")
    post.delivery.subscribe("vera", HERE)
    assert post.unsubscribe("vera") == []


@pytest.mark.clause("R5.4")
@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (User(VERA.id, VERA.role), ("Unknown User", None)),
        (User(VERA.id, VERA.role, ""), ("Unknown User", None)),
        (
            User(VERA.id, VERA.role, "Vera", "https://pictures.example/vera.png"),
            ("Vera", "https://pictures.example/vera.png"),
        ),
        (User(VERA.id, VERA.role, "Vera", "http://pictures.example/vera.png"), ("Vera", None)),
        (User(VERA.id, VERA.role, "Vera", ""), ("Vera", None)),
    ],
)
def test_a_user_is_shown_by_name_and_picture_or_their_stand_ins(user: User, shown: tuple[str, str | None]) -> None:
    post = Post()
    post.come("olga")
    post.delivery.enter("vera", user, BASE)
    (joined,) = post.delivery.join("vera", [HERE], NOW)
    assert joined.event.model_dump()["params"] == {
        "user_id": VERA.id,
        "display_name": shown[0],
        "profile_image_url": shown[1],
        "conversation_id": HERE,
        "timestamp": NOW,
    }


@pytest.mark.clause("V4.3")
def test_presence_state_comes_to_v1_alone_and_only_where_somebody_else_is() -> None:
    post = Post()
    post.come("olga v1")
    assert post.subscribe("olga v1") == [("olga v1", "subscribed")]
    post.come("vera")
    assert post.subscribe("olga v1") == [("olga v1", "subscribed"), ("olga v1", "presence_state")]
    assert post.subscribe("vera") == [("vera", "subscribed")]


# -- resume ------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V3.3")
def test_nothing_reaches_a_connection_that_is_not_live_and_nothing_is_lost_to_it() -> None:
    post = Post()
    post.come("olga", "vera")
    post.say(OLGA)
    post.enter("vera v1")
    assert told(post.delivery.join("vera v1", [HERE], NOW, 1)) == []
    assert ("vera v1", "message_sent") not in told(post.say(OLGA, "olga"))
    assert post.types("olga") == []
    assert told(post.read(OLGA)) == []
    assert told(post.delivery.go_live("vera v1", 1)) == [
        ("vera v1", "message_sent"),
        ("vera v1", "read_marker"),
        ("vera v1", "presence_state"),
    ]
    assert ("vera v1", "message_sent") in told(post.say(OLGA, "olga"))


@pytest.mark.clause("V3.3")
def test_who_has_fallen_behind_the_tail_must_read_on_first() -> None:
    post = Post(tail=2)
    post.come("olga")
    for _ in range(3):
        post.say(OLGA)
    post.enter("vera v1")
    list(post.delivery.join("vera v1", [HERE], NOW, 0))
    assert post.delivery.go_live("vera v1", 0) is None
    assert told(post.delivery.go_live("vera v1", 1)) == [
        ("vera v1", "message_sent"),
        ("vera v1", "message_sent"),
        ("vera v1", "presence_state"),
    ]


@pytest.mark.clause("V3.3", "S5.2")
def test_a_replay_shows_only_ones_own_conversations() -> None:
    post = Post()
    post.enter("vera v1")
    list(post.delivery.join("vera v1", [HERE], NOW, 0))
    records = [MessageStored(1, Message("m", "elsewhere", OLGA.id, ".", NOW, 1)), ConversationStarted(2, CONVERSATION)]
    assert told(post.delivery.replay("vera v1", records)) == [("vera v1", "new_conversation_invitation")]


@pytest.mark.clause("V5.1")
def test_a_position_is_the_last_durable_offset_sent_and_at_first_where_it_began() -> None:
    post = Post(tail=2)
    post.come("olga", "vera")
    for _ in range(5):
        post.say(OLGA)
    post.enter("otto v1", "vera v1")
    list(post.delivery.join("otto v1", [], NOW, 1))
    list(post.delivery.join("vera v1", [HERE], NOW))
    seats = [post.delivery.rooms.seat(name) for name in ("otto v1", "vera v1")]
    for position in (1, 4):
        post.delivery.go_live("otto v1", position)
    post.delivery.go_live("vera v1", 5)
    assert [seat and seat.position for seat in seats] == [1, 5]
    post.say(OLGA)
    assert [seat and seat.position for seat in seats] == [1, 6]


# -- read markers ------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V4.2")
def test_a_read_marker_goes_to_all_who_are_subscribed_and_to_the_reader_as_the_answer() -> None:
    post = Post()
    post.come("olga v1", "vera v1", "vera laptop v1", "vito")
    post.unsubscribe("vera v1")
    sendings = post.read(VERA, "vera v1", "a ref")
    assert sorted(told(sendings)) == [(name, "read_marker") for name in ("olga v1", "vera laptop v1", "vera v1")]
    (answer,) = [sending for sending in sendings if getattr(sending.event, "ref", None)]
    assert (answer.to, answer.answers) == (("vera v1",), "vera v1")


# -- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V4.1")
def test_writing_is_shown_to_the_others_who_speak_v1() -> None:
    post = Post()
    post.come("olga v1", "olga laptop v1", "vera v1", "vito")
    assert post.types("olga v1") == [("vera v1", "typing")]
    assert post.types("olga v1", active=False) == [("vera v1", "typing")]


@pytest.mark.clause("V4.1")
def test_writing_runs_out_unless_it_is_said_again() -> None:
    post = Post()
    post.come("olga v1", "vera v1")
    assert post.delivery.deadline() is None
    post.types("olga v1")
    post.types("olga v1", at=NOW + 5_000)
    assert post.delivery.deadline() == NOW + 5_000 + TYPING_EXPIRES
    assert told(post.delivery.tick(NOW + 5_000 + TYPING_EXPIRES - 1)) == []
    assert told(post.delivery.tick(NOW + 5_000 + TYPING_EXPIRES)) == [("vera v1", "typing")]
    assert post.delivery.deadline() is None


@pytest.mark.clause("V4.1")
def test_writing_ends_with_the_message_the_leave_and_the_connection() -> None:
    for end in ("say", "unsubscribe", "disconnect", "disconnect unsubscribed"):
        post = Post()
        post.come("olga v1", "vera v1")
        post.types("olga v1")
        if end == "say":
            events = told(post.say(OLGA, "olga v1"))
        elif end == "unsubscribe":
            events = post.unsubscribe("olga v1")
        else:
            if end == "disconnect unsubscribed":
                post.unsubscribe("olga v1")
                post.types("olga v1")
            events = told(post.delivery.disconnect("olga v1", NOW))
        assert events[0] == ("vera v1", "typing"), end
        assert post.delivery.deadline() is None, end


@pytest.mark.clause("V4.1")
def test_another_device_that_leaves_does_not_end_the_writing_of_this_one() -> None:
    post = Post()
    post.come("olga phone v1", "olga laptop v1", "vera v1")
    post.types("olga phone v1")
    assert post.unsubscribe("olga laptop v1") == []
    assert told(post.delivery.disconnect("olga laptop v1", NOW)) == []
    assert post.delivery.deadline() is not None


@pytest.mark.clause("V4.1", "R5.5")
def test_who_has_left_does_not_write_any_more_on_whatever_device() -> None:
    post = Post()
    post.come("olga phone v1", "olga laptop v1", "vera v1")
    post.unsubscribe("olga phone v1")
    post.types("olga phone v1")
    assert post.unsubscribe("olga laptop v1") == [("vera v1", "typing"), ("vera v1", "user_left")]
