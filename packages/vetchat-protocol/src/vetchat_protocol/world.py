"""The world that simulated stories ask: a log in memory with group commit, one delivery machine, and a told time.

It answers every operation as a server does, with the pauses that a server has: a draft waits for its commit, and what
is committed is durable and can be read before it is delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from . import operations as ask
from .codec import Dialect, write_event
from .delivery import Delivery, Origin, Sending
from .errors import UNAUTHENTICATED, Closing, Code, Refusal
from .memory import MemoryLog
from .models import User
from .operations import Identity
from .records import Draft, Record, RoleDraft, Stamped
from .rooms import Seat
from .session import Session, Terms

BEGINNING = 1_700_000_000_000
"""The time at which a simulation begins, in ms since the epoch."""

Hear = Callable[[str, str, bool], None]
"""Takes a frame for a connection: the connection's id, the text, and whether it is its direct answer."""


@dataclass(slots=True, eq=False)
class Pending:
    """What an operation was or will be answered with: a value or an error, once it is `ready`."""

    ready: bool = False
    value: object = None
    error: Exception | None = None

    def resolve(self, value: object) -> None:
        self.ready, self.value = True, value

    def fail(self, error: Exception) -> None:
        self.ready, self.error = True, error


@dataclass(slots=True, eq=False)
class Entry:
    """A stamped draft on its way into the log, whose it is, and who waits for it."""

    stamped: Stamped
    origin: Origin
    pending: Pending = field(default_factory=Pending)


@dataclass(frozen=True, slots=True)
class _Memberships(ask.Operation[tuple[str, ...]]):
    """The second half of `Enter`: look, once one has begun to listen."""

    user: User


class World:
    """Everything that connections share. `restart` loses what a crash of the server loses; the log stays."""

    def __init__(self, hear: Hear, *, terms: Terms, start: Callable[[int], Delivery], replay_page: int) -> None:
        self.log: MemoryLog = MemoryLog(_uuid("log", 1))
        self.now = BEGINNING
        self.store_is_down = False
        self.tokens: dict[str, Identity] = {}
        self._hear = hear
        self._terms = terms
        self._start = start
        self._replay_page = replay_page
        self._drawn: dict[str, int] = {}
        self.restart()

    def restart(self) -> None:
        """Begins anew at the log's head; what waited for a commit or for its delivery is forgotten."""
        self.delivery: Delivery = self._start(self.log.head)
        self.waiting: list[Entry] = []
        self.undelivered: list[tuple[Entry, object]] = []

    def new_id(self, kind: str) -> str:
        """The next id of its kind: what is drawn for one kind does not move another's."""
        self._drawn[kind] = self._drawn.get(kind, 0) + 1
        return _uuid(kind, self._drawn[kind])

    def state(self) -> Hashable:
        """All that the future depends on here."""
        rooms, log = self.delivery.rooms, self.log
        conversations = (record.conversation_id for record in log.records)
        return (
            (self.now, self.store_is_down, tuple(log.records), self.delivery.head, self.delivery.deadline()),
            tuple((entry.stamped, entry.origin) for entry in self.waiting),
            tuple((entry.stamped, entry.origin) for entry, _ in self.undelivered),
            tuple(
                (tuple((seat.connection, seat.live) for seat in rooms.subscribed(one)), rooms.others(one, ""))
                for one in dict.fromkeys(conversations)
            ),
        )

    # -- the log -------------------------------------------------------------------------------------------------------

    def append(self, draft: Draft, origin: Origin) -> Pending:
        """Lets a draft wait for the next commit."""
        kind = type(draft).__name__.removesuffix("Draft").lower()
        entry = Entry(Stamped(draft, self.new_id(kind), self.now), origin)
        self.waiting.append(entry)
        return entry.pending

    def commit(self, count: int) -> None:
        """The first `count` waiting drafts become durable together, or fail together."""
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        if self.store_is_down:
            for entry in batch:
                entry.pending.fail(_unavailable())
            return
        outcomes = self.log.commit([entry.stamped for entry in batch])
        self.undelivered = list(zip(batch, outcomes, strict=True))

    def deliver(self) -> None:
        """The delivery pass of the commit; then whoever waited for it may go on."""
        for entry, outcome in self.undelivered:
            if isinstance(outcome, Record):
                self.tell(self.delivery.committed(outcome, entry.origin, self.now))
        for entry, outcome in self.undelivered:
            entry.pending.resolve(outcome)
        self.undelivered = []

    def tell(self, sendings: Iterable[Sending]) -> None:
        """Encodes what delivery says, once per dialect."""
        for sending in list(sendings):
            texts: dict[Dialect, str] = {}
            for connection in sending.to:
                seat = self.delivery.rooms.seat(connection)
                assert seat is not None, "only who is there is told"
                if seat.dialect not in texts:
                    texts[seat.dialect] = write_event(sending.event, seat.dialect)
                self._hear(connection, texts[seat.dialect], connection == sending.answers)

    # -- operations ----------------------------------------------------------------------------------------------------

    async def enter(self, session: Session, identity: Identity) -> tuple[str, ...]:
        """`Enter`, told as the short story that it is to a server: listen, record the role, then look."""
        self.delivery.enter(session.id, identity.user, session.dialect)
        try:
            await ask.Append(RoleDraft(identity.user.id, identity.user.role))
            return await _Memberships(identity.user)
        except Refusal:
            self.tell(self.delivery.disconnect(session.id, self.now))
            raise

    def concerns_nobody_else(self, operation: ask.Operation[object]) -> bool:
        """Whether it makes no difference to anybody when the operation is answered."""
        return isinstance(operation, ask.Admit | ask.Authenticate | ask.Permit | ask.Renew | ask.Position)

    def ask(self, session: Session, operation: ask.Operation[object]) -> Pending:
        """Does what an operation asks for; the answer may have to be waited for."""
        if isinstance(operation, ask.Append):
            return self.append(operation.draft, Origin(session.id, operation.ref))
        pending = Pending()
        try:
            pending.resolve(self._answer(session, operation))
        except (Refusal, Closing) as error:
            pending.fail(error)
        return pending

    def _answer(self, session: Session, operation: ask.Operation[object]) -> object:
        """What the connection and the delivery machine know; the rest is asked of the store."""
        connection, delivery = session.id, self.delivery
        match operation:
            case ask.Admit() | ask.Permit() | ask.Renew():
                return None
            case ask.Authenticate(token):
                return self._authenticate(session, token)
            case ask.Join(conversation_ids, position):
                self.tell(delivery.join(connection, conversation_ids, self.now, position))
                return ask.Joined(self.log.epoch, delivery.head)
            case ask.Leave():
                return self.tell(delivery.disconnect(connection, self.now))
            case ask.Reply(answer):
                return self._hear(connection, write_event(answer, session.dialect), True)
            case ask.Replay(page):
                return self.tell(delivery.replay(connection, page.records))
            case ask.GoLive(position):
                sendings = delivery.go_live(connection, position)
                self.tell(sendings or ())
                return sendings is not None
            case ask.Subscribe(conversation_id):
                return delivery.subscribe(connection, conversation_id)
            case ask.Announce(conversation_id, answer):
                return self.tell(delivery.announce(connection, conversation_id, answer, self.now))
            case ask.Unsubscribe(conversation_id):
                return self.tell(delivery.unsubscribe(connection, conversation_id, self.now))
            case ask.ShowTyping(conversation_id, active):
                return self.tell(delivery.show_typing(connection, conversation_id, active, self.now))
            case ask.Position():
                return self._seat(session).position
            case _:
                return self._look_up(session, operation)

    def _look_up(self, session: Session, operation: ask.Operation[object]) -> object:
        if self.store_is_down:
            raise _unavailable()
        log = self.log
        match operation:
            case _Memberships(user):
                return log.memberships(user)
            case ask.Participates(conversation_id):
                return log.participates(session.user, conversation_id)
            case ask.Load(conversation_id):
                return log.load(conversation_id)
            case ask.ListConversations(limit, before):
                return log.list_conversations(session.user, limit, before)
            case ask.ReadMessages(conversation_id, after, upto):
                return log.read_messages(conversation_id, after, upto)
            case ask.OnlyClients(user_ids):
                return log.only_clients(user_ids)
            case ask.FindConversation(client_conversation_id):
                return log.find_conversation(session.user.id, client_conversation_id)
            case ask.ReadLog(since, position):
                return log.read_log(session.user, since, position, self.delivery.head, self._replay_page)
            case ask.ResumePoint(epoch, offset):
                return self._resumable(self._seat(session).user, epoch, offset)
            case _:
                raise NotImplementedError(type(operation).__name__)

    def _authenticate(self, session: Session, token: str | None) -> Identity:
        """Who a token, or without one the upgrade, proves somebody to be (V1.2, V1.3)."""
        identity = session.offered if token is None else self.tokens.get(token)
        if identity is None or (identity.expires_at is not None and identity.expires_at <= self.now):
            raise Closing(UNAUTHENTICATED)
        return identity

    def _resumable(self, user: User, epoch: str, offset: int) -> bool:
        """Recovery is never partial (V3.4)."""
        if epoch != self.log.epoch or offset > self.delivery.head:
            return False
        limit = self._terms.resume_frames
        return self.log.missed(user, offset, limit) <= limit

    def _seat(self, session: Session) -> Seat:
        seat = self.delivery.rooms.seat(session.id)
        assert seat is not None, "a story that asks has entered"
        return seat


def _uuid(kind: str, number: int) -> str:
    return f"{kind.encode().hex()[:8]:0<8}-0000-4000-8000-{number:012x}"


def _unavailable() -> Refusal:
    return Refusal(Code.UNAVAILABLE, "The store is down; nothing was changed.")
