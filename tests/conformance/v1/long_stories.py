"""What only the clock can tell: stories of up to half a minute, all told at the same time beside the other tests.

They begin with the first test of the session if anybody is going to ask for them, and are judged at the end.
"""

import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager

from anyio import sleep
from anyio.from_thread import start_blocking_portal

from tests.conformance.peer import new_id
from tests.conformance.v1.peer import V1People
from tests.conformance.v1.shapes import V1Frame
from tests.running import ServerProcess, sign

WARNING = 60
GRACE = 25
TYPING = 6
HELLO = 10
SLACK = 3.0
"""Seconds by which the server may be late on a busy machine; it is never early."""

Story = Callable[[V1People], Awaitable[None]]


async def the_warning_comes_60_seconds_before(people: V1People) -> None:
    expires = int(time.time()) + WARNING + 3
    peer = await people.waiting(token=_token(new_id(), expires))
    await peer.hello()
    await peer.expect_silence()
    await peer.expect("token_expiring", within=3 + SLACK, token_expires_at=expires * 1000)
    assert _is_soon_after(expires - WARNING)


async def an_expired_token_closes_after_the_grace(people: V1People) -> None:
    owner, vet_id = await people.client(), new_id()
    conversation = (await owner.create(vet_id))["id"]
    expires = int(time.time()) + 4
    vet = await people.waiting(token=_token(vet_id, expires, role="provider"))
    await vet.hello()
    await vet.frame_of("presence_state")
    await vet.frame_of("token_expiring")
    await vet.say(conversation, "Before it runs out.")
    heard, code = await vet.until_closed(4 + GRACE + SLACK)
    assert not [frame for frame in heard if frame.event == "token_expiring"], "the warning comes once"
    assert code == 4202
    assert _is_soon_after(expires + GRACE)


async def a_refresh_saves_the_connection_before_and_within_the_grace(people: V1People) -> None:
    user_id = new_id()
    expires = int(time.time()) + 4
    early, late = [await people.waiting(token=_token(user_id, expires)) for _ in range(2)]
    for peer in (early, late):
        await peer.hello()
        await peer.expect("token_expiring")
    await early.command("refreshed", "refresh", {"token": _token(user_id, expires + 600)})
    await _until(expires + 2)
    await late.expect_silence()
    await late.command("refreshed", "refresh", {"token": _token(user_id, expires + 600)})
    await _until(expires + GRACE + SLACK)
    for peer in (early, late):
        await peer.expect_silence()


async def typing_is_over_after_6_seconds_of_silence(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    began = time.time()
    await vet.types(conversation)
    assert _states(await owner.caught_up()) == ["active"]
    await owner.expect("typing", within=TYPING + SLACK, state="done", user_id=vet.user_id, conversation_id=conversation)
    assert _is_soon_after(began + TYPING)
    await owner.expect_silence()


async def typing_again_starts_the_6_seconds_anew(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await vet.types(conversation)
    await _until(time.time() + 4)
    began = time.time()
    await vet.types(conversation)
    await _until(began + 3)
    assert "done" not in _states(await owner.caught_up())
    await owner.expect("typing", within=TYPING + SLACK, state="done")
    assert _is_soon_after(began + TYPING)


async def hello_may_take_10_seconds(people: V1People) -> None:
    began = time.time()
    silent, slow = await people.waiting(), await people.waiting()
    await _until(began + HELLO - 2)
    await slow.hello()
    assert await silent.closed() == 4008
    assert _is_soon_after(began + HELLO)
    await slow.expect_silence()


STORIES: Mapping[str, Story] = {
    story.__name__: story
    for story in (
        the_warning_comes_60_seconds_before,
        an_expired_token_closes_after_the_grace,
        a_refresh_saves_the_connection_before_and_within_the_grace,
        typing_is_over_after_6_seconds_of_silence,
        typing_again_starts_the_6_seconds_anew,
        hello_may_take_10_seconds,
    )
}


@contextmanager
def told(server: ServerProcess) -> Generator[Mapping[str, Future[None]]]:
    """How each story ends, once it has; they run in a thread of their own."""

    async def tell(story: Story) -> None:
        async with V1People(server) as people:
            await story(people)

    with start_blocking_portal() as portal:
        yield {name: portal.start_task_soon(tell, story) for name, story in STORIES.items()}


def _token(user_id: str, expires: int, role: str = "client") -> str:
    return sign({"sub": user_id, "role": role, "iat": int(time.time()), "exp": expires})


async def _until(moment: float) -> None:
    await sleep(max(0.0, moment - time.time()))


def _is_soon_after(moment: float) -> bool:
    return moment - 0.1 <= time.time() <= moment + SLACK


def _states(frames: list[V1Frame]) -> list[str]:
    return [frame.params["state"] for frame in frames if frame.event == "typing"]
