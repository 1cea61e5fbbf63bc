"""A bot in a process of its own, for a test that kills it. It imports everything, waits for a line, and works."""

import sys
from functools import partial
from random import Random

import anyio
from vetchat_client import Bot, Heard, Received, events

bot = Bot("answering")
luck = Random()


@bot.on(events.NewConversationInvitation)
async def greet(event: Received[events.NewConversationInvitation]) -> None:
    await event.reply("Hello.")


@bot.hears("question")
async def answer(message: Heard) -> None:
    """Says two things and takes its time, so that many handlers are in the middle of something at any moment."""
    await anyio.sleep(luck.uniform(0.0, 0.05))
    await message.reply(f"{message.text}: one.")
    await anyio.sleep(luck.uniform(0.0, 0.02))
    await message.reply(f"{message.text}: two.")


if __name__ == "__main__":
    url, position, user, backend = sys.argv[1:]
    sys.stdin.readline()
    anyio.run(partial(bot.run, url, position=position, user_id=user, role="provider"), backend=backend)
