"""Noticing a dead line early (V5)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..scene import Scene
from ..verdicts import require

SECTION: Final = Section()


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
