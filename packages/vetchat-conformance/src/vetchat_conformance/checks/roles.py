"""Who may do what, and who sees whose conversations (S3, R3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..check import Section
from ..peer import Peer
from ..scene import Scene
from ..shapes import JSON
from ..verdicts import require

SECTION: Final = Section()

FOR_PARTICIPANTS: Final[Mapping[str, Mapping[str, JSON]]] = {
    "message": {"content": "Let me in."},
    "conversation_history": {},
    "subscribe_conversation": {},
    "unsubscribe_conversation": {},
}
"""The commands that are for participants alone, with what they need besides the conversation."""


async def sees(peer: Peer, conversation: str) -> bool:
    """Whether a conversation is in somebody's list."""
    return conversation in [entry["id"] for entry in await peer.conversations()]


@SECTION.check("S3.1")
async def an_owner_sees_what_it_created_and_nothing_else(scene: Scene) -> None:
    """Two owners create a conversation each: both find their own in the list, and not the other's."""
    owners = await scene.owner(), await scene.owner(2)
    mine, others = [await scene.create(owner) for owner in owners]
    require(await sees(owners[0], mine), "An owner must see the conversation that it created.")
    require(not await sees(owners[0], others), "An owner must not see the conversation of another.")


@SECTION.check("S3.2")
async def a_vet_sees_what_it_was_invited_to_and_nothing_else(scene: Scene) -> None:
    """An owner creates a conversation with the vet and one without: the vet finds the first in its list alone."""
    owner, vet = await scene.owner(), await scene.vet()
    invited, not_invited = await scene.create(owner, vet), await scene.create(owner)
    await vet.caught_up()
    require(await sees(vet, invited), "A vet must see the conversation that it was invited to.")
    require(not await sees(vet, not_invited), "A vet must not see a conversation that it was not invited to.")


@SECTION.check("S3.2")
async def a_vet_may_not_create_a_conversation(scene: Scene) -> None:
    """A vet sends `new_conversation`: an error, and its list is as long as before."""
    vet = await scene.vet()
    before = len(await vet.conversations())
    await vet.refused("new_conversation", {"pet_id": scene.new_id(), "providers": []})
    require(len(await vet.conversations()) == before, "Nothing must have been created.")


@SECTION.check("S3.3", "R4.23")
async def who_takes_no_part_may_not_send_read_or_subscribe(scene: Scene) -> None:
    """A second vet, who was not invited, tries each command: all are errors, and it hears nothing of what is said."""
    owner, _, conversation = await scene.consultation()
    stranger = await scene.vet(2)
    for event, more in FOR_PARTICIPANTS.items():
        await stranger.refused(event, {"conversation_id": conversation, **more})
    await owner.silence()
    await owner.say(conversation, "Between us.")
    await stranger.silence()
    require(await owner.contents(conversation) == ["Between us."], "A stranger's message must not be stored.")


@SECTION.check("R3.4")
async def a_foreign_conversation_cannot_be_told_from_one_that_is_not_there(scene: Scene) -> None:
    """A second vet names the conversation of others, and one that does not exist: the errors are the same."""
    _, _, conversation = await scene.consultation()
    stranger = await scene.vet(2)
    for event, more in FOR_PARTICIPANTS.items():
        errors = [
            await stranger.refused(event, {"conversation_id": one, **more}) for one in (conversation, scene.new_id())
        ]
        require(errors[0].params == errors[1].params, f"Both errors to {event} must be the same.")


@SECTION.check("R3.5")
async def one_takes_part_by_id_and_role(scene: Scene) -> None:
    """One id in both roles: as a vet it neither sees nor reads nor hears what it created as an owner."""
    as_client, as_provider = scene.cast.both()
    owner, double = await scene.device(as_client), await scene.device(as_provider)
    conversation = await scene.create(owner)
    await owner.say(conversation)
    await double.silence()
    require(not await sees(double, conversation), "The conversation of one's other role must not be listed.")
    for event, more in FOR_PARTICIPANTS.items():
        await double.refused(event, {"conversation_id": conversation, **more})
