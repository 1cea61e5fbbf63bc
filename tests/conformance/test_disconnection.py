"""Disconnecting: what others are told, and that nothing is left behind (R5.7, S5.8)."""

import re
import time
from pathlib import Path

import pytest
from anyio import sleep

from tests.conformance.peer import PATIENCE, People, new_id
from tests.databases import sqlite_url
from tests.running import ServerProcess, running_server

pytestmark = pytest.mark.anyio


@pytest.mark.clause("R5.7", "S5.8")
async def test_the_end_of_a_users_last_connection_is_told_in_every_conversation_it_was_in(people: People) -> None:
    owner, vet, first = await people.consultation()
    second = (await owner.create(vet.user_id))["id"]
    await vet.expect("new_conversation_invitation")
    third = (await owner.create(vet.user_id))["id"]
    await vet.expect("new_conversation_invitation")
    await vet.unsubscribe(third)
    await owner.expect("user_left", conversation_id=third, reason="unsubscribed")
    await people.leave(vet)
    left = [await owner.expect("user_left", user_id=vet.user_id, reason="disconnected") for _ in range(2)]
    assert {event["conversation_id"] for event in left} == {first, second}
    await owner.expect_silence()


@pytest.mark.clause("R5.7", "R5.5")
async def test_only_the_last_device_to_go_is_told(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(vet)
    await people.leave(vet)
    await phone.say(conversation)
    await owner.expect("message_sent")
    await people.leave(phone)
    await owner.expect("user_left", user_id=vet.user_id, conversation_id=conversation, reason="disconnected")
    await owner.expect_silence()


@pytest.mark.clause("R5.7")
async def test_a_device_that_had_unsubscribed_goes_in_silence(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    elsewhere = (await owner.create(vet.user_id))["id"]
    await vet.expect("new_conversation_invitation")
    await vet.unsubscribe(conversation)
    await owner.expect("user_left", conversation_id=conversation, reason="unsubscribed")
    await people.leave(vet)
    await owner.expect("user_left", conversation_id=elsewhere, reason="disconnected")
    await owner.expect_silence()


@pytest.mark.clause("R5.7")
async def test_the_reason_is_that_of_the_last_device(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(vet)
    await vet.unsubscribe(conversation)
    await people.leave(phone)
    await owner.expect("user_left", user_id=vet.user_id, reason="disconnected")
    await vet.subscribe(conversation)
    await owner.expect("user_joined", user_id=vet.user_id)
    await vet.unsubscribe(conversation)
    await owner.expect("user_left", user_id=vet.user_id, reason="unsubscribed")


@pytest.mark.clause("S5.8", "R5.7")
async def test_a_connection_that_breaks_off_is_gone_like_one_that_says_good_bye(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    vet.socket.transport.abort()
    await owner.expect("user_left", user_id=vet.user_id, conversation_id=conversation, reason="disconnected")
    await owner.say(conversation, "Gone?")
    again = await people.another_device_of(vet)
    await owner.expect("user_joined", user_id=vet.user_id)
    assert await again.contents(conversation) == ["Gone?"]
    await again.expect_silence()


@pytest.mark.clause("S5.8", "R2.6")
async def test_what_was_sent_just_before_leaving_still_counts(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    for number in range(20):
        await vet.send("message", {"conversation_id": conversation, "content": str(number)})
    await people.leave(vet)
    heard: list[str] = []
    left = False
    await owner.send("message", {"conversation_id": conversation, "content": "The end."})
    while not (left and "The end." in heard):
        frame = await owner.receive()
        left = left or frame.event == "user_left"
        heard += [frame.params["content"]] if frame.event == "message_sent" else []
    assert sorted(heard[:-1], key=int) == [str(number) for number in range(len(heard) - 1)]
    assert await owner.contents(conversation) == heard


@pytest.mark.clause("S5.8")
async def test_coming_and_going_many_times_leaves_nothing_behind(server: ServerProcess, people: People) -> None:
    owner, vet_id = await people.client(), new_id()
    conversation = (await owner.create(vet_id))["id"]
    for _ in range(30):  # more than the connections that a user may have at once (R2.7)
        vet = await people.provider(vet_id)
        await owner.expect("user_joined", user_id=vet_id)
        await people.leave(vet)
        await owner.expect("user_left", user_id=vet_id, reason="disconnected")
    await owner.say(conversation)
    await owner.expect_silence()
    deadline = time.monotonic() + PATIENCE
    while open_connections(server) != 1:
        assert time.monotonic() < deadline, "only the owner is still connected"
        await sleep(0.01)


def open_connections(server: ServerProcess) -> float:
    """How many connections the server counts."""
    return sum(map(float, re.findall(r"^vetchat_connections\{.*\} (.+)$", server.get("/metrics")[1], re.MULTILINE)))


@pytest.mark.clause("R5.7")
async def test_a_setting_turns_the_announcement_of_disconnections_off(tmp_path: Path) -> None:
    with running_server(sqlite_url(tmp_path), tell_disconnects="false") as server:
        async with People(server) as people:
            owner, vet, conversation = await people.consultation()
            await people.leave(vet)
            phone = await people.another_device_of(vet)
            await phone.unsubscribe(conversation)
            heard = [await owner.receive() for _ in range(2)]
            assert [frame.event for frame in heard] == ["user_joined", "user_left"]
            assert heard[1].params["reason"] == "unsubscribed"
            await owner.expect_silence()
