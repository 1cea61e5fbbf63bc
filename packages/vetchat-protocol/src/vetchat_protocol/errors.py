"""What can go wrong, and whose fault it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Why a command was refused, in the order in which it is checked (V2.3)."""

    INVALID_JSON = "invalid_json"
    INVALID_ENVELOPE = "invalid_envelope"
    RATE_LIMITED = "rate_limited"
    HELLO_REQUIRED = "hello_required"
    UNKNOWN_EVENT = "unknown_event"
    SENDER_MISMATCH = "sender_mismatch"
    INVALID_PARAMS = "invalid_params"
    FORBIDDEN_ROLE = "forbidden_role"
    NOT_FOUND = "not_found"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


UNREADABLE: Final = frozenset(
    {
        Code.INVALID_JSON,
        Code.INVALID_ENVELOPE,
        Code.RATE_LIMITED,
        Code.UNKNOWN_EVENT,
        Code.SENDER_MISMATCH,
        Code.INVALID_PARAMS,
    }
)
"""The refusals that a connection may collect only so many of in a minute (R2.7)."""


class ProtocolError(Exception):
    """The root of every error in this package."""


class LocalProtocolError(ProtocolError):
    """You did something the protocol does not allow; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something that the protocol does not allow."""


class Refusal(RemoteProtocolError):
    """A command that is answered by an `error` event and has no effect (S6.1).

    `message` is one plain English sentence that never repeats the input (R6.2). `ref` is the command's, where it
    could be read (V2.1).
    """

    def __init__(self, code: Code, message: str, *, retry_after_ms: int | None = None, ref: str | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms
        self.ref = ref

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class UnknownEvent(ProtocolError):
    """The server sent an event that came into the protocol later than this version: nobody's fault, and to be ignored.

    `event` is its name, `offset` its place in the log, if it is durable (V3.2), `ref` that of the command it answers.
    """

    def __init__(self, event: str, offset: int | None = None, ref: str | None = None) -> None:
        super().__init__(event, offset, ref)
        self.event = event
        self.offset = offset
        self.ref = ref


@dataclass(frozen=True, slots=True)
class CloseCode:
    """Why the server ends a connection: 40xx do not come back as you are, 41xx back off, 42xx come back now (V5.2)."""

    code: int
    base_code: int
    reason: str


UNAUTHENTICATED: Final = CloseCode(4001, 1008, "The token is missing, bad or revoked; get a new one.")
NO_ROLE: Final = CloseCode(4003, 1008, "The token carries no usable role.")
NO_HELLO: Final = CloseCode(4008, 1008, "No hello came in time.")
UNAVAILABLE: Final = CloseCode(4100, 1013, "The server cannot serve now; come back later.")
TOO_MANY_REFUSED: Final = CloseCode(4108, 1008, "Too many refused frames; slow down.")
TOO_SLOW: Final = CloseCode(4109, 1013, "This connection reads too slowly; reconnect to catch up.")
TOO_MANY_CONNECTIONS: Final = CloseCode(4110, 1013, "This user has too many connections.")
RESTARTING: Final = CloseCode(4200, 1001, "The server restarts; come back.")
NO_PONG: Final = CloseCode(4201, 1011, "No pong came in time.")
TOKEN_EXPIRED: Final = CloseCode(4202, 4202, "The token ran out; come back with a new one.")


class Closing(ProtocolError):
    """The connection ends now, with this close code; the command at hand stays unanswered (R4.7, V5.2)."""

    def __init__(self, close: CloseCode) -> None:
        super().__init__(close.code, close.reason)
        self.close = close
