"""What may wait for a connection: bounded, in order, answers outside the bound (R2.7, V5.3)."""

import asyncio

import pytest
from anyio import fail_after
from vetchat_server.outbox import Outbox

pytestmark = [pytest.mark.anyio, pytest.mark.clause("R2.7", "V5.3")]


def take(outbox: Outbox) -> list[bytes]:
    """Everything that waits, written one after the other."""
    frames: list[bytes] = []
    while len(outbox):
        frames.append(outbox.first())
        outbox.written()
    return frames


def test_frames_are_written_in_the_order_in_which_they_came_answers_among_them() -> None:
    outbox = Outbox(frames=10, size=100)
    frames = [b"a", b"b", b"c", b"d"]
    for number, frame in enumerate(frames):
        assert outbox.push(frame, counted=number % 2 == 0)
    assert outbox.first() == b"a", "what is not written stays"
    assert take(outbox) == frames


def test_so_many_frames_may_wait_behind_the_one_that_is_written() -> None:
    outbox = Outbox(frames=3, size=1_000)
    assert all(outbox.push(b"x") for _ in range(1 + 3))
    assert not outbox.push(b"x")
    outbox.written()
    assert outbox.push(b"y")
    assert not outbox.push(b"x")
    assert take(outbox) == [b"x", b"x", b"x", b"y"]


def test_so_many_bytes_may_wait_behind_the_one_that_is_written() -> None:
    outbox = Outbox(frames=1_000, size=10)
    assert outbox.push(b"1234567890")
    assert outbox.push(b"12345678")
    assert not outbox.push("é…".encode()), "a character may have several bytes"
    assert outbox.push("é".encode())
    assert not outbox.push(b"1")
    outbox.written()
    assert not outbox.push(b"123456789")
    assert outbox.push(b"12345678")


def test_a_frame_of_any_size_fits_an_empty_outbox_and_leaves_room_behind_it() -> None:
    outbox = Outbox(frames=2, size=10)
    for _ in range(2):
        assert outbox.push(b"x" * 1_000_000)
        assert outbox.push(b"1234567890")
        assert not outbox.push(b"1")
        take(outbox)


def test_answers_do_not_count_and_are_not_counted_against() -> None:
    outbox = Outbox(frames=1, size=10)
    for _ in range(50):
        assert outbox.push(b"x" * 100, counted=False)
    assert outbox.push(b"1234567890")
    assert not outbox.push(b"1")
    assert outbox.push(b"x" * 100, counted=False)
    assert len(outbox) == 52


def test_what_did_not_fit_is_not_in_it() -> None:
    outbox = Outbox(frames=1, size=10)
    assert [outbox.push(frame) for frame in (b"a", b"b", b"c")] == [True, True, False]
    assert take(outbox) == [b"a", b"b"]
    assert [outbox.push(frame) for frame in (b"d", b"e", b"f")] == [True, True, False]


async def test_answered_waits_for_answers_and_for_nothing_else() -> None:
    outbox = Outbox(frames=10, size=100)
    with fail_after(5):
        await outbox.answered()
        outbox.push(b"news")
        await outbox.answered()
        outbox.push(b"answer", counted=False)
        outbox.push(b"more news")
        answered = asyncio.create_task(outbox.answered())
        await asyncio.sleep(0)
        outbox.written()
        await asyncio.sleep(0)
        assert not answered.done(), "the answer itself still waits"
        outbox.written()
        await answered
        assert len(outbox) == 1


async def test_emptied_waits_for_everything() -> None:
    outbox = Outbox(frames=10, size=100)
    with fail_after(5):
        await outbox.emptied()
        outbox.push(b"news")
        outbox.push(b"answer", counted=False)
        waiting = [asyncio.create_task(outbox.emptied()) for _ in range(2)]
        await asyncio.sleep(0)
        outbox.written()
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        outbox.written()
        await asyncio.gather(*waiting)
