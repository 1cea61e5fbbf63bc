"""What one connection is in the middle of, and when its time runs out: a pure state machine, time comes in."""

from __future__ import annotations

from dataclasses import dataclass

from .codec import Dialect
from .errors import NO_HELLO, TOKEN_EXPIRED, CloseCode
from .events import ExpiryParams, TokenExpiring
from .fields import MAX_CONTENT, MAX_PROVIDERS
from .models import User
from .operations import Identity


@dataclass(frozen=True, slots=True)
class Terms:
    """The limits that a server lays down for its sessions, all settings (R2.7, V1); times in ms, sizes in bytes."""

    content_chars: int = MAX_CONTENT
    frame_bytes: int = 131_072
    providers: int = MAX_PROVIDERS
    commands_per_second: float = 20.0
    resume_frames: int = 10_000
    heartbeat_interval: int = 25_000
    hello_timeout: int = 10_000
    expiry_warning: int = 60_000
    expiry_grace: int = 25_000


@dataclass(slots=True)
class Session:
    """One connection's session; `offered` is who its upgrade proved it to be, `identity` who it is since it joined."""

    id: str
    dialect: Dialect
    terms: Terms
    opened_at: int
    offered: Identity | None = None
    identity: Identity | None = None
    warned: bool = False

    @property
    def user(self) -> User:
        """Whose session it is; only asked for once it has joined."""
        assert self.identity is not None
        return self.identity.user

    def deadline(self) -> int | None:
        """When `tick` wants to be called next, in ms since the epoch; None while nothing can run out."""
        if self.identity is None:
            return self.opened_at + self.terms.hello_timeout if self.dialect is Dialect.V1 else None
        expires_at = self.identity.expires_at
        if expires_at is None:
            return None
        if self.dialect is Dialect.BASE:
            return expires_at
        return expires_at + (self.terms.expiry_grace if self.warned else -self.terms.expiry_warning)

    def tick(self, now: int) -> TokenExpiring | CloseCode | None:
        """What has become due: a warning to push (V1.5), or the end (V1.1, V1.5, R1.9)."""
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return None
        if self.identity is None:
            return NO_HELLO
        if self.dialect is Dialect.V1 and not self.warned:
            self.warned = True
            return TokenExpiring(params=ExpiryParams(token_expires_at=self.identity.expires_at))
        return TOKEN_EXPIRED

    def renew(self, identity: Identity) -> None:
        """Puts a new token's lifetime in place of the old one's."""
        self.identity = identity
        self.warned = False
