"""Where the server is, and what it is told in the address."""

from __future__ import annotations

from dataclasses import dataclass
from ssl import SSLContext
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from vetchat_protocol import SUBPROTOCOL, Dialect, Role

from .transport import Request

ENDPOINT: Final = "/ws/"
"""Where a server listens, unless the address says otherwise (S1.1)."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address. Written out it has no query and no user and password, which may hold secrets (R1.5).

    Raises:
        ValueError: it is not one of a WebSocket server.
    """

    url: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError("The address of a VetChat server begins with ws:// or wss:// and a host.")

    def __str__(self) -> str:
        parts = self._parts()
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))

    def asking_for(self, **wishes: str | None) -> str:
        """The address with what one would like to be, which counts in open mode (R1.3)."""
        parts = self._parts()
        query = dict(parse_qsl(parts.query)) | {key: value for key, value in wishes.items() if value is not None}
        return urlunsplit(parts._replace(query=urlencode(query)))

    def _parts(self) -> SplitResult:
        parts = urlsplit(self.url)._replace(fragment="")
        return parts if parts.path.strip("/") else parts._replace(path=ENDPOINT)


@dataclass(frozen=True, slots=True)
class Target:
    """What to connect to, as whom, and how long one handshake may take, in seconds."""

    address: Address
    role: Role | None = None
    name: str | None = None
    timeout: float = 5.0
    ssl: SSLContext | None = None

    def request(self, user_id: str | None, token: str | None, dialect: Dialect = Dialect.V1) -> Request:
        """The next handshake. Without a token it asks to be the same user again, which open mode grants (R1.3)."""
        wishes = {} if token is not None else {"user_id": user_id, "role": self.role, "name": self.name}
        offer = SUBPROTOCOL if dialect is Dialect.V1 else None
        return Request(self.address.asking_for(**wishes), token, self.timeout, self.ssl, offer)
