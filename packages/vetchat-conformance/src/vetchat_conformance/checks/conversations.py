"""The list that a chat window opens with (S4.1, R4.2, R4.3)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..peer import Peer
from ..scene import Scene
from ..shapes import JSON
from ..verdicts import Broken, require

SECTION: Final = Section()


async def entry(peer: Peer, conversation: str) -> JSON:
    """What the list says about a conversation."""
    for one in await peer.conversations():
        if one["id"] == conversation:
            return one
    raise Broken(f"The list of {peer.name} must hold the conversation.")


@SECTION.check("S4.1")
async def the_list_tells_who_takes_part_and_for_which_pet(scene: Scene) -> None:
    """Creates a conversation and compares its entry in the owner's and in the vet's list with what was created."""
    owner, vet = await scene.owner(), await scene.vet()
    pet = scene.new_id()
    await owner.send("new_conversation", {"pet_id": pet, "providers": [vet.user_id]})
    conversation = scene.knows(await owner.expect("conversation_created"))
    await vet.caught_up()
    for peer in (owner, vet):
        listed = await entry(peer, conversation)
        told = (listed["client"], listed["providers"], listed["pet"])
        require(told == (owner.user_id, [vet.user_id], pet), f"The entry of {peer.name} must tell who takes part.")


@SECTION.check("R4.2")
async def the_list_has_all_conversations_newest_first(scene: Scene) -> None:
    """Creates three conversations and speaks in the first: the list holds all, by time from new to old, ties by id."""
    owner = await scene.owner()
    mine = [await scene.create(owner) for _ in range(3)]
    await owner.say(mine[0])
    listed = await owner.conversations()
    keys = [(-one["last_updated_timestamp"], one["id"]) for one in listed]
    require(set(mine) <= {one["id"] for one in listed}, "The list must hold every conversation.")
    require(keys == sorted(keys), "The list must be ordered by last_updated_timestamp, newest first, ties by id.")


@SECTION.check("R4.3")
async def the_entry_follows_the_latest_message(scene: Scene) -> None:
    """Compares text and time of the entry before the first message, and after each of two."""
    owner = await scene.owner()
    await owner.send("new_conversation", {"pet_id": scene.new_id(), "providers": []})
    created = await owner.expect("conversation_created", last_message="")
    conversation = scene.knows(created)
    before = await entry(owner, conversation)
    require(before["last_message"] == "", 'Before the first message last_message must be "".')
    require(
        before["last_updated_timestamp"] == created.get("last_updated_timestamp"),
        "Before the first message last_updated_timestamp must be the time of creation.",
    )
    for content in ("First.", "Second. " * 1_000):
        said = await owner.say(conversation, content)
        after = await entry(owner, conversation)
        require(after["last_message"] == content, "last_message must be the full text of the latest message.")
        require(
            after["last_updated_timestamp"] == said.get("timestamp"),
            "last_updated_timestamp must be the time of the latest message.",
        )
