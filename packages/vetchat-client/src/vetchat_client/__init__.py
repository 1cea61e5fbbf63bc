"""The VetChat client for Python programs, on asyncio and trio.

`connect` gives a `Chat`: typed calls that survive reconnects, and an async iterator over everything that happens.
"""

from vetchat_protocol import Code, Dialect, Role, events
from vetchat_protocol.client import Disconnected, Item, Notice, Reset, Resumed
from vetchat_protocol.commands import Resume

from .chat import Chat, Conversation, History, Id, Message
from .client import connect
from .errors import (
    AnotherUser,
    Closed,
    ForbiddenRole,
    InvalidCommand,
    LocalError,
    NotSupported,
    OutcomeUnknown,
    Refused,
    Rejected,
    ServerFault,
    Unauthenticated,
    UnknownUser,
    Unreachable,
    VetChatError,
)
from .tokens import TokenSource

__all__ = [
    "AnotherUser",
    "Chat",
    "Closed",
    "Code",
    "Conversation",
    "Dialect",
    "Disconnected",
    "ForbiddenRole",
    "History",
    "Id",
    "InvalidCommand",
    "Item",
    "LocalError",
    "Message",
    "NotSupported",
    "Notice",
    "OutcomeUnknown",
    "Refused",
    "Rejected",
    "Reset",
    "Resume",
    "Resumed",
    "Role",
    "ServerFault",
    "TokenSource",
    "Unauthenticated",
    "UnknownUser",
    "Unreachable",
    "VetChatError",
    "connect",
    "events",
]
