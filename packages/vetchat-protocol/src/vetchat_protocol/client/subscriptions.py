"""What the application does not want to hear of, kept over reconnects; a new connection starts subscribed to all."""

from __future__ import annotations

from collections.abc import Iterator

from .. import commands, events
from ..commands import Command
from ..events import Event
from ..rules import RULES, Effect

CONVERSATION_EVENTS = (
    events.MessageSent,
    events.ReadMarker,
    events.UserJoined,
    events.UserLeft,
    events.Typing,
    events.PresenceState,
)
"""What only subscribed connections are told (S5.2)."""


class Subscriptions:
    """The conversations that the application has unsubscribed from, and not subscribed to again (R4.24)."""

    def __init__(self) -> None:
        self._muted: set[str] = set()

    def follow(self, command: Command) -> None:
        """A command has been carried out."""
        params = command.params
        if not isinstance(params, commands.ConversationParams):
            return
        if isinstance(params, commands.ConversationHistoryParams) and not params.subscribe:
            return
        match RULES[command.event].effect:
            case Effect.UNSUBSCRIBES:
                self._muted.add(params.conversation_id)
            case Effect.SUBSCRIBES:
                self._muted.discard(params.conversation_id)
            case Effect.NONE:
                pass

    def wants(self, event: Event) -> bool:
        """Whether the application is to hear of it; a new connection may be told more than that (V3.3)."""
        return not isinstance(event, CONVERSATION_EVENTS) or event.params.conversation_id not in self._muted

    def repeated(self) -> Iterator[Command]:
        """What to tell a new connection."""
        for conversation_id in sorted(self._muted):
            params = commands.ConversationParams(conversation_id=conversation_id)
            yield commands.UnsubscribeConversation(params=params)
