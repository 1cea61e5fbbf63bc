"""What can go wrong, and whose fault it is. `VetChatError` is the root of all of it."""

from __future__ import annotations

from vetchat_protocol import Code, LocalProtocolError
from vetchat_protocol import client as machine
from vetchat_protocol.events import ErrorParams


class VetChatError(Exception):
    """The root of every error that this package raises."""


# -- your program's fault; nothing was sent ----------------------------------------------------------------------------


class LocalError(VetChatError):
    """Your program asked for something that cannot be; nothing was sent.

    `code` is what the server would have answered with (V2.3), where it has such a code.
    """

    code: Code | None = None


class InvalidCommand(LocalError):
    """A parameter is not what the protocol allows; the sentence names it."""

    code: Code | None = Code.INVALID_PARAMS


class ForbiddenRole(LocalError):
    """Your role may not do this (S3.1, S3.2)."""

    code: Code | None = Code.FORBIDDEN_ROLE


class NotSupported(LocalError):
    """The server speaks the base wire only, which cannot do this."""


class UnknownUser(LocalError):
    """The server speaks the base wire and does not say who you are: pass `user_id` to `connect`."""


class AnotherUser(LocalError):
    """The server takes you for somebody else than before, or than you said you were: look at your tokens."""


class Closed(LocalError):
    """The chat is over: its `async with` block has ended."""


# -- the server's answer -----------------------------------------------------------------------------------------------


class Refused(VetChatError):
    """The server refused a command, which had no effect (S6.1).

    `message` is its sentence; `code` says why, `retry_after_ms` when to try again; both are None on the base wire.
    """

    def __init__(self, message: str, code: Code | None = None, retry_after_ms: int | None = None) -> None:
        super().__init__(message, code, retry_after_ms)
        self.message = message
        self.code = code
        self.retry_after_ms = retry_after_ms

    @classmethod
    def of(cls, params: ErrorParams) -> Refused:
        """From the params of an `error`."""
        return cls(params.message, params.code, params.retry_after_ms)

    def __str__(self) -> str:
        return self.message if self.code is None else f"{self.code}: {self.message}"


class Rejected(VetChatError):
    """The server does not want this client as it is, and the chat is over (V5.2).

    `status` is the HTTP status of a refused handshake, or `close_code` the code of a closed connection.
    """

    def __init__(self, message: str, *, status: int | None = None, close_code: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.close_code = close_code


class Unauthenticated(Rejected):
    """Your token is missing, bad, expired or revoked (R1.7, V1.3, V1.6)."""


# -- the line's or the server's fault ----------------------------------------------------------------------------------


class OutcomeUnknown(VetChatError):
    """The connection broke before the answer came, on a wire where asking again could do it twice.

    Look into the history, or the conversations, whether it was done.
    """


class Unreachable(VetChatError):
    """No connection came about in time; `__cause__` is what went wrong last."""


class ServerFault(VetChatError):
    """The server sent something that breaks the protocol, and the chat is over."""


_LOCAL: dict[type[LocalProtocolError], type[LocalError]] = {
    machine.InvalidCommand: InvalidCommand,
    machine.ForbiddenRole: ForbiddenRole,
    machine.NotSupported: NotSupported,
    machine.UnknownUser: UnknownUser,
    machine.AnotherUser: AnotherUser,
}


def translated(error: Exception) -> VetChatError:
    """An error of the protocol package as one of this package."""
    if isinstance(error, LocalProtocolError):
        return _LOCAL.get(type(error), LocalError)(str(error))
    if isinstance(error, machine.OutcomeUnknown):
        return OutcomeUnknown(str(error))
    return ServerFault(str(error))
