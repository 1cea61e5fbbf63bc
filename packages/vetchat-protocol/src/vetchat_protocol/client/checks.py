"""A command is checked before it goes out, by the rules that the server checks it with: your mistakes stay at home."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..codec import COMMANDS, Dialect, Envelope, read_command, write_command
from ..commands import Command, Message, NewConversation
from ..errors import Refusal
from ..events import Limits
from ..fields import Frame, v1_only_fields
from ..models import Role
from ..rules import RULES
from .errors import ForbiddenRole, InvalidCommand, NotSupported

MARKS: Final = 256
"""Room in a frame for the `ref` and the client-chosen id, which are added when it is written; in bytes."""


def checked(
    event: str,
    params: Mapping[str, object],
    *,
    role: Role,
    dialect: Dialect,
    sender_id: str | None = None,
    limits: Limits | None = None,
) -> Command:
    """The command, if this role may send it like this in this dialect; what the server knows alone is left to it.

    Raises:
        NotSupported: the dialect has no such command, or the command no such parameter.
        InvalidCommand: a parameter is missing, mistyped, out of bounds or beyond what `welcome` allows (V1.2).
        ForbiddenRole: the role may not.
    """
    supported(event, params, dialect)
    try:
        command = read_command(Envelope(event, sender_id, params, None), dialect)
    except Refusal as refusal:
        raise InvalidCommand(refusal.message) from None
    if limits is not None:
        _within(limits, command)
    if role not in RULES[event].roles:
        raise ForbiddenRole("Only a client may do this.")
    return command


def supported(event: str, params: Mapping[str, object], dialect: Dialect) -> None:
    """Passes what the dialect can express.

    Raises:
        NotSupported: it cannot.
    """
    if dialect not in RULES[event].dialects:
        raise NotSupported(f"The base wire has no {event}.")
    if dialect is Dialect.BASE:
        model = COMMANDS[event].model_fields["params"].annotation
        assert isinstance(model, type)
        assert issubclass(model, Frame)
        surplus = sorted(params.keys() & v1_only_fields(model))
        if surplus:
            raise NotSupported(f"On the base wire {event} takes no {' and no '.join(surplus)}.")


def _within(limits: Limits, command: Command) -> None:
    """Keeps to the limits that this server may have set below the protocol's own (R2.7)."""
    match command:
        case Message() if len(command.params.content) > limits.content_chars:
            raise InvalidCommand(f"The parameter content must have at most {limits.content_chars} characters.")
        case NewConversation() if (
            limits.providers is not None and len(set(command.params.providers)) > limits.providers
        ):
            raise InvalidCommand(f"A conversation may have at most {limits.providers} providers.")
        case _:
            size = len(write_command(command).encode()) + MARKS
            if size > limits.frame_bytes:
                raise InvalidCommand(f"A frame must have at most {limits.frame_bytes} bytes.")
