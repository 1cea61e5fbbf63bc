"""The example that answers while the practice is closed: nights, clocks that are changed, restarts."""

import logging
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from vetchat_client import Resume
from vetchat_client.testing import Clinic, Running, rehearse

from tests.client.examples import BERLIN, LOOPS, SEEDS, berlin, by, out_of_hours

# -- when is the practice open? ----------------------------------------------------------------------------------------

DAY: Final = [(time(8), time(18))]
WEEK: Final = [DAY, DAY, DAY, DAY, DAY, [(time(20), time(2))], []]
"""On Saturdays there is a surgery over midnight."""

HOURS: Final = out_of_hours.OpeningHours(BERLIN, WEEK, {date(2026, 12, 25)})
OPEN = None


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-11-25 07:59:59", "2026-11-25 08:00"),
        ("2026-11-25 08:00", OPEN),
        ("2026-11-25 17:59:59", OPEN),
        ("2026-11-25 18:00", "2026-11-26 08:00"),
        ("2026-11-25 23:59", "2026-11-26 08:00"),
        ("2026-11-26 00:01", "2026-11-26 08:00"),
        ("2026-11-27 18:00", "2026-11-28 20:00"),
        ("2026-11-28 23:00", OPEN),
        ("2026-11-29 01:59", OPEN),
        ("2026-11-29 02:00", "2026-11-30 08:00"),
        ("2026-12-24 18:00", "2026-12-26 20:00"),
        ("2026-12-25 12:00", "2026-12-26 20:00"),
    ],
)
def test_the_practice_knows_when_it_opens(moment: str, opens: str | None) -> None:
    for zone in (BERLIN, UTC, ZoneInfo("America/New_York")):
        found = HOURS.reopening(berlin(moment).astimezone(zone))
        assert found == (None if opens is None else berlin(opens))
        assert found is None or found.tzinfo is BERLIN, "owners are told by the practice's clock"


@pytest.mark.parametrize(
    ("utc", "is_open"),
    [
        ("2026-10-24T23:59+00:00", True),  # 01:59 in summer
        ("2026-10-25T00:00+00:00", False),  # 02:00 in summer
        ("2026-10-25T01:00+00:00", False),  # 02:00 in winter, and it was 02:00 before
        ("2026-10-26T06:59+00:00", False),  # 07:59 in winter; it would be open by the clock of summer
        ("2026-10-26T07:00+00:00", True),
        ("2026-03-30T05:59+00:00", False),  # 07:59 in summer
        ("2026-03-30T06:00+00:00", True),
    ],
)
def test_the_practice_goes_by_its_clock_when_the_clocks_are_changed(utc: str, is_open: bool) -> None:
    assert (HOURS.reopening(datetime.fromisoformat(utc)) is None) is is_open


def test_an_hour_that_comes_twice_is_told_apart() -> None:
    night = out_of_hours.OpeningHours(BERLIN, [*[[]] * 6, [(time(1), time(2, 30))]])
    first = datetime(2026, 10, 25, 2, 40, tzinfo=BERLIN)
    again = datetime(2026, 10, 25, 2, 20, tzinfo=BERLIN, fold=1)
    assert night.reopening(first - timedelta(minutes=20)) is None
    assert night.reopening(first) is not None
    assert night.reopening(again) is not None, "02:20 has come back, and the practice closed at the first 02:30"
    morning = out_of_hours.OpeningHours(BERLIN, [*[[]] * 6, [(time(2, 30), time(9))]])
    assert morning.reopening(again) is None, "it opened at the first 02:30"
    assert morning.reopening(again.replace(fold=0)) is not None


def test_hours_that_touch_or_overlap_or_last_all_day_leave_no_gap() -> None:
    always = out_of_hours.OpeningHours(BERLIN, [[(time(0), time(0))]] * 7)
    untidy = out_of_hours.OpeningHours(BERLIN, [[(time(12), time(18)), (time(8), time(14))]] * 7)
    for hour in range(24):
        moment = datetime(2026, 11, 25, hour, tzinfo=BERLIN)
        assert always.reopening(moment) is None
        assert (untidy.reopening(moment) is None) is (8 <= hour < 18)


def test_a_practice_that_never_opens_is_refused() -> None:
    with pytest.raises(ValueError, match="never opens"):
        out_of_hours.build(out_of_hours.OpeningHours(BERLIN, [[]] * 7))


# -- the bot ----------------------------------------------------------------------------------------------------------

EVENING: Final = berlin("2026-11-25 21:30")
CLOSED: Final = re.compile(r"closed.* on Thursday, 26 November at 08:00\. .*call \+49 30 5550 112 now")


async def night_porter(clinic: Clinic) -> Running:
    return await clinic.run(out_of_hours.build(HOURS, now=clinic.now), name="Porter")


def test_an_owner_who_writes_at_night_is_answered_once_a_night() -> None:
    async def scene(clinic: Clinic) -> None:
        porter, ann, bob = await night_porter(clinic), await clinic.owner("Ann"), await clinic.owner("Bob")
        hers, his = await ann.opens([porter]), await bob.opens([porter])
        await hers.says("Rex limps.")
        assert CLOSED.search(await hers.hears())
        await clinic.passes(hours=4)
        await hers.says("Still.")
        await hers.hears_nothing()
        await his.says("Is anybody there?")
        assert CLOSED.search(await his.hears())
        await clinic.until(berlin("2026-11-26 12:00"))
        await hers.says("Better.")
        await hers.hears_nothing()
        await clinic.until(berlin("2026-11-26 18:00"))
        await hers.says("Worse.")
        assert "Friday, 27 November at 08:00" in await hers.hears()

    rehearse(scene, start=EVENING)


def test_vets_and_other_bots_are_not_answered() -> None:
    async def scene(clinic: Clinic) -> None:
        porter, other = await night_porter(clinic), await night_porter(clinic)
        ann, bell = await clinic.owner("Ann"), await clinic.vet("Dr Bell")
        talk = await ann.opens([porter, other, bell])
        await (await bell.is_invited()).says("How is Rex?")
        await talk.hears()
        await talk.hears_nothing()
        await talk.says("Bad.")
        for _ in (porter, other):
            assert CLOSED.search(await talk.hears())
        await talk.hears_nothing(within=3_600)

    rehearse(scene, start=EVENING)


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_one_answer_a_night_whatever_happens(seed: int) -> None:
    async def scene(clinic: Clinic) -> None:
        porter, ann = await night_porter(clinic), await clinic.owner("Ann")
        talk = await ann.opens([porter])
        for number in range(3):
            await talk.says(f"Rex limps. {number}")
            await porter.kill()
            await porter.start()
            await clinic.cut()
        async with clinic.outage():
            await clinic.passes(minutes=5)
        await clinic.passes(minutes=5)
        assert len(by("Porter", await talk.said())) == 1
        await clinic.until(berlin("2026-11-26 21:00"))
        await talk.says("And again.")
        await clinic.passes(minutes=1)
        assert len(by("Porter", await talk.said())) == 2

    rehearse(scene, seed=seed, backend=LOOPS[seed % 2], start=EVENING)


@pytest.mark.parametrize(
    ("written", "awake", "answers"),
    [
        ("2026-11-25 23:00", "2026-11-26 06:00", 1),
        ("2026-11-25 23:00", "2026-11-26 12:00", 0),
        ("2026-11-25 12:00", "2026-11-25 23:00", 0),
        ("2026-11-25 23:00", "2026-11-26 23:00", 0),
    ],
    ids=["in the same night", "when somebody is there again", "written by day", "a night later"],
)
def test_a_bot_that_was_away_goes_by_when_a_message_was_written(written: str, awake: str, answers: int) -> None:
    async def scene(clinic: Clinic) -> None:
        porter, ann = await night_porter(clinic), await clinic.owner("Ann")
        talk = await ann.opens([porter])
        await clinic.passes(minutes=1)
        await porter.stop()
        await clinic.until(berlin(written))
        await talk.says("Rex limps.")
        await clinic.until(berlin(awake))
        await porter.start()
        await clinic.passes(minutes=1)
        assert len(by("Porter", await talk.said())) == answers

    rehearse(scene, start=berlin("2026-11-25 10:00"))


@pytest.mark.parametrize("seed", SEEDS)
def test_an_answer_that_the_line_held_up_until_morning_is_not_given(seed: int) -> None:
    async def scene(clinic: Clinic) -> None:
        porter, ann = await night_porter(clinic), await clinic.owner("Ann")
        talks = [await ann.opens([porter]) for _ in range(8)]
        for talk in talks:
            await talk.says("Rex limps.")
        async with clinic.offline(porter):
            before = [await talk.said() for talk in talks]
            await clinic.until(berlin("2026-11-26 08:30"))
        await clinic.passes(minutes=5)
        assert [await talk.said() for talk in talks] == before

    rehearse(scene, seed=seed, backend=LOOPS[seed % 2], start=berlin("2026-11-26 07:00"))


def test_opening_hours_that_are_changed_in_the_night_are_no_reason_to_answer_twice_or_to_fail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene(clinic: Clinic) -> None:
        me, ann = clinic.new_id(), await clinic.owner("Ann")
        first = await clinic.run(out_of_hours.build(HOURS, now=clinic.now), user_id=me, name="Porter")
        talk = await ann.opens([first])
        await talk.says("Rex limps.")
        await talk.hears()
        await first.kill()
        await clinic.run(out_of_hours.build(HOURS, now=clinic.now, phone="112"), user_id=me, name="Porter")
        await talk.says("Still.")
        await talk.hears_nothing()

    rehearse(scene, start=EVENING)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_after_a_reset_whoever_waits_for_a_word_this_night_gets_one() -> None:
    async def scene(clinic: Clinic) -> None:
        porter, bell = await night_porter(clinic), await clinic.vet("Dr Bell")
        talks = [await (await clinic.owner(name)).opens([porter, bell]) for name in ("Ann", "Bob", "Cid", "Dee")]
        answered, waits, by_day, with_a_vet = talks
        await answered.says("Rex limps.")
        await answered.hears()
        await clinic.until(berlin("2026-11-26 10:00"))
        await porter.stop()
        await by_day.says("Rex limps.")
        await clinic.until(berlin("2026-11-26 22:00"))
        await waits.says("Rex limps.")
        await with_a_vet.says("Rex limps.")
        await bell.talk(with_a_vet).says("Come over.")
        assert porter.kept.position is not None
        porter.kept.position = Resume(epoch="another log", offset=0)
        await porter.start()
        await clinic.passes(minutes=1)
        assert [len(by("Porter", await talk.said())) for talk in talks] == [1, 1, 0, 0]

    rehearse(scene, start=EVENING)
