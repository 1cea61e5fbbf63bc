"""Looks for words of an emergency, tells the owner at once whom to call, and alerts the vets on call.

    VETCHAT_TOKEN=… VETCHAT_DESK_TOKEN=… python emergency.py wss://chat.example/ws/ --on-call 9e1d… 71c4…

The first token is a provider's, the second a client's, of another user; without them it goes to a server in open mode.
"No seizure" alerts too: a false alarm costs somebody a look, a missed one may cost an animal its life.
"""

from __future__ import annotations

import logging
import os
import re
import unicodedata
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid5

import anyio
from vetchat_client import Bot, Chat, ConnectOptions, Heard, Message, PositionStore, Received, Reset, connect

ME = "2b8eac74-63f5-4a9d-9d7c-f4a093b5c826"
DESK = "3c9fbd85-74a6-4bae-8e8d-a5b1a4c6d937"
PHONE = "+49 30 5550 112"
LANGUAGES = ("en", "de")
WORDS = {
    "en": "bloat, poison, rat bait, antifreeze, xylitol, seizure, siezure, convulsion, not breathing, isn't breathing,"
    " stopped breathing, can't breathe, cannot breathe, can not breathe, gasping, choking, collapsed, unconscious,"
    " won't wake up, bleeding, hit by a car, run over, can't pee, cannot pee, heat stroke, heatstroke",
    "de": "Magendrehung, aufgebläht, aufgeblaeht, Gift, Krampf, Krämpfe, Kraempfe, Anfall, atmet nicht, keine Luft,"
    " erstickt, zusammengebrochen, bewusstlos, blutet, angefahren, überfahren, ueberfahren, Hitzschlag",
}
"""Found anywhere, within longer words too. Let your vets complete the list."""
ANSWERS = {
    "en": "I am a program, and perhaps nobody else is reading this. If it is an emergency, call {phone} now.",
    "de": "Ich bin ein Programm, und vielleicht liest gerade sonst niemand mit. Rufen Sie im Notfall {phone} an.",
}
ALERT = (
    "Emergency? The owner {owner} used the word “{word}” about the pet {pet}, on {at:%d %B at %H:%M} UTC in the"
    " conversation {conversation}. If you take part there, read it; if not, look them up and call. A program has told"
    " them to call {phone}, and may have misunderstood them."
)
"""Quotes nothing: what an owner wrote is for those who take part in the conversation (S3.3)."""

Alert = Callable[[str, str], Awaitable[None]]
"""Says this text to whoever is on call: once, however often it is called with this id. Your SMS gateway can be one."""


def build(
    alert: Alert, *, languages: Sequence[str] = LANGUAGES, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Bot:
    """The bot; tests bring a clock of their own. An alert that fails is tried again for an hour."""
    words = [(language, word.strip()) for language in languages for word in WORDS[language].split(",")]
    bot = Bot("emergency", attempts=64)

    async def look_at(chat: Chat, message: Message) -> None:
        """Answers before it alerts, since a call needs nobody else; and alerts, even if it cannot answer."""
        text = plain(message.content)
        found = next(((language, word) for language, word in words if plain(word) in text), None)
        if found is None or message.sender_id != (it := await chat.conversation(message.conversation_id)).client:
            return
        language, word = found
        at = datetime.fromtimestamp(message.timestamp / 1_000, UTC)
        who = {"owner": it.client, "pet": it.pet, "conversation": it.id, "phone": PHONE}
        try:
            await chat.send_once(it.id, ANSWERS[language].format(phone=PHONE), f"call {message.id}")
        finally:
            await alert(ALERT.format(at=at, word=word, **who), message.id)

    @bot.hears("")  # whatever others say
    async def hear(heard: Heard) -> None:
        await look_at(heard.chat, heard.message)

    @bot.on(Reset)
    async def look_back(event: Received[Reset]) -> None:
        """Events are missing: looks at everything since yesterday. What has been answered is not answered again."""
        since = (now() - timedelta(days=1)).timestamp() * 1_000
        async for page in event.chat.conversation_pages():
            for conversation in page:
                if conversation.last_updated_timestamp >= since:
                    async for history in event.chat.history_pages(conversation.id):
                        for message in history.messages:
                            if message.timestamp >= since:
                                await look_at(event.chat, message)

    return bot


def plain(text: str) -> str:
    """As people write in a hurry: without capitals, accents, apostrophes and punctuation."""
    letters = unicodedata.normalize("NFKD", text.casefold().translate(str.maketrans("", "", "'’`")))
    return re.sub(r"\W+", " ", "".join(letter for letter in letters if not unicodedata.combining(letter)))


async def duty(desk: Chat, vets: Collection[str]) -> Alert:
    """Alerts in a conversation with these vets, which only a client may open (S3.1). Opens it once."""
    name = str(uuid5(UUID(DESK), " ".join(sorted(vets))))
    conversation = await desk.create_conversation(DESK, sorted(vets), client_conversation_id=name)

    async def alert(text: str, key: str) -> None:
        await desk.send_once(conversation.id, text, str(uuid5(UUID(conversation.id), key)))

    return alert


async def work(
    url: str, vets: Collection[str], position: PositionStore | str, at_desk: ConnectOptions, as_bot: ConnectOptions
) -> None:
    """Takes part twice, as a provider who listens to owners and as a client who alerts vets; ends if either has to."""
    async with connect(url, **at_desk) as desk, anyio.create_task_group() as tasks:
        bot = build(await duty(desk, vets))
        tasks.start_soon(partial(bot.run, url, position=position, **as_bot))
        async for _ in desk:
            pass


async def main() -> None:
    parser = ArgumentParser(description="Tells owners whom to call in an emergency, and alerts the vets on call.")
    parser.add_argument("url", help="the server, for example wss://chat.example/ws/")
    parser.add_argument("--on-call", nargs="+", type=UUID, required=True, help="the user ids of the vets on call")
    parser.add_argument("--position", default="emergency.position", help="the file that says how far it has come")
    arguments = parser.parse_args()
    at_desk = open_or_token("VETCHAT_DESK_TOKEN", {"user_id": DESK, "role": "client", "name": "Duty desk"})
    as_bot = open_or_token("VETCHAT_TOKEN", {"user_id": ME, "role": "provider", "name": "Emergency"})
    await work(arguments.url, {str(vet) for vet in arguments.on_call}, arguments.position, at_desk, as_bot)


def open_or_token(variable: str, otherwise: ConnectOptions) -> ConnectOptions:
    """Whom the token proves one to be, or in open mode whom one says."""
    token = os.environ.get(variable)
    return {"token": token} if token else otherwise


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    with suppress(KeyboardInterrupt):
        anyio.run(main)
