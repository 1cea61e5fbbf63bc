"""The VetChat protocol: frames, rules and state machines, without I/O.

`commands` is what a peer may say, `events` what a server may say, `codec` turns both into text, `rules` says who may
do what, `server` tells the stories of a connection and `delivery` says who hears of it.
"""

from . import commands, events
from .codec import SUBPROTOCOL, Dialect, read_event, write_command, write_event
from .errors import (
    CloseCode,
    Closing,
    Code,
    LocalProtocolError,
    ProtocolError,
    Refusal,
    RemoteProtocolError,
    UnknownEvent,
)
from .models import NIL, Conversation, Listing, Message, Role, User

__all__ = [
    "NIL",
    "SUBPROTOCOL",
    "CloseCode",
    "Closing",
    "Code",
    "Conversation",
    "Dialect",
    "Listing",
    "LocalProtocolError",
    "Message",
    "ProtocolError",
    "Refusal",
    "RemoteProtocolError",
    "Role",
    "UnknownEvent",
    "User",
    "commands",
    "events",
    "read_event",
    "write_command",
    "write_event",
]
