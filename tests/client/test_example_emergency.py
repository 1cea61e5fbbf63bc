"""The example that looks out for emergencies: words, alerts, restarts, and who learns what."""

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from vetchat_client import Chat, Message, Resume, Unauthenticated
from vetchat_client.testing import Clinic, Person, Running, rehearse

from tests.client.examples import LOOPS, SEEDS, by, emergency


@pytest.mark.parametrize(
    "text",
    [
        "My dog has a SEIZURE",
        "He isn't breathing!",
        "he isn’t\nbreathing",
        "she is not  breathing",
        "He cant breathe.",
        "Rex was poisoned?",
        "no seizure today",
        "Er hat RATTENGIFT gefressen",
        "Er atmet nicht",
        "Kra\u0308mpfe!",
        "Er ist bewußtlos",
        "aufgeblaht",
    ],
)
def test_words_of_an_emergency_are_found_however_they_are_written(text: str) -> None:
    alerts, answers = consultation(text)
    assert (len(answers), len(alerts)) == (1, 1)
    language = "de" if any(word in text for word in ("Er ", "Kra", "aufgebl")) else "en"
    assert answers == [emergency.ANSWERS[language].format(phone=emergency.PHONE)]


@pytest.mark.parametrize("text", ["When do you open?", "Rex needs a vaccination.", "Vielen Dank!"])
def test_other_words_are_none(text: str) -> None:
    assert consultation(text) == ([], [])


def test_only_languages_that_are_asked_for_are_understood() -> None:
    assert consultation("Er atmet nicht", languages=("en",)) == ([], [])
    assert len(consultation("Er atmet nicht", languages=("de",))[0]) == 1


def consultation(text: str, **options: Any) -> tuple[list[str], list[str]]:
    """What the vet on call and the owner are told when an owner says this."""
    alerts: list[str] = []

    async def scene(clinic: Clinic) -> list[str]:
        async def alert(text: str, key: str) -> None:
            alerts.append(text)

        bot, ann = await clinic.run(emergency.build(alert, **options), name="Bot"), await clinic.owner("Ann")
        talk = await ann.opens([bot])
        await talk.says(text)
        await clinic.passes(minutes=1)
        return by("Bot", await talk.said())

    return alerts, rehearse(scene)


class Memory:
    """A position that is no newer than the first that was saved: everything is handled again after each start."""

    def __init__(self) -> None:
        self.position: Resume | None = None

    async def load(self) -> Resume | None:
        return self.position

    async def save(self, position: Resume) -> None:
        self.position = self.position or position


async def program(clinic: Clinic, memory: Memory, vets: Sequence[Person], ears: str, desk: Chat) -> None:
    """The whole program: its main function, but for the arguments. `desk` only shows that it runs."""
    here: Any = {"opener": clinic.opener}
    at_desk: Any = here | {"user_id": emergency.DESK, "role": "client", "name": "Duty desk"}
    as_bot: Any = here | {"user_id": ears, "role": "provider", "name": "Emergency"}
    await emergency.work(clinic.url, {vet.user for vet in vets}, memory, at_desk, as_bot)


async def on_duty(clinic: Clinic, *vets: Person) -> tuple[Running, str]:
    """The program, and the id to invite it by."""
    ears = clinic.new_id()
    running = await clinic.run(partial(program, clinic, Memory(), vets, ears), name="Duty desk", role="client")
    await clinic.passes(seconds=1)
    return running, ears


def test_the_owner_is_answered_and_the_vet_on_call_alerted_without_a_word_of_what_was_written() -> None:
    async def scene(clinic: Clinic) -> None:
        bell, ann = await clinic.vet("Dr Bell"), await clinic.owner("Ann")
        _, ears = await on_duty(clinic, bell)
        duty = await bell.is_invited()
        pet = clinic.new_id("pet")
        talk = await ann.opens([ears], pet_id=pet)
        await talk.says("Rex has eaten poison, my number is 0170 4711.")
        assert await talk.hears() == emergency.ANSWERS["en"].format(phone=emergency.PHONE)
        alert = await duty.hears()
        assert all(
            part in alert for part in ("“poison”", talk.id, ann.user, pet, emergency.PHONE, "05 January at 09:00")
        )
        assert "4711" not in alert
        await duty.says("On my way: poison.")
        await duty.hears_nothing(within=3_600)
        await talk.hears_nothing(within=0)

    rehearse(scene)


def test_what_vets_and_bots_say_is_no_emergency() -> None:
    async def scene(clinic: Clinic) -> None:
        bell, ann = await clinic.vet("Dr Bell"), await clinic.owner("Ann")
        (_, ears), (_, others) = await on_duty(clinic, bell), await on_duty(clinic, bell)
        duty = await bell.is_invited()
        talk = await ann.opens([ears, others, bell])
        await bell.talk(talk).says("Was it poison?")
        await talk.hears()
        await talk.hears_nothing(within=3_600)
        await duty.hears_nothing(within=0)
        await talk.says("Not poison!")
        await clinic.passes(minutes=1)
        assert len(by("Emergency", await talk.said())) == 2, "each of the two programs answers, and neither the other"

    rehearse(scene)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.clause("V2.2")
def test_each_emergency_is_answered_once_and_alerted_once_whatever_happens(seed: int) -> None:
    async def scene(clinic: Clinic) -> None:
        vets = [await clinic.vet("Dr Bell"), await clinic.vet("Dr Cole")]
        ann = await clinic.owner("Ann")
        running, ears = await on_duty(clinic, *vets)
        talk = await ann.opens([ears])
        for word in ("poison", "seizure", "bloat"):
            await talk.says(f"I fear it is {word}.")
            await running.kill()
            await running.start()
            await clinic.cut()
        await clinic.passes(minutes=1)
        async with clinic.outage():
            await clinic.passes(minutes=5)
        await clinic.passes(minutes=5)
        assert len(by("Emergency", await talk.said())) == 3
        for vet in vets:
            (duty,) = await vet.chat.conversations()
            alerts = [re.findall("“(.*)”", text) for _, text in await vet.talk(duty).said()]
            assert alerts == [["poison"], ["seizure"], ["bloat"]]

    rehearse(scene, seed=seed, backend=LOOPS[seed % 2])


def test_an_alert_that_fails_is_tried_again_and_the_owner_does_not_wait_for_it() -> None:
    failures = iter(range(10))
    keys: list[str] = []

    async def scene(clinic: Clinic) -> None:
        async def pager(text: str, key: str) -> None:
            if next(failures, None) is not None:
                raise TimeoutError
            keys.append(key)

        bot, ann = await clinic.run(emergency.build(pager)), await clinic.owner("Ann")
        talk = await ann.opens([bot])
        message = await talk.says("Seizure!")
        await talk.hears(within=0)
        await clinic.passes(minutes=30)
        assert keys == [message.id]
        await talk.hears_nothing(within=0)

    rehearse(scene)


def test_the_vet_is_alerted_even_if_the_owner_cannot_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    send_once = Chat.send_once

    async def fails(chat: Chat, conversation_id: str, text: str, key: str) -> Message | None:
        if text.startswith("I am a program"):
            raise OSError
        return await send_once(chat, conversation_id, text, key)

    monkeypatch.setattr(Chat, "send_once", fails)
    alerts, answers = consultation("Seizure!")
    assert answers == []
    assert len(set(alerts)) == 1


def test_another_phone_number_keeps_no_alert_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(clinic: Clinic) -> None:
        bell, ann = await clinic.vet("Dr Bell"), await clinic.owner("Ann")
        running, ears = await on_duty(clinic, bell)
        talk = await ann.opens([ears])
        await talk.says("Seizure!")
        await (await bell.is_invited()).hears()
        await running.kill()
        with monkeypatch.context() as changed:
            changed.setattr(emergency, "PHONE", "112")
            await running.start()
            await clinic.passes(minutes=1)
            assert len(await talk.said()) == 2
            await talk.says("Again!! Seizure!")
            await clinic.passes(minutes=1)
        assert "call 112 now" in (await talk.said())[-1][1]

    rehearse(scene)
    assert "failed" not in caplog.text


def test_after_a_reset_emergencies_of_the_last_day_are_found() -> None:
    alerts: list[str] = []

    async def scene(clinic: Clinic) -> None:
        async def alert(text: str, key: str) -> None:
            alerts.append(key)

        bot, ann = await clinic.run(emergency.build(alert, now=clinic.now)), await clinic.owner("Ann")
        old, active, quiet = [await ann.opens([bot]) for _ in range(3)]
        await clinic.passes(minutes=1)
        await bot.stop()
        for talk in (old, active):
            await talk.says("Poison, long ago.")
        await clinic.passes(days=2)
        wanted = [(await active.says("A seizure.")).id]
        for number in range(150):
            await active.says(f"Please! {number}")
        wanted.append((await active.says("Not breathing!")).id)
        wanted.append((await quiet.says("Bloat?")).id)
        await clinic.passes(hours=23)
        bot.kept.position = Resume(epoch="another log", offset=0)
        await bot.start()
        await clinic.passes(minutes=5)
        assert sorted(alerts) == sorted(wanted)
        assert [len(by("emergency", await talk.said())) for talk in (old, active, quiet)] == [0, 2, 1]

    rehearse(scene)


def test_a_desk_that_is_turned_away_ends_the_program_instead_of_leaving_it_without_alerts() -> None:
    async def scene(clinic: Clinic) -> None:
        bell = await clinic.vet("Dr Bell")
        here: Any = {"opener": clinic.opener}
        token = clinic.issue(emergency.DESK, role="client", lasts=timedelta(hours=1))
        with pytest.RaisesGroup(Unauthenticated):
            await emergency.work(
                clinic.url, {bell.user}, Memory(), here | {"token": token}, here | {"role": "provider"}
            )

    rehearse(scene)
