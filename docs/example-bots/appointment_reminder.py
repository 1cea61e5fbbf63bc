"""Reminds owners of their appointments, once each, a day before.

    VETCHAT_TOKEN=… python appointment_reminder.py wss://chat.example/ws/ appointments.json

Without a token it goes to a server in open mode. The file may be edited while the program runs:

    [{"conversation": "3d6e…", "at": "2026-11-26T16:00+01:00", "what": "Rex's vaccination"}]
"""

from __future__ import annotations

import json
import logging
import os
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import anyio
from pydantic import AwareDatetime, BaseModel, StringConstraints, ValidationError
from vetchat_client import Bot, Chat, Code, InvalidCommand, Refused

ME = "1a7d9b63-52e4-4f8c-8c6b-e3f982a4b715"
ZONE = ZoneInfo("Europe/Berlin")
BEFORE = timedelta(days=1)
EVERY = timedelta(minutes=1)
"""How often it looks at the file and at the clock."""
REMINDER = "A reminder: {what} is on {at:%A, %d %B} at {at:%H:%M}. If you cannot come, please tell us here."
"""It names the day and never says "tomorrow", so that it is true however late it is said."""

log = logging.getLogger("appointment_reminder")


class Appointment(BaseModel, frozen=True):
    """It is the one it is by its conversation and its time: one that is moved is reminded of anew, by the new time."""

    conversation: UUID
    at: AwareDatetime
    what: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]

    @property
    def key(self) -> str:
        return f"{self.conversation} {self.at.astimezone(UTC):%Y%m%dT%H%MZ}"


Source = Callable[[], Awaitable[Iterable[Appointment]]]
"""Where appointments come from: a file, or your own calendar. What it raises is logged, and it is asked again."""


def build(
    source: Source, *, before: timedelta = BEFORE, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Bot:
    """The bot; tests bring a clock of their own."""
    bot = Bot("appointment reminder")

    @bot.background
    async def remind(chat: Chat) -> None:
        """Whether something was said before a restart, the server knows: it stores one message with one id."""
        settled: set[str] = set()
        while True:
            try:
                appointments = list(await source())
                settled &= {one.key for one in appointments}
                for one in appointments:
                    if one.key not in settled and one.at - before <= now() < one.at:
                        with anyio.move_on_after((one.at - now()).total_seconds()):  # the server may be away
                            if await reminded(chat, one):
                                settled.add(one.key)
            except (OSError, ValueError) as error:
                log.warning("the appointments cannot be read, so nobody is reminded: %s", type(error).__name__)
            await anyio.sleep(EVERY.total_seconds())

    return bot


async def reminded(chat: Chat, one: Appointment) -> bool:
    """Whether this is settled; if not, it is tried again."""
    text = REMINDER.format(what=one.what, at=one.at.astimezone(ZONE))
    try:
        await chat.send_once(one.conversation, text, one.key)  # None: reminded before the file was corrected
    except (InvalidCommand, Refused) as error:
        log.warning("no reminder in conversation %s: %s", one.conversation, error.code)
        return error.code in (Code.NOT_FOUND, Code.INVALID_PARAMS)  # who is not invited now will not be later
    return True


def file(path: str) -> Source:
    """Reads appointments from JSON, since half a file, caught while it is being saved, is no JSON."""

    async def read() -> list[Appointment]:
        rows = json.loads(await anyio.Path(path).read_text(encoding="utf-8"))
        return [one for number, row in enumerate(rows, 1) if (one := appointment(number, row)) is not None]

    return read


def appointment(number: int, row: object) -> Appointment | None:
    """One that is wrong keeps nobody else from being reminded."""
    try:
        return Appointment.model_validate(row)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        log.warning("appointment %d is passed over: %s", number, "; ".join(wrong))
        return None


async def main() -> None:
    parser = ArgumentParser(description="Reminds owners of their appointments.")
    parser.add_argument("url", help="the server, for example wss://chat.example/ws/")
    parser.add_argument("appointments", help="the file with the appointments")
    arguments = parser.parse_args()
    token = os.environ.get("VETCHAT_TOKEN")
    bot = build(file(arguments.appointments))
    await bot.run(arguments.url, token=token, user_id=None if token else ME, role="provider", name="Reminder")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    with suppress(KeyboardInterrupt):
        anyio.run(main)
