"""Scrolling back, a page at a time (S4.16 to R4.19)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..scene import Scene
from ..shapes import JSON
from ..verdicts import require

SECTION: Final = Section()


def contents(page: JSON) -> list[str]:
    """What a page says, in its order."""
    return [message["content"] for message in page["messages"]]


@SECTION.check("S4.16")
async def the_history_holds_what_was_said_as_it_was_said(scene: Scene) -> None:
    """Sends a message and reads it back: the same id, sender, content and time."""
    owner, vet, conversation = await scene.consultation()
    said = await owner.say(conversation)
    await vet.expect("message_sent")
    page = await vet.history(conversation)
    keys = ("id", "conversation_id", "sender_id", "content", "timestamp")
    told = [[message[key] for key in keys] for message in page["messages"]]
    require(told == [[said.get(key) for key in keys]], "The history must hold the message as it was sent.")
    require(page["total_count"] == 1, "total_count must be the number of messages.")


@SECTION.check("R4.17")
async def pages_count_from_0_and_begin_with_the_newest(scene: Scene) -> None:
    """Sends seven messages and reads pages of three: 6 5 4, 3 2 1, 0, empty ones beyond; and one of all seven."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    for number in range(7):
        await owner.say(conversation, str(number))
    for page, expected in enumerate((["6", "5", "4"], ["3", "2", "1"], ["0"], [], [])):
        got = await owner.history(conversation, page=page, limit=3)
        require(contents(got) == expected, f"Page {page} of 3 must hold {expected}, not {contents(got)}.")
        require(got["total_count"] == 7, "total_count must be the number of all messages.")
        more = (page + 1) * 3 < 7
        require(got["has_more"] is more, f"has_more of page {page} must be {str(more).lower()}.")
    whole = await owner.history(conversation, limit=7)
    require(whole["has_more"] is False, "has_more must be false on a page that is just filled by the last message.")


@SECTION.check("R4.17")
async def without_page_and_limit_it_is_the_newest_20(scene: Scene) -> None:
    """Sends 21 messages: without `page` and `limit` the newest 20 come, and `has_more` is true; up to 100 on demand."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    for number in range(21):
        await owner.say(conversation, str(number))
    page = await owner.history(conversation)
    require(contents(page) == [str(number) for number in range(20, 0, -1)], "The newest 20 must come, newest first.")
    require(page["has_more"] is True, "has_more must be true.")
    require(len(contents(await owner.history(conversation, limit=100))) == 21, "A limit of 100 must give all 21.")


@SECTION.check("R4.17")
async def a_page_or_a_limit_out_of_range_is_an_error(scene: Scene) -> None:
    """Asks for pages below 0 and above 2^31 − 1, for limits of 0 and 101, and for what is no integer."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    wrong: list[JSON] = [{"page": -1}, {"page": 2**31}, {"limit": 0}, {"limit": 101}, {"limit": -1}]
    for more in (*wrong, {"page": "0"}, {"limit": 1.5}, {"page": True}):
        await owner.refused("conversation_history", {"conversation_id": conversation, **more})
    page = await owner.history(conversation, page=2**31 - 1, limit=100)
    require(contents(page) == [], "A page beyond the end must be empty.")


@SECTION.check("S4.18")
async def asking_for_history_subscribes(scene: Scene) -> None:
    """An owner who has unsubscribed reads the history: the vet hears `user_joined`, and the owner the next message."""
    owner, vet, conversation = await scene.consultation()
    await owner.unsubscribe(conversation)
    await vet.expect("user_left", user_id=owner.user_id)
    await owner.history(conversation)
    await vet.expect("user_joined", user_id=owner.user_id)
    await vet.say(conversation, "Still there?")
    await owner.expect("message_sent", content="Still there?")


@SECTION.check("S4.18", "S4.6")
async def a_command_that_is_refused_subscribes_nobody(scene: Scene) -> None:
    """An owner who has unsubscribed asks for a page of 0 messages and sends an empty one: it stays unsubscribed."""
    owner, vet, conversation = await scene.consultation()
    await owner.unsubscribe(conversation)
    await vet.expect("user_left", user_id=owner.user_id)
    await owner.refused("conversation_history", {"conversation_id": conversation, "limit": 0})
    await owner.refused("message", {"conversation_id": conversation, "content": ""})
    await vet.silence()
    await vet.say(conversation, "Unheard.")
    await owner.silence()
