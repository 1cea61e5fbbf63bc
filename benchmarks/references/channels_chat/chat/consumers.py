"""The WebSocket consumer."""

# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

import time
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .models import Conversation, Message, Participant

COMMANDS = {"new_conversation", "message", "relay", "echo"}


class ChatConsumer(AsyncJsonWebsocketConsumer):
    """A group per conversation and one per user."""

    async def connect(self):
        self.user_id = parse_qs(self.scope["query_string"].decode())["user_id"][0]
        await self.accept()
        await self.channel_layer.group_add(f"user.{self.user_id}", self.channel_name)
        self.conversations = set()
        async for participant in Participant.objects.filter(user_id=self.user_id):
            await self.join(str(participant.conversation_id))
            params = {"user_id": self.user_id, "conversation_id": str(participant.conversation_id)}
            await self.publish(str(participant.conversation_id), "user_joined", params, but=self.channel_name)

    async def disconnect(self, code):
        for conversation_id in self.conversations:
            await self.channel_layer.group_discard(f"conversation.{conversation_id}", self.channel_name)
        await self.channel_layer.group_discard(f"user.{self.user_id}", self.channel_name)

    async def receive_json(self, content):
        if content["event"] in COMMANDS:
            await getattr(self, f"on_{content['event']}")(content["params"])

    # -- commands ------------------------------------------------------------------------------------------------------

    async def on_new_conversation(self, params):
        conversation = await Conversation.objects.acreate(client=self.user_id, pet=params["pet_id"])
        users = [self.user_id, *params["providers"]]
        await Participant.objects.abulk_create(Participant(conversation=conversation, user_id=user) for user in users)
        created = {"id": str(conversation.id), "client": self.user_id, **params}
        await self.join(created["id"])
        await self.answer("conversation_created", created)
        for provider in params["providers"]:
            await self.channel_layer.group_send(f"user.{provider}", {"type": "invite", "conversation": created})

    async def on_message(self, params):
        if params["conversation_id"] not in self.conversations:
            await self.answer("error", {"message": "You have no such conversation."})
            return
        message = await Message.objects.acreate(
            conversation_id=params["conversation_id"],
            sender_id=self.user_id,
            content=params["content"],
            timestamp=int(time.time() * 1000),
        )
        sent = {
            "id": str(message.id),
            "conversation_id": params["conversation_id"],
            "sender_id": self.user_id,
            "content": message.content,
            "timestamp": message.timestamp,
        }
        await self.publish(params["conversation_id"], "message_sent", sent)

    async def on_relay(self, params):
        await self.publish(params["conversation_id"], "relayed", params)

    async def on_echo(self, params):
        await self.answer("echoed", params)

    # -- what groups bring ---------------------------------------------------------------------------------------------

    async def invite(self, event):
        await self.join(event["conversation"]["id"])
        await self.answer("new_conversation_invitation", event["conversation"])

    async def tell(self, event):
        if event["but"] != self.channel_name:
            await self.answer(event["event"], event["params"])

    # -- sending -------------------------------------------------------------------------------------------------------

    async def join(self, conversation_id):
        self.conversations.add(conversation_id)
        await self.channel_layer.group_add(f"conversation.{conversation_id}", self.channel_name)

    async def publish(self, conversation_id, event, params, but=None):
        told = {"type": "tell", "event": event, "params": params, "but": but}
        await self.channel_layer.group_send(f"conversation.{conversation_id}", told)

    async def answer(self, event, params):
        await self.send_json({"event": event, "params": params})
