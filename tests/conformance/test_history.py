"""The command `conversation_history`: pages, counts and the subscription that comes with asking (S4.16 to R4.19)."""

from typing import Any

import pytest

from tests.conformance.peer import ABSENT, Peer, People, new_id
from tests.databases import postgres_database, rows_read, run_sql
from tests.running import running_server

pytestmark = pytest.mark.anyio


async def fill(peer: Peer, conversation: str, count: int, ending: str = "") -> list[Any]:
    """Sends `count` messages, and returns them newest first as history has them."""
    for number in range(count):
        await peer.send("message", {"conversation_id": conversation, "content": f"Message {number}{ending}"})
    return [await peer.expect("message_sent") for _ in range(count)][::-1]


@pytest.mark.clause("S4.16", "R4.17")
async def test_pages_come_newest_first_within_and_across(people: People) -> None:
    owner = await people.client()
    conversation = (await owner.create())["id"]
    sent = await fill(owner, conversation, 45)
    for page in range(4):
        answer = await owner.history(conversation, page=page, limit=20)
        expected = sent[20 * page : 20 * page + 20]
        assert answer == {"messages": expected, "total_count": 45, "has_more": page < 2}


@pytest.mark.clause("R4.17")
async def test_without_page_and_limit_it_is_the_first_20(people: People) -> None:
    owner = await people.client()
    conversation = (await owner.create())["id"]
    sent = await fill(owner, conversation, 21)
    for page, limit, expected in ((ABSENT, ABSENT, sent[:20]), (1, ABSENT, sent[20:]), (ABSENT, 5, sent[:5])):
        params = {"conversation_id": conversation, "page": page, "limit": limit}
        given = {key: value for key, value in params.items() if value is not ABSENT}
        await owner.send("conversation_history", given)
        assert (await owner.expect("conversation_history_response", total_count=21))["messages"] == expected


@pytest.mark.clause("R4.17")
@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 100])
async def test_has_more_says_whether_another_page_holds_anything(people: People, limit: int) -> None:
    owner = await people.client()
    conversation = (await owner.create())["id"]
    sent = await fill(owner, conversation, 6)
    read: list[Any] = []
    for page in range(7):
        answer = await owner.history(conversation, page=page, limit=limit)
        read += answer["messages"]
        assert answer["total_count"] == 6
        assert answer["has_more"] is ((page + 1) * limit < 6)
    assert read == sent


@pytest.mark.clause("R4.17")
async def test_a_page_far_beyond_the_end_is_empty(people: People) -> None:
    owner = await people.client()
    conversation = (await owner.create())["id"]
    await fill(owner, conversation, 3)
    for page in (1, 2**31 - 1):
        for limit in (3, 100):
            answer = await owner.history(conversation, page=page, limit=limit)
            assert answer == {"messages": [], "total_count": 3, "has_more": False}


@pytest.mark.clause("R4.17")
@pytest.mark.parametrize("wrong", [{"page": -1}, {"page": 2**31}, {"limit": 0}, {"limit": -1}, {"limit": 101}])
async def test_a_page_or_a_limit_out_of_range_is_an_error(people: People, wrong: dict[str, int]) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    await vet.refused("conversation_history", {"conversation_id": conversation} | wrong)
    await owner.say(conversation)
    await vet.expect_silence()  # a refused command subscribes nobody


@pytest.mark.clause("S4.16")
async def test_an_empty_conversation_has_an_empty_history(people: People) -> None:
    owner = await people.client()
    conversation = (await owner.create())["id"]
    assert await owner.history(conversation) == {"messages": [], "total_count": 0, "has_more": False}


@pytest.mark.clause("S4.16", "S3.3")
async def test_history_is_for_participants(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.say(conversation, "Between us.")
    await vet.expect("message_sent")
    assert await vet.history(conversation) == await owner.history(conversation)
    for stranger in (await people.client(), await people.provider()):
        await stranger.refused("conversation_history", {"conversation_id": conversation})
    await owner.expect_silence()


@pytest.mark.clause("S4.18", "S5.1", "S5.3")
async def test_asking_for_history_subscribes_and_the_others_hear_of_it(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    await vet.history(conversation)
    await owner.expect("user_joined", user_id=vet.user_id, conversation_id=conversation)
    await vet.history(conversation)
    await owner.expect_silence()
    await owner.say(conversation)
    await vet.expect("message_sent")


# -- what it costs -----------------------------------------------------------------------------------------------------


@pytest.mark.clause("R4.19")
async def test_a_page_costs_the_same_however_long_the_conversation_and_however_deep_the_page() -> None:
    messages, questions, owner_id = 2_000, 50, new_id()
    with postgres_database() as database:
        with running_server(database, rate_limit=0) as server:
            async with People(server) as people:
                owner = await people.client(owner_id)
                conversation = (await owner.create())["id"]
                for _ in range(messages // 100):
                    await fill(owner, conversation, 100, " and so on" * 40)
        run_sql(database, "ANALYZE")  # a table that is too small is not worth an index
        before = rows_read(database)
        with running_server(database, rate_limit=0) as server:
            async with People(server) as people:
                owner = await people.client(owner_id)
                for page in (0, messages // 20 - 1) * questions:
                    assert len((await owner.history(conversation, page, limit=20))["messages"]) == 20
        assert rows_read(database) - before < 2 * questions * 100, "a page of 20 messages takes 100 reads at most"
