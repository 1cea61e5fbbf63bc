"""Reading a log by windows, and conversations by pages (V3.5, V3.6)."""

import random
from typing import Any

import pytest

from tests.conformance.peer import new_id
from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1Peer, V1People

pytestmark = pytest.mark.anyio

TOTAL = 25
FAR = (TOTAL + 1, 1000, 2**31, 2**53, 2**63, 10**30)


async def long_consultation(people: V1People) -> tuple[V1Peer, V1Peer, str]:
    """A conversation in which 25 messages were said."""
    owner, vet, conversation = await people.consultation()
    for number in range(TOTAL):
        await owner.start("message", {"conversation_id": conversation, "content": str(number + 1)})
    for peer in (owner, vet):
        assert len(await peer.caught_up()) == TOTAL
    return owner, vet, conversation


def seqs(answer: JSON) -> list[int]:
    """The seqs of a page as they came; each belongs to its message."""
    for message in answer["messages"]:
        assert message["content"] == str(message["seq"])
    return [message["seq"] for message in answer["messages"]]


# -- windows -----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V3.5")
@pytest.mark.parametrize("limit", [1, 2, 7, TOTAL, 100])
async def test_before_gives_the_largest_smaller_seqs_newest_first(people: V1People, limit: int) -> None:
    owner, _, conversation = await long_consultation(people)
    for before in (*range(TOTAL + 2), *FAR):
        answer = await owner.history(conversation, before=before, limit=limit)
        below = [seq for seq in range(TOTAL, 0, -1) if seq < before]
        assert seqs(answer) == below[:limit], before
        assert answer["has_more"] is (len(below) > limit), before
        assert "has_newer" not in answer


@pytest.mark.clause("V3.5")
@pytest.mark.parametrize("limit", [1, 2, 7, TOTAL, 100])
async def test_after_gives_the_smallest_larger_seqs_newest_first(people: V1People, limit: int) -> None:
    owner, _, conversation = await long_consultation(people)
    for after in (*range(TOTAL + 2), *FAR):
        answer = await owner.history(conversation, after=after, limit=limit)
        above = [seq for seq in range(1, TOTAL + 1) if seq > after]
        assert seqs(answer) == above[:limit][::-1], after
        assert answer["has_more"] is (len(above) > limit), after
        assert "has_newer" not in answer


@pytest.mark.clause("V3.5")
@pytest.mark.parametrize("limit", [1, 2, 7, 8, TOTAL, 100])
async def test_around_gives_one_contiguous_window_that_holds_it_shifted_at_the_ends(
    people: V1People, limit: int
) -> None:
    owner, _, conversation = await long_consultation(people)
    for around in (*range(TOTAL + 2), *FAR):
        answer = await owner.history(conversation, around=around, limit=limit)
        window = seqs(answer)
        assert window == list(range(window[0], window[-1] - 1, -1)), around
        assert len(window) == min(limit, TOTAL)
        assert min(max(around, 1), TOTAL) in window
        assert answer["has_more"] is (window[-1] > 1), around
        assert answer["has_newer"] is (window[0] < TOTAL), around
        if limit >= 3 and 1 < around < TOTAL:
            assert {around - 1, around + 1} <= set(window), "around is not at an end of its window"


@pytest.mark.clause("V3.5", "R4.17", "S4.16")
async def test_a_page_still_counts_from_0_newest_first(people: V1People) -> None:
    owner, _, conversation = await long_consultation(people)
    for page in range(5):
        answer = await owner.history(conversation, page, limit=7)
        assert seqs(answer) == list(range(TOTAL, 0, -1))[page * 7 : page * 7 + 7]
        assert answer["has_more"] is ((page + 1) * 7 < TOTAL)
        assert "has_newer" not in answer
    await owner.send("conversation_history", {"conversation_id": conversation})
    assert seqs(await owner.expect("conversation_history_response")) == list(range(TOTAL, TOTAL - 20, -1))


@pytest.mark.clause("V3.5")
async def test_every_answer_tells_its_conversation_the_last_seq_and_the_total(people: V1People) -> None:
    owner, _, conversation = await long_consultation(people)
    for window in ({}, {"page": 2}, {"before": 9}, {"after": 9}, {"around": 9}, {"after": 10**9}, {"limit": 1}):
        answer = await owner.history(conversation, **window)
        assert (answer["conversation_id"], answer["last_seq"]) == (conversation, TOTAL)
        assert answer["total_count"] == TOTAL


@pytest.mark.clause("V3.5")
async def test_a_conversation_in_which_nobody_said_anything_is_empty_from_every_side(people: V1People) -> None:
    owner = await people.client()
    conversation = (await owner.create())["id"]
    for window in ({}, {"page": 0}, {"before": 1}, {"before": 0}, {"after": 0}, {"around": 0}, {"around": 5}):
        answer = await owner.history(conversation, **window)
        assert answer["messages"] == []
        assert (answer["has_more"], answer["last_seq"], answer["total_count"]) == (False, 0, 0)
        assert answer.get("has_newer", False) is False
    assert (await owner.subscribe(conversation))["last_seq"] == 0


@pytest.mark.clause("V3.5", "V2.3")
async def test_at_most_one_of_page_before_after_and_around_is_allowed(people: V1People) -> None:
    owner, _, conversation = await people.consultation()
    names = ("page", "before", "after", "around")
    for first in names:
        for second in names:
            if first < second:
                params = {"conversation_id": conversation, first: 0, second: 0}
                assert await owner.fails("conversation_history", params) == "invalid_params"
    everything = {"conversation_id": conversation} | dict.fromkeys(names, 0)
    assert await owner.fails("conversation_history", everything) == "invalid_params"


@pytest.mark.clause("V3.5", "V2.3")
@pytest.mark.parametrize("wrong", [-1, 1.5, "1", True, [1], {"seq": 1}, ""], ids=repr)
async def test_a_seq_that_is_none_is_an_error_and_subscribes_nobody(people: V1People, wrong: Any) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    for name in ("before", "after", "around"):
        params = {"conversation_id": conversation, name: wrong}
        assert await vet.fails("conversation_history", params) == "invalid_params"
    for limit in (0, 101, "20", True):
        params = {"conversation_id": conversation, "before": 1, "limit": limit}
        assert await vet.fails("conversation_history", params) == "invalid_params"
    await owner.expect_silence()


@pytest.mark.clause("V3.5", "S4.18")
async def test_reading_subscribes_unless_told_not_to(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    for window in ({}, {"page": 0}, {"before": 9}, {"after": 0}, {"around": 0}):
        await vet.history(conversation, subscribe=False, **window)
    await owner.say(conversation, "Unheard.")
    await vet.expect_silence()
    await owner.expect_silence()
    await vet.history(conversation, before=9)
    await owner.expect("user_joined", user_id=vet.user_id)
    await owner.say(conversation, "Heard.")
    assert [frame.params["content"] for frame in await vet.caught_up() if frame.event == "message_sent"] == ["Heard."]
    await vet.history(conversation, subscribe=False)
    await owner.say(conversation, "Still heard.")
    await vet.expect("message_sent", content="Still heard.")
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    await vet.history(conversation, subscribe=True)
    await owner.expect("user_joined")


@pytest.mark.clause("V3.5", "V2.3")
async def test_subscribe_is_true_or_false(people: V1People) -> None:
    owner, _, conversation = await people.consultation()
    wrong_values: list[JSON] = [0, 1, "false", "", [], {}]
    for wrong in wrong_values:
        params: JSON = {"conversation_id": conversation, "subscribe": wrong}
        assert await owner.fails("conversation_history", params) == "invalid_params"


@pytest.mark.clause("V3.5")
async def test_subscribed_tells_the_last_seq(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    for number in range(3):
        assert (await vet.subscribe(conversation))["last_seq"] == number
        await owner.say(conversation)


# -- conversations by pages --------------------------------------------------------------------------------------------


async def many_conversations(people: V1People, total: int) -> tuple[V1Peer, dict[str, int]]:
    """An owner of so many conversations, and the offset of the last thing that happened in each."""
    owner, generator = await people.client(), random.Random(total)
    last: dict[str, int] = {}
    for _ in range(total):
        created = await owner.ask("new_conversation", {"pet_id": new_id(), "providers": []})
        last[created.params["id"]] = created.offset or 0
    for conversation in generator.choices(list(last), k=total):
        said = await owner.ask("message", {"conversation_id": conversation, "content": "Hello."})
        last[conversation] = said.offset or 0
    return owner, last


@pytest.mark.clause("V3.6")
@pytest.mark.parametrize("limit", [1, 3, 4, 11, 12, 13, 1000])
async def test_pages_of_conversations_come_by_their_last_offset_newest_first(people: V1People, limit: int) -> None:
    owner, last = await many_conversations(people, total=12)
    newest_first = sorted(last, key=lambda conversation: -last[conversation])
    pages: list[list[JSON]] = [await owner.conversations(limit=limit)]
    while len(pages[-1]) == limit:
        pages.append(await owner.conversations(limit=limit, before=pages[-1][-1]["last_offset"]))
    assert all(len(page) == limit for page in pages[:-1])
    entries = [entry for page in pages for entry in page]
    assert [entry["id"] for entry in entries] == newest_first
    assert [entry["last_offset"] for entry in entries] == [last[conversation] for conversation in newest_first]


@pytest.mark.clause("V3.6")
async def test_a_page_before_an_offset_that_is_still_to_come_is_the_first(people: V1People) -> None:
    owner, last = await many_conversations(people, total=3)
    first = await owner.conversations(limit=10)
    assert len(first) == len(last)
    for before in (max(last.values()) + 1, 2**31, 2**53, 2**63, 10**30):
        assert await owner.conversations(limit=10, before=before) == first
    assert await owner.conversations(limit=10, before=min(last.values())) == []


@pytest.mark.clause("V3.6", "R4.2")
async def test_without_a_limit_all_conversations_come_and_carry_their_last_offset_too(people: V1People) -> None:
    owner, last = await many_conversations(people, total=12)
    entries = await owner.conversations()
    assert {entry["id"]: entry["last_offset"] for entry in entries} == last
    times = [(-entry["last_updated_timestamp"], entry["id"]) for entry in entries]
    assert times == sorted(times)


@pytest.mark.clause("V3.6", "V4.2")
async def test_reading_does_not_move_a_conversation(people: V1People) -> None:
    owner, vet, first = await people.consultation()
    second = (await owner.create(vet.user_id))["id"]
    await owner.say(first)
    await owner.say(second)
    before = await owner.conversations(limit=10)
    await vet.reads(first, 1)
    after = await owner.conversations(limit=10)
    assert [entry["id"] for entry in after] == [second, first]
    assert [entry["last_offset"] for entry in after] == [entry["last_offset"] for entry in before]


@pytest.mark.clause("V3.6", "S3.2")
async def test_a_page_holds_only_ones_own_conversations_by_role(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.create()
    as_client = await people.client(vet.user_id)
    own = (await as_client.create())["id"]
    assert [entry["id"] for entry in await vet.conversations(limit=10)] == [conversation]
    assert [entry["id"] for entry in await as_client.conversations(limit=10)] == [own]
    assert await as_client.conversations(limit=10, before=0) == []
    assert await as_client.conversations(limit=10, before=1) == []
