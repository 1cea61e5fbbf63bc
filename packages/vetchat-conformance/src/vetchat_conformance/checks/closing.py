"""Noticing a dead line early (V5)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..peer import Peer
from ..scene import Scene
from ..verdicts import Broken, require

SECTION: Final = Section()
FLOOD: Final = 200
"""How many messages of 32 kB are more than a server and the network between hold back for somebody (R2.7)."""


async def numbers(peer: Peer) -> list[int]:
    """The `seq` of each message that comes until all have come, or until the server closes."""
    heard: list[int] = []
    try:
        while len(heard) < FLOOD:
            heard.append((await peer.expect("message_sent")).get("seq"))
    except Broken:
        code = peer.socket.close_code
        require(code in (4109, 1006), f"Who misses a message must be closed with 4109, and the close code is {code}.")
    return heard


@SECTION.check("V5.1")
async def pong_tells_the_last_offset_that_was_sent(scene: Scene) -> None:
    """Pings at first, after a message, and after a frame that is not durable: the offset is that of `welcome`, then of
    the message, and stays.
    """
    owner = await scene.at_the_door(scene.role("client"))
    welcome = await owner.done("welcome", "hello", {})
    await owner.caught_up()
    first = await owner.done("pong", "ping", {})
    require(first.get("offset") == welcome.get("offset"), "At first the offset must be that of welcome.")
    conversation = await scene.create(owner)
    said = await owner.say(conversation)
    for params in ({}, {"offset": 0}, None):
        pong = await owner.done("pong", "ping", params)
        require(pong.get("offset") == said.offset, "The offset must be the last one that was sent here.")


@SECTION.check("V5.1")
async def after_a_resume_pong_begins_at_its_offset(scene: Scene) -> None:
    """Resumes from the last position after others have moved the log on: pong still tells that position."""
    owner = await scene.owner()
    await scene.create(owner)
    await owner.close()
    other = await scene.owner(2)
    await scene.create(other)
    again = await scene.device(owner.identity, resume=owner.resume)
    pong = await again.done("pong", "ping", {})
    require(pong.get("offset") == owner.position, "The offset must be that of resume.")


@SECTION.check("V5.3", slow=True)
async def who_falls_behind_misses_nothing_in_silence(scene: Scene) -> None:
    """A vet stops reading while an owner says 6 MB, then reads on: it hears all, or is closed and resumes the rest."""
    owner, vet, conversation = await scene.consultation()
    vet.look_away()
    for _ in range(FLOOD):
        await owner.say(conversation, "🐾" * 8_000)
    vet.look_back()
    heard = await numbers(vet)
    require(heard == list(range(1, len(heard) + 1)), "No message must be missing before the connection is closed.")
    if len(heard) < FLOOD:
        again = await scene.device(vet.identity, resume=vet.resume)
        heard += [frame.get("seq") for frame in await again.caught_up() if frame.event == "message_sent"]
        require(heard == list(range(1, FLOOD + 1)), "A resume must bring all that was not told before.")
