"""Which answer belongs to which command, retrying without doing it twice, and codes (V2)."""

from __future__ import annotations

import json
from typing import Final

from ..check import Section
from ..peer import Peer
from ..scene import Scene
from ..shapes import JSON
from ..verdicts import require

SECTION: Final = Section()


async def code_of(peer: Peer, fields: JSON) -> str:
    """The code of the error that answers a text, which has no `ref`."""
    await peer.send_text(fields if isinstance(fields, str) else json.dumps(fields))
    return (await peer.expect("error")).get("code")


@SECTION.check("V2.1")
async def every_answer_carries_the_ref_of_its_command_and_nothing_else_does(scene: Scene) -> None:
    """Sends a command of each kind with a `ref`: the answer has it; what others and other devices hear has none."""
    owner, vet, conversation = await scene.consultation()
    phone, here = await scene.device(owner.identity), {"conversation_id": conversation}
    for event, params, answer in (
        ("message", here | {"content": "Hello."}, "message_sent"),
        ("conversations", {}, "conversations"),
        ("conversation_history", here, "conversation_history_response"),
        ("unsubscribe_conversation", here, "unsubscribed"),
        ("subscribe_conversation", here, "subscribed"),
        ("typing", here | {"state": "active"}, "ok"),
        ("ping", {}, "pong"),
        ("message", here | {"content": ""}, "error"),
        ("no_such_event", {}, "error"),
    ):
        await owner.done(answer, event, params)
    heard = [frame for peer in (phone, vet) for frame in await peer.caught_up()]
    require(all("ref" not in frame.fields for frame in heard), "Only the one answer to a command may carry its ref.")


@SECTION.check("V2.1")
async def a_ref_is_a_string_of_1_to_64_characters_or_none(scene: Scene) -> None:
    """Sends refs of 1 and 64 characters, null, and what is no ref: the last are `invalid_envelope`.

    A good `ref` comes back from an envelope that is bad in something else.
    """
    owner = await scene.owner()
    for ref in ("x", "🐾" * 64, " "):
        require((await owner.ask("ping", {}, ref=ref)).ref == ref, "A ref must come back as it was sent.")
    await owner.send("ping", {}, ref=None)
    require((await owner.expect("pong")).ref is None, "null must count as no ref.")
    wrong: tuple[JSON, ...] = ("", "r" * 65, 7, True, [], {})
    for ref in wrong:
        await owner.send("ping", {}, ref=ref)
        await owner.expect("error", code="invalid_envelope")
    await owner.fails("invalid_envelope", "conversations", {}, sender_id=7)


@SECTION.check("V2.2")
async def a_message_that_is_sent_again_is_stored_once(scene: Scene) -> None:
    """Retries a message from another device: the original comes back, marked as a duplicate, to that device alone.

    Something else under the same `client_message_id`, or the same elsewhere, is a conflict; another sender may use it.
    """
    owner, vet, conversation = await scene.consultation()
    phone, key = await scene.device(owner.identity), scene.new_id()
    first = await owner.say(conversation, "Once.", client_message_id=key)
    for peer in (phone, vet):
        await peer.caught_up()
    again = await phone.say(conversation, "Once.", client_message_id=key)
    require(first.params.get("duplicate") is None, "The first answer must not be marked as a duplicate.")
    require(
        again.params == first.params | {"duplicate": True}, "A retry must bring the original, marked as a duplicate."
    )
    for peer in (owner, vet):
        await peer.silence()
    require(await owner.contents(conversation) == ["Once."], "A message that is retried must be stored once.")
    params = {"conversation_id": conversation, "content": "Something else.", "client_message_id": key}
    await owner.fails("idempotency_conflict", "message", params)
    elsewhere = {"conversation_id": await scene.create(owner), "content": "Once.", "client_message_id": key}
    await owner.fails("idempotency_conflict", "message", elsewhere)
    vets = await vet.say(conversation, "Once.", client_message_id=key)
    require(vets.params.get("duplicate") is None, "Another sender's client_message_id is another one.")


@SECTION.check("V2.2")
async def a_conversation_that_is_created_again_is_created_once(scene: Scene) -> None:
    """Retries `new_conversation`: the same conversation comes back as a duplicate, and the vet is invited once."""
    owner, vet = await scene.owner(), await scene.vet()
    params = {"pet_id": scene.new_id(), "providers": [vet.user_id], "client_conversation_id": scene.new_id()}
    first = await owner.done("conversation_created", "new_conversation", params)
    scene.knows(first)
    for peer in (owner, vet):
        await peer.caught_up()
    again = await owner.done("conversation_created", "new_conversation", params)
    require(again.get("duplicate") is True, "A retry must be marked as a duplicate.")
    require(again.get("id") == first.get("id"), "A retry must bring the original conversation.")
    await vet.silence()
    others: tuple[dict[str, JSON], ...] = ({"pet_id": scene.new_id()}, {"providers": []})
    for other in others:
        await owner.fails("idempotency_conflict", "new_conversation", params | other)


@SECTION.check("V2.2")
async def a_client_message_id_is_a_string_of_1_to_64_characters_that_all_count(scene: Scene) -> None:
    """Sends the same text under two ids that differ in the 64th character: two messages; and under what is no id."""
    owner = await scene.owner()
    conversation, prefix = await scene.create(owner), (scene.new_id() * 2)[:63]
    first, second = [await owner.say(conversation, client_message_id=f"{prefix}{last}") for last in "ab"]
    require(first.get("id") != second.get("id"), "Another client_message_id must be another message.")
    wrong: tuple[JSON, ...] = ("", f"{prefix}ab", 7, [])
    for key in wrong:
        params = {"conversation_id": conversation, "content": "Hello.", "client_message_id": key}
        await owner.fails("invalid_params", "message", params)


@SECTION.check("V2.1", "R2.6")
async def answers_come_in_the_order_of_the_commands_although_they_have_a_ref(scene: Scene) -> None:
    """Sends twenty commands of five kinds at once: the twenty answers come in the order of the commands."""
    owner = await scene.owner()
    here = {"conversation_id": await scene.create(owner)}
    sent: list[str] = []
    for _ in range(4):
        for event, params in (
            ("message", here | {"content": "Hello."}),
            ("ping", {}),
            ("conversations", {}),
            ("no_such_event", {}),
            ("conversation_history", here),
        ):
            sent.append(await owner.start(event, params))
    heard = [(await owner.receive()).ref for _ in sent]
    require(heard == sent, f"The answers must come in the order of the commands {sent}, not {heard}.")


@SECTION.check("V2.3")
async def each_kind_of_error_has_its_code(scene: Scene) -> None:
    """Brings about every code that can be had from outside."""
    owner, vet, conversation = await scene.consultation()
    stranger, here = await scene.vet(2), {"conversation_id": conversation}
    require(await code_of(owner, "no JSON") == "invalid_json", "No JSON must be invalid_json.")
    require(await code_of(owner, []) == "invalid_envelope", "No object must be invalid_envelope.")
    require(await code_of(owner, {"params": {}}) == "invalid_envelope", "No event must be invalid_envelope.")
    await owner.fails("unknown_event", "no_such_event", {})
    await owner.fails("sender_mismatch", "conversations", {}, sender_id=scene.new_id())
    await owner.fails("invalid_params", "message", here)
    await owner.fails("invalid_params", "subscribe_conversation", {"conversation_id": "no id"})
    await vet.fails("forbidden_role", "new_conversation", {"pet_id": scene.new_id(), "providers": []})
    for one in (conversation, scene.new_id()):
        await stranger.fails("not_found", "subscribe_conversation", {"conversation_id": one})


@SECTION.check("V2.3")
async def the_first_check_that_fails_is_reported(scene: Scene) -> None:
    """Sends commands with several mistakes each, and compares the code with the order of the checks."""
    owner, vet = await scene.owner(), await scene.vet()
    nobody = scene.new_id()
    await owner.fails("unknown_event", "no_such_event", {}, sender_id=nobody)
    await owner.fails("sender_mismatch", "message", {}, sender_id=nobody)
    await vet.fails("invalid_params", "new_conversation", {"pet_id": "no id", "providers": []})
    await owner.fails("invalid_params", "message", {"conversation_id": nobody, "content": ""})
    require(
        await code_of(owner, {"event": "no_such_event", "sender_id": 7}) == "invalid_envelope",
        "The envelope must be checked before the event.",
    )


@SECTION.check("V2.4")
async def a_command_without_a_natural_reply_is_answered_ok(scene: Scene) -> None:
    """Types, and reads nothing new: `ok`, with the `ref`, both times."""
    owner, _, conversation = await scene.consultation()
    await owner.done("ok", "typing", {"conversation_id": conversation, "state": "active"})
    await owner.done("ok", "mark_read", {"conversation_id": conversation, "seq": 0})
