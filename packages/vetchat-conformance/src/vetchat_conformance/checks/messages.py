"""Saying something: stored before it is seen, seen once by all, in one order (S4.4 to R4.10)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..peer import Peer
from ..scene import Scene
from ..verdicts import require

SECTION: Final = Section()
VERBATIM: Final = (
    "  leading and trailing  ",
    "line\r\nline\n",
    "e\u0301 and é stay two things",
    "👩‍⚕️ \U0010ffff \u202e \ufeff",
    "<b>&amp;\\n\"'</b>",
    "\t.",
)
"""Contents that a careless server trims, normalizes or escapes."""


async def messages(peer: Peer, how_many: int) -> list[str]:
    """The contents of the next messages."""
    return [(await peer.expect("message_sent")).get("content") for _ in range(how_many)]


@SECTION.check("S4.4")
async def a_message_needs_its_conversation_and_its_content(scene: Scene) -> None:
    """Sends messages that lack one or the other: errors, and the other participant hears nothing."""
    owner, vet, conversation = await scene.consultation()
    for params in ({"conversation_id": conversation}, {"content": "Hello."}, {}):
        await owner.refused("message", params)
    await vet.silence()


@SECTION.check("S4.5")
async def every_subscribed_participant_gets_the_same_message_the_sender_too(scene: Scene) -> None:
    """A vet speaks: it hears its message as the answer, and both devices of the owner hear the very same."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.device(owner.identity)
    said = await vet.say(conversation, "How is she?")
    require(said.get("conversation_id") == conversation, "message_sent must name its conversation.")
    require(said.get("sender_id") == vet.user_id, "message_sent must name who sent it.")
    for peer in (owner, phone):
        heard = await peer.expect("message_sent")
        require(heard.params == said.params, "Everybody must get the same message.")


@SECTION.check("S4.6")
async def sending_subscribes_the_sender_and_the_others_are_told_first(scene: Scene) -> None:
    """An owner who has unsubscribed speaks: the vet hears `user_joined` and the message, the owner hears the reply."""
    owner, vet, conversation = await scene.consultation()
    await owner.unsubscribe(conversation)
    await vet.expect("user_left", user_id=owner.user_id)
    await owner.say(conversation, "Back again.")
    await vet.expect("user_joined", user_id=owner.user_id)
    await vet.expect("message_sent", content="Back again.")
    await vet.say(conversation, "Welcome back.")
    await owner.expect("message_sent", content="Welcome back.")


@SECTION.check("R4.7")
async def a_message_that_was_seen_is_stored_and_one_that_was_refused_is_not(scene: Scene) -> None:
    """As soon as the vet sees a message it finds it in the history; one that was refused is not there."""
    owner, vet, conversation = await scene.consultation()
    await owner.send("message", {"conversation_id": conversation, "content": "Seen."})
    await owner.send("message", {"conversation_id": conversation, "content": " \n "})
    await vet.expect("message_sent", content="Seen.")
    require(await vet.contents(conversation) == ["Seen."], "The history must hold what was seen, and nothing else.")


@SECTION.check("R4.8")
async def content_is_returned_exactly_as_it_was_sent(scene: Scene) -> None:
    """Sends blanks at the ends, line ends, combining characters and markup: all come back letter by letter."""
    owner, vet, conversation = await scene.consultation()
    for content in VERBATIM:
        said = await owner.say(conversation, content)
        require(said.get("content") == content, f"The content {content!r} must come back as it was sent.")
        await vet.expect("message_sent", content=content)
    require(await vet.contents(conversation) == list(VERBATIM), "The history must hold contents as they were sent.")


@SECTION.check("R4.8")
async def content_has_1_to_8000_code_points_and_not_only_white_space(scene: Scene) -> None:
    """Sends 8,000 code points, then 8,001, none, only white space, and what is no string: only the first is stored."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    await owner.say(conversation, "🐾" * 8_000)
    for content in ("🐾" * 8_001, "", " ", "\n\t\u3000", 7, None, ["Hello."]):
        await owner.refused("message", {"conversation_id": conversation, "content": content})
    require(await owner.contents(conversation) == ["🐾" * 8_000], "The history must hold the first alone, in full.")


@SECTION.check("R4.9")
async def everybody_hears_each_message_once_and_all_in_the_same_order(scene: Scene) -> None:
    """An owner and a vet send ten messages each at the same time: three connections hear the twenty in one order."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.device(vet.identity)
    for number in range(10):
        for peer in (owner, vet):
            content = f"{peer.identity.role} {number}"
            await peer.send("message", {"conversation_id": conversation, "content": content})
    heard = [await messages(peer, 20) for peer in (owner, vet, phone)]
    for peer in (owner, vet, phone):
        await peer.silence()
    require(len(set(heard[0])) == 20, "Each message must come exactly once.")
    require(heard[0] == heard[1] == heard[2], "All must hear the messages in the same order.")
    require(await owner.contents(conversation) == heard[0], "The history must have the order in which they were heard.")


@SECTION.check("R4.10")
async def times_never_run_backwards(scene: Scene) -> None:
    """An owner and a vet send ten messages by turns: none is older than the one before, nor than the creation."""
    owner, vet = await scene.owner(), await scene.vet()
    await owner.send("new_conversation", {"pet_id": scene.new_id(), "providers": [vet.user_id]})
    created = await owner.expect("conversation_created")
    conversation = scene.knows(created)
    times = [created.get("last_updated_timestamp")]
    for number in range(10):
        for peer in (owner, vet):
            await peer.caught_up()
        said = await (owner, vet)[number % 2].say(conversation, str(number))
        times.append(said.get("timestamp"))
    require(times == sorted(times), "The times of a conversation must not run backwards.")
