"""Rows to values: the one place that knows what the columns mean."""

from __future__ import annotations

from typing import cast

from vetchat_protocol.models import Conversation, Listing, Message
from vetchat_protocol.records import ConversationStarted, MessageStored, ReadMoved, Record

from .models import Kind
from .sql import Row


def number(row: Row, column: str) -> int:
    """An integer column."""
    return cast("int", row[column])


def uuid(row: Row, column: str) -> str:
    """An id as text; PostgreSQL hands out UUID objects, SQLite strings."""
    return str(row[column])


def _providers(row: Row) -> tuple[str, ...]:
    joined = cast("str | None", row["providers"])
    return tuple(joined.split(",")) if joined else ()


def conversation(row: Row) -> Conversation:
    """A conversation as it stands."""
    return Conversation(
        id=uuid(row, "id"),
        client=uuid(row, "client"),
        providers=_providers(row),
        pet=uuid(row, "pet"),
        created_at=number(row, "created_at"),
        updated_at=number(row, "updated_at"),
        last_message=cast("str | None", row["last_message"]) or "",
        last_seq=number(row, "last_seq"),
        last_offset=number(row, "last_offset"),
    )


def listing(row: Row) -> Listing:
    """A conversation in its participant's list."""
    return Listing(conversation(row), number(row, "read_seq"), number(row, "unread_count"))


def message(row: Row) -> Message:
    """A log entry that is a message."""
    return Message(
        id=uuid(row, "message_id"),
        conversation_id=uuid(row, "conversation_id"),
        sender_id=uuid(row, "user_id"),
        content=cast("str", row["content"]),
        timestamp=number(row, "at"),
        seq=number(row, "seq"),
    )


def record(row: Row) -> Record:
    """A log entry; a conversation as it was when it started."""
    offset, conversation_id = number(row, "position"), uuid(row, "conversation_id")
    match Kind(number(row, "kind")):
        case Kind.MESSAGE:
            return MessageStored(offset, message(row))
        case Kind.READ:
            return ReadMoved(offset, conversation_id, uuid(row, "user_id"), number(row, "read_seq"))
        case Kind.START:
            at = number(row, "at")
            started = Conversation(
                conversation_id, uuid(row, "user_id"), _providers(row), uuid(row, "pet"), at, at, last_offset=offset
            )
            return ConversationStarted(offset, started)
