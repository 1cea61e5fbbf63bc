"""`connect`: from an address to a `Chat` that stays connected."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from ssl import SSLContext
from types import TracebackType

from anyio import create_task_group
from vetchat_protocol import Role
from vetchat_protocol.client import Client
from vetchat_protocol.commands import Resume
from vetchat_protocol.fields import canonical_uuid

from .address import Address, Target
from .chat import Chat, Id
from .errors import Closed
from .reconnect import Backoff, Reconnector
from .session import Session
from .tokens import Tokens, TokenSource
from .transport import Opener, open_websocket


def connect(
    url: str,
    *,
    token: TokenSource = None,
    user_id: Id | None = None,
    role: Role | str | None = None,
    name: str | None = None,
    resume: Resume | None = None,
    buffer: int = 1_000,
    open_timeout: float = 20.0,
    attempt_timeout: float = 5.0,
    ssl: SSLContext | None = None,
    opener: Opener = open_websocket,
) -> AbstractAsyncContextManager[Chat]:
    """A chat with the server at `url`, connected when the block is entered and kept connected until it is left.

    `url` is `ws://…` or `wss://…`; without a path it is that of the endpoint, `/ws/`. `token` is a string, or an async
    callable that returns one: it is called for the first connection, when the token runs out, and when the server does
    not take it; one call at a time. In open mode, without a token, `user_id`, `role` and `name` say who you would like
    to be; elsewhere what you say of yourself must agree with what the server knows. `resume` is the `position` of an
    earlier chat, whose events then go on where they broke off. At most `buffer` events wait for you. Entering gives up
    after `open_timeout`, a single attempt to connect after `attempt_timeout`, both in seconds. `opener` makes the
    connections; another one can do without a network.

    Raises (from entering):
        Unreachable: no connection came about in time.
        Unauthenticated, Rejected: the server does not want you.
        UnknownUser: the server speaks the base wire and names no user, and neither do you.
        AnotherUser: the server takes you for somebody else than you say.

    Raises:
        ValueError: the address, the id or the role is none, or `buffer` is not positive.
        TypeError: `token` is neither a string nor an async callable; some of those are found out on entering. Or
            `resume` is no position.
    """
    known_role = _known_role(role)
    if not isinstance(resume, Resume | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("resume must be a Resume, the position of an earlier chat.")
    client = Client(
        user_id=_known_id(user_id),
        role=known_role,
        resume=resume,
        buffer=buffer,
        patience=round(attempt_timeout * 1_000),
    )
    target = Target(Address(url), known_role, name, attempt_timeout, ssl)
    session = Session(client)
    reconnector = Reconnector(session, target, Tokens(token), opener, Backoff())
    return _Connected(Chat(session, target.address), session, reconnector, open_timeout)


def _known_id(user_id: Id | None) -> str | None:
    try:
        return None if user_id is None else canonical_uuid(str(user_id))
    except ValueError as error:
        raise ValueError(f"user_id {error}.") from None


def _known_role(role: Role | str | None) -> Role | None:
    try:
        return None if role is None else Role(role)
    except ValueError:
        raise ValueError(f"role must be {' or '.join(Role)}, not {role!r}.") from None


class _Connected(AbstractAsyncContextManager["Chat"]):
    """Runs the reconnector for as long as the block lasts."""

    def __init__(self, chat: Chat, session: Session, reconnector: Reconnector, timeout: float) -> None:
        self._chat = chat
        self._session = session
        self._reconnector = reconnector
        self._timeout = timeout

    async def __aenter__(self) -> Chat:
        self._tasks = await create_task_group().__aenter__()
        try:
            self._tasks.start_soon(self._reconnector.run, self._tasks)
            await self._reconnector.opened(self._timeout)
        except BaseException:
            await self._leave()
            raise
        return self._chat

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def _leave(self) -> None:
        """Ends everything. The task group is not told of an error in the block, which would come out wrapped."""
        self._session.end(Closed("The chat is closed."), closed=True)
        self._reconnector.stop()
        await self._tasks.__aexit__(None, None, None)
