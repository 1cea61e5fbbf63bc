"""The plug points: small protocols whose docstrings are the contract, and the errors that cross them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vetchat_protocol.models import Conversation, Listing, Message, User
from vetchat_protocol.operations import Identity
from vetchat_protocol.records import LogPage, Outcome, Record, Stamped


class StoreError(Exception):
    """The root of what a store may raise."""


class StoreUnavailable(StoreError):
    """The store cannot do this now: it is away, full or read-only. Nothing was stored."""


class Rejected(StoreError):
    """The store will never take this commit as it is, for one of its entries is bad. Nothing was stored."""


class OutcomeUnknown(StoreError):
    """The connection broke while a commit ran: nobody can say yet whether it was stored (R4.7)."""


class StoreInUse(StoreError):
    """Another server holds this store, and only one may; stop it first."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where the log stands: its name (V3.2) and the offset of its latest record, 0 before the first."""

    epoch: str
    position: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a peer brought to prove who it is: a token if any, and the query of its upgrade request."""

    token: str | None
    query: Mapping[str, str] = field(default_factory=dict[str, str])


class Authenticator(Protocol):
    """Says who a peer is (R1.3). One instance serves all connections."""

    @property
    def takes_tokens(self) -> bool:
        """Whether peers prove themselves by a token; if not, a token in `hello` is not asked about (V1.2)."""
        ...

    async def authenticate(self, credentials: Credentials) -> Identity:
        """The verified user, with a UUID that is not the nil one, and the token's lifetime in ms since the epoch.

        Raises:
            Closing: with `UNAUTHENTICATED` for a missing, bad or expired token (R1.7), with `NO_ROLE` for a good one
                that gives no usable role. Anything else it raises is logged and answered by 503.
        """
        ...


class ConversationPolicy(Protocol):
    """Says which conversations clients may open (R4.15)."""

    async def permit(self, user: User, pet: str, providers: tuple[str, ...]) -> str | None:
        """None to allow it, or one plain English sentence for the client that says why not."""
        ...


class Store(Protocol):
    """Keeps the one log and all that it says. Exactly one server uses a store at a time.

    Reads may run at any time and beside each other; `commit` is never called before the last one has returned. Every
    method may raise `StoreUnavailable`. Cancelling a caller never leaves a transaction open.
    """

    async def open(self) -> LogHead:
        """Connects, brings the schema up to date and takes the store for this process.

        Raises:
            StoreInUse: another process has it.
        """
        ...

    async def close(self) -> None:
        """Gives the store back; safe to call twice."""
        ...

    async def commit(self, entries: Sequence[Stamped]) -> Sequence[Outcome]:
        """Stores all entries durably in their order, or none; one outcome each, with dense offsets and `seq`s.

        Equal client-chosen ids within the batch are resolved like earlier ones (V2.2). A message's time is its
        entry's, or the conversation's latest if that is later (R4.10).

        Raises:
            Rejected: an entry is bad; with a batch of one the bad entry is found.
            OutcomeUnknown: it may have been stored; `records_after` will tell.
        """
        ...

    async def records_after(self, position: int) -> Sequence[Record]:
        """Everybody's records after this position, in log order, read with full consistency."""
        ...

    async def participates(self, user: User, conversation_id: str) -> bool:
        """Whether the conversation exists and the user takes part in it by id and role (R3.5)."""
        ...

    async def load(self, conversation_id: str) -> Conversation | None:
        """The conversation as it stands."""
        ...

    async def memberships(self, user: User) -> Sequence[str]:
        """The ids of all conversations the user takes part in."""
        ...

    async def list_conversations(self, user: User, limit: int | None, before: int | None) -> Sequence[Listing]:
        """All of them, newest update first, ties by id (R4.2); with `limit` or `before`, the first `limit` whose
        `last_offset` is below `before`, by `last_offset`, newest first (V3.6)."""
        ...

    async def read_messages(self, conversation_id: str, after: int, upto: int) -> Sequence[Message]:
        """The messages with `after < seq <= upto`, newest first, at a cost that depends on their number (R4.19)."""
        ...

    async def only_clients(self, user_ids: Iterable[str]) -> frozenset[str]:
        """Which of these ids have connected as a client and never as a provider (R4.13)."""
        ...

    async def find_conversation(self, client: str, client_conversation_id: str) -> Conversation | None:
        """The conversation that this client created under this id (V2.2)."""
        ...

    async def missed(self, user: User, offset: int, limit: int) -> int:
        """How many records of the user's conversations come after `offset`, counted up to `limit + 1` (V3.4)."""
        ...

    async def read_log(self, user: User, since: int, position: int, upto: int, limit: int) -> LogPage:
        """The user's records in `(position, upto]`, at most `limit`; `since` is the offset resumed from (V3.3)."""
        ...

    async def revoke(self, user_id: str, at: int) -> None:
        """Makes void what was issued to the user up to `at` (ms since the epoch); works while a server runs (V1.6)."""
        ...

    async def revocations(self) -> Mapping[str, int]:
        """The latest revocation of each user, ms since the epoch (V1.6)."""
        ...
