"""The tables. The log is the one place where anything durable happens; the others say who takes part in what.

A log entry of kind `message` has a `seq` and a `content`, one of kind `read` a `read_seq`, one of kind `start` neither;
its position is the `offset` of V3.2. Only `vetchat serve` writes them, one process at a time.

The first sentence of a docstring becomes its table's comment, and Tortoise splits SQL at every semicolon.
"""

from __future__ import annotations

from enum import IntEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class Kind(IntEnum):
    """What a log entry records."""

    START = 1
    MESSAGE = 2
    READ = 3


class PositionField(fields.BigIntField):
    """A place in the log; to SQLite it is the row's own number, which spares an index."""

    class _db_sqlite:  # noqa: N801  # pyright: ignore[reportIncompatibleVariableOverride]
        SQL_TYPE = "INTEGER"


class LogHead(Model):
    """One row with the name of the log and the position of its latest entry. Its lock is the order of all appends."""

    id = fields.SmallIntField(primary_key=True, generated=False)
    epoch = fields.CharField(36)
    position = fields.BigIntField()

    class Meta(Model.Meta):
        table = "log_head"


class Conversation(Model):
    """A conversation as it was started, at this `position` of the log. How it stands is in its latest message."""

    id = fields.UUIDField(primary_key=True)
    client = fields.UUIDField()
    pet = fields.UUIDField()
    created_at = fields.BigIntField()
    position = fields.BigIntField()

    class Meta(Model.Meta):
        table = "conversations"


class Participant(Model):
    """Who takes part, in which role and how far they have read.

    `place` orders the providers as they were invited. `sent` counts the participant's own messages, `sent_at_read`
    those among them up to `read_seq`, so that unread ones need no counting (V4.2). The conversation has no log entry
    beyond `changed_upto`, so that a resume finds by an index where it need not look (V3.3).
    """

    id = fields.BigIntField(primary_key=True, generated=True)
    conversation: fields.ForeignKeyRelation[Conversation] = fields.ForeignKeyField(
        "vetchat.Conversation", related_name="participants", on_delete=fields.RESTRICT
    )
    user_id = fields.UUIDField()
    role = fields.CharField(8)
    place = fields.SmallIntField()
    read_seq = fields.BigIntField()
    sent = fields.BigIntField()
    sent_at_read = fields.BigIntField()
    changed_upto = fields.BigIntField()

    class Meta(Model.Meta):
        table = "participants"
        unique_together = (("conversation", "user_id"),)
        indexes = (Index(fields=("user_id", "role", "changed_upto")),)


class LogEntry(Model):
    """Something durable that happened. `key` is the name that its client chose for it (V2.2).

    It is unique by user and kind, which an index of the migrations sees to: it holds only what has a key, and Tortoise
    has no words for that. PostgreSQL has one more there, for a resume: it holds only what has no `seq` (V3.3).
    """

    position = PositionField(primary_key=True, generated=False)
    kind = fields.SmallIntField()
    conversation: fields.ForeignKeyRelation[Conversation] = fields.ForeignKeyField(
        "vetchat.Conversation", related_name="entries", on_delete=fields.RESTRICT
    )
    user_id = fields.UUIDField()
    at = fields.BigIntField()
    message_id = fields.UUIDField(null=True)
    seq = fields.BigIntField(null=True)
    content = fields.TextField(null=True)
    read_seq = fields.BigIntField(null=True)
    key = fields.CharField(64, null=True)

    class Meta(Model.Meta):
        table = "log"
        unique_together = (("conversation", "seq"),)


class SeenRole(Model):
    """That an id has connected in a role (R4.13)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    user_id = fields.UUIDField()
    role = fields.CharField(8)

    class Meta(Model.Meta):
        table = "seen_roles"
        unique_together = (("user_id", "role"),)


class Revocation(Model):
    """That what was issued to a user up to a moment is void (V1.6)."""

    user_id = fields.UUIDField(primary_key=True)
    revoked_at = fields.BigIntField()

    class Meta(Model.Meta):
        table = "revocations"
