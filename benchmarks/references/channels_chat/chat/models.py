"""The tables."""

# pyright: basic, reportMissingImports=false

import uuid

from django.db import models


class Conversation(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    client = models.UUIDField()
    pet = models.UUIDField()


class Participant(models.Model):
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="participants")
    user_id = models.UUIDField(db_index=True)

    class Meta:
        unique_together = (("conversation", "user_id"),)


class Message(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    sender_id = models.UUIDField()
    content = models.TextField()
    timestamp = models.BigIntegerField()

    class Meta:
        db_table = "messages"
