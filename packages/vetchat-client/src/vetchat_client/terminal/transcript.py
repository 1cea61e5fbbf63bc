"""The messages of the open conversation, to be scrolled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from .lines import Line


class Transcript(ScrollView, can_focus=False):
    """Draws lines; keeps its place when some come above, and follows new ones while the last one is in sight."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"transcript--{kind}" for kind in ("day", "new", "name", "own-name", "text", "own-text", "note", "blank")
    }

    DEFAULT_CSS: ClassVar[str] = """
    Transcript {
        height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        & .transcript--day { color: $text-muted; }
        & .transcript--new { color: $warning; text-style: bold; }
        & .transcript--name { color: $text-primary; text-style: bold; }
        & .transcript--own-name { color: $accent; text-style: bold; }
        & .transcript--note { color: $text-muted; text-style: italic; }
    }
    """

    class Moved(Message):
        """Something else is in sight now."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: Sequence[Line] = ()

    @property
    def at_end(self) -> bool:
        """Whether the newest line is in sight."""
        return self.scroll_offset.y >= self.max_scroll_y

    @property
    def at_top(self) -> bool:
        """Whether the oldest line is in sight."""
        return self.scroll_offset.y <= 1

    @property
    def texts(self) -> list[str]:
        """What the lines say."""
        return [line.text for line in self._lines]

    def show(self, lines: Sequence[Line], *, at_end: bool = False) -> None:
        """Draws these lines; `at_end` says to go to the last one in any case."""
        follow = at_end or self.at_end
        anchor = self._anchor()
        self._lines = lines
        self.virtual_size: Size = Size(self.size.width, len(lines))
        y = self.max_scroll_y if follow else self._place(anchor)
        self.scroll_to(y=y, animate=False, force=True, immediate=True)
        self.refresh()

    def _anchor(self) -> tuple[str, int, int] | None:
        """The first text in sight: whose it is, which of its lines that is, and on which line of the screen.

        The line with the name will not do: it goes when a message of the same person comes above.
        """
        top = self.scroll_offset.y
        for y in range(top, len(self._lines)):
            line = self._lines[y]
            if line.message is not None and line.is_text:
                return line.message, y - self._first(line.message), y - top
        return None

    def _place(self, anchor: tuple[str, int, int] | None) -> int:
        """Where to scroll so that the anchor stays where it is."""
        if anchor is None:
            return self.scroll_offset.y
        message, skipped, y = anchor
        return self._first(message) + skipped - y

    def _first(self, message: str) -> int:
        """Where the text of a message begins."""
        return next((y for y, line in enumerate(self._lines) if line.message == message and line.is_text), 0)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Moved())

    def render_line(self, y: int) -> Strip:
        top = self.scroll_offset.y + y
        width = self.size.width
        if top >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        line = self._lines[top]
        style = self.get_component_rich_style(f"transcript--{line.kind}")
        strip = Strip([Segment(line.text, style)], cell_len(line.text))
        if (selected := self._selected(top, len(line.text))) is not None:
            strip = self._highlighted(line.text, *selected)
        return strip.adjust_cell_length(width, style).apply_offsets(0, top)

    # -- selecting with the mouse --------------------------------------------------------------------------------------

    def _selected(self, y: int, length: int) -> tuple[int, int] | None:
        span = None if self.text_selection is None else self.text_selection.get_span(y)
        return None if span is None else (span[0], length if span[1] == -1 else span[1])

    def _highlighted(self, text: str, start: int, end: int) -> Strip:
        marked = self.screen.get_component_rich_style("screen--selection")
        parts = ((text[:start], self.rich_style), (text[start:end], marked), (text[end:], self.rich_style))
        return Strip([Segment(part, style) for part, style in parts if part])

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selection.extract("\n".join(self.texts)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()
