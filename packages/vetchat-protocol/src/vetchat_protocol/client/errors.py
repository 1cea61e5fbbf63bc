"""What goes wrong at the client's end, and whose fault it is."""

from __future__ import annotations

from ..errors import LocalProtocolError, ProtocolError


class InvalidCommand(LocalProtocolError):
    """A parameter is not what the protocol allows; the sentence names it (R6.2)."""


class ForbiddenRole(LocalProtocolError):
    """Your role may not do this (S3.1, S3.2)."""


class NotSupported(LocalProtocolError):
    """The base wire cannot do this; the server would have to speak `vetchat.v1`."""


class UnknownUser(LocalProtocolError):
    """The server does not say who you are, so you have to (R1.4)."""


class AnotherUser(LocalProtocolError):
    """The server takes you for somebody else than before, or than you said you were (R1.6)."""


class OutcomeUnknown(ProtocolError):
    """The connection broke before the answer came: the command may have been carried out, or not. Nobody's fault."""
