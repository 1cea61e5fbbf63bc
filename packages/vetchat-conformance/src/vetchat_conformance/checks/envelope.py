"""The shape that every frame shares, and what becomes of a frame out of shape (S2, R2)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..peer import ABSENT
from ..scene import Scene
from ..shapes import JSON, NIL
from ..verdicts import require

SECTION: Final = Section()

BAD_TEXTS: Final = (
    "hello",
    "",
    '{"event": "conversations"',
    "[]",
    "null",
    "7",
    "{}",
    '{"params": {}}',
    '{"event": 7, "params": {}}',
    '{"event": "conversations", "params": []}',
    '{"event": "conversations", "params": {}, "sender_id": 7}',
    '{"event": "conversations", "params": {}, "x": NaN}',
    '{"event": "conversations", "params": {}, "x": -Infinity}',
    '{"event": "conversations", "params": {}, "x": "\\ud800"}',
    '{"event": "no_such_event", "params": {}}',
)
"""Frames that the server must answer with an error: no JSON, no object, no envelope, no such event (R2.5)."""


@SECTION.check("S2.1", "S2.2")
async def every_event_has_the_one_envelope(scene: Scene) -> None:
    """Brings about every event of the base wire and judges each frame by its keys, their order and their values."""
    owner, vet = await scene.owner(), await scene.vet()
    conversation = await scene.create(owner, vet)
    await vet.expect("new_conversation_invitation")
    await vet.say(conversation)
    await owner.expect("message_sent")
    await owner.history(conversation)
    await vet.unsubscribe(conversation)
    await owner.expect("user_left")
    await vet.subscribe(conversation)
    await owner.expect("user_joined")
    await owner.conversations()
    await owner.refused("no_such_event", {})


@SECTION.check("R2.3")
async def nobody_speaks_for_somebody_else(scene: Scene) -> None:
    """The owner sends a message in the vet's name: an error, and neither the vet nor the history has it."""
    owner, vet, conversation = await scene.consultation()
    params = {"conversation_id": conversation, "content": "In your name."}
    for sender in (vet.user_id, scene.new_id()):
        await owner.refused("message", params, sender_id=sender)
    await vet.silence()
    require(await owner.contents(conversation) == [], "A message in another name must not be stored.")


@SECTION.check("R2.3")
async def one_is_oneself_by_ones_own_id_by_n_or_by_none(scene: Scene) -> None:
    """The owner lists conversations with its own id, its own id in capitals, N, and no `sender_id` at all."""
    owner = await scene.owner()
    for sender in (owner.user_id, owner.user_id.upper(), NIL, ABSENT):
        await owner.done("conversations", "conversations", {}, sender_id=sender)


@SECTION.check("R2.4")
async def unknown_keys_are_ignored(scene: Scene) -> None:
    """Sends a message with keys that nobody knows, in the envelope and in the params: it is stored and sent."""
    owner, vet, conversation = await scene.consultation()
    await owner.done(
        "message_sent",
        "message",
        {"conversation_id": conversation, "content": "Hello.", "colour": {"nested": [1]}},
        priority="high",
    )
    await vet.expect("message_sent", content="Hello.")


@SECTION.check("R2.4")
async def params_may_be_missing_only_where_none_is_required(scene: Scene) -> None:
    """Sends `conversations` and `message` with `params` absent and null: the first is answered, the second an error."""
    owner = await scene.owner()
    for params in (ABSENT, None):
        await owner.done("conversations", "conversations", params)
        await owner.refused("message", params)


@SECTION.check("R2.5")
async def text_that_is_no_command_is_answered_by_an_error_event(scene: Scene) -> None:
    """Sends what is no JSON, no object, no envelope and no command: each gets one error, and the connection goes on."""
    owner = await scene.owner()
    for text in BAD_TEXTS:
        await owner.send_text(text)
        await owner.expect("error")
    await owner.silence()


@SECTION.check("R2.5")
async def what_is_too_deep_or_too_long_to_parse_is_an_error_too(scene: Scene) -> None:
    """Sends 5,000 arrays in one another, and a number of 5,000 digits: each gets one error, and nothing breaks."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    await owner.send_text("[" * 5_000 + "]" * 5_000)
    await owner.expect("error")
    params = f'{{"conversation_id": "{conversation}", "page": {"9" * 5_000}}}'
    await owner.send_text(f'{{"event": "conversation_history", "params": {params}}}')
    await owner.expect("error")
    await owner.silence()


@SECTION.check("R2.5")
async def a_binary_frame_is_answered_by_an_error_event(scene: Scene) -> None:
    """Sends a good command in a binary frame: it gets one error and has no effect."""
    owner = await scene.owner()
    await owner.send_binary(b'{"event": "conversations", "params": {}}')
    await owner.expect("error")
    await owner.silence()


@SECTION.check("R2.5")
async def nul_in_a_string_that_is_used_is_an_error(scene: Scene) -> None:
    """Sends a message whose content holds U+0000: an error, and nothing is stored."""
    owner, vet, conversation = await scene.consultation()
    await owner.refused("message", {"conversation_id": conversation, "content": "a\0b"})
    await vet.silence()


@SECTION.check("R2.5")
async def a_text_frame_that_is_not_utf_8_closes_with_1007(scene: Scene) -> None:
    """Sends bytes that are no UTF-8 as text."""
    owner = await scene.owner()
    await owner.send_text(b'{"event": "conversations\xff"}')
    code = await owner.until_closed()
    require(code == 1007, f"The connection must be closed with 1007, not {code}.")


@SECTION.check("R2.6")
async def commands_are_answered_one_by_one_in_their_order(scene: Scene) -> None:
    """Sends thirty commands at once, good and bad ones: thirty answers come, in the order of the commands."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    here = {"conversation_id": conversation}
    commands: tuple[tuple[str, JSON, str], ...] = (
        ("message", here | {"content": "Hello."}, "message_sent"),
        ("conversations", {}, "conversations"),
        ("subscribe_conversation", here, "subscribed"),
        ("message", here | {"content": ""}, "error"),
        ("conversation_history", here | {"limit": 1}, "conversation_history_response"),
        ("no_such_event", {}, "error"),
    )
    for event, params, _ in commands * 5:
        await owner.send(event, params)
    for _, _, answer in commands * 5:
        await owner.expect(answer)
    await owner.silence()


@SECTION.check("R2.7")
async def the_longest_message_fits_however_it_is_escaped(scene: Scene) -> None:
    """Sends 8,000 code points outside the basic plane, each escaped as a pair of surrogates: 96,000 bytes."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    await owner.say(conversation, "🐾" * 8_000)


@SECTION.check("R2.8")
async def an_id_may_be_written_in_capitals_and_comes_back_in_small_letters(scene: Scene) -> None:
    """Subscribes, and creates a conversation, by ids in capitals."""
    owner, vet, conversation = await scene.consultation()
    await owner.send("subscribe_conversation", {"conversation_id": conversation.upper()})
    await owner.expect("subscribed", conversation_id=conversation)
    pet = scene.new_id()
    await owner.send("new_conversation", {"pet_id": pet.upper(), "providers": [vet.user_id.upper()]})
    scene.knows(await owner.expect("conversation_created", pet=pet, providers=[vet.user_id]))
    await vet.expect("new_conversation_invitation", pet=pet)


@SECTION.check("R2.8")
async def any_other_spelling_of_an_id_is_an_error(scene: Scene) -> None:
    """Names a conversation without hyphens, in braces, as a URN and with a blank: each is an error."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    for spelling in (
        conversation.replace("-", ""),
        f"{{{conversation}}}",
        f"urn:uuid:{conversation}",
        f" {conversation}",
        7,
        None,
    ):
        await owner.refused("subscribe_conversation", {"conversation_id": spelling})
