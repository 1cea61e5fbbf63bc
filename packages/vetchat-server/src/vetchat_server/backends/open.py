"""Open mode: everybody is who they say they are. For development on loopback only (R1.3)."""

from __future__ import annotations

from vetchat_protocol.errors import NO_ROLE, UNAUTHENTICATED, Closing
from vetchat_protocol.fields import canonical_uuid
from vetchat_protocol.models import UNKNOWN_NAME, Role, User
from vetchat_protocol.operations import Identity

from ..clock import NewId, random_id
from ..ports import Credentials


class OpenAuthenticator:
    """Takes `?user_id=`, `?role=` and `?name=` at their word; without a user id, draws one (S1.2, R1.3)."""

    takes_tokens = False

    def __init__(self, new_id: NewId = random_id) -> None:
        self._new_id = new_id

    async def authenticate(self, credentials: Credentials) -> Identity:
        query = credentials.query
        try:
            user_id = canonical_uuid(query["user_id"]) if "user_id" in query else self._new_id()
        except ValueError:
            raise Closing(UNAUTHENTICATED) from None
        try:
            role = Role(query.get("role", Role.CLIENT))
        except ValueError:
            raise Closing(NO_ROLE) from None
        return Identity(User(user_id, role, query.get("name") or UNKNOWN_NAME))


class AnyConversation:
    """The default policy: every client may open a conversation for any pet with any providers (R4.15)."""

    async def permit(self, user: User, pet: str, providers: tuple[str, ...]) -> str | None:
        return None
