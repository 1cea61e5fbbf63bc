"""What was said in a scene, to be read by whoever asks why it failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from vetchat_protocol.records import ConversationStarted, MessageStored, ReadMoved, Record

MOST: Final = 100
"""How many lines are shown; the last ones say most."""


def written(records: Sequence[Record], names: Mapping[str, str], zone: tzinfo | None) -> str:
    """A line for each conversation begun, message stored and read marker moved."""
    lines = list(_lines(records, names, zone))
    earlier = len(lines) - MOST
    if earlier > 0:
        lines = [f"… {earlier} earlier", *lines[-MOST:]]
    return "\n".join(lines) or "Nothing has been said."


def _lines(records: Sequence[Record], names: Mapping[str, str], zone: tzinfo | None) -> Iterator[str]:
    numbers: dict[str, int] = {}
    at = 0
    for record in records:
        number = numbers.setdefault(record.conversation_id, len(numbers) + 1)
        match record:
            case ConversationStarted(_, conversation):
                at = conversation.created_at
                others = ", ".join(names.get(one, one) for one in conversation.providers) or "nobody yet"
                said = f"{names.get(conversation.client, conversation.client)} begins a conversation with {others}"
            case MessageStored(_, message):
                at = message.timestamp
                said = f"{names.get(message.sender_id, message.sender_id)}: {message.content}"
            case ReadMoved(_, _, user_id, seq):
                said = f"{names.get(user_id, user_id)} has read {seq}"
        yield f"{datetime.fromtimestamp(at / 1_000, zone):%a %d %b %H:%M:%S}  #{number}  {said}"
