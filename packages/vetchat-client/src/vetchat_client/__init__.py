"""The VetChat client for Python programs, on asyncio and trio.

`connect` gives a `Chat`: typed calls that survive reconnects, and an async iterator over everything that happens.
`Bot` runs handlers for what happens, and answers each message exactly once.
"""

from vetchat_protocol import Code, Dialect, Role, events
from vetchat_protocol.client import Disconnected, Item, Notice, Reset, Resumed
from vetchat_protocol.commands import Resume

from .bot import Bot, ConnectOptions, FilePosition, Heard, PositionStore, Received, UnreadablePosition
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
    "Bot",
    "Chat",
    "Closed",
    "Code",
    "ConnectOptions",
    "Conversation",
    "Dialect",
    "Disconnected",
    "FilePosition",
    "ForbiddenRole",
    "Heard",
    "History",
    "Id",
    "InvalidCommand",
    "Item",
    "LocalError",
    "Message",
    "NotSupported",
    "Notice",
    "OutcomeUnknown",
    "PositionStore",
    "Received",
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
    "UnreadablePosition",
    "VetChatError",
    "connect",
    "events",
]
