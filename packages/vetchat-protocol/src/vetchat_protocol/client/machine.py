"""The client's end of a chat, over any number of connections: a pure state machine.

Whoever drives it says what happens: `connected`, `received`, `lost`, `send`, and `tick` when the `deadline` has come.
Time is an argument, in ms of any clock that does not run backwards. What is to be done comes back as outputs. Texts to
write are fetched by `to_send`, and what the application is told by `take`, each at its own pace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .. import commands, events
from ..codec import Dialect, read_event
from ..commands import Resume
from ..errors import RemoteProtocolError, UnknownEvent
from ..events import Answer, Event
from ..fields import canonical_uuid
from ..models import Role
from .calls import Call, Calls
from .checks import checked
from .errors import AnotherUser, UnknownUser
from .inbox import Disconnected, Inbox, Item, happened, offset_of
from .link import HEARTBEAT, Link
from .outputs import Answered, Failed, Leave, Output, PassedOver, Probe, TokenWanted
from .subscriptions import Subscriptions
from .verdicts import ComeBack, Verdict, of_close


class Client:
    """The machine; once `connected` or `received` has raised an error it is over.

    `user_id` and `role` are what the caller knows of itself, and what the server says must agree. `resume` is a
    position that was saved earlier, `buffer` how many events may wait for the application, `patience` how long a
    `welcome` may take, in ms.

    Raises:
        ValueError: `user_id` is no UUID, or `buffer` is not positive.
    """

    def __init__(
        self,
        *,
        user_id: str | None = None,
        role: Role | None = None,
        resume: Resume | None = None,
        buffer: int = 1_000,
        patience: int = 5_000,
    ) -> None:
        self.user_id = canonical_uuid(user_id) if user_id is not None else None
        self.limits: events.Limits | None = None
        self._role = role
        self._patience = patience
        self._dialect = Dialect.V1
        self._begun = resume is not None
        self._link: Link | None = None
        self._greeting: str | None = None
        self._calls = Calls()
        self._inbox = Inbox(buffer, resume)
        self._subscriptions = Subscriptions()

    # -- what can be asked -------------------------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        """The role that the server gave, or the caller; `client` while nobody has said (R1.3)."""
        return self._role or Role.CLIENT

    @property
    def dialect(self) -> Dialect:
        """What the latest connection speaks; `vetchat.v1` before the first."""
        return self._dialect

    @property
    def ready(self) -> bool:
        """Whether the connection is there and greeted."""
        return self._link is not None and self._link.greeted

    @property
    def position(self) -> Resume | None:
        """Where another client would go on, from what the application is done with (V1.2)."""
        return self._inbox.position

    @property
    def reading(self) -> bool:
        """Whether the next frame is wanted: there is room for an event, or a call waits for its answer."""
        return not self.ready or not self._inbox.full or len(self._calls) > 0

    def deadline(self) -> int | None:
        """When to `tick`; None while nothing can run out."""
        link = self._link
        if link is None or link.verdict is not None:
            return None
        if not link.greeted:
            return link.silent_at(waiting=True)
        times = [link.silent_at(waiting=self._calls.flying)] if self.reading else []
        if self._inbox.behind:
            times.append(link.heard_at)
        return min(times, default=None)

    def to_send_at(self) -> int | None:
        """When `to_send` will have something, as far as is known; None if it has something now or has nothing."""
        return self._calls.ready_at() if self.ready else None

    def to_send(self, now: int) -> str | None:
        """The next text to write to the connection; None if there is none now."""
        link = self._link
        if link is None or link.verdict is not None:
            return None
        if not link.greeted:
            text, self._greeting = self._greeting, None
            return text
        call = self._calls.next(now)
        return None if call is None else call.text(link.dialect, self.user_id)

    # -- what the application does -----------------------------------------------------------------------------------

    def send(self, event: str, params: Mapping[str, object], now: int, *, key: str | None = None) -> Call:
        """A command, checked; an output will name the call.

        `key` is an id that was never used before. It makes a message or a new conversation safe to repeat (V2.2), so
        that a reconnect neither loses nor doubles it.

        Raises:
            InvalidCommand, ForbiddenRole, NotSupported: nothing is sent.
        """
        command = checked(
            event, params, role=self.role, dialect=self._dialect, sender_id=self.user_id, limits=self.limits
        )
        self._listen_again(now)
        return self._calls.add(command, key)

    def forget(self, call: Call) -> None:
        """Nobody waits for this call any more; one that was written may still have its effect."""
        self._calls.forget(call)

    def take(self, now: int) -> Item | None:
        """What the application is told next, if anything; asking says that it is done with what came before (V1.2)."""
        self._listen_again(now)
        return self._inbox.take()

    def refresh(self, token: str) -> None:
        """Tells the server the token that `TokenWanted` asked for (V1.5); a new connection brings it anyway."""
        if self.ready and self._dialect is Dialect.V1:
            self._calls.insert(commands.Refresh(params=commands.RefreshParams(token=token)))

    def _listen_again(self, now: int) -> None:
        """After a time in which nothing was read, silence says nothing about the line."""
        if self._link is not None and not self.reading:
            self._link.heard(now)

    # -- what the connection does ------------------------------------------------------------------------------------

    def connected(
        self, dialect: Dialect, now: int, *, user_id: str | None = None, role: Role | None = None
    ) -> list[Output]:
        """An upgrade succeeded; `user_id` and `role` are what its response said, if it did (R1.4).

        Raises:
            AnotherUser: it is not who it was before.
            UnknownUser: on the base wire, if nobody has said who it is.
        """
        self._identify(user_id, role)
        self._dialect = dialect
        self._link = Link(dialect, now, self._patience, HEARTBEAT)
        if dialect is Dialect.V1:
            hello = commands.Hello(params=commands.HelloParams(resume=self._inbox.resume))
            self._greeting = Call(hello, 0).text(dialect, None)
        else:
            self._enter_base(self._link)
        return self._sifted()

    def received(self, text: str | bytes, now: int) -> list[Output]:
        """A frame came.

        Raises:
            RemoteProtocolError: it breaks the protocol.
            AnotherUser: the server welcomes somebody else.
        """
        link = self._link
        assert link is not None, "frames come from a connection"
        if isinstance(text, bytes):
            raise RemoteProtocolError("The server sent a binary frame.")
        link.heard(now)
        try:
            event = read_event(text, link.dialect)
        except UnknownEvent as unknown:
            return self._pass_over(link, unknown)
        match event:
            case events.Welcome() if not link.greeted:
                self._welcomed(link, event.params)
                return []
            case events.Error() if not link.greeted:
                return _leave(link, f"hello was refused ({event.params.code})", ComeBack.LATER)
            case events.Pong() if event.params.offset > link.offset:
                return [*self._answer(link, event, now), *_leave(link, "something was lost on the way", ComeBack.NOW)]
            case events.TokenExpiring():
                return [TokenWanted()]
            case events.Reconnect():
                link.return_after = event.params.after_ms
                return []
            case _:
                return self._answer(link, event, now)

    def heard(self, now: int) -> None:
        """The pong to a `Probe` came."""
        if self._link is not None:
            self._link.heard(now)

    def lost(self, close_code: int | None) -> list[Output]:
        """The connection has ended, by a close frame with this code or without one."""
        link, self._link = self._link, None
        assert link is not None, "only a connection can be lost"
        if link.greeted:
            self._inbox.notify(Disconnected())
        verdict = link.verdict or of_close(close_code)
        if verdict.come_back is ComeBack.NOW:
            verdict = replace(verdict, after_ms=link.return_after)
        self._calls.interrupt()
        return [*self._sifted(), verdict]

    def tick(self, now: int) -> list[Output]:
        """The deadline has come: ask whether the server is still there, or give the connection up (V1.2, V5.1)."""
        link = self._link
        if link is None or link.verdict is not None:
            return []
        if link.greeted and self._inbox.behind:
            return self._catch_up(link)
        silent = self.reading and now >= link.silent_at(waiting=self._calls.flying)
        if not silent:
            return []
        if link.probed_at is not None or not link.greeted:
            return _leave(link, "the server is silent", ComeBack.NOW if link.greeted else ComeBack.LATER)
        link.probed_at = now
        if link.dialect is Dialect.BASE:
            return [Probe()]
        resume = self._inbox.resume
        self._calls.insert(commands.Ping(params=commands.PingParams(offset=resume.offset if resume else None)))
        return []

    # -- inside --------------------------------------------------------------------------------------------------------

    def _identify(self, user_id: str | None, role: Role | None) -> None:
        if user_id is not None and self.user_id not in (None, user_id):
            raise AnotherUser("The server takes you for another user than you were, or said you were.")
        if role is not None and self._role not in (None, role):
            raise AnotherUser("The server gives you another role than you had, or said you had.")
        self.user_id, self._role = user_id or self.user_id, role or self._role

    def _enter_base(self, link: Link) -> None:
        if self.user_id is None:
            raise UnknownUser("This server does not say who you are: pass your user id.")
        if self._begun:
            self._inbox.reset(None, None)
        self._open(link)

    def _welcomed(self, link: Link, welcome: events.WelcomeParams) -> None:
        """The stream goes on from where it was to resume, if that is recovered; else from the log's head (V3.4)."""
        self._identify(welcome.user_id, welcome.role)
        self.limits = welcome.limits
        link.heartbeat = welcome.heartbeat_interval_ms
        resume = self._inbox.resume
        if welcome.recovered and resume is not None:
            link.offset = resume.offset
            self._inbox.recover()
        else:
            link.offset = welcome.offset
            start = self._inbox.reset if self._begun else self._inbox.begin
            start(welcome.epoch, welcome.offset)
        self._open(link)

    def _open(self, link: Link) -> None:
        """Commands may go out from now on, first what the new connection does not know (R4.24)."""
        link.greeted = True
        self._begun = True
        for command in self._subscriptions.repeated():
            self._calls.insert(command)

    def _sifted(self) -> list[Output]:
        return [Failed(call, error) for call, error in self._calls.sift(self._dialect)]

    def _answer(self, link: Link, event: Event, now: int) -> list[Output]:
        """What an event means for the calls, and for the application (R2.6, V2.1)."""
        call = self._calls.answered(event, self._dialect, self.user_id) if isinstance(event, Answer) else None
        if isinstance(event, events.Error):
            per_second = (self.limits and self.limits.commands_per_second) or 0.0
            if call is not None and self._calls.postpone(call, event.params, per_second, now):
                return []
        elif call is not None:
            self._subscriptions.follow(call.command)
        self._tell(link, event, call)
        if call is None or call.internal or call.forgotten:
            return []
        assert isinstance(event, Answer)
        return [Answered(call, event)]

    def _pass_over(self, link: Link, unknown: UnknownEvent) -> list[Output]:
        """An event of a later version is ignored (R2.4); if it is durable, the position moves on (V1.2)."""
        if self._calls.awaits(unknown.ref):
            raise RemoteProtocolError("The server answered a command with an event that is not known.")
        if link.greeted and unknown.offset is not None:
            link.offset = max(link.offset, unknown.offset)
            self._inbox.pass_over(unknown.offset)
        return [PassedOver(unknown.event)]

    def _tell(self, link: Link, event: Event, call: Call | None) -> None:
        """Puts into the inbox what happened, and any answer to nothing that was asked: nothing is swallowed."""
        offset = offset_of(event)
        link.offset = max(link.offset, offset or 0)
        unasked = isinstance(event, Answer) and call is None
        if not (happened(event) or unasked):
            return
        if self._subscriptions.wants(event):
            self._inbox.offer(event)
        elif offset is not None:
            self._inbox.pass_over(offset)

    def _catch_up(self, link: Link) -> list[Output]:
        """All that fitted has been taken. What did not is asked for again; on the base wire it is lost (V3.3)."""
        if link.dialect is Dialect.V1:
            return _leave(link, "to catch up with what did not fit", ComeBack.NOW)
        self._inbox.reset(None, None)
        return []


def _leave(link: Link, why: str, come_back: ComeBack) -> list[Output]:
    link.verdict = Verdict(come_back)
    return [Leave(why)]
