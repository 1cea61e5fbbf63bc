"""A bad line for a long time: cuts at random bytes while two people write, and each message arrives once, in order."""

from random import Random

import pytest
from anyio import create_task_group, fail_after
from vetchat_client import Chat, Reset, events

from tests.client.company import consultation, contents
from tests.client.proxy import Direction, Point, Proxy


async def write(chat: Chat, conversation_id: str, words: list[str]) -> None:
    for word in words:
        stored = await chat.send(conversation_id, word)
        assert stored.content == word


async def read(chat: Chat, heard: list[events.MessageParams], until: int) -> None:
    async for event in chat:
        assert not isinstance(event, Reset)
        if isinstance(event, events.MessageSent):
            heard.append(event.params)
            if len(heard) == until:
                break


async def cut(proxy: Proxy, luck: Random, times: int) -> None:
    """Cuts one connection after the other at a random byte: of its frames or, one time in four, of its handshake."""
    for _ in range(times):
        direction: Direction = luck.choice(("up", "down"))
        if luck.random() < 0.75:
            proxy.arm("cut", Point(direction, "frames", luck.randrange(2_000)))
        else:
            proxy.arm("cut", Point(direction, "handshake", luck.randrange(100)))
            proxy.cut()
        with fail_after(60):
            await proxy.struck.wait()


async def endure(proxy: Proxy, *, cuts: int, messages: int, seed: int) -> None:
    async with consultation(proxy.url) as (ann, bell, conversation_id):
        people = {ann.user: ann, bell.user: bell}
        words = {user: [f"{user[:4]} {number}" for number in range(messages // 2)] for user in people}
        heard: dict[str, list[events.MessageParams]] = {user: [] for user in people}
        async with create_task_group() as tasks:
            for user, chat in people.items():
                tasks.start_soon(write, chat, conversation_id, words[user])
                tasks.start_soon(read, chat, heard[user], messages)
            await cut(proxy, Random(seed), cuts)
        stored = await contents(ann, conversation_id)
        assert len(stored) == messages
        for listener in people:
            assert [message.content for message in heard[listener]] == stored
            assert [message.seq for message in heard[listener]] == list(range(1, messages + 1))
            for writer in people:
                said = [message.content for message in heard[listener] if message.sender_id == writer]
                assert said == words[writer]


@pytest.mark.clause("R4.9", "V2.2", "V3.1", "V3.3")
async def test_forty_cuts_lose_and_double_none_of_four_hundred_messages(proxy: Proxy) -> None:
    with fail_after(100):
        await endure(proxy, cuts=40, messages=400, seed=7)


@pytest.mark.soak
@pytest.mark.clause("R4.9", "V2.2", "V3.1", "V3.3")
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_thousand_cuts_lose_and_double_none_of_ten_thousand_messages(proxy: Proxy, seed: int) -> None:
    await endure(proxy, cuts=1_000, messages=10_000, seed=seed)
