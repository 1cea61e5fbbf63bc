"""What every connection of one server works with."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog
from vetchat_protocol.errors import UNAUTHENTICATED, Closing
from vetchat_protocol.fields import canonical_uuid
from vetchat_protocol.models import User
from vetchat_protocol.operations import Identity
from vetchat_protocol.records import RoleDraft
from vetchat_protocol.session import Terms

from .clock import Clock, NewId
from .hub import Hub
from .limits import Rates
from .log import Log
from .metrics import Metrics
from .ports import Authenticator, ConversationPolicy, Credentials, Store

logger = structlog.stdlib.get_logger(__name__)

RECORDED = 10_000
"""How many roles are remembered as recorded, at about 200 bytes each."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one server takes on, beside the terms of each session; all settings (R2.7, V1.3)."""

    burst: float = 200.0
    refusals_per_minute: int = 100
    connections_per_user: int = 20
    outbox_frames: int = 1_000
    outbox_bytes: int = 1_048_576
    waiting_for_hello: int = 1_000


@dataclass(slots=True)
class Environment:
    """The one of each that all connections share; `epoch` is known once the store is open.

    `recorded` are the roles that were recorded lately, which is for ever.
    """

    store: Store
    authenticator: Authenticator
    policy: ConversationPolicy
    clock: Clock
    new_id: NewId
    terms: Terms
    limits: Limits
    metrics: Metrics
    hub: Hub
    log: Log
    rates: Rates
    epoch: str = ""
    recorded: dict[RoleDraft, None] = field(default_factory=dict[RoleDraft, None])

    async def identify(self, credentials: Credentials) -> Identity:
        """Who brings these credentials, checked beyond what the authenticator checks (R1.8, V1.6).

        Raises:
            Closing: `UNAUTHENTICATED` or `NO_ROLE`.
        """
        identity = await self.authenticator.authenticate(credentials)
        try:
            canonical = canonical_uuid(identity.user.id)
        except ValueError:
            canonical = None
        if canonical != identity.user.id:
            logger.error("authenticator_returned_a_bad_id", authenticator=type(self.authenticator).__name__)
            raise Closing(UNAUTHENTICATED)
        return self.verified(identity)

    def verified(self, identity: Identity) -> Identity:
        """The identity again, if it still holds (R1.9, V1.6).

        Raises:
            Closing: it has expired or been revoked.
        """
        expired = identity.expires_at is not None and identity.expires_at <= self.clock()
        if expired or self.hub.is_revoked(identity):
            raise Closing(UNAUTHENTICATED)
        return identity

    async def arrive(self, user: User) -> tuple[str, ...]:
        """Records the user's role (R1.4, R4.13) and looks up the conversations it takes part in (S5.1).

        Who comes back writes nothing: one who reconnects in a loop would else break everybody's commits into pieces.
        """
        role = RoleDraft(user.id, user.role)
        if role not in self.recorded:
            await self.log.append(role)
            self.recorded[role] = None
            if len(self.recorded) > RECORDED:
                del self.recorded[next(iter(self.recorded))]
        return tuple(await self.store.memberships(user))
