"""What a check plays in: opens connections of users in their roles, keeps the record, and closes all at the end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import uuid4

from anyio import fail_after
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Origin, Subprotocol

from .frames import Frame
from .identities import Cast, Identity, Role
from .pace import Pace
from .peer import ABSENT, Peer
from .shapes import JSON, Dialect
from .verdicts import Broken, Finding, LeftOut

__all__ = ["Refused", "Scene", "Step"]

SUBPROTOCOL = "vetchat.v1"


class Refused(Exception):
    """The server answered the upgrade with this HTTP status instead."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the upgrade was answered with HTTP {status}")
        self.status = status


class _Connect(connect):
    """Follows no redirect: the endpoint is where the clause says (S1.1)."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a scene's record: who does what, with which text."""

    who: str
    does: str
    text: str


class Scene:
    """One check's world: fresh connections, and a record of all that went over them.

    Args:
        url: the endpoint of the server under test.
        cast: who there is.
        dialect: what connections speak unless told otherwise.
        patience: how long what must come may take, in seconds.
        pace: what holds users back from sending faster than the server allows (R2.7).
    """

    def __init__(self, url: str, cast: Cast, dialect: Dialect, patience: float, pace: Pace) -> None:
        self.url = url
        self.cast = cast
        self.dialect: Dialect = dialect
        self.patience = patience
        self.record: list[Step] = []
        self.findings: list[Finding] = []
        self._pace = pace
        self._conversations: set[str] = set()
        self._stack = AsyncExitStack()
        self._devices: dict[tuple[str, str], int] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def is_open(self) -> bool:
        """Whether the server gives every user the id that it asks for (R1.3)."""
        return self.cast.fresh

    # -- who is there --------------------------------------------------------------------------------------------------

    async def owner(self, number: int = 1, *, dialect: Dialect | None = None) -> Peer:
        """A connection of the first, second … owner."""
        return await self.device(self.cast.one("client", number), dialect=dialect)

    async def vet(self, number: int = 1, *, dialect: Dialect | None = None) -> Peer:
        """A connection of the first, second … vet."""
        return await self.device(self.cast.one("provider", number), dialect=dialect)

    async def device(self, identity: Identity, *, dialect: Dialect | None = None, resume: JSON = ABSENT) -> Peer:
        """One more connection of a user, which has said hello where the dialect asks for it."""
        peer = await self.at_the_door(identity, dialect=dialect)
        if peer.dialect == "v1":
            if resume is not ABSENT:
                peer.position = resume["offset"]
            await peer.done("welcome", "hello", {} if resume is ABSENT else {"resume": resume})
        return peer

    async def at_the_door(self, identity: Identity, *, dialect: Dialect | None = None) -> Peer:
        """One more connection of a user, just open: in `vetchat.v1` it has not said hello yet (V1.1)."""
        name, (query, headers) = self._name(identity), self.credentials(identity)
        try:
            return await self.open(name, identity, dialect=dialect or self.dialect, query=query, headers=headers)
        except Refused as refused:
            raise Broken(f"The upgrade must be accepted, and was answered with HTTP {refused.status}.") from None

    async def consultation(self) -> tuple[Peer, Peer, str]:
        """An owner and a vet, both connected, and the id of a new conversation between them; all that came is read."""
        owner, vet = await self.owner(), await self.vet()
        conversation = await self.create(owner, vet)
        for peer in (owner, vet):
            await peer.caught_up()
        return owner, vet, conversation

    async def create(self, owner: Peer, *providers: Peer | Identity | str) -> str:
        """The id of a new conversation of this owner, for a pet of its own; what else it brings is unread."""
        ids = [one if isinstance(one, str) else one.user_id for one in providers]
        params = {"pet_id": self.new_id(), "providers": ids}
        created = await owner.done("conversation_created", "new_conversation", params)
        return self.knows(created)

    def knows(self, created: Frame) -> str:
        """Takes a new conversation into the scene, and returns its id."""
        conversation = str(created.get("id"))
        self._conversations.add(conversation)
        return conversation

    def new_id(self) -> str:
        """An id that nobody has had before."""
        return str(uuid4())

    def role(self, role: Role, number: int = 1) -> Identity:
        """A user who is not connected yet."""
        return self.cast.one(role, number)

    def needs_open_mode(self, what: str) -> None:
        """Leaves the check out unless the server is open."""
        if not self.is_open:
            raise LeftOut(f"It needs open mode, {what}.")

    def needs_tokens(self, what: str) -> None:
        """Leaves the check out unless the server asks for tokens."""
        if self.is_open:
            raise LeftOut(f"It needs tokens, {what}.")

    # -- the door ------------------------------------------------------------------------------------------------------

    async def open(
        self,
        name: str,
        identity: Identity,
        *,
        dialect: Dialect = "base",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        origin: str | None = None,
        subprotocol: str = SUBPROTOCOL,
    ) -> Peer:
        """Opens a connection with exactly this query and these headers.

        Raises:
            Refused: the server answered with something else than 101.
        """
        address = self._address(query or {})
        self.record.append(Step(name, "connects", f"{self._path(address)} {dialect}"))
        attempt = _Connect(
            address,
            additional_headers=dict(headers or {}),
            origin=None if origin is None else Origin(origin),
            subprotocols=[Subprotocol(subprotocol)] if dialect == "v1" else None,
            compression=None,
            max_queue=None,
            max_size=None,
            ping_interval=None,
            proxy=None,
            open_timeout=None,
            close_timeout=self.patience,
        )
        try:
            with fail_after(self.patience):
                socket = await attempt
        except InvalidStatus as refusal:
            self.record.append(Step(name, "is refused", f"HTTP {refusal.response.status_code}"))
            raise Refused(refusal.response.status_code) from None
        except TimeoutError:
            raise Broken(f"The upgrade of {name} was not answered in {self.patience:g} s.") from None
        except (InvalidHandshake, OSError) as failure:
            raise Broken(f"The upgrade of {name} failed: {failure}.") from None
        self._stack.push_async_callback(socket.close)
        if dialect == "v1" and socket.subprotocol != SUBPROTOCOL:
            raise Broken("The server must echo the subprotocol vetchat.v1.")
        return Peer(name, identity, dialect, socket, self)

    @staticmethod
    def credentials(identity: Identity) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """What says at the door who one is: the query of open mode, or a header with the token."""
        if identity.token is not None:
            return {}, {"Authorization": f"Bearer {identity.token}"}
        query = {"user_id": identity.user_id, "role": identity.role}
        return query | ({"name": identity.name} if identity.name else {}), {}

    def _address(self, query: Mapping[str, str]) -> str:
        parts = urlsplit(self.url)
        joined = "&".join(part for part in (parts.query, urlencode(query)) if part)
        return urlunsplit((parts.scheme, parts.netloc, parts.path, joined, ""))

    def _path(self, address: str) -> str:
        """Where a connection goes, without the query: a token in it is nobody's business."""
        return urlsplit(address).path

    def _name(self, identity: Identity) -> str:
        key = (identity.user_id, identity.role)
        self._devices[key] = self._devices.get(key, 0) + 1
        place = [other for other in self._devices if other[1] == identity.role].index(key)
        number, device = ("", " 2", " 3", " 4")[min(place, 3)], self._devices[key]
        kind = "the owner" if identity.role == "client" else "the vet"
        return f"{kind}{number}" + (f" (device {device})" if device > 1 else "")

    # -- watching ------------------------------------------------------------------------------------------------------

    async def pace(self, identity: Identity) -> None:
        await self._pace.wait(identity.user_id)

    def note(self, who: str, does: str, text: str) -> None:
        self.record.append(Step(who, does, text))

    def find(self, finding: Finding) -> None:
        self.findings.append(finding)

    def concerns(self, frame: Frame) -> bool:
        about = frame.conversation
        new = frame.event in ("conversation_created", "new_conversation_invitation")
        return self.cast.fresh or new or about is None or about in self._conversations
