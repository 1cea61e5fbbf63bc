"""Which messages a page of history holds: arithmetic on the dense `seq`, no counting (R4.17, R4.19, V3.5)."""

from __future__ import annotations

from dataclasses import dataclass

from .commands import ConversationHistoryParams


@dataclass(frozen=True, slots=True)
class Window:
    """The messages with `after < seq <= upto`; `has_newer` is told only where it was asked around a message."""

    after: int
    upto: int
    has_more: bool
    has_newer: bool | None = None


def window(params: ConversationHistoryParams, last_seq: int) -> Window:
    """The window that a `conversation_history` asks for in a conversation of `last_seq` messages."""
    limit = params.limit
    if params.after is not None:
        after = min(params.after, last_seq)
        upto = min(after + limit, last_seq)
        return Window(after, upto, has_more=upto < last_seq)
    if params.around is not None:
        after = max(0, min(params.around - 1 - limit // 2, last_seq - limit))
        upto = min(after + limit, last_seq)
        return Window(after, upto, has_more=after > 0, has_newer=upto < last_seq)
    upto = last_seq - params.page * limit if params.before is None else min(params.before - 1, last_seq)
    upto = max(0, upto)
    after = max(0, upto - limit)
    return Window(after, upto, has_more=after > 0)
