"""The small signs that somebody is there (V4)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..scene import Scene
from ..shapes import JSON
from ..verdicts import require
from .conversations import entry

SECTION: Final = Section()


def typing(conversation: str, state: str = "active") -> dict[str, JSON]:
    """The params of `typing`."""
    return {"conversation_id": conversation, "state": state}


@SECTION.check("V4.1")
async def typing_is_relayed_to_the_others(scene: Scene) -> None:
    """A vet types and stops: the owner hears both, the vet only `ok`, and its other device nothing."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.device(vet.identity)
    await phone.caught_up()
    for state in ("active", "done"):
        await vet.done("ok", "typing", typing(conversation, state))
        heard = await owner.expect("typing", conversation_id=conversation, user_id=vet.user_id, state=state)
        require(state == "done" or heard.get("expires_in_ms") == 6_000, "expires_in_ms must be 6,000.")
    for peer in (vet, phone):
        await peer.silence()


@SECTION.check("V4.1")
async def typing_ends_with_the_message_and_with_leaving(scene: Scene) -> None:
    """A vet types and sends, types and unsubscribes, types and is cut off: `done` comes before each is told."""
    owner, vet, conversation = await scene.consultation()
    await vet.done("ok", "typing", typing(conversation))
    await vet.say(conversation)
    heard = [frame.event for frame in await owner.caught_up()]
    require(heard == ["typing", "typing", "message_sent"], f"typing must end before the message, not {heard}.")
    await vet.done("ok", "typing", typing(conversation))
    await vet.unsubscribe(conversation)
    states = [frame.get("state") for frame in await owner.caught_up() if frame.event == "typing"]
    require(states == ["active", "done"], "typing must end when the typist leaves.")
    await vet.subscribe(conversation)
    await owner.expect("user_joined")
    await vet.done("ok", "typing", typing(conversation))
    await owner.expect("typing", state="active")
    vet.cut()
    await owner.expect("typing", state="done")


@SECTION.check("V4.1", slow=True)
async def typing_expires(scene: Scene) -> None:
    """A vet types and says no more: within 10 s the owner hears `done`."""
    owner, vet, conversation = await scene.consultation()
    await vet.done("ok", "typing", typing(conversation))
    await owner.expect("typing", state="active")
    scene.patience = max(scene.patience, 10.0)
    await owner.expect("typing", state="done")


@SECTION.check("V4.2")
async def reading_is_told_to_all_and_never_goes_backwards(scene: Scene) -> None:
    """An owner sends three messages; the vet reads up to 2, then to 1 and to 2 again, and beyond the end."""
    owner, vet, conversation = await scene.consultation()
    for _ in range(3):
        await owner.say(conversation)
    await vet.caught_up()
    here = {"conversation_id": conversation}
    answer = await vet.done("read_marker", "mark_read", here | {"seq": 2})
    heard = await owner.expect("read_marker", user_id=vet.user_id, seq=2, **here)
    require(heard.params == answer.params, "Everybody must be told the same.")
    for seq in (1, 2):
        await vet.done("ok", "mark_read", here | {"seq": seq})
    await vet.fails("invalid_params", "mark_read", here | {"seq": 4})
    await owner.silence()


@SECTION.check("V4.2")
async def reading_is_told_to_ones_other_device_and_answered_where_one_looks_away(scene: Scene) -> None:
    """A vet reads on a laptop that has unsubscribed: it gets the marker as its answer, and its phone hears of it."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.device(vet.identity)
    await owner.say(conversation)
    for peer in (vet, phone):
        await peer.caught_up()
    await vet.unsubscribe(conversation)
    await vet.done("read_marker", "mark_read", {"conversation_id": conversation, "seq": 1})
    for peer in (phone, owner):
        await peer.expect("read_marker", conversation_id=conversation, user_id=vet.user_id, seq=1)
    for peer in (phone, owner, vet):
        await peer.silence()


@SECTION.check("V4.1", "V4.2", "S3.3")
async def who_takes_no_part_may_neither_type_nor_read(scene: Scene) -> None:
    """A second vet, who was not invited, types and marks as read: `not_found`, and the participants hear nothing."""
    owner, vet, conversation = await scene.consultation()
    await owner.say(conversation)
    await vet.caught_up()
    stranger = await scene.vet(2)
    await stranger.fails("not_found", "typing", typing(conversation))
    await stranger.fails("not_found", "mark_read", {"conversation_id": conversation, "seq": 1})
    for peer in (owner, vet, stranger):
        await peer.silence()


@SECTION.check("V4.2")
async def unread_messages_are_counted(scene: Scene) -> None:
    """An owner sends three messages, the vet reads one and sends one: its own message is not unread."""
    owner, vet, conversation = await scene.consultation()
    for _ in range(3):
        await owner.say(conversation)
    await vet.caught_up()
    await vet.done("read_marker", "mark_read", {"conversation_id": conversation, "seq": 1})
    await vet.say(conversation)
    for peer, counts in ((vet, (4, 1, 2)), (owner, (4, 3, 1))):
        listed = await entry(peer, conversation)
        told = (listed["last_seq"], listed["read_seq"], listed["unread_count"])
        require(told == counts, f"{peer.name} must have last_seq, read_seq, unread_count {counts}, not {told}.")


@SECTION.check("V4.3")
async def one_is_told_who_else_is_there(scene: Scene) -> None:
    """After the creation, the invitation, at welcome and after `subscribed`: the one other user who is there."""
    owner, vet = await scene.owner(), await scene.vet()
    conversation = await scene.create(owner, vet)
    await vet.expect("new_conversation_invitation")
    phone = await scene.device(vet.identity)
    await owner.subscribe(conversation)
    for peer, others in (
        (owner, [vet.user_id]),
        (owner, [vet.user_id]),
        (vet, [owner.user_id]),
        (phone, [owner.user_id]),
    ):
        frame = await peer.expect("presence_state", conversation_id=conversation)
        there = [user["user_id"] for user in frame.get("users")]
        require(there == others, f"{peer.name} must be told who else is there, and nobody more.")
    for peer in (owner, vet, phone):
        await peer.silence()


@SECTION.check("V4.3")
async def where_nobody_else_is_nothing_is_told(scene: Scene) -> None:
    """An owner creates a conversation alone and subscribes to it: no `presence_state`."""
    owner = await scene.owner()
    await owner.subscribe(await scene.create(owner))
    await owner.silence()


@SECTION.check("V4.3", "R5.7")
async def who_is_there_is_kept_up_to_date_by_joined_and_left(scene: Scene) -> None:
    """A vet leaves by hand, comes back, hangs up and connects anew: the owner is told of each."""
    owner, vet, conversation = await scene.consultation()
    told = {"conversation_id": conversation, "user_id": vet.user_id}
    await vet.unsubscribe(conversation)
    await owner.expect("user_left", reason="unsubscribed", **told)
    await vet.subscribe(conversation)
    await owner.expect("user_joined", **told)
    await vet.close()
    await owner.expect("user_left", reason="disconnected", **told)
    await scene.device(vet.identity)
    await owner.expect("user_joined", **told)
    await owner.silence()


@SECTION.check("V4.1", "V4.2", "V4.3")
async def the_base_wire_sees_none_of_it(scene: Scene) -> None:
    """A vet of `vetchat.v1` types, reads and speaks: an owner on the base wire hears the message, without more keys."""
    owner, vet = await scene.owner(dialect="base"), await scene.vet()
    conversation = await scene.create(owner, vet)
    await vet.caught_up()
    await owner.say(conversation)
    await vet.caught_up()
    await vet.done("ok", "typing", typing(conversation))
    await vet.done("read_marker", "mark_read", {"conversation_id": conversation, "seq": 1})
    await vet.say(conversation, "Hello.")
    heard = await owner.expect("message_sent", content="Hello.")
    require(list(heard.fields) == ["sender_id", "event", "params"], "The base wire must have no extra key.")
    await owner.silence()
