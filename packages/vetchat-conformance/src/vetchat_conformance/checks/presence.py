"""Who hears what, and how people see each other come and go (S5, R5)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..scene import Scene
from ..verdicts import require

SECTION: Final = Section()


@SECTION.check("S5.1")
async def connecting_subscribes_to_all_of_ones_conversations(scene: Scene) -> None:
    """A vet who was invited to two conversations connects: it hears what is said in both without asking."""
    owner, away = await scene.owner(), scene.role("provider")
    conversations = [await scene.create(owner, away) for _ in range(2)]
    vet = await scene.device(away)
    for conversation in conversations:
        await owner.send("message", {"conversation_id": conversation, "content": conversation})
    for conversation in conversations:
        await vet.expect("message_sent", conversation_id=conversation)


@SECTION.check("S5.2")
async def what_happens_in_a_conversation_stays_with_its_participants(scene: Scene) -> None:
    """An owner and a vet talk, leave and come back: another owner and another vet, both connected, hear nothing."""
    strangers = await scene.owner(2), await scene.vet(2)
    owner, vet, conversation = await scene.consultation()
    await owner.say(conversation)
    await vet.expect("message_sent")
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    await vet.say(conversation)
    for stranger in strangers:
        await stranger.silence()


@SECTION.check("S5.3", "R5.6")
async def coming_and_going_is_told_to_all_other_participants(scene: Scene) -> None:
    """A second vet connects, unsubscribes and subscribes: the owner and the first vet are told, it is not."""
    owner, first, away = await scene.owner(), await scene.vet(), scene.role("provider", 2)
    conversation = await scene.create(owner, first, away)
    await first.expect("new_conversation_invitation")
    second = await scene.device(away)
    told = {"user_id": away.user_id, "conversation_id": conversation}
    for peer in (owner, first):
        await peer.expect("user_joined", **told)
    await second.unsubscribe(conversation)
    for peer in (owner, first):
        await peer.expect("user_left", **told)
    await second.subscribe(conversation)
    for peer in (owner, first):
        await peer.expect("user_joined", **told)
    for peer in (owner, first, second):
        await peer.silence()


@SECTION.check("R5.4")
async def joined_and_left_tell_who_it_is(scene: Scene) -> None:
    """A vet with a name and no picture comes and goes: the name is told, and the picture is `null`."""
    scene.needs_open_mode("where one asks for a name")
    owner, vet, conversation = await scene.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left", display_name=vet.identity.name, profile_image_url=None)
    await vet.subscribe(conversation)
    await owner.expect("user_joined", display_name=vet.identity.name, profile_image_url=None)


@SECTION.check("R5.4")
async def somebody_without_a_name_is_called_unknown_user(scene: Scene) -> None:
    """A vet without a name connects: its name is told as `"Unknown User"`."""
    scene.needs_open_mode("where one may have no name")
    owner, (_, nameless) = await scene.owner(), scene.cast.both()
    await scene.create(owner, nameless)
    await scene.device(nameless)
    await owner.expect("user_joined", display_name="Unknown User")


@SECTION.check("R5.5")
async def presence_is_of_users_and_not_of_connections(scene: Scene) -> None:
    """A vet's second device comes, goes and comes: nothing is told. Only when both have left is `user_left`, once."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.device(vet.identity)
    await phone.unsubscribe(conversation)
    await phone.subscribe(conversation)
    await vet.unsubscribe(conversation)
    await owner.silence()
    await phone.unsubscribe(conversation)
    await owner.expect("user_left", user_id=vet.user_id)
    await vet.subscribe(conversation)
    await owner.expect("user_joined", user_id=vet.user_id)
    await phone.subscribe(conversation)
    await owner.silence()


@SECTION.check("R5.6")
async def nobody_is_told_about_oneself(scene: Scene) -> None:
    """One of an owner's two devices leaves and comes back after the other has left: neither hears of it."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.device(owner.identity)
    for device in (owner, phone):
        await device.unsubscribe(conversation)
    await vet.expect("user_left", user_id=owner.user_id)
    for device in (owner, phone):
        await device.subscribe(conversation)
    await vet.expect("user_joined", user_id=owner.user_id)
    for peer in (owner, phone, vet):
        await peer.silence()


@SECTION.check("R5.6")
async def who_is_not_subscribed_is_not_told(scene: Scene) -> None:
    """An owner unsubscribes, then the vet leaves and comes back: the owner hears nothing of it."""
    owner, vet, conversation = await scene.consultation()
    await owner.unsubscribe(conversation)
    await vet.expect("user_left", user_id=owner.user_id)
    await vet.unsubscribe(conversation)
    await vet.subscribe(conversation)
    await owner.silence()


@SECTION.check("R5.7")
async def leaving_tells_its_reason(scene: Scene) -> None:
    """A vet leaves by hand, comes back, and hangs up: the reasons are "unsubscribed" and "disconnected"."""
    owner, vet, conversation = await scene.consultation()
    await vet.unsubscribe(conversation)
    await owner.expect("user_left", user_id=vet.user_id, reason="unsubscribed")
    await vet.subscribe(conversation)
    await owner.expect("user_joined", user_id=vet.user_id)
    await vet.close()
    left = await owner.expect("user_left", user_id=vet.user_id, reason="disconnected")
    require(left.get("conversation_id") == conversation, "user_left must name the conversation.")
    await owner.silence()


@SECTION.check("R5.5", "R5.7")
async def losing_one_of_two_devices_is_no_departure(scene: Scene) -> None:
    """A vet's phone hangs up while its laptop stays: the owner hears nothing, and the laptop still hears the owner."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.device(vet.identity)
    await phone.close()
    await owner.say(conversation, "Still there?")
    await vet.expect("message_sent", content="Still there?")
    await vet.say(conversation, "Yes.")
    await owner.expect("message_sent", content="Yes.")
