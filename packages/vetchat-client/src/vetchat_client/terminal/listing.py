"""The list of conversations: whom they are with, what was said last, what is new."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from .mailbox import Mailbox
from .text import lately, one_line
from .thread import Thread

ROW = 2
"""Lines of the screen for one conversation."""


class Listing(ScrollView, can_focus=True):
    """Two lines for each conversation; the cursor stays with its conversation when the order changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "move(-10)", "Up ten", show=False),
        Binding("pagedown", "move(10)", "Down ten", show=False),
        Binding("home", "move(-1000000)", "First", show=False),
        Binding("end", "move(1000000)", "Last", show=False),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {"listing--title", "listing--unread", "listing--text"}

    DEFAULT_CSS: ClassVar[str] = """
    Listing {
        overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        & .listing--title { color: $text; }
        & .listing--unread { color: $warning; text-style: bold; }
        & .listing--text { color: $text-muted; }
    }
    """

    opened: reactive[str | None] = reactive[str | None](None)
    """The id of the conversation that is open."""

    class Opened(Message):
        """The conversation with this id was chosen."""

        def __init__(self, conversation_id: str) -> None:
            super().__init__()
            self.conversation_id = conversation_id

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__()
        self._mailbox = mailbox
        self._threads: list[Thread] = []
        self._cursor: str | None = None

    @property
    def texts(self) -> list[str]:
        """What the rows say, in their order."""
        return ["\n".join(self._texts(thread)) for thread in self._threads]

    def show(self, threads: list[Thread]) -> None:
        """Draws these conversations, in this order."""
        self._threads = threads
        if self._cursor is None and threads:
            self._cursor = threads[0].id
        self.virtual_size: Size = Size(self.size.width, len(threads) * ROW)
        self.refresh()

    def neighbour(self, step: int) -> str | None:
        """The conversation that stands so many rows below the open one."""
        if not self._threads:
            return None
        index = self._index(self.opened)
        return self._threads[min(max(index + step, 0), len(self._threads) - 1)].id

    def _index(self, conversation_id: str | None) -> int:
        return next((index for index, thread in enumerate(self._threads) if thread.id == conversation_id), 0)

    # -- what one does -------------------------------------------------------------------------------------------------

    def action_open(self) -> None:
        if self._cursor is not None:
            self.post_message(self.Opened(self._cursor))

    def action_move(self, rows: int) -> None:
        if self._threads:
            index = self._index(self._cursor) + rows
            self.put_cursor(self._threads[min(max(index, 0), len(self._threads) - 1)].id)

    def put_cursor(self, conversation_id: str) -> None:
        """Moves the cursor there, and into sight."""
        self._cursor = conversation_id
        top = self._index(conversation_id) * ROW
        self.scroll_to_region(Region(0, top, self.size.width, ROW), animate=False, force=True)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        index = (event.y + self.scroll_offset.y) // ROW
        if index < len(self._threads):
            self.put_cursor(self._threads[index].id)
            self.action_open()

    def watch_opened(self) -> None:
        self.refresh()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # -- how it looks --------------------------------------------------------------------------------------------------

    def _texts(self, thread: Thread) -> tuple[str, str]:
        """Both lines of a row, as wide as the list."""
        width = max(8, self.size.width)
        mark = "▸ " if thread.id == self.opened else "  "
        news = f" ({thread.unread})" if thread.unread else ""
        time = lately(thread.info.last_updated_timestamp)
        room = width - len(mark) - len(news) - len(time) - 2
        first = set_cell_size(one_line(self._mailbox.title(thread), room) + news, room + len(news))
        draft = f"✎ {thread.draft}" if thread.draft.strip() and thread.id != self.opened else ""
        said = draft or thread.info.last_message or f"About pet {thread.info.pet[:8]}"
        return f"{mark}{first} {time} ", f"  {one_line(said, width - 3)}"

    def render_line(self, y: int) -> Strip:
        index, line = divmod(y + self.scroll_offset.y, ROW)
        width = self.size.width
        if index >= len(self._threads):
            hint = "  No conversations yet." if not self._threads and y == 0 else ""
            return Strip([Segment(hint, self.rich_style)]).adjust_cell_length(width, self.rich_style)
        thread = self._threads[index]
        style = self._style(thread, line)
        text = self._texts(thread)[line]
        return Strip([Segment(text, style)], cell_len(text)).adjust_cell_length(width, style)

    def _style(self, thread: Thread, line: int) -> Style:
        name = "text" if line else "unread" if thread.unread else "title"
        style = self.get_component_rich_style(f"listing--{name}")
        return style + Style(reverse=True) if self.has_focus and thread.id == self._cursor else style
