"""A conversation as lines of a certain width: who said what and when, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from rich.cells import cell_len
from textual.content import Content

from ..chat import Message
from .mailbox import Mailbox
from .text import clock, day, harmless, local_time
from .thread import Thread

Kind = Literal["day", "new", "name", "own-name", "text", "own-text", "note", "blank"]
"""What a line is, which decides how it looks."""

PAUSE: Final = 5 * 60_000
"""After so many ms, somebody who goes on is named again."""

MINE: Final = "▌ "
OTHERS: Final = "  "
"""What stands left of every line of one's own, and of the others. So nobody can pass for you, whatever they write."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the screen; `message` is the id of the message that it belongs to, if it does."""

    kind: Kind
    text: str
    message: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether it is what somebody wrote."""
        return self.kind in ("text", "own-text")


class Typesetter:
    """Breaks messages into lines, each message once for a width."""

    def __init__(self) -> None:
        self._width = 0
        self._broken: dict[str, list[str]] = {}

    def lines(self, thread: Thread, mailbox: Mailbox, width: int, *, connected: bool) -> list[Line]:
        """The conversation from its oldest loaded message to what is on its way, so many columns wide."""
        if width != self._width:
            self._width, self._broken = width, {}
        lines = list(self._head(thread))
        readers = _readers(thread, mailbox)
        before: Message | None = None
        for message in thread.messages:
            lines += self._between(before, message, thread)
            lines += self._message(before, message, thread, mailbox)
            if names := readers.get(message.id):
                lines.append(Line("note", f"{MINE}✓ read by {names}", message.id))
            before = message
        lines += self._waiting(thread, connected=connected)
        return lines

    def _head(self, thread: Thread) -> Iterator[Line]:
        if not thread.loaded:
            yield Line("note", "  Loading …")
        elif not thread.messages and not thread.outbox:
            yield Line("note", "  Nobody has written anything yet.")
        elif thread.complete:
            yield Line("note", "  This is where the conversation begins.")
        else:
            yield Line("note", "  ↑ There is more.")

    def _between(self, before: Message | None, message: Message, thread: Thread) -> Iterator[Line]:
        """What separates a message from the one before it."""
        if before is None or local_time(before.timestamp).date() != local_time(message.timestamp).date():
            yield self._rule("day", day(message.timestamp))
        if thread.new_from is not None and message.seq == thread.new_from + 1:
            yield self._rule("new", "new")

    def _message(self, before: Message | None, message: Message, thread: Thread, mailbox: Mailbox) -> Iterator[Line]:
        mine = message.sender_id == mailbox.me
        if before is None or before.sender_id != message.sender_id or message.timestamp - before.timestamp > PAUSE:
            yield Line("blank", "")
            part = "" if mine else f" ({mailbox.part(thread, message.sender_id)})"
            name = f"{mailbox.name(message.sender_id)}{part}  {clock(message.timestamp)}"
            yield Line("own-name" if mine else "name", (MINE if mine else OTHERS) + name, message.id)
        for text in self._wrapped(message):
            yield Line("own-text" if mine else "text", (MINE if mine else OTHERS) + text, message.id)

    def _waiting(self, thread: Thread, *, connected: bool) -> Iterator[Line]:
        for index, text in enumerate(thread.outbox):
            if index == 0:
                yield Line("blank", "")
                yield Line("own-name", f"{MINE}You")
            for line in self._break(text):
                yield Line("own-text", MINE + line)
            yield Line("note", MINE + ("sending …" if connected else "will be sent when the connection is back"))

    def _wrapped(self, message: Message) -> list[str]:
        lines = self._broken.get(message.id)
        if lines is None:
            lines = self._broken[message.id] = self._break(message.content)
        return lines

    def _break(self, text: str) -> list[str]:
        return [line.plain for line in Content(harmless(text)).wrap(max(2, self._width - len(MINE) - 1))]

    def _rule(self, kind: Kind, text: str) -> Line:
        """A line across, with a word in its middle."""
        room = max(0, self._width - cell_len(text) - 4)
        return Line(kind, f" {'─' * (room // 2)} {text} {'─' * (room - room // 2)}")


def _readers(thread: Thread, mailbox: Mailbox) -> dict[str, str]:
    """The names of those who have read up to a message of one's own and no further, by its id (V4.2)."""
    own = [(message.seq or 0, message.id) for message in thread.messages if message.sender_id == mailbox.me]
    names: dict[str, str] = {}
    for user_id, marker in thread.markers.items():
        read = [message_id for seq, message_id in own if 0 < seq <= marker]
        if user_id != mailbox.me and read:
            there = names.get(read[-1])
            names[read[-1]] = ", ".join(filter(None, (there, mailbox.name(user_id))))
    return names
