"""Nothing is lost and nothing doubled, whatever the line does."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vetchat_protocol import Dialect, events
from vetchat_protocol.client import (
    Answered,
    Call,
    Client,
    Item,
    Leave,
    Output,
    Reset,
    Verdict,
)

from tests.protocol.bench import ROOM, offsets
from tests.protocol.counterpart import Counterpart


@dataclass
class Drive:
    """A client with a tiny buffer and its counterpart, step by step."""

    client: Client
    server: Counterpart
    clock: int = 0

    def __post_init__(self) -> None:
        self.items: list[Item] = []
        self.answers: dict[Call, list[str]] = {}
        self.contents: dict[Call, str] = {}

    def connect(self) -> None:
        if self.server.line is None:
            self.server.connect()
            self.react(self.client.connected(Dialect.V1, self.clock))

    def cut(self) -> None:
        if self.server.line is not None:
            self.server.cut()
            self.react(self.client.lost(None))

    def write(self) -> None:
        text = self.client.to_send(self.clock)
        if text is not None and self.server.line is not None:
            self.server.line.up.append(text)

    def hear(self) -> None:
        if self.server.line is not None and self.server.line.up:
            self.server.hear()

    def read(self) -> None:
        if self.server.line is not None and self.server.line.down and self.client.reading:
            self.react(self.client.received(self.server.line.down.popleft(), self.clock))

    def take(self) -> None:
        item = self.client.take(self.clock)
        if item is not None:
            self.items.append(item)
        elif (deadline := self.client.deadline()) is not None and deadline <= self.clock:
            self.react(self.client.tick(self.clock))

    def send(self) -> None:
        number = len(self.contents)
        call = self.client.send("message", {**ROOM, "content": f"Ann {number}"}, self.clock, key=str(number))
        self.contents[call], self.answers[call] = f"Ann {number}", []

    def post(self) -> None:
        self.server.post(f"Bell {len(self.server.log)}")

    def react(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case Answered(call, events.MessageSent(params=params)):
                    self.answers[call].append(params.id)
                case Leave():
                    self.cut()
                case _:
                    assert isinstance(output, Verdict)

    def settle(self) -> None:
        """A good line at last, and an application that has time."""
        for _ in range(4 * (len(self.server.log) + len(self.contents) + 10)):
            for step in (self.connect, self.write, self.hear, self.read, self.take):
                step()


STEPS = ["connect", "cut", "write", "hear", "read", "take", "send", "post"]


@pytest.mark.clause("R4.9", "V2.2", "V3.3", "V5.3")
@given(st.lists(st.sampled_from(STEPS), max_size=120), st.integers(1, 4))
def test_whatever_the_line_does_each_event_comes_once_in_order_and_each_message_is_stored_once(
    steps: list[str], buffer: int
) -> None:
    drive = Drive(Client(buffer=buffer), Counterpart())
    for step in ("connect", "write", "hear", "read", *steps):
        getattr(drive, step)()
    drive.settle()
    assert offsets(drive.items) == list(range(1, len(drive.server.log) + 1))
    stored = {one["content"]: one["id"] for one in drive.server.log}
    assert drive.answers == {call: [stored[content]] for call, content in drive.contents.items()}
    assert len(stored) == len(drive.server.log)


@pytest.mark.clause("V1.2", "V3.4")
@given(st.lists(st.sampled_from(STEPS), max_size=120), st.integers(1, 4))
def test_where_the_server_cannot_recover_nothing_is_missing_without_a_reset(steps: list[str], buffer: int) -> None:
    drive = Drive(Client(buffer=buffer), Counterpart(reach=3))
    for step in ("connect", "write", "hear", "read", *steps):
        getattr(drive, step)()
    drive.settle()
    last = 0
    for item in drive.items:
        if isinstance(item, Reset):
            assert item.offset is not None
            assert item.offset >= last
            last = item.offset
        elif isinstance(item, events.MessageSent):
            last += 1
            assert item.offset == last
    assert last == len(drive.server.log)
    assert all(len(ids) == 1 for ids in drive.answers.values())
