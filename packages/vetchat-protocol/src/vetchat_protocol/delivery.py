"""Who is told what, in which order: committed records and room changes in, frames for connections out.

One machine, driven by one queue of inputs; server and simulator both run it, so that order and resume are the same
in both. It is told the time (ms since the epoch) and never waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Literal

from . import events
from .codec import Dialect
from .events import Answer, Event
from .models import UNKNOWN_NAME, Role, User
from .records import ConversationStarted, MessageStored, ReadMoved, Record
from .rooms import Rooms, Seat
from .values import value

TYPING_EXPIRES: int = 6_000
"""How long "is writing" holds without being said again, in ms (V4.1)."""


@value
class Sending:
    """One event for some connections; for `answers` among them it is the direct answer to their command."""

    event: Event
    to: tuple[str, ...]
    answers: str | None = None


@value
class Origin:
    """Whose command a record comes from: the connection and the command's `ref`."""

    connection: str
    ref: str | None = None


@value
class Writing:
    """That a user is writing, on which connection, until when."""

    connection: str
    expires_at: int


def event_of(record: Record, user: User) -> Event:
    """The durable frame that shows this record to this user (V3.2)."""
    match record:
        case MessageStored(offset, message):
            return events.MessageSent(params=events.MessageParams.of(message), offset=offset)
        case ConversationStarted(offset, conversation):
            params = events.ConversationParams.of(conversation)
            if user.role is Role.CLIENT:
                return events.ConversationCreated(params=params, offset=offset)
            return events.NewConversationInvitation(params=params, offset=offset)
        case ReadMoved(offset, conversation_id, user_id, seq):
            marker = events.ReadMarkerParams(conversation_id=conversation_id, user_id=user_id, seq=seq)
            return events.ReadMarker(params=marker, offset=offset)


class Delivery:
    """The machine, which tells everybody of each record once, and all in the same order (R4.9).

    `head` is the log's position at the start; the last `tail` records are kept for the resume splice.
    `tells_disconnect` off withholds `user_left` for disconnections (R5.7).
    """

    def __init__(self, head: int, *, tail: int = 1_000, tells_disconnect: bool = True) -> None:
        self.rooms: Rooms = Rooms()
        self.head: int = head
        self._tail: deque[Record] = deque(maxlen=tail)
        self._writing: dict[tuple[str, str], Writing] = {}
        self._tells_disconnect = tells_disconnect

    # -- connections come and go -----------------------------------------------------------------------------------

    def enter(self, connection: str, user: User, dialect: Dialect) -> None:
        """The connection counts as its user's from now on; on the base wire it is live at once (R1.4)."""
        self.rooms.enter(Seat(connection, user, dialect, live=dialect is Dialect.BASE, position=self.head))

    def join(
        self, connection: str, conversation_ids: Iterable[str], now: int, position: int | None = None
    ) -> list[Sending]:
        """Subscribes to all of them and tells the others (S5.1, S5.3); its position begins there, or at the head."""
        seat = self._seat(connection)
        seat.position = self.head if position is None else position
        sendings: list[Sending] = []
        for conversation_id in conversation_ids:
            if self.rooms.come(seat, conversation_id):
                sendings += self._joined(seat, conversation_id, now)
        return sendings

    def go_live(self, connection: str, position: int) -> list[Sending] | None:
        """Sends the rest of the log after `position`, then who is there, then whatever comes (V3.3, V4.3).

        None if the records since are not all at hand any more: read on from the log and come again.
        """
        missing = self.head - position
        if missing > len(self._tail):
            return None
        seat = self._seat(connection)
        records = islice(self._tail, len(self._tail) - missing, None)
        sendings = self.replay(connection, records)
        seat.live = True
        for conversation_id in sorted(seat.subscriptions):
            sendings += self._presence(seat, conversation_id)
        return sendings

    def replay(self, connection: str, records: Iterable[Record]) -> list[Sending]:
        """Shows records that were missed to a connection that is not live yet."""
        seat = self._seat(connection)
        sendings: list[Sending] = []
        for record in records:
            if record.conversation_id in seat.subscriptions:
                seat.position = record.offset
                sendings.append(Sending(event_of(record, seat.user), (connection,)))
        return sendings

    def disconnect(self, connection: str, now: int) -> list[Sending]:
        """The connection is gone, and with it all that it held (S5.8, R5.7). Unknown ones are gone already."""
        seat = self.rooms.seat(connection)
        if seat is None:
            return []
        sendings: list[Sending] = []
        for (conversation_id, user_id), writing in list(self._writing.items()):
            if writing.connection == connection:
                sendings += self._stop_writing(conversation_id, user_id)
        for conversation_id in sorted(seat.subscriptions):
            sendings += self._leave(seat, conversation_id, "disconnected", now)
        self.rooms.leave(connection)
        return sendings

    # -- subscriptions ---------------------------------------------------------------------------------------------

    def subscribe(self, connection: str, conversation_id: str) -> bool:
        """Subscribes without telling anybody; whether that is new."""
        return self.rooms.subscribe(self._seat(connection), conversation_id)

    def announce(self, connection: str, conversation_id: str, answer: Answer, now: int) -> list[Sending]:
        """The direct answer of a subscribing command, who is there (V4.3), and the news to the others (S5.3)."""
        seat = self._seat(connection)
        sendings = [Sending(answer, (connection,), answers=connection)]
        if isinstance(answer, events.Subscribed):
            sendings += self._presence(seat, conversation_id)
        if self.rooms.appear(seat, conversation_id):
            sendings += self._joined(seat, conversation_id, now)
        return sendings

    def unsubscribe(self, connection: str, conversation_id: str, now: int) -> list[Sending]:
        """Ends one connection's subscription (R4.24)."""
        return self._leave(self._seat(connection), conversation_id, "unsubscribed", now)

    # -- what was committed ----------------------------------------------------------------------------------------

    def committed(self, record: Record, origin: Origin | None, now: int) -> list[Sending]:
        """The next record of the log, in log order."""
        assert record.offset == self.head + 1, "the log is dense and delivered in order"
        self.head = record.offset
        self._tail.append(record)
        match record:
            case MessageStored():
                return self._message(record, origin, now)
            case ConversationStarted():
                return self._started(record, origin)
            case ReadMoved():
                return self._read(record, origin)

    def _message(self, record: MessageStored, origin: Origin | None, now: int) -> list[Sending]:
        message = record.message
        conversation_id = message.conversation_id
        seat = self.rooms.seat(origin.connection) if origin else None
        sendings: list[Sending] = []
        if seat is not None and self.rooms.come(seat, conversation_id):
            sendings += self._joined(seat, conversation_id, now)
        sendings += self._stop_writing(conversation_id, message.sender_id)
        sent = events.MessageSent(params=events.MessageParams.of(message), offset=record.offset)
        return sendings + self._durable(sent, self.rooms.subscribed(conversation_id), origin)

    def _started(self, record: ConversationStarted, origin: Origin | None) -> list[Sending]:
        """Everybody concerned is subscribed first, then told (R4.14); the event itself announces them."""
        conversation = record.conversation
        clients = self.rooms.seats_of(conversation.client, Role.CLIENT)
        providers = [seat for user_id in conversation.providers for seat in self.rooms.seats_of(user_id, Role.PROVIDER)]
        for seat in (*clients, *providers):
            self.rooms.come(seat, conversation.id)
        params = events.ConversationParams.of(conversation)
        created = events.ConversationCreated(params=params, offset=record.offset)
        invitation = events.NewConversationInvitation(params=params, offset=record.offset)
        sendings = self._durable(created, clients, origin) + self._durable(invitation, providers, None)
        for seat in (*clients, *providers):
            if seat.live:
                sendings += self._presence(seat, conversation.id)
        return sendings

    def _read(self, record: ReadMoved, origin: Origin | None) -> list[Sending]:
        """To the subscribed connections, and to the reader's own, subscribed or not, as its answer (V4.2)."""
        params = events.ReadMarkerParams(conversation_id=record.conversation_id, user_id=record.user_id, seq=record.seq)
        seats = list(self.rooms.subscribed(record.conversation_id))
        reader = self.rooms.seat(origin.connection) if origin else None
        if reader is not None and reader not in seats:
            seats.append(reader)
        return self._durable(events.ReadMarker(params=params, offset=record.offset), seats, origin)

    def _durable(
        self,
        event: events.MessageSent | events.ConversationCreated | events.NewConversationInvitation | events.ReadMarker,
        seats: Iterable[Seat],
        origin: Origin | None,
    ) -> list[Sending]:
        """One frame for many; only the answer to a command with a `ref` is a frame of its own (V2.1)."""
        answered = origin.connection if origin else None
        sendings: list[Sending] = []
        to: list[str] = []
        for seat in _listening(seats, event):
            seat.position = event.offset or seat.position
            if origin and origin.ref is not None and seat.connection == answered:
                answer = event.model_copy(update={"ref": origin.ref})
                sendings.append(Sending(answer, (seat.connection,), answers=answered))
            else:
                to.append(seat.connection)
        if to:
            sendings.append(Sending(event, tuple(to), answers=answered))
        return sendings

    # -- writing -----------------------------------------------------------------------------------------------------

    def show_typing(self, connection: str, conversation_id: str, active: bool, now: int) -> list[Sending]:
        """Relays that a user writes, or has stopped (V4.1)."""
        user_id = self._seat(connection).user.id
        if not active:
            self._writing.pop((conversation_id, user_id), None)
            return self._typing(conversation_id, user_id, "done")
        self._writing[conversation_id, user_id] = Writing(connection, now + TYPING_EXPIRES)
        return self._typing(conversation_id, user_id, "active")

    def deadline(self) -> int | None:
        """When `tick` wants to be called next, in ms since the epoch; None while nobody writes."""
        return min((writing.expires_at for writing in self._writing.values()), default=None)

    def tick(self, now: int) -> list[Sending]:
        """Ends what was not said again in time (V4.1)."""
        sendings: list[Sending] = []
        for (conversation_id, user_id), writing in list(self._writing.items()):
            if writing.expires_at <= now:
                sendings += self._stop_writing(conversation_id, user_id)
        return sendings

    def _stop_writing(self, conversation_id: str, user_id: str, connection: str | None = None) -> list[Sending]:
        writing = self._writing.get((conversation_id, user_id))
        if writing is None or connection not in (None, writing.connection):
            return []
        del self._writing[conversation_id, user_id]
        return self._typing(conversation_id, user_id, "done")

    def _typing(self, conversation_id: str, user_id: str, state: Literal["active", "done"]) -> list[Sending]:
        params = events.TypingParams(
            conversation_id=conversation_id, user_id=user_id, state=state, expires_in_ms=TYPING_EXPIRES
        )
        return self._to_others(events.Typing(params=params), conversation_id, user_id)

    # -- presence ------------------------------------------------------------------------------------------------------

    def _joined(self, seat: Seat, conversation_id: str, now: int) -> list[Sending]:
        shown = _shown(seat.user)
        params = events.UserJoinedParams(
            user_id=shown.user_id,
            display_name=shown.display_name,
            profile_image_url=shown.profile_image_url,
            conversation_id=conversation_id,
            timestamp=now,
        )
        return self._to_others(events.UserJoined(params=params), conversation_id, seat.user.id)

    def _leave(
        self, seat: Seat, conversation_id: str, reason: Literal["unsubscribed", "disconnected"], now: int
    ) -> list[Sending]:
        left = self.rooms.unsubscribe(seat, conversation_id)
        stopped = self._stop_writing(conversation_id, seat.user.id, None if left else seat.connection)
        if not left or (reason == "disconnected" and not self._tells_disconnect):
            return stopped
        shown = _shown(seat.user)
        params = events.UserLeftParams(
            user_id=shown.user_id,
            display_name=shown.display_name,
            profile_image_url=shown.profile_image_url,
            conversation_id=conversation_id,
            timestamp=now,
            reason=reason,
        )
        return stopped + self._to_others(events.UserLeft(params=params), conversation_id, seat.user.id)

    def _presence(self, seat: Seat, conversation_id: str) -> list[Sending]:
        others = self.rooms.others(conversation_id, seat.user.id)
        if not others or seat.dialect is Dialect.BASE:
            return []
        params = events.PresenceStateParams(
            conversation_id=conversation_id, users=tuple(_shown(other) for other in others)
        )
        return [Sending(events.PresenceState(params=params), (seat.connection,))]

    def _to_others(self, event: Event, conversation_id: str, user_id: str) -> list[Sending]:
        """To the conversation's subscribed connections, less every one of the user (R5.6)."""
        seats = _listening(self.rooms.subscribed(conversation_id), event)
        to = tuple(seat.connection for seat in seats if seat.user.id != user_id)
        return [Sending(event, to)] if to else []

    def _seat(self, connection: str) -> Seat:
        seat = self.rooms.seat(connection)
        assert seat is not None, "stories of a connection end before it leaves"
        return seat


def _listening(seats: Iterable[Seat], event: Event) -> list[Seat]:
    """The seats that are live and whose wire has such an event."""
    v1_only = type(event) in events.V1_EVENTS
    return [seat for seat in seats if seat.live and not (v1_only and seat.dialect is Dialect.BASE)]


def _shown(user: User) -> events.PresentUser:
    """The user as others may see it (R5.4)."""
    picture = user.profile_image_url
    return events.PresentUser(
        user_id=user.id,
        display_name=user.display_name or UNKNOWN_NAME,
        profile_image_url=picture if picture and picture.startswith("https://") else None,
    )
