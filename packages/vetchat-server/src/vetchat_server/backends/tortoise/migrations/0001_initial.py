from typing import Any
from uuid import uuid4

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from vetchat_server.backends.tortoise.models import PositionField


async def index_others(_apps: Any, editor: Any) -> None:
    """A resume finds messages by their `seq`, and by this index what has none; it costs a message nothing (V3.3).

    SQLite needs none: what is equal in an index stands there in the order of its row number, which is the position.
    """
    if editor.client.capabilities.dialect == "postgres":
        await editor.client.execute_script(
            "CREATE INDEX idx_log_others ON log (conversation_id, position) WHERE seq IS NULL"
        )


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="Conversation",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("client", fields.UUIDField()),
                ("pet", fields.UUIDField()),
                ("created_at", fields.BigIntField()),
                ("position", fields.BigIntField()),
            ],
            options={
                "table": "conversations",
                "app": "vetchat",
                "pk_attr": "id",
                "table_description": "A conversation as it was started, at this `position` of the log. How it stands is in its latest message.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LogEntry",
            fields=[
                ("position", PositionField(primary_key=True, generated=False, unique=True, db_index=True)),
                ("kind", fields.SmallIntField()),
                (
                    "conversation",
                    fields.ForeignKeyField(
                        "vetchat.Conversation",
                        source_field="conversation_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="entries",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("user_id", fields.UUIDField()),
                ("at", fields.BigIntField()),
                ("message_id", fields.UUIDField(null=True)),
                ("seq", fields.BigIntField(null=True)),
                ("content", fields.TextField(null=True, unique=False)),
                ("read_seq", fields.BigIntField(null=True)),
                ("key", fields.CharField(null=True, max_length=64)),
            ],
            options={
                "table": "log",
                "app": "vetchat",
                "unique_together": (("conversation", "seq"),),
                "pk_attr": "position",
                "table_description": "Something durable that happened. `key` is the name that its client chose for it (V2.2).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LogHead",
            fields=[
                ("id", fields.SmallIntField(primary_key=True, generated=False, unique=True, db_index=True)),
                ("epoch", fields.CharField(max_length=36)),
                ("position", fields.BigIntField()),
            ],
            options={
                "table": "log_head",
                "app": "vetchat",
                "pk_attr": "id",
                "table_description": "One row with the name of the log and the position of its latest entry. Its lock is the order of all appends.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Participant",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "conversation",
                    fields.ForeignKeyField(
                        "vetchat.Conversation",
                        source_field="conversation_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="participants",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("user_id", fields.UUIDField()),
                ("role", fields.CharField(max_length=8)),
                ("place", fields.SmallIntField()),
                ("read_seq", fields.BigIntField()),
                ("sent", fields.BigIntField()),
                ("sent_at_read", fields.BigIntField()),
                ("changed_upto", fields.BigIntField()),
            ],
            options={
                "table": "participants",
                "app": "vetchat",
                "unique_together": (("conversation", "user_id"),),
                "indexes": [Index(fields=["user_id", "role", "changed_upto"])],
                "pk_attr": "id",
                "table_description": "Who takes part, in which role and how far they have read.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Revocation",
            fields=[
                ("user_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("revoked_at", fields.BigIntField()),
            ],
            options={
                "table": "revocations",
                "app": "vetchat",
                "pk_attr": "user_id",
                "table_description": "That what was issued to a user up to a moment is void (V1.6).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SeenRole",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("user_id", fields.UUIDField()),
                ("role", fields.CharField(max_length=8)),
            ],
            options={
                "table": "seen_roles",
                "app": "vetchat",
                "unique_together": (("user_id", "role"),),
                "pk_attr": "id",
                "table_description": "That an id has connected in a role (R4.13).",
            },
            bases=["Model"],
        ),
        # A client-chosen name is used once (V2.2); most entries have none, and cost this index nothing.
        ops.RunSQL(
            "CREATE UNIQUE INDEX uid_log_key ON log (user_id, kind, key) WHERE key IS NOT NULL",
            reverse_sql="DROP INDEX uid_log_key",
        ),
        ops.RunPython(index_others),
    ]
