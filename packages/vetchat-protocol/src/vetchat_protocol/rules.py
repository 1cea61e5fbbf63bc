"""The policy table: who may issue a command, and what it is answered with. Nobody else knows any of this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from . import events
from .codec import Dialect
from .fields import Frame
from .models import Role

EVERYBODY: Final = frozenset(Role)
CLIENTS: Final = frozenset({Role.CLIENT})


class Effect(Enum):
    """What a command does to the sender's subscription of the conversation it names (S5.1)."""

    NONE = "none"
    SUBSCRIBES = "subscribes"
    UNSUBSCRIBES = "unsubscribes"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: roles that may issue it, whether only participants may, its answer, its effect, where it exists.

    `otherwise` answers it when there was nothing to do.
    """

    roles: frozenset[Role]
    participants_only: bool
    answer: type[Frame]
    effect: Effect = Effect.NONE
    dialects: frozenset[Dialect] = frozenset(Dialect)
    otherwise: type[Frame] | None = None


_V1: Final = frozenset({Dialect.V1})

# fmt: off
RULES: Final[Mapping[str, Rule]] = {
    "conversations":            Rule(EVERYBODY, False, events.Conversations),
    "message":                  Rule(EVERYBODY, True, events.MessageSent, Effect.SUBSCRIBES),
    "new_conversation":         Rule(CLIENTS, False, events.ConversationCreated, Effect.SUBSCRIBES),
    "conversation_history":     Rule(EVERYBODY, True, events.ConversationHistoryResponse, Effect.SUBSCRIBES),
    "subscribe_conversation":   Rule(EVERYBODY, True, events.Subscribed, Effect.SUBSCRIBES),
    "unsubscribe_conversation": Rule(EVERYBODY, True, events.Unsubscribed, Effect.UNSUBSCRIBES),
    "hello":                    Rule(EVERYBODY, False, events.Welcome, dialects=_V1),
    "refresh":                  Rule(EVERYBODY, False, events.Refreshed, dialects=_V1),
    "typing":                   Rule(EVERYBODY, True, events.Ok, dialects=_V1),
    "mark_read":                Rule(EVERYBODY, True, events.ReadMarker, dialects=_V1, otherwise=events.Ok),
    "ping":                     Rule(EVERYBODY, False, events.Pong, dialects=_V1),
}
# fmt: on
"""A command's row by its event (S3.1 to S3.3, S4.1 to S4.21, V1 to V5)."""
