"""What may wait for a connection: bounded, in order, answers outside the bound (R2.7, V5.3)."""

import asyncio

import pytest
from anyio import fail_after
from vetchat_server.outbox import Outbox

pytestmark = [pytest.mark.anyio, pytest.mark.clause("R2.7", "V5.3")]

PATIENCE = 5


class Peer:
    """A socket whose peer takes what is sent when the test says so; one that `keeps_up` is written to at once."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.keeps_up = False
        self.failure: Exception | None = None
        self._room = asyncio.Semaphore(0)

    def write(self, payload: bytes) -> bool:
        if self.keeps_up:
            self.frames.append(payload)
        return self.keeps_up

    async def send(self, payload: bytes) -> None:
        await self._room.acquire()
        if self.failure is not None:
            raise self.failure
        self.frames.append(payload)

    async def reads(self, outbox: "Watched", count: int = 1, *, patience: float = PATIENCE) -> None:
        """Takes so many frames."""
        for _ in range(count):
            self._room.release()
            with fail_after(patience):
                await outbox.progress.acquire()


class Watched(Outbox):
    """An outbox that tells of its progress."""

    def __init__(self, *, frames: int = 10, size: int = 100) -> None:
        super().__init__(frames=frames, size=size, wrote=self.moved, full=self.overflowed, broke=self.failed)
        self.progress = asyncio.Semaphore(0)
        self.failures: list[Exception] = []
        self.overflows = 0

    def takes(self, *payloads: bytes) -> bool:
        """Pushes these as news; whether all of them fitted."""
        for payload in payloads:
            self.push(payload, counted=True)
        return not self.overflows

    def answers_with(self, payload: bytes) -> None:
        self.push(payload, counted=False)

    def overflowed(self) -> None:
        self.overflows += 1

    def moved(self) -> None:
        self.progress.release()

    def failed(self, failure: Exception) -> None:
        self.failures.append(failure)
        self.progress.release()


def opened(*, frames: int = 10, size: int = 100) -> tuple[Watched, Peer]:
    outbox, peer = Watched(frames=frames, size=size), Peer()
    outbox.open(peer)
    return outbox, peer


async def test_frames_are_written_in_the_order_in_which_they_came_answers_among_them() -> None:
    outbox, peer = opened()
    frames = [b"a", b"b", b"c", b"d"]
    for number, frame in enumerate(frames):
        outbox.push(frame, counted=number % 2 == 0)
    assert not peer.frames
    await peer.reads(outbox, 4)
    assert peer.frames == frames


async def test_a_peer_that_keeps_up_is_written_to_at_once_but_nothing_passes_what_waits() -> None:
    outbox, peer = opened()
    peer.keeps_up = True
    assert outbox.takes(b"a")
    assert peer.frames == [b"a"]
    peer.keeps_up = False
    assert outbox.takes(b"b")
    peer.keeps_up = True
    assert outbox.takes(b"c")
    assert peer.frames == [b"a"]
    await peer.reads(outbox, 2)
    assert peer.frames == [b"a", b"b", b"c"]
    with fail_after(PATIENCE):
        await outbox.emptied()
    assert outbox.takes(b"d")
    assert peer.frames == [b"a", b"b", b"c", b"d"], "it keeps up again"


async def test_what_comes_before_there_is_a_socket_waits_for_it() -> None:
    outbox, peer = Watched(), Peer()
    peer.keeps_up = True
    assert outbox.takes(b"early")
    outbox.open(peer)
    assert outbox.takes(b"late")
    assert not peer.frames
    await peer.reads(outbox, 2)
    assert peer.frames == [b"early", b"late"]


async def test_so_many_frames_may_wait_behind_the_one_that_is_written() -> None:
    outbox, peer = opened(frames=3, size=1_000)
    assert outbox.takes(b"a", b"b", b"c", b"d")
    await peer.reads(outbox)
    assert outbox.takes(b"e")
    assert not outbox.takes(b"f")


@pytest.mark.parametrize(
    ("read", "more", "fits"),
    [
        (0, "é…".encode(), False),  # a character may have several bytes
        (0, "é".encode(), True),
        (1, b"123456789", False),
        (1, b"12345678", True),
        (2, b"x" * 1_000_000, True),
        (2, b"12345678", True),
    ],
)
async def test_so_many_bytes_may_wait_behind_the_one_that_is_written(read: int, more: bytes, fits: bool) -> None:
    outbox, peer = opened(frames=1_000, size=10)
    assert outbox.takes(b"1234567890", b"12345678")
    await peer.reads(outbox, read)
    if read == 1:
        assert outbox.takes(b"12")
    assert outbox.takes(more) == fits


async def test_a_frame_of_any_size_fits_an_empty_outbox_and_leaves_room_behind_it() -> None:
    outbox, peer = opened(frames=2, size=10)
    for _ in range(2):
        assert outbox.takes(b"x" * 1_000_000, b"1234567890")
        await peer.reads(outbox, 2)
    assert not outbox.takes(b"x" * 1_000_000, b"1234567890", b"1")


async def test_answers_do_not_count_and_are_not_counted_against() -> None:
    outbox, peer = opened(frames=1, size=10)
    for _ in range(50):
        outbox.answers_with(b"x" * 100)
    assert outbox.takes(b"1234567890")
    outbox.answers_with(b"x" * 100)
    await peer.reads(outbox, 51)
    assert len(peer.frames) == 51
    assert not outbox.takes(b"1", b"2")


async def test_when_something_did_not_fit_nothing_is_written_any_more_and_it_is_told_once() -> None:
    outbox, peer = opened(frames=1)
    assert outbox.takes(b"a", b"b")
    assert not outbox.takes(b"c", b"d")
    outbox.answers_with(b"e")
    peer.keeps_up = True
    outbox.answers_with(b"f")
    with pytest.raises(TimeoutError):
        await peer.reads(outbox, patience=0.05)
    assert not peer.frames
    assert outbox.overflows == 1


async def test_what_did_not_fit_before_there_was_a_socket_ends_it_too() -> None:
    outbox, peer = Watched(frames=1), Peer()
    assert not outbox.takes(b"a", b"b", b"c")
    outbox.open(peer)
    with pytest.raises(TimeoutError):
        await peer.reads(outbox, patience=0.05)
    assert not peer.frames


async def test_answered_waits_for_answers_and_for_nothing_else() -> None:
    outbox, peer = opened()
    with fail_after(PATIENCE):
        await outbox.answered()
        outbox.takes(b"news")
        await outbox.answered()
        outbox.answers_with(b"answer")
        outbox.takes(b"more news")
        answered = asyncio.create_task(outbox.answered())
        await peer.reads(outbox)
        assert not answered.done(), "the answer itself still waits"
        await peer.reads(outbox)
        await answered
    assert peer.frames == [b"news", b"answer"]


async def test_emptied_waits_for_everything() -> None:
    outbox, peer = opened()
    with fail_after(PATIENCE):
        await outbox.emptied()
        outbox.takes(b"news")
        outbox.answers_with(b"answer")
        waiting = [asyncio.create_task(outbox.emptied()) for _ in range(2)]
        await peer.reads(outbox)
        assert not any(task.done() for task in waiting)
        await peer.reads(outbox)
        await asyncio.gather(*waiting)


async def test_after_a_failure_nothing_is_written_and_nothing_passes_what_waits() -> None:
    outbox, peer = opened()
    peer.failure = ConnectionResetError()
    outbox.takes(b"lost")
    await peer.reads(outbox)
    assert outbox.failures == [peer.failure]
    peer.failure, peer.keeps_up = None, True
    outbox.takes(b"later")
    await asyncio.sleep(0)
    assert not peer.frames
    outbox.close()


@pytest.mark.parametrize("waiting", [0, 2])
async def test_a_closed_outbox_writes_nothing(waiting: int) -> None:
    outbox, peer = opened()
    for _ in range(waiting):
        outbox.takes(b"waits")
    await asyncio.sleep(0)
    outbox.close()
    peer.keeps_up = True
    outbox.takes(b"later")
    with pytest.raises(TimeoutError):
        await peer.reads(outbox, patience=0.05)
    assert not peer.frames
