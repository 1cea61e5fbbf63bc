"""Where one writes."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from .text import typable

NEW_LINE: Final = ("ctrl+j", "alt+enter", "shift+enter")
"""Keys for a new line; which of them a terminal can tell from Enter differs, Ctrl+J always can be."""


class Composer(TextArea):
    """Enter sends; pasting many lines does not. `conversation_id` says what is being written to.

    Keys take effect here, in the order in which they were pressed: a binding of higher priority would overtake letters
    that are still in the queue, and send half a message.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send"),
        Binding("ctrl+j", "break_line", "New line"),
        Binding("pageup", "app.page(-1)", "Scroll up", show=False),
        Binding("pagedown", "app.page(1)", "Scroll down", show=False),
    ]

    DEFAULT_CSS: ClassVar[str] = """
    Composer { height: auto; min-height: 3; max-height: 8; border: round $surface-lighten-2; background: transparent; }
    Composer:focus { border: round $accent; }
    """

    class Sent(Message):
        """Somebody wants this to be sent to this conversation."""

        def __init__(self, conversation_id: str, text: str) -> None:
            super().__init__()
            self.conversation_id = conversation_id
            self.text = text

    def __init__(self) -> None:
        super().__init__(placeholder="Write a message", compact=False, soft_wrap=True, highlight_cursor_line=False)
        self.conversation_id: str | None = None
        self.cursor_blink = False

    def replace_all(self, text: str) -> None:
        """Puts another text there, with the cursor at its end; that is nobody's typing."""
        with self.prevent(TextArea.Changed):
            self.load_text(text)
        self.move_cursor(self.document.end)

    def on_key(self, event: events.Key) -> None:
        """Keeps Enter and its relatives from what a text area does with them."""
        if event.key == "enter" or event.key in NEW_LINE:
            event.stop()
            event.prevent_default()
            (self.action_send if event.key == "enter" else self.action_break_line)()

    def action_send(self) -> None:
        if self.text.strip() and self.conversation_id is not None:
            self.post_message(self.Sent(self.conversation_id, self.text))
            self.replace_all("")  # now: what is typed next belongs to the next message

    def action_break_line(self) -> None:
        self.insert("\n")

    def on_paste(self, event: events.Paste) -> None:
        """Takes the text without what a terminal would obey."""
        event.prevent_default()
        self.replace(typable(event.text), *self.selection, maintain_selection_offset=False)
