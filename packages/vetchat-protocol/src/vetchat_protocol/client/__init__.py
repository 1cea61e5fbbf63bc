"""The client's end of a chat, without I/O: `Client` is the machine, the rest is what it is made of."""

from .calls import Call
from .errors import AnotherUser, ForbiddenRole, InvalidCommand, NotSupported, OutcomeUnknown, UnknownUser
from .inbox import Disconnected, Item, Notice, Reset, Resumed
from .machine import Client
from .outputs import Answered, Failed, Leave, Output, PassedOver, Probe, TokenWanted
from .verdicts import ComeBack, Verdict, of_close, of_status

__all__ = [
    "AnotherUser",
    "Answered",
    "Call",
    "Client",
    "ComeBack",
    "Disconnected",
    "Failed",
    "ForbiddenRole",
    "InvalidCommand",
    "Item",
    "Leave",
    "NotSupported",
    "Notice",
    "OutcomeUnknown",
    "Output",
    "PassedOver",
    "Probe",
    "Reset",
    "Resumed",
    "TokenWanted",
    "UnknownUser",
    "Verdict",
    "of_close",
    "of_status",
]
