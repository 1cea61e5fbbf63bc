"""One log, one order, and a way back after a lost connection (V3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..check import Section
from ..frames import Frame
from ..scene import Scene
from ..shapes import DURABLE, JSON
from ..verdicts import require

SECTION: Final = Section()


def durable(frames: Iterable[Frame]) -> list[tuple[JSON, str, JSON]]:
    """What these frames say that stands in the log."""
    return [(frame.offset, frame.event, frame.params) for frame in frames if frame.event in DURABLE]


def seqs(page: JSON) -> list[int]:
    """The numbers of a page, in its order."""
    return [message["seq"] for message in page["messages"]]


@SECTION.check("V3.1")
async def messages_are_numbered_from_1_without_gaps(scene: Scene) -> None:
    """Two users send five messages each, one is refused and one retried: the numbers heard and stored are 1 to 10."""
    owner, vet, conversation = await scene.consultation()
    heard: list[int] = []
    for number in range(5):
        heard.append((await owner.say(conversation, "Hello.", client_message_id=f"{conversation}{number}")).get("seq"))
        await owner.refused("message", {"conversation_id": conversation, "content": ""})
        await owner.say(conversation, "Hello.", client_message_id=f"{conversation}{number}")
        heard.append((await vet.say(conversation)).get("seq"))
    require(heard == list(range(1, 11)), f"The numbers must be 1 to 10, not {heard}.")
    require(seqs(await owner.history(conversation)) == heard[::-1], "The history must have the same numbers.")


@SECTION.check("V3.2")
async def what_is_durable_has_one_place_in_the_log_for_everybody(scene: Scene) -> None:
    """Compares the offsets of a message and a read marker at both participants, and of a second conversation."""
    owner, vet, conversation = await scene.consultation()
    said = await owner.say(conversation)
    read = await vet.done("read_marker", "mark_read", {"conversation_id": conversation, "seq": 1})
    require(durable(await owner.caught_up()) == durable([read]), "The read marker must be the same for everybody.")
    require(durable(await vet.caught_up()) == durable([said]), "The message must be the same for everybody.")
    second = await owner.done("conversation_created", "new_conversation", {"pet_id": scene.new_id(), "providers": []})
    require(said.offset < read.offset < second.offset, "What comes later must have the larger offset, anywhere.")


@SECTION.check("V3.3")
async def a_resume_brings_exactly_what_was_missed_then_goes_live(scene: Scene) -> None:
    """Cuts a vet off, sends five messages and creates a conversation, and compares the replay with what was sent."""
    owner, vet, conversation = await scene.consultation()
    await owner.say(conversation, "Heard.")
    await vet.expect("message_sent")
    vet.cut()
    await owner.expect("user_left", user_id=vet.user_id)
    sent = [await owner.say(conversation, f"Missed {number}.") for number in range(5)]
    second = await scene.create(owner, vet)
    sent.append(await owner.say(second, "Missed as well."))
    again = await scene.device(vet.identity, resume=vet.resume)
    replay = await again.caught_up()
    require(replay and replay[-1].event == "presence_state", "presence_state must come after the replay.")
    missed = [(frame.event, frame.get("id")) for frame in replay if frame.event in DURABLE]
    expected = [("message_sent", frame.get("id")) for frame in sent]
    expected.insert(5, ("new_conversation_invitation", second))
    require(missed == expected, f"The replay must be {len(expected)} frames in the order of the log, each once.")
    await owner.say(conversation, "Live.")
    await again.expect("message_sent", content="Live.")


@SECTION.check("V3.3")
async def a_resume_brings_what_one_did_elsewhere_and_what_one_had_unsubscribed(scene: Scene) -> None:
    """A vet's phone unsubscribes and is cut off; its laptop reads and speaks: the replay has all that the owner saw."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.device(vet.identity)
    await phone.unsubscribe(conversation)
    phone.cut()
    asked = await owner.say(conversation, "Does he drink?")
    await vet.expect("message_sent")
    read = await vet.done("read_marker", "mark_read", {"conversation_id": conversation, "seq": 1})
    said = await vet.say(conversation, "A little.")
    again = await scene.device(vet.identity, resume=phone.resume)
    replay = durable(await again.caught_up())
    require(replay == durable((asked, read, said)), "The replay must have all that is durable, one's own too.")
    await owner.say(conversation, "Good.")
    await again.expect("message_sent", content="Good.")


@SECTION.check("V3.3")
async def a_replay_and_what_is_live_follow_without_loss_or_double(scene: Scene) -> None:
    """A vet resumes from before forty messages while forty more are being sent: it hears all eighty once, in order."""
    owner, vet, conversation = await scene.consultation()
    resume = vet.resume
    await vet.close()
    for number in range(40):
        await owner.start("message", {"conversation_id": conversation, "content": str(number)})
    again = await scene.at_the_door(vet.identity)
    again.position = resume["offset"]
    hello = await again.start("hello", {"resume": resume})
    for number in range(40, 80):
        await owner.start("message", {"conversation_id": conversation, "content": str(number)})
    require((await again.answer(hello)).get("recovered") is True, "The vet must be recovered.")
    heard: list[str] = []
    while heard[-1:] != ["79"]:
        frame = await again.receive()
        if frame.event == "message_sent":
            heard.append(frame.get("content"))
    require(heard == [str(number) for number in range(80)], "Every message must come once, in the order of the log.")


@SECTION.check("V3.3", "V1.2")
async def who_missed_nothing_is_recovered_and_hears_nothing_new(scene: Scene) -> None:
    """Resumes from the last position: `recovered` is true and nothing durable is replayed."""
    owner, vet, conversation = await scene.consultation()
    await vet.say(conversation)
    await owner.expect("message_sent")
    await owner.close()
    again = await scene.at_the_door(owner.identity)
    again.position = owner.position
    welcome = await again.done("welcome", "hello", {"resume": owner.resume})
    require(welcome.get("recovered") is True, "The owner must be recovered.")
    require(durable(await again.caught_up()) == [], "Nothing must be replayed to who missed nothing.")


@SECTION.check("V3.4")
async def recovery_is_never_partial(scene: Scene) -> None:
    """Resumes in another epoch, far beyond the head and one beyond it: `recovered` is false, nothing is replayed."""
    owner, _, conversation = await scene.consultation()
    await owner.say(conversation)
    for resume in ({"epoch": "another epoch", "offset": 0}, {"epoch": owner.epoch, "offset": owner.position + 10**9}):
        again = await scene.at_the_door(owner.identity)
        welcome = await again.done("welcome", "hello", {"resume": resume})
        require(welcome.get("recovered") is False, "recovered must be false.")
        require(durable(await again.caught_up()) == [], "Nothing must be replayed.")
    again = await scene.at_the_door(owner.identity)
    just_beyond = (await scene.device(owner.identity)).position + 1
    welcome = await again.done("welcome", "hello", {"resume": {"epoch": owner.epoch, "offset": just_beyond}})
    reached = welcome.get("offset") >= just_beyond  # by others, meanwhile
    require(reached or welcome.get("recovered") is False, "One beyond the head must not be recovered.")


@SECTION.check("V3.5")
async def the_history_can_be_read_around_a_number(scene: Scene) -> None:
    """Of nine messages, asks for those before 5, after 5 and around 5, and at both ends."""
    owner = await scene.owner()
    conversation = await scene.create(owner)
    for _ in range(9):
        await owner.say(conversation)
    for more, expected, has_more in (
        ({"before": 5, "limit": 3}, [4, 3, 2], True),
        ({"before": 4, "limit": 3}, [3, 2, 1], False),
        ({"before": 0}, [], False),
        ({"after": 5, "limit": 3}, [8, 7, 6], True),
        ({"after": 6, "limit": 3}, [9, 8, 7], False),
        ({"after": 1000}, [], False),
        ({"around": 5, "limit": 9}, [9, 8, 7, 6, 5, 4, 3, 2, 1], False),
    ):
        page = await owner.history(conversation, **more)
        require(seqs(page) == expected, f"{more} must bring {expected}, not {seqs(page)}.")
        require(page["has_more"] is has_more, f"has_more of {more} must be {str(has_more).lower()}.")
        require((page["conversation_id"], page["last_seq"]) == (conversation, 9), "The page must name its place.")
    for number, (has_more, has_newer) in {1: (False, True), 5: (True, True), 9: (True, False)}.items():
        page = await owner.history(conversation, around=number, limit=3)
        got, whole = seqs(page), len(seqs(page)) == 3
        require(number in got and whole, f"around {number} must bring three that hold it, not {got}.")
        require(got == list(range(got[0], got[0] - 3, -1)), f"around must bring one window without gaps, not {got}.")
        told = (page["has_more"], page["has_newer"])
        require(told == (has_more, has_newer), f"around {number} must tell of both directions {(has_more, has_newer)}.")
    for one, other in (("before", "after"), ("page", "around"), ("page", "before")):
        params = {"conversation_id": conversation, one: 1, other: 1}
        await owner.fails("invalid_params", "conversation_history", params)


@SECTION.check("V3.5")
async def the_history_can_be_read_without_subscribing(scene: Scene) -> None:
    """An owner who has unsubscribed reads with `subscribe: false`: nobody is told, and it stays unsubscribed."""
    owner, vet, conversation = await scene.consultation()
    await owner.unsubscribe(conversation)
    await vet.expect("user_left")
    await owner.history(conversation, subscribe=False)
    await vet.silence()
    await vet.say(conversation)
    await owner.silence()


@SECTION.check("V3.6")
async def the_list_can_be_read_in_pages(scene: Scene) -> None:
    """Creates three conversations, speaks in the first, and reads the list one by one: each once, latest first."""
    owner = await scene.owner()
    created = [await scene.create(owner) for _ in range(3)]
    said = await owner.say(created[0])
    listed: list[JSON] = []
    for _ in range(3):
        more = {"before": listed[-1]["last_offset"]} if listed else {}
        listed += await owner.conversations(limit=1, **more)
    expected = [created[0], created[2], created[1]]
    require([one["id"] for one in listed] == expected, "The pages must go by last_offset, newest first.")
    require(listed[0]["last_offset"] == said.offset, "last_offset must be the position of the latest message.")
    for limit in (0, 1001):
        await owner.fails("invalid_params", "conversations", {"limit": limit})
