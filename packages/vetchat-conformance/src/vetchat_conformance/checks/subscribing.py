"""Following a conversation, and looking away from it, by hand (S4.20 to R4.24)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..scene import Scene
from ..verdicts import require

SECTION: Final = Section()


@SECTION.check("S4.20")
async def subscribing_is_answered_and_brings_what_is_said(scene: Scene) -> None:
    """Unsubscribes and subscribes again: `subscribed` names the conversation, and the next message is heard."""
    owner, vet, conversation = await scene.consultation()
    await owner.unsubscribe(conversation)
    answer = await owner.subscribe(conversation)
    require(answer.get("conversation_id") == conversation, "subscribed must name the conversation.")
    require(answer.get("status") == "success", 'The status must be "success".')
    await vet.caught_up()
    await vet.say(conversation, "Hello.")
    await owner.expect("message_sent", content="Hello.")


@SECTION.check("S4.21")
async def unsubscribing_is_answered_and_brings_silence(scene: Scene) -> None:
    """Unsubscribes: `unsubscribed` names the conversation, and the next message is not heard."""
    owner, vet, conversation = await scene.consultation()
    answer = await owner.unsubscribe(conversation)
    require(answer.get("conversation_id") == conversation, "unsubscribed must name the conversation.")
    require(answer.get("status") == "success", 'The status must be "success".')
    await vet.caught_up()
    await vet.say(conversation, "Unheard.")
    await owner.silence()


@SECTION.check("R4.22")
async def the_status_in_the_request_to_unsubscribe_means_nothing(scene: Scene) -> None:
    """Unsubscribes with the status `"success"`, with another one, with a number and without: all succeed."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    for more in ({"status": "success"}, {"status": "whatever"}, {"status": 7}, {"status": None}, {}):
        await owner.done("unsubscribed", "unsubscribe_conversation", {"conversation_id": conversation, **more})


@SECTION.check("R4.23")
async def repeating_either_succeeds_and_announces_nothing(scene: Scene) -> None:
    """Subscribes twice and unsubscribes twice: the other participant hears one `user_left` and one `user_joined`."""
    owner, vet, conversation = await scene.consultation()
    await owner.subscribe(conversation)
    await vet.silence()
    for _ in range(2):
        await owner.unsubscribe(conversation)
    await vet.expect("user_left", user_id=owner.user_id)
    await vet.silence()
    for _ in range(2):
        await owner.subscribe(conversation)
    await vet.expect("user_joined", user_id=owner.user_id)
    await vet.silence()


@SECTION.check("R4.24")
async def unsubscribing_one_device_leaves_the_others_alone(scene: Scene) -> None:
    """One of two devices of an owner unsubscribes: the other one still hears the vet, and the vet hears of nothing."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.device(owner.identity)
    await phone.unsubscribe(conversation)
    await vet.silence()
    await vet.say(conversation, "Hello, laptop.")
    await owner.expect("message_sent", content="Hello, laptop.")
    await phone.silence()


@SECTION.check("R4.24")
async def the_next_connection_starts_subscribed_to_everything(scene: Scene) -> None:
    """An owner unsubscribes, hangs up and comes back: it hears the next message without asking."""
    owner, vet, conversation = await scene.consultation()
    await owner.unsubscribe(conversation)
    await vet.expect("user_left", user_id=owner.user_id)
    await owner.close()
    again = await scene.device(owner.identity)
    await vet.expect("user_joined", user_id=owner.user_id)
    await vet.say(conversation, "Back?")
    await again.expect("message_sent", content="Back?")
