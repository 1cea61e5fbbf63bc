"""Connections and what they are told: runs the delivery machine and puts its frames into outboxes.

Everything here happens at once, without waiting, on the event loop: an input is delivered before the next one comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from vetchat_protocol.codec import Dialect, encode_event
from vetchat_protocol.delivery import Delivery, Origin, Sending
from vetchat_protocol.errors import TOO_MANY_CONNECTIONS, UNAUTHENTICATED, CloseCode, Closing
from vetchat_protocol.events import Answer, Event
from vetchat_protocol.models import User
from vetchat_protocol.operations import Identity
from vetchat_protocol.records import LogPage, Record

from .clock import Clock
from .metrics import Metrics


class Recipient(Protocol):
    """A connection as the hub sees it."""

    @property
    def id(self) -> str: ...

    @property
    def dialect(self) -> Dialect: ...

    @property
    def identity(self) -> Identity | None:
        """Who its upgrade proved it to be, while it has not said hello."""
        ...

    def push(self, payload: bytes, *, counted: bool) -> None:
        """Takes an encoded frame, never waits; ends itself when it cannot keep up (V5.3)."""
        ...

    def end(self, close: CloseCode) -> None:
        """Ends the connection soon, with this close code."""
        ...


class Hub:
    """Which connections there are, whose they are, and the one delivery machine that serves them.

    While it is `quiet`, on shutdown, nobody is told that anybody left (V5.4).
    """

    def __init__(
        self, *, clock: Clock, metrics: Metrics, connections_per_user: int, tells_disconnect: bool = True
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._most = connections_per_user
        self._tells_disconnect = tells_disconnect
        self._recipients: dict[str, Recipient] = {}
        self._identities: dict[str, Identity] = {}
        self._per_user: dict[str, int] = {}
        self._revoked: dict[str, int] = {}
        self._waiting: dict[str, Recipient] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.quiet = False
        self.delivery = Delivery(0)

    def start(self, head: int) -> None:
        """Begins at the log's head."""
        self.delivery = Delivery(head, tells_disconnect=self._tells_disconnect)

    @property
    def empty(self) -> bool:
        """Whether nothing is left in memory of any connection (S5.8)."""
        return (
            not (self._recipients or self._identities or self._per_user or self._waiting) and self.delivery.rooms.empty
        )

    # -- connections come and go -------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many connections have not said hello yet (V1.3)."""
        return len(self._waiting)

    def expect(self, recipient: Recipient) -> None:
        """A connection has yet to say hello."""
        self._waiting[recipient.id] = recipient

    def enter(self, recipient: Recipient, identity: Identity) -> None:
        """Counts the connection as its user's.

        Raises:
            Closing: too many connections (R2.7), or the token was revoked meanwhile (V1.6).
        """
        user_id = identity.user.id
        if self.is_revoked(identity):
            raise Closing(UNAUTHENTICATED)
        if self._per_user.get(user_id, 0) >= self._most:
            raise Closing(TOO_MANY_CONNECTIONS)
        self._per_user[user_id] = self._per_user.get(user_id, 0) + 1
        self._waiting.pop(recipient.id, None)
        self._recipients[recipient.id] = recipient
        self._identities[recipient.id] = identity
        self._metrics.connections.labels(recipient.dialect, identity.user.role).inc()
        self.delivery.enter(recipient.id, identity.user, recipient.dialect)

    def leave(self, connection: str) -> None:
        """The connection is gone; the others are told (R5.7). Unknown ones are gone already."""
        self._waiting.pop(connection, None)
        recipient = self._recipients.get(connection)
        if recipient is None:
            return
        farewells = self.delivery.disconnect(connection, self._clock())
        if not self.quiet:
            self._deliver(farewells)
        identity = self._identities.pop(connection)
        del self._recipients[connection]
        self._metrics.connections.labels(recipient.dialect, identity.user.role).dec()
        self._per_user[identity.user.id] -= 1
        if not self._per_user[identity.user.id]:
            del self._per_user[identity.user.id]

    def renew(self, connection: str, identity: Identity) -> None:
        """The connection has a new token (V1.5)."""
        self._identities[connection] = identity

    def revoke(self, revoked: dict[str, int]) -> None:
        """Takes the latest revocations, and ends whoever lives by a token that is void now (V1.6)."""
        if revoked == self._revoked:
            return
        self._revoked = revoked
        for connection, identity in list(self._identities.items()):
            if self.is_revoked(identity):
                self._recipients[connection].end(UNAUTHENTICATED)
        for recipient in list(self._waiting.values()):
            if recipient.identity is not None and self.is_revoked(recipient.identity):
                recipient.end(UNAUTHENTICATED)

    def is_revoked(self, identity: Identity) -> bool:
        """Whether the identity was established by a token that is void by now; one without `iat` counts as old."""
        revoked_at = self._revoked.get(identity.user.id)
        return revoked_at is not None and (identity.issued_at or 0) <= revoked_at

    # -- the delivery machine's inputs -------------------------------------------------------------------------------

    def join(self, connection: str, conversation_ids: Iterable[str], position: int | None) -> None:
        self._deliver(self.delivery.join(connection, conversation_ids, self._clock(), position))

    def go_live(self, connection: str, position: int) -> bool:
        sendings = self.delivery.go_live(connection, position)
        if sendings is None:
            return False
        self._deliver(sendings, counted=False)
        return True

    def replay(self, connection: str, page: LogPage) -> None:
        self._deliver(self.delivery.replay(connection, page.records), counted=False)

    def subscribe(self, connection: str, conversation_id: str) -> bool:
        return self.delivery.subscribe(connection, conversation_id)

    def announce(self, connection: str, conversation_id: str, answer: Answer) -> None:
        self._deliver(self.delivery.announce(connection, conversation_id, answer, self._clock()))

    def unsubscribe(self, connection: str, conversation_id: str) -> None:
        self._deliver(self.delivery.unsubscribe(connection, conversation_id, self._clock()))

    def show_typing(self, connection: str, conversation_id: str, active: bool) -> None:
        self._deliver(self.delivery.show_typing(connection, conversation_id, active, self._clock()))
        self._arm()

    def committed(self, records: Sequence[tuple[Record, Origin | None]]) -> None:
        """The next records of the log."""
        now = self._clock()
        for record, origin in records:
            self._deliver(self.delivery.committed(record, origin, now))

    def user(self, connection: str) -> User:
        """Whose connection it is, from when it has entered."""
        return self._identities[connection].user

    def is_subscribed(self, connection: str, conversation_id: str) -> bool:
        """Whether the connection is subscribed, and hence its user a participant (S5.2)."""
        seat = self.delivery.rooms.seat(connection)
        return seat is not None and conversation_id in seat.subscriptions

    def position(self, connection: str) -> int:
        """The last durable offset sent on the connection (V5.1)."""
        seat = self.delivery.rooms.seat(connection)
        return 0 if seat is None else seat.position

    def answer(self, recipient: Recipient, answer: Event) -> None:
        """A direct answer that concerns nobody else."""
        self._metrics.deliveries.add(1, answer.event)
        recipient.push(encode_event(answer, recipient.dialect), counted=False)

    # -- frames out ----------------------------------------------------------------------------------------------------

    def _deliver(self, sendings: Iterable[Sending], *, counted: bool = True) -> None:
        """Encodes each event once per dialect, however many get it."""
        for sending in sendings:
            payloads: dict[Dialect, bytes] = {}
            for connection in sending.to:
                recipient = self._recipients[connection]
                payload = payloads.get(recipient.dialect)
                if payload is None:
                    payload = payloads[recipient.dialect] = encode_event(sending.event, recipient.dialect)
                recipient.push(payload, counted=counted and connection != sending.answers)
            self._metrics.deliveries.add(len(sending.to), sending.event.event)

    def _arm(self) -> None:
        """Keeps one timer for what runs out in the delivery machine (V4.1)."""
        if self._timer is not None:
            return
        deadline = self.delivery.deadline()
        if deadline is not None:
            delay = max(0, deadline - self._clock()) / 1_000
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._deliver(self.delivery.tick(self._clock()))
        self._arm()

    def stop(self) -> None:
        """Lets go of the timer."""
        if self._timer is not None:
            self._timer.cancel()
