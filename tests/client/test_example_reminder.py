"""The example that reminds of appointments: late, edited, held up and restarted."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from vetchat_client.testing import Clinic, Running, Talk, rehearse

from tests.client.examples import FOUR, LOOPS, SEEDS, Calendar, appointment_reminder, row

REMINDER: Final = (
    "A reminder: Rex's vaccination is on Thursday, 26 November at 16:00. If you cannot come, please tell us here."
)


@pytest.fixture
def calendar(tmp_path: Path) -> Calendar:
    return Calendar(tmp_path / "appointments.json")


async def reminder(clinic: Clinic, calendar: Calendar, **options: timedelta) -> Running:
    source = appointment_reminder.file(str(calendar.path))
    return await clinic.run(appointment_reminder.build(source, now=clinic.now, **options), name="Reminder")


def reminded_of(calendar: Calendar, scene: Callable[[Clinic, Running, Talk], Awaitable[None]], seed: int = 0) -> None:
    """A scene that begins a day and an hour before the appointment; an owner is in a conversation with the bot."""

    async def whole(clinic: Clinic) -> None:
        bot, ann = await reminder(clinic, calendar), await clinic.owner("Ann")
        await scene(clinic, bot, await ann.opens([bot]))

    rehearse(whole, seed=seed, backend=LOOPS[seed % 2], start=FOUR - timedelta(days=1, hours=1))


def test_an_owner_is_reminded_once_a_day_before(calendar: Calendar) -> None:
    async def scene(clinic: Clinic, bot: Running, talk: Talk) -> None:
        calendar.holds(row(talk.id), row(talk.id))
        await clinic.until(FOUR - timedelta(days=1, seconds=1))
        await talk.hears_nothing(within=0)
        assert await talk.hears(within=62) == REMINDER
        await clinic.until(FOUR + timedelta(hours=2))
        assert await talk.said() == [("Reminder", REMINDER)]

    reminded_of(calendar, scene)


def test_an_owner_is_told_the_time_on_the_practices_clock(calendar: Calendar) -> None:
    async def scene(clinic: Clinic, bot: Running, talk: Talk) -> None:
        calendar.holds(row(talk.id, FOUR.astimezone(UTC)))
        assert await talk.hears(within=2 * 3_600) == REMINDER

    reminded_of(calendar, scene)


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_one_reminder_whatever_happens(calendar: Calendar, seed: int) -> None:
    async def scene(clinic: Clinic, bot: Running, talk: Talk) -> None:
        calendar.holds(row(talk.id))
        for _ in range(3):
            await clinic.until(max(clinic.now(), FOUR - timedelta(days=1)))
            await clinic.cut()
            await bot.kill()
            await bot.start()
        await clinic.passes(minutes=1)
        async with clinic.outage():
            await clinic.passes(minutes=5)
        await clinic.passes(hours=1)
        assert await talk.said() == [("Reminder", REMINDER)]

    reminded_of(calendar, scene, seed)


@pytest.mark.parametrize(("before", "count"), [(timedelta(hours=2), 1), (timedelta(), 0), (-timedelta(hours=1), 0)])
def test_a_bot_that_was_away_reminds_late_and_not_when_it_is_over(
    calendar: Calendar, before: timedelta, count: int
) -> None:
    async def scene(clinic: Clinic, bot: Running, talk: Talk) -> None:
        calendar.holds(row(talk.id))
        await bot.stop()
        await clinic.until(FOUR - before)
        await bot.start()
        await clinic.passes(hours=4)
        assert await talk.said() == [("Reminder", REMINDER)] * count

    reminded_of(calendar, scene)


def test_a_reminder_that_the_line_held_up_until_the_appointment_is_not_given(calendar: Calendar) -> None:
    async def scene(clinic: Clinic) -> None:
        bot, ann = await reminder(clinic, calendar, before=timedelta(hours=4)), await clinic.owner("Ann")
        talk, later = await ann.opens([bot]), FOUR + timedelta(hours=3)
        calendar.holds(row(talk.id), row(talk.id, later, "Another"))
        async with clinic.offline(bot):
            await clinic.until(FOUR + timedelta(hours=1))
        await clinic.passes(hours=1)
        assert [text for _, text in await talk.said()] == [
            appointment_reminder.REMINDER.format(what="Another", at=later)
        ]

    rehearse(scene, start=FOUR - timedelta(hours=5))


def test_the_file_may_be_edited_at_any_time(calendar: Calendar, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(clinic: Clinic, bot: Running, talk: Talk) -> None:
        calendar.holds(row(talk.id))
        assert await talk.hears(within=2 * 3_600) == REMINDER
        calendar.holds(row(talk.id, what="Rex's check-up"))  # corrected
        await bot.kill()
        await bot.start()
        await talk.hears_nothing(within=300)
        calendar.holds(row(talk.id, FOUR + timedelta(hours=1)))  # moved
        assert "at 17:00" in await talk.hears(within=3_700)
        calendar.holds()  # called off, and then added again
        await clinic.passes(minutes=5)
        calendar.holds(row(talk.id), row(talk.id, FOUR + timedelta(hours=1)))
        await talk.hears_nothing(within=26 * 3_600)

    reminded_of(calendar, scene)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_an_appointment_that_is_called_off_in_time_is_not_reminded_of(calendar: Calendar) -> None:
    async def scene(clinic: Clinic, bot: Running, talk: Talk) -> None:
        calendar.holds(row(talk.id))
        await clinic.until(FOUR - timedelta(days=1, minutes=2))
        calendar.holds()
        await talk.hears_nothing(within=26 * 3_600)

    reminded_of(calendar, scene)


def test_half_a_file_or_none_is_waited_out(calendar: Calendar, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(clinic: Clinic, bot: Running, talk: Talk) -> None:
        calendar.holds(row(talk.id), row(talk.id, what="Secret"))
        whole = calendar.path.read_bytes()
        for broken in (whole[:-9], b"", b"\xff"):
            calendar.path.write_bytes(broken)
            await clinic.passes(hours=1)
        calendar.path.unlink()
        await clinic.passes(minutes=2)
        assert await talk.said() == []
        calendar.path.write_bytes(whole)
        assert await talk.hears(within=62) == REMINDER

    reminded_of(calendar, scene)
    told = {record.message for record in caplog.records if record.levelno >= logging.WARNING}
    reasons = ("JSONDecodeError", "UnicodeDecodeError", "FileNotFoundError")
    assert told == {f"the appointments cannot be read, so nobody is reminded: {reason}" for reason in reasons}


def test_appointments_that_are_wrong_keep_nobody_else_from_being_reminded(
    calendar: Calendar, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(clinic: Clinic, bot: Running, talk: Talk) -> None:
        naive = row(talk.id) | {"at": "2026-11-26T16:00", "what": "Secret"}
        nowhere, nobody = row(clinic.new_id()), row(str(UUID(int=0)))
        calendar.holds("Secret", naive, row("Secret"), row(talk.id, what=" "), nowhere, nobody, row(talk.id))
        assert await talk.hears(within=2 * 3_600) == REMINDER
        await clinic.passes(minutes=10)

    reminded_of(calendar, scene)
    told = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    passed_over = {text.split(":")[0] for text in told if "passed over" in text}
    assert passed_over == {f"appointment {number} is passed over" for number in (1, 2, 3, 4)}
    assert any("at: Input should have timezone info" in text for text in told)
    assert sum(text.endswith(": not_found") for text in told) == 1
    assert sum(text.endswith(": invalid_params") for text in told) == 1
    assert "Secret" not in caplog.text
