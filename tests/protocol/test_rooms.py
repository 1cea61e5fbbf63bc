"""Who is subscribed where and who is there: by examples, and against a naive account of the same."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vetchat_protocol import Dialect, Role, User
from vetchat_protocol.rooms import Rooms, Seat

from tests.protocol.stage import OLGA, VERA, VITO

HERE, THERE = "here", "there"


def seated(rooms: Rooms, name: str, user: User) -> Seat:
    seat = Seat(name, user, Dialect.BASE, live=True)
    rooms.enter(seat)
    return seat


@pytest.mark.clause("R4.23", "R4.24")
def test_subscribing_is_by_connection_and_again_is_no_news() -> None:
    rooms = Rooms()
    phone, laptop = seated(rooms, "phone", OLGA), seated(rooms, "laptop", OLGA)
    assert rooms.subscribe(phone, HERE)
    assert not rooms.subscribe(phone, HERE)
    assert rooms.subscribe(laptop, HERE)
    assert not rooms.unsubscribe(phone, HERE)
    assert list(rooms.subscribed(HERE)) == [laptop]


@pytest.mark.clause("R5.5")
def test_a_user_appears_once_and_leaves_with_the_last_connection() -> None:
    rooms = Rooms()
    phone, laptop = seated(rooms, "phone", OLGA), seated(rooms, "laptop", OLGA)
    for seat in (phone, laptop):
        rooms.subscribe(seat, HERE)
    assert rooms.appear(phone, HERE)
    assert not rooms.appear(laptop, HERE)
    assert not rooms.unsubscribe(phone, HERE)
    assert rooms.unsubscribe(laptop, HERE)
    assert not rooms.unsubscribe(laptop, HERE)


@pytest.mark.clause("R5.5")
def test_who_never_appeared_does_not_leave() -> None:
    rooms = Rooms()
    phone = seated(rooms, "phone", OLGA)
    rooms.subscribe(phone, HERE)
    assert not rooms.unsubscribe(phone, HERE)


@pytest.mark.clause("R5.5")
def test_who_comes_is_subscribed_and_news_only_once() -> None:
    rooms = Rooms()
    seats = [seated(rooms, name, user) for name, user in (("phone", OLGA), ("clinic", VERA), ("laptop", OLGA))]
    assert [rooms.come(seat, HERE) for seat in (*seats, *seats)] == [True, True, False, False, False, False]
    assert [seat.connection for seat in rooms.subscribed(HERE)] == ["phone", "clinic", "laptop"]
    assert not list(rooms.subscribed(THERE))


@pytest.mark.clause("V4.3")
def test_only_who_has_appeared_is_among_the_others() -> None:
    rooms = Rooms()
    olga, vera = seated(rooms, "phone", OLGA), seated(rooms, "clinic", VERA)
    for seat in (olga, vera):
        rooms.subscribe(seat, HERE)
    assert not rooms.others(HERE, OLGA.id)
    rooms.appear(vera, HERE)
    assert rooms.others(HERE, OLGA.id) == (VERA,)
    assert not rooms.others(HERE, VERA.id)
    assert not rooms.others(THERE, OLGA.id)


@pytest.mark.clause("R5.4", "V4.3")
def test_somebody_with_two_names_is_among_the_others_by_the_one_that_was_announced() -> None:
    rooms = Rooms()
    rooms.come(seated(rooms, "phone", OLGA), HERE)
    rooms.come(seated(rooms, "laptop", replace(OLGA, display_name="Olga at work")), HERE)
    assert rooms.others(HERE, VERA.id) == (OLGA,)


@pytest.mark.clause("R3.5", "R4.14")
def test_connections_are_found_by_user_and_role() -> None:
    rooms = Rooms()
    as_client = seated(rooms, "phone", User(OLGA.id, Role.CLIENT))
    as_provider = seated(rooms, "clinic", User(OLGA.id, Role.PROVIDER))
    assert rooms.seats_of(OLGA.id, Role.CLIENT) == (as_client,)
    assert rooms.seats_of(OLGA.id, Role.PROVIDER) == (as_provider,)
    assert rooms.seats_of(VERA.id, Role.PROVIDER) == ()


@pytest.mark.clause("S5.8")
def test_what_has_become_empty_is_gone() -> None:
    rooms = Rooms()
    assert rooms.empty
    phone = seated(rooms, "phone", OLGA)
    assert not rooms.empty
    assert len(rooms) == 1
    rooms.subscribe(phone, HERE)
    rooms.unsubscribe(phone, HERE)
    rooms.leave("phone")
    rooms.leave("phone")
    assert rooms.empty
    assert rooms.seat("phone") is None


USERS = (OLGA, VERA, VITO)
MOVES = st.lists(
    st.tuples(
        st.sampled_from(("subscribe", "appear", "unsubscribe")), st.integers(0, 5), st.sampled_from((HERE, THERE))
    )
)


@pytest.mark.clause("R4.24", "R5.5", "S5.8")
@given(moves=MOVES)
def test_rooms_agree_with_a_naive_account(moves: list[tuple[str, int, str]]) -> None:
    rooms = Rooms()
    seats = [seated(rooms, str(number), USERS[number % 3]) for number in range(6)]
    subscribed: set[tuple[int, str]] = set()
    present: set[tuple[str, str]] = set()
    do: dict[str, Callable[[Seat, str], bool]] = {
        "subscribe": rooms.subscribe,
        "appear": rooms.appear,
        "unsubscribe": rooms.unsubscribe,
    }
    for move, number, room in moves:
        user = USERS[number % 3].id
        if move == "appear" and (number, room) not in subscribed:
            continue
        told = do[move](seats[number], room)
        if move == "subscribe":
            assert told == ((number, room) not in subscribed)
            subscribed.add((number, room))
        elif move == "appear":
            assert told == ((user, room) not in present)
            present.add((user, room))
        else:
            subscribed.discard((number, room))
            last = not any(USERS[other % 3].id == user and where == room for other, where in subscribed)
            assert told == (last and (user, room) in present)
            present -= {(user, room)} if last else set()
        for where in (HERE, THERE):
            assert {int(seat.connection) for seat in rooms.subscribed(where)} == {
                one for one, place in subscribed if place == where
            }
            assert {(one.id, where) for one in rooms.others(where, "")} == {one for one in present if one[1] == where}
    for number, room in subscribed:
        rooms.unsubscribe(seats[number], room)
    for seat in seats:
        rooms.leave(seat.connection)
    assert rooms.empty
