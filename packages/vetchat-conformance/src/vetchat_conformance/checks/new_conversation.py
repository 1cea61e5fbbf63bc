"""An owner opens a conversation about one pet and invites vets to it (S4.11 to R4.15)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..peer import Peer
from ..scene import Scene
from ..shapes import JSON, NIL
from ..verdicts import require

SECTION: Final = Section()


async def nothing_comes_of(owner: Peer, *wrong: JSON) -> None:
    """Each of these params is an error, and the owner's list stays as long as it was."""
    before = len(await owner.conversations())
    for params in wrong:
        await owner.refused("new_conversation", params)
    require(len(await owner.conversations()) == before, "A new_conversation that is refused must create nothing.")


@SECTION.check("S4.11")
async def a_new_conversation_needs_its_pet_and_its_providers(scene: Scene) -> None:
    """Leaves out one or the other, and gives values of the wrong type: errors, and nothing is created."""
    owner, pet = await scene.owner(), scene.new_id()
    wrong: list[JSON] = [{"providers": []}, {"pet_id": pet}, {"pet_id": "Rex", "providers": []}]
    await nothing_comes_of(owner, *wrong, {"pet_id": pet, "providers": None}, {"pet_id": pet, "providers": {}})


@SECTION.check("S4.12")
async def creator_and_vets_get_the_same_whole_conversation(scene: Scene) -> None:
    """Compares `conversation_created` with the `new_conversation_invitation` of each of two vets."""
    owner, vets = await scene.owner(), [await scene.vet(), await scene.vet(2)]
    ids, pet = [vet.user_id for vet in vets], scene.new_id()
    await owner.send("new_conversation", {"pet_id": pet, "providers": ids})
    created = await owner.expect("conversation_created", client=owner.user_id, providers=ids, pet=pet, last_message="")
    conversation = scene.knows(created)
    for vet in vets:
        invited = await vet.expect("new_conversation_invitation", id=conversation)
        require(invited.params == created.params, "The invitation must hold the same conversation as its creation.")


@SECTION.check("R4.13")
async def a_provider_named_twice_counts_once_in_its_first_place(scene: Scene) -> None:
    """Names two vets as a, b, a, and a in capitals: the conversation has a and b, and a is invited once."""
    owner, vet, other = await scene.owner(), await scene.vet(), scene.new_id()
    named = [vet.user_id, other, vet.user_id, vet.user_id.upper()]
    await owner.send("new_conversation", {"pet_id": scene.new_id(), "providers": named})
    scene.knows(await owner.expect("conversation_created", providers=[vet.user_id, other]))
    await vet.expect("new_conversation_invitation", providers=[vet.user_id, other])
    await vet.silence()


@SECTION.check("R4.13")
async def none_to_32_providers_may_be_named_also_ones_never_seen(scene: Scene) -> None:
    """Creates with no providers and with 32 unknown ones, both good, and with 33, which is an error."""
    owner = await scene.owner()
    await scene.create(owner)
    many = [scene.new_id() for _ in range(33)]
    await scene.create(owner, *many[:32])
    await nothing_comes_of(owner, {"pet_id": scene.new_id(), "providers": many})


@SECTION.check("R4.13")
async def neither_oneself_nor_n_nor_a_known_owner_can_be_invited(scene: Scene) -> None:
    """Names the creator, N, and somebody who has connected as a client alone: errors, and nothing is created."""
    owner, somebody = await scene.owner(), await scene.owner(2)
    pet = scene.new_id()
    for wrong in (owner.user_id, owner.user_id.upper(), NIL, somebody.user_id, "no id"):
        await nothing_comes_of(owner, {"pet_id": pet, "providers": [wrong]})


@SECTION.check("R4.14")
async def every_device_of_creator_and_vet_is_told_once_and_subscribed(scene: Scene) -> None:
    """Two devices each: all are told of the creation once, without `user_joined`, and hear the first message."""
    owner, vet = await scene.owner(), await scene.vet()
    phones = [await scene.device(peer.identity) for peer in (owner, vet)]
    conversation = await scene.create(owner, vet)
    await phones[0].expect("conversation_created", id=conversation)
    for device in (vet, phones[1]):
        await device.expect("new_conversation_invitation", id=conversation)
    for device in (owner, vet, *phones):
        await device.silence()
    await vet.say(conversation, "Hello.")
    for device in (owner, *phones):
        await device.expect("message_sent", content="Hello.")


@SECTION.check("R4.14", "R1.4")
async def a_vet_who_is_away_finds_the_conversation_later(scene: Scene) -> None:
    """Invites a vet who is not connected: it finds the conversation in its list, and hears what is said then."""
    owner, away = await scene.owner(), scene.role("provider")
    conversation = await scene.create(owner, away)
    vet = await scene.device(away)
    require(conversation in [one["id"] for one in await vet.conversations()], "The list must hold the conversation.")
    await owner.expect("user_joined", user_id=away.user_id, conversation_id=conversation)
    await owner.say(conversation, "There you are.")
    await vet.expect("message_sent", content="There you are.")


@SECTION.check("R4.13", "R4.14", "R3.5")
async def a_vet_who_owns_a_pet_is_invited_as_a_vet(scene: Scene) -> None:
    """One id is connected in both roles and is invited: its vet's connection hears so, its owner's does not."""
    owner, (as_client, as_provider) = await scene.owner(), scene.cast.both()
    at_home, at_work = await scene.device(as_client), await scene.device(as_provider)
    conversation = await scene.create(owner, as_provider)
    await at_work.expect("new_conversation_invitation", id=conversation)
    await at_home.silence()
    await owner.say(conversation, "Hello.")
    await at_work.expect("message_sent", content="Hello.")
    await at_home.silence()
