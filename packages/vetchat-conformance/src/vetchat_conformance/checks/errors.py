"""What a program is told when something was wrong (S6, R6)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..scene import Scene
from ..verdicts import require

SECTION: Final = Section()
MARK: Final = "Zyzzyva-4711"
"""A word that no server would say by itself."""


@SECTION.check("S6.1")
async def an_error_goes_to_the_sender_alone(scene: Scene) -> None:
    """An owner makes three mistakes in a conversation: it gets three errors, the vet and its own phone hear nothing."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.device(owner.identity)
    await owner.refused("message", {"conversation_id": conversation, "content": ""})
    await owner.refused("conversation_history", {"conversation_id": conversation, "limit": 0})
    await owner.refused("no_such_event", {"conversation_id": conversation})
    for peer in (owner, vet, phone):
        await peer.silence()


@SECTION.check("R6.2")
async def an_error_is_one_plain_sentence_that_does_not_repeat_the_input(scene: Scene) -> None:
    """Makes mistakes that contain a rare word: each message is a sentence of a line, without that word."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    frames = [
        await owner.refused(MARK, {}),
        await owner.refused("message", {"conversation_id": MARK, "content": "Hello."}),
        await owner.refused("conversation_history", {"conversation_id": conversation, "limit": MARK}),
        await owner.refused("new_conversation", {"pet_id": scene.new_id(), "providers": MARK}),
    ]
    await owner.send_text(MARK)
    frames.append(await owner.expect("error"))
    for message in [str(frame.get("message")) for frame in frames]:
        require(MARK.lower() not in message.lower(), "An error must not repeat the input.")
        require(message.endswith((".", "!")) and "\n" not in message, f"An error must be one sentence: {message!r}.")
        require(10 <= len(message) <= 400, f"An error must be one plain sentence: {message!r}.")
        require("Traceback" not in message, "An error must not hold a stack trace.")
