"""What is checked before a connection is upgraded, and how it is refused (R1.5, R1.7, R2.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from vetchat_protocol.codec import SUBPROTOCOL, Dialect

from .ports import Credentials

DEFAULT_PORTS = {"http": 80, "https": 443}


class Denied(Exception):
    """The upgrade is refused with this HTTP status and one sentence for whoever reads the response."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An upgrade request: lower-case header names, the parsed query, the subprotocols offered."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    subprotocols: Sequence[str]

    def dialect(self) -> Dialect:
        """Which dialect was negotiated.

        Raises:
            Denied: 400, when only unknown subprotocols were offered.
        """
        if not self.subprotocols:
            return Dialect.BASE
        if SUBPROTOCOL in self.subprotocols:
            return Dialect.V1
        raise Denied(400, f"This server speaks the subprotocol {SUBPROTOCOL}, or none.")

    def credentials(self) -> Credentials:
        """The token from `Authorization: Bearer …` or from `?token=…` (R1.5)."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        token = value.strip() if scheme.lower() == "bearer" else self.query.get("token")
        return Credentials(token or None, {key: value for key, value in self.query.items() if key != "token"})


@dataclass(frozen=True, slots=True)
class Origins:
    """Which web pages may connect: the server's own, those listed, and in open mode any on loopback (R1.7)."""

    allowed: frozenset[str] = frozenset()
    loopback_only: bool = False

    def check(self, upgrade: Upgrade) -> None:
        """Refuses a page of another site, and in open mode a host name that is not loopback (DNS rebinding).

        Raises:
            Denied: 403.
        """
        host = upgrade.headers.get("host", "")
        if self.loopback_only and not _on_loopback(_place(f"http://{host}")):
            raise Denied(403, "In open mode the server answers on loopback only.")
        origin = upgrade.headers.get("origin")
        if origin is not None and not self._allows(origin, host):
            raise Denied(403, "This origin may not connect; ask the operator to allow it.")

    def _allows(self, origin: str, host: str) -> bool:
        if origin.lower().rstrip("/") in self.allowed:
            return True
        place = _place(origin)
        if self.loopback_only:
            return _on_loopback(place)
        scheme, _, _ = origin.partition("://")
        return place is not None and place == _place(f"{scheme}://{host}")


def _place(address: str) -> tuple[str, int] | None:
    """Host and port of a web address, the scheme's own port filled in; None if it is no such address."""
    try:
        parts = urlsplit(address)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None


def _on_loopback(place: tuple[str, int] | None) -> bool:
    return place is not None and is_loopback(place[0])


def is_loopback(host: str) -> bool:
    """Whether a host name or address never leaves this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
