"""Answers owners who write while the practice is closed, once per conversation and closing time.

    VETCHAT_TOKEN=… python out_of_hours.py wss://chat.example/ws/

Without a token it goes to a server in open mode. The settings below are yours to change.
"""

from __future__ import annotations

import logging
import os
from argparse import ArgumentParser
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import anyio
from vetchat_client import Bot, Chat, Conversation, Heard, Message, Received, Reset

ME = "0c6f8a52-41d3-4e7b-9b5a-d2e871f3a604"
PHONE = "+49 30 5550 112"
ZONE = ZoneInfo("Europe/Berlin")
DAY = [(time(8), time(12, 30)), (time(14), time(18))]
WEEK = [DAY, DAY, DAY, DAY, DAY, [(time(9), time(12))], []]
"""Monday to Sunday. Who closes at or before the time of opening closes on the next day."""
HOLIDAYS = {date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)}
ANSWER = (
    "This is an automatic answer. The practice is closed; we read your message when we open again, on"
    " {opens:%A, %d %B} at {opens:%H:%M}. Do not wait for us in an emergency: call {phone} now."
)


@dataclass(frozen=True)
class OpeningHours:
    """When somebody is there, by the clock on the practice's wall."""

    zone: ZoneInfo
    week: Sequence[Sequence[tuple[time, time]]]
    holidays: Collection[date] = ()

    def reopening(self, moment: datetime) -> datetime | None:
        """When the practice opens next, if it is closed at this moment; None if it is open.

        Moments are compared in UTC: within a zone Python compares what clocks show, and one October night twice 02:30.
        """
        yesterday = moment.astimezone(self.zone).date() - timedelta(days=1)
        for day in (yesterday + timedelta(days=number) for number in count()):
            for opens, closes in sorted([] if day in self.holidays else self.week[day.weekday()]):
                start = datetime.combine(day, opens, self.zone)
                end = datetime.combine(day + timedelta(days=closes <= opens), closes, self.zone)
                if moment.astimezone(UTC) < end.astimezone(UTC):
                    return None if start.astimezone(UTC) <= moment.astimezone(UTC) else start
        raise AssertionError("the days do not end")


def build(hours: OpeningHours, *, phone: str = PHONE, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Bot:
    """The bot; tests bring a clock of their own."""
    if not any(hours.week):
        raise ValueError("A practice that never opens needs no bot to say when it does.")
    bot = Bot("out of hours")

    def closed_until(timestamp: int) -> datetime | None:
        """The end of the closing time in which this was written, unless that is over and a human will answer."""
        opens = hours.reopening(datetime.fromtimestamp(timestamp / 1_000, UTC))
        return opens if opens is not None and now() < opens else None

    async def answer(chat: Chat, conversation: Conversation, message: Message) -> None:
        """Says it once: of all messages with one id the server stores the first, whoever has been restarted since."""
        opens = closed_until(message.timestamp)
        if opens is None or message.sender_id != conversation.client:
            return
        text, key = ANSWER.format(opens=opens, phone=phone), f"{conversation.id} {opens.astimezone(UTC):%Y%m%dT%H%MZ}"
        with anyio.move_on_after((opens - now()).total_seconds()):  # the server may be away
            await chat.send_once(conversation.id, text, key)

    @bot.hears("")  # whatever others say
    async def out_of_hours(heard: Heard) -> None:
        if closed_until(heard.message.timestamp) is not None:
            conversation = await heard.chat.conversation(heard.message.conversation_id)
            await answer(heard.chat, conversation, heard.message)

    @bot.on(Reset)
    async def look_around(event: Received[Reset]) -> None:
        """Events are missing: looks who has written since the practice closed and had no reply."""
        async for page in event.chat.conversation_pages():
            for conversation in page:
                if closed_until(conversation.last_updated_timestamp) is not None:
                    for message in (await event.chat.history(conversation.id, limit=1)).messages:
                        await answer(event.chat, conversation, message)

    return bot


async def main() -> None:
    parser = ArgumentParser(description="Answers owners who write while the practice is closed.")
    parser.add_argument("url", help="the server, for example wss://chat.example/ws/")
    parser.add_argument("--position", default="out_of_hours.position", help="the file that says how far it has come")
    arguments = parser.parse_args()
    token = os.environ.get("VETCHAT_TOKEN")
    await build(OpeningHours(ZONE, WEEK, HOLIDAYS)).run(
        arguments.url,
        position=arguments.position,
        token=token,
        user_id=None if token else ME,
        role="provider",
        name="Out of hours",
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    with suppress(KeyboardInterrupt):
        anyio.run(main)
