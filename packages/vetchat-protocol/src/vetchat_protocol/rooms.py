"""Who is subscribed where, and who is there: a pure state machine over connections, users and conversations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from .codec import Dialect
from .models import Role, User


@dataclass(slots=True, eq=False)
class Seat:
    """One connection in the rooms; `live` ones are sent what happens, the others still read the log (V3.3).

    `position` is the last durable offset sent on the connection (V5.1).
    """

    connection: str
    user: User
    dialect: Dialect
    live: bool
    position: int = 0
    subscriptions: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class Room:
    """The subscribed seats of one conversation, by connection, and the users who are `present` to the others (R5.5)."""

    seats: dict[str, Seat] = field(default_factory=dict[str, Seat])
    present: set[str] = field(default_factory=set[str])


class Rooms:
    """All seats and subscriptions; what has become empty is gone (S5.8)."""

    def __init__(self) -> None:
        self._seats: dict[str, Seat] = {}
        self._users: dict[tuple[str, Role], list[Seat]] = {}
        self._rooms: dict[str, Room] = {}

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def empty(self) -> bool:
        """Whether nothing at all is left in memory (S5.8)."""
        return not (self._seats or self._users or self._rooms)

    def enter(self, seat: Seat) -> None:
        """Seats a connection, subscribed to nothing yet."""
        self._seats[seat.connection] = seat
        self._users.setdefault((seat.user.id, seat.user.role), []).append(seat)

    def leave(self, connection: str) -> None:
        """Takes a connection's seat away; its subscriptions must have ended before. Unknown ones are gone already."""
        seat = self._seats.pop(connection, None)
        if seat is None:
            return
        assert not seat.subscriptions
        seats = self._users[seat.user.id, seat.user.role]
        seats.remove(seat)
        if not seats:
            del self._users[seat.user.id, seat.user.role]

    def seat(self, connection: str) -> Seat | None:
        """The connection's seat, None once it is gone."""
        return self._seats.get(connection)

    def seats_of(self, user_id: str, role: Role) -> tuple[Seat, ...]:
        """Every connection of a user in a role, in the order they came."""
        return tuple(self._users.get((user_id, role), ()))

    def subscribe(self, seat: Seat, conversation_id: str) -> bool:
        """Subscribes silently; whether that is new (R4.23)."""
        if conversation_id in seat.subscriptions:
            return False
        seat.subscriptions.add(conversation_id)
        room = self._rooms.setdefault(conversation_id, Room())
        room.seats[seat.connection] = seat
        return True

    def appear(self, seat: Seat, conversation_id: str) -> bool:
        """Makes the subscribed seat's user present; whether the others do not know yet (R5.5)."""
        present = self._rooms[conversation_id].present
        if seat.user.id in present:
            return False
        present.add(seat.user.id)
        return True

    def come(self, seat: Seat, conversation_id: str) -> bool:
        """Subscribes the seat and makes its user present; whether the others do not know yet."""
        if conversation_id not in seat.subscriptions:  # mostly it is, and that is all
            self.subscribe(seat, conversation_id)
        return self.appear(seat, conversation_id)

    def unsubscribe(self, seat: Seat, conversation_id: str) -> bool:
        """Ends a subscription; whether a user whom the others know of has thereby left (R4.24, R5.5)."""
        if conversation_id not in seat.subscriptions:
            return False
        seat.subscriptions.remove(conversation_id)
        room = self._rooms[conversation_id]
        del room.seats[seat.connection]
        if any(conversation_id in other.subscriptions for other in self._users[seat.user.id, seat.user.role]):
            return False
        was_present = seat.user.id in room.present
        room.present.discard(seat.user.id)
        if not room.seats:
            del self._rooms[conversation_id]
        return was_present

    def subscribed(self, conversation_id: str) -> Collection[Seat]:
        """The conversation's subscribed seats, as they came; a view that changes with them."""
        room = self._rooms.get(conversation_id)
        return () if room is None else room.seats.values()

    def others(self, conversation_id: str, user_id: str) -> tuple[User, ...]:
        """Who else is present, for `presence_state` (V4.3); somebody with several connections as on the first."""
        room = self._rooms.get(conversation_id)
        if room is None:
            return ()
        there: dict[str, User] = {}
        for seat in room.seats.values():
            if seat.user.id in room.present and seat.user.id != user_id:
                there.setdefault(seat.user.id, seat.user)
        return tuple(there.values())
