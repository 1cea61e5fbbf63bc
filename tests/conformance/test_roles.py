"""Who may do what: roles, participation, and no way to probe for what one is not part of (S3, R3)."""

import pytest

from tests.conformance.peer import Peer, People, new_id

pytestmark = pytest.mark.anyio


async def refusals(peer: Peer, conversation: str) -> dict[str, str]:
    """What each command about this conversation is answered with: always an error."""
    here = {"conversation_id": conversation}
    return {
        "message": await peer.refused("message", here | {"content": "Let me in."}),
        "conversation_history": await peer.refused("conversation_history", here),
        "subscribe_conversation": await peer.refused("subscribe_conversation", here),
        "unsubscribe_conversation": await peer.refused("unsubscribe_conversation", here),
    }


@pytest.mark.clause("S3.1", "S4.1")
async def test_a_client_creates_conversations_and_sees_only_its_own(people: People) -> None:
    owner, other_owner = await people.client(), await people.client()
    mine = [(await owner.create())["id"] for _ in range(2)]
    theirs = (await other_owner.create())["id"]
    assert {entry["id"] for entry in await owner.conversations()} == set(mine)
    assert {entry["id"] for entry in await other_owner.conversations()} == {theirs}


@pytest.mark.clause("S3.2")
async def test_a_provider_sees_only_the_conversations_it_was_invited_to(people: People) -> None:
    owner, invited, other = await people.client(), await people.provider(), await people.provider()
    conversation = await owner.create(invited.user_id)
    await invited.expect("new_conversation_invitation")
    await owner.create()
    assert [entry["id"] for entry in await invited.conversations()] == [conversation["id"]]
    assert await other.conversations() == []


@pytest.mark.clause("S3.2", "S4.11")
async def test_a_provider_may_not_create_a_conversation(people: People) -> None:
    vet, colleague = await people.provider(), await people.provider()
    await vet.refused("new_conversation", {"pet_id": new_id(), "providers": []})
    await vet.refused("new_conversation", {"pet_id": new_id(), "providers": [vet.user_id]})
    await vet.refused("new_conversation", {"pet_id": new_id(), "providers": [colleague.user_id]})
    assert await vet.conversations() == []
    await colleague.expect_silence()


@pytest.mark.clause("S3.3", "S4.4", "S4.16", "S4.20")
async def test_only_participants_write_read_and_subscribe(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.say(conversation, "Between us.")
    await vet.expect("message_sent")
    for stranger in (await people.client(), await people.provider()):
        await refusals(stranger, conversation)
        assert (await owner.say(conversation, "Still between us."))["content"] == "Still between us."
        await vet.expect("message_sent")
        await stranger.expect_silence()
    assert await vet.contents(conversation) == ["Between us.", "Still between us.", "Still between us."]
    await owner.expect_silence()


@pytest.mark.clause("R3.4")
async def test_a_foreign_conversation_and_one_that_does_not_exist_look_the_same(people: People) -> None:
    _, _, conversation = await people.consultation()
    for stranger in (await people.client(), await people.provider()):
        assert await refusals(stranger, conversation) == await refusals(stranger, new_id())


@pytest.mark.clause("R3.4")
async def test_even_a_malformed_command_does_not_tell_whether_a_conversation_exists(people: People) -> None:
    _, _, conversation = await people.consultation()
    stranger = await people.client()
    answers = [
        [
            await stranger.refused("message", {"conversation_id": id_, "content": ""}),
            await stranger.refused("conversation_history", {"conversation_id": id_, "limit": 0}),
            await stranger.refused("message", {"conversation_id": id_}),
        ]
        for id_ in (conversation, new_id())
    ]
    assert answers[0] == answers[1]


@pytest.mark.clause("R3.5")
async def test_the_clients_id_in_the_role_of_a_provider_is_not_a_participant(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    double = await people.provider(owner.user_id)
    assert await double.conversations() == []
    assert await refusals(double, conversation) == await refusals(double, new_id())
    await owner.say(conversation)
    await vet.expect("message_sent")
    await double.expect_silence()


@pytest.mark.clause("R3.5", "R4.14")
async def test_a_providers_id_in_the_role_of_a_client_is_not_a_participant(people: People) -> None:
    owner, vet = await people.client(), await people.provider()
    double = await people.client(vet.user_id)
    conversation = (await owner.create(vet.user_id))["id"]
    await vet.expect("new_conversation_invitation", id=conversation)
    assert await double.conversations() == []
    assert await refusals(double, conversation) == await refusals(double, new_id())
    await owner.say(conversation)
    await vet.expect("message_sent")
    await double.expect_silence()
