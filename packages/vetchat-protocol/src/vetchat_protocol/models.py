"""The values that everything here is about: users, conversations, messages and what the log records of them.

Ids are UUIDs as lower-case strings of 36 characters (R2.8), times are integer milliseconds since the epoch (S2.2).
"""

from __future__ import annotations

from enum import StrEnum

from .values import value

NIL = "00000000-0000-0000-0000-000000000000"
"""The server's own `sender_id`; never a user, pet, provider or conversation (R1.8)."""

UNKNOWN_NAME = "Unknown User"
"""What a user without a name is called in presence events (R5.4)."""


class Role(StrEnum):
    """What a connection may do: a pet owner is a `client` (S3.1), a veterinarian a `provider` (S3.2)."""

    CLIENT = "client"
    PROVIDER = "provider"


@value
class User:
    """Who a connection belongs to, as the authenticator verified it (R1.6); the picture is an `https` URL or None."""

    id: str
    role: Role
    display_name: str = UNKNOWN_NAME
    profile_image_url: str | None = None


@value
class Conversation:
    """A conversation as it stands: its participants, its latest message and its place in the log (R4.3, V3.6).

    `updated_at` is the creation time before the first message, then the latest message's; `last_seq` counts the
    messages; `last_offset` is the log position of the creation or of the latest message.
    """

    id: str
    client: str
    providers: tuple[str, ...]
    pet: str
    created_at: int
    updated_at: int
    last_message: str = ""
    last_seq: int = 0
    last_offset: int = 0

    def includes(self, user: User) -> bool:
        """Whether the user takes part, by id and role (R3.5)."""
        if user.role is Role.CLIENT:
            return user.id == self.client
        return user.id in self.providers


@value
class Message:
    """One message as it was stored; `seq` numbers the messages of its conversation 1, 2, 3 … without gaps (V3.1)."""

    id: str
    conversation_id: str
    sender_id: str
    content: str
    timestamp: int
    seq: int


@value
class Listing:
    """A conversation in somebody's list, with how far that participant has read (V4.2)."""

    conversation: Conversation
    read_seq: int = 0
    unread_count: int = 0
