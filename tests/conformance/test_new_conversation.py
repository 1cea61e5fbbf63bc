"""The command `new_conversation`: who is told, who is invited, which vets are accepted (S4.11 to R4.15)."""

import pytest

from tests.conformance.peer import People, new_id
from tests.conformance.shapes import NIL

pytestmark = pytest.mark.anyio

MOST_PROVIDERS = 32


@pytest.mark.clause("S4.11", "S4.12")
async def test_the_creator_and_each_invited_vet_get_the_whole_conversation(people: People) -> None:
    owner, first, second = await people.client(), await people.provider(), await people.provider()
    stranger, pet = await people.provider(), new_id()
    created = await owner.create(first.user_id, second.user_id, pet=pet)
    assert created["providers"] == [first.user_id, second.user_id]
    assert (created["client"], created["pet"], created["last_message"]) == (owner.user_id, pet, "")
    for vet in (first, second):
        assert await vet.expect("new_conversation_invitation") == created
    for peer in (owner, first, second, stranger):
        await peer.expect_silence()


@pytest.mark.clause("R4.14", "S5.1")
async def test_every_device_of_the_creator_is_told_and_subscribed(people: People) -> None:
    owner, vet = await people.client(), await people.provider()
    phone, double = await people.another_device_of(owner), await people.provider(owner.user_id)
    created = await owner.create(vet.user_id)
    assert await phone.expect("conversation_created") == created
    await vet.expect("new_conversation_invitation")
    await vet.say(created["id"])
    for peer in (owner, phone):
        await peer.expect("message_sent", conversation_id=created["id"])
        await peer.expect_silence()
    await double.expect_silence()  # the same id, but not as a client


@pytest.mark.clause("R4.14", "S5.1")
async def test_every_device_of_an_invited_vet_is_invited_once_and_subscribed(people: People) -> None:
    owner, vet = await people.client(), await people.provider()
    phone, double = await people.another_device_of(vet), await people.client(vet.user_id)
    created = await owner.create(vet.user_id, vet.user_id.upper(), vet.user_id)
    for peer in (vet, phone):
        assert await peer.expect("new_conversation_invitation") == created
        await peer.expect_silence()
    await owner.say(created["id"])
    for peer in (vet, phone):
        await peer.expect("message_sent", conversation_id=created["id"])
    await double.expect_silence()  # the same id, but not as a provider


@pytest.mark.clause("R4.14", "S5.3", "R5.5")
async def test_creating_and_inviting_is_announced_by_no_user_joined_but_counts_as_one(people: People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.expect_silence()
    await vet.expect_silence()
    await people.leave(owner)
    await vet.expect("user_left", user_id=owner.user_id, conversation_id=conversation, reason="disconnected")


@pytest.mark.clause("R4.14", "R4.13")
async def test_a_vet_that_is_not_connected_finds_the_conversation_later(people: People) -> None:
    owner, vet_id = await people.client(), new_id()
    created = await owner.create(vet_id)
    await owner.say(created["id"], "Whenever you are there.")
    vet = await people.provider(vet_id)
    (listed,) = await vet.conversations()
    assert listed["id"] == created["id"]
    assert listed["last_message"] == "Whenever you are there."
    await owner.expect("user_joined", user_id=vet_id, conversation_id=created["id"])


# -- the list of providers ---------------------------------------------------------------------------------------------


@pytest.mark.clause("R4.13")
async def test_nobody_need_be_assigned_yet(people: People) -> None:
    owner = await people.client()
    created = await owner.create()
    assert created["providers"] == []
    await owner.say(created["id"], "Is anybody there?")


@pytest.mark.clause("R4.13")
async def test_duplicate_providers_are_dropped_and_the_first_position_is_kept(people: People) -> None:
    owner = await people.client()
    a, b, c = new_id(), new_id(), new_id()
    created = await owner.create(b, a, b.upper(), c, a, b)
    assert created["providers"] == [b, a, c]
    assert (await owner.conversations())[0]["providers"] == [b, a, c]


@pytest.mark.clause("R4.13")
async def test_the_order_of_the_providers_is_kept(people: People) -> None:
    owner = await people.client()
    providers = [new_id() for _ in range(MOST_PROVIDERS)]
    assert (await owner.create(*providers))["providers"] == providers
    assert (await owner.conversations())[0]["providers"] == providers


@pytest.mark.clause("R4.13")
async def test_more_than_32_providers_are_an_error(people: People) -> None:
    owner, vet = await people.client(), await people.provider()
    providers = [vet.user_id, *(new_id() for _ in range(MOST_PROVIDERS))]
    await owner.refused("new_conversation", {"pet_id": new_id(), "providers": providers})
    await vet.expect_silence()
    assert await owner.conversations() == []


@pytest.mark.clause("R4.13", "R1.8")
@pytest.mark.parametrize("kind", ["nil", "creator", "client", "offline client"])
async def test_who_cannot_be_a_vet_is_an_error_and_nothing_is_created(people: People, kind: str) -> None:
    owner, vet, other_owner = await people.client(), await people.provider(), await people.client()
    once = await people.client()
    await people.leave(once)
    wrong = {"nil": NIL, "creator": owner.user_id, "client": other_owner.user_id, "offline client": once.user_id}[kind]
    for providers in ([wrong], [vet.user_id, wrong], [wrong.upper(), vet.user_id]):
        await owner.refused("new_conversation", {"pet_id": new_id(), "providers": providers})
    assert await owner.conversations() == []
    await vet.expect_silence()
    await other_owner.expect_silence()


@pytest.mark.clause("R4.13")
async def test_the_creator_cannot_invite_itself_even_if_it_is_a_vet_as_well(people: People) -> None:
    owner = await people.client()
    double = await people.provider(owner.user_id)
    await owner.refused("new_conversation", {"pet_id": new_id(), "providers": [owner.user_id]})
    await double.expect_silence()
    assert await owner.conversations() == []


@pytest.mark.clause("R4.13")
async def test_a_client_that_has_ever_connected_as_a_vet_may_be_invited(people: People) -> None:
    owner, both = await people.client(), await people.client()
    await people.leave(await people.provider(both.user_id))
    assert (await owner.create(both.user_id))["providers"] == [both.user_id]
    await both.expect_silence()


@pytest.mark.clause("R4.13")
async def test_a_vet_that_has_never_connected_may_be_invited_alone(people: People) -> None:
    owner, unseen = await people.client(), new_id()
    assert (await owner.create(unseen))["providers"] == [unseen]


# -- the policy --------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R4.15")
@pytest.mark.parametrize(
    "pet", ["7a4e970c-1e3e-418f-8642-a41fbdfae4c0", f"{NIL[:-1]}1", NIL.replace("0", "f"), NIL.replace("0", "1")]
)
async def test_the_default_policy_accepts_any_pet_of_any_client(people: People, pet: str) -> None:
    for _ in range(2):
        owner = await people.client()
        assert (await owner.create(pet=pet))["pet"] == pet
        assert (await owner.create(pet=pet))["pet"] == pet
        assert len(await owner.conversations()) == 2
