"""The command `message`: who gets it, what it may hold, in which order it comes (S4.4 to R4.10)."""

import time
from collections.abc import Sequence
from typing import Any

import pytest
from anyio import create_task_group

from tests.conformance.peer import Peer, People

pytestmark = pytest.mark.anyio

LEGAL = {
    "one character": "x",
    "control characters": "\u0001\u001f\u007f\u0080\ufffe\uffff",
    "white space around": "  in between \t\r\n ",
    "no normal form": "e\u0301 is not \u00e9, \u212b is not \u00c5",
    "invisible": "\u202eright to left\u202c \u200bzero width\ufeff",
    "markup": "<script>alert('\"')</script> & \\ / \\u0041 %s {} $1 '; DROP TABLE message; --",
    "astral": "👩🏽‍⚕️🐈‍⬛\U0010ffff",
    "8,000 of one byte": "a" * 8_000,
    "8,000 of two bytes": "é" * 8_000,
    "8,000 of four bytes": "🐾" * 8_000,
}
ILLEGAL = {
    "empty": "",
    "a space": " ",
    "a newline": "\n",
    "mixed white space": " \t\r\n ",
    "Unicode spaces": "\u00a0\u2003\u3000",
    "separators": "\u2028\u2029\u0085",
    "8,000 spaces": " " * 8_000,
    "8,001 of one byte": "a" * 8_001,
    "8,001 of four bytes": "🐾" * 8_001,
}


@pytest.mark.clause("S4.4", "S4.5")
async def test_a_message_reaches_every_subscribed_participant_and_answers_its_sender(people: People) -> None:
    owner, first, second = await people.client(), await people.provider(), await people.provider()
    conversation = (await owner.create(first.user_id, second.user_id))["id"]
    for vet in (first, second):
        await vet.expect("new_conversation_invitation")
    for sender in (owner, first, second):
        said = await sender.say(conversation, f"I am {sender.user_id}.")
        for other in {owner, first, second} - {sender}:
            assert await other.expect("message_sent") == said
    for peer in (owner, first, second):
        await peer.expect_silence()


@pytest.mark.clause("S4.5", "R4.9")
async def test_every_device_of_sender_and_receiver_gets_the_message_exactly_once(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    others = [vet, await people.another_device_of(owner), await people.another_device_of(vet)]
    said = await owner.say(conversation)
    for peer in others:
        assert await peer.expect("message_sent") == said
    for peer in (owner, *others):
        await peer.expect_silence()


@pytest.mark.clause("S4.6", "S5.1")
async def test_sending_subscribes_and_the_others_hear_of_the_return_before_the_message(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left", user_id=vet.user_id)
    await vet.say(conversation, "I am back.")
    await owner.expect("user_joined", user_id=vet.user_id, conversation_id=conversation)
    await owner.expect("message_sent", content="I am back.")
    await owner.say(conversation, "Good.")
    await vet.expect("message_sent", content="Good.")


@pytest.mark.clause("S4.6", "R5.5")
async def test_sending_from_one_device_while_the_other_is_subscribed_announces_nothing(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.another_device_of(vet)
    await phone.unsubscribe(conversation)
    await phone.say(conversation, "From my phone.")
    await owner.expect("message_sent", content="From my phone.")
    await vet.expect("message_sent", content="From my phone.")
    await owner.say(conversation, "Good.")
    await phone.expect("message_sent", content="Good.")


@pytest.mark.clause("S4.6")
async def test_a_message_that_is_refused_subscribes_nobody(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    await vet.refused("message", {"conversation_id": conversation, "content": " "})
    await owner.say(conversation)
    await vet.expect_silence()


# -- content -----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R4.8")
@pytest.mark.parametrize("content", LEGAL.values(), ids=LEGAL.keys())
async def test_content_comes_back_exactly_as_it_was_sent(people: People, content: str) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.say(conversation, content)
    await vet.expect("message_sent", content=content)
    assert await vet.contents(conversation) == [content]
    assert (await vet.conversations())[0]["last_message"] == content


@pytest.mark.clause("R4.8")
@pytest.mark.parametrize("content", ILLEGAL.values(), ids=ILLEGAL.keys())
async def test_content_that_is_empty_white_space_or_too_long_is_an_error(people: People, content: str) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.refused("message", {"conversation_id": conversation, "content": content})
    await vet.expect_silence()
    assert await vet.contents(conversation) == []


# -- order and time ----------------------------------------------------------------------------------------------------


@pytest.mark.clause("R4.9", "R4.10", "R4.17")
async def test_everybody_gets_every_message_once_and_in_the_same_order(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    third = await people.another_device_of(vet)
    fourth = await people.another_device_of(owner)
    peers, each = [owner, vet, third, fourth], 25
    heard: list[list[Any]] = [[] for _ in peers]

    async def talk(number: int) -> None:
        for count in range(each):
            params = {"conversation_id": conversation, "content": f"{number}: {count}"}
            await peers[number].send("message", params)

    async def listen(number: int) -> None:
        heard[number] = [await peers[number].expect("message_sent") for _ in range(each * len(peers))]

    async with create_task_group() as group:
        for number in range(len(peers)):
            group.start_soon(talk, number)
            group.start_soon(listen, number)
    for peer in peers:
        await peer.expect_silence()
    assert all(messages == heard[0] for messages in heard)
    assert len({message["id"] for message in heard[0]}) == each * len(peers)
    assert_per_sender_in_order(heard[0], len(peers))
    history = (await owner.history(conversation))["messages"]
    assert history == heard[0][::-1]
    times = [message["timestamp"] for message in heard[0]]
    assert times == sorted(times)


def assert_per_sender_in_order(messages: Sequence[Any], senders: int) -> None:
    for sender in range(senders):
        numbers = [int(text.split(": ")[1]) for m in messages if (text := m["content"]).startswith(f"{sender}: ")]
        assert numbers == sorted(numbers)


@pytest.mark.clause("R4.10")
async def test_times_come_from_the_servers_clock_and_never_run_backwards(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    created = (await owner.conversations())[0]["last_updated_timestamp"]
    before = time.time() * 1000
    times: list[int] = [created]
    for sender, other in ((owner, vet), (vet, owner)) * 10:
        times.append((await sender.say(conversation))["timestamp"])
        await other.expect("message_sent")
    after = time.time() * 1000
    assert times == sorted(times)
    assert before - 1000 <= created <= before + 1000
    assert before - 1000 <= times[1] <= times[-1] <= after + 1000


@pytest.mark.clause("R4.7")
async def test_a_message_that_anybody_has_seen_can_be_read_back_at_once(people: People) -> None:
    owner, vet, conversation = await people.consultation()

    async def reads_back(peer: Peer, said: Any) -> bool:
        return said in (await peer.history(conversation))["messages"]

    for number in range(20):
        said = await owner.say(conversation, f"Message {number}")
        assert await vet.expect("message_sent") == said
        assert await reads_back(vet, said)
        assert (await vet.conversations())[0]["last_message"] == said["content"]
