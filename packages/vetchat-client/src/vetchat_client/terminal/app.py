"""The screen: the conversations on the left, the open one on the right, keys at the bottom."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.types import AnimationLevel, CSSPathType
from textual.widgets import Footer, Input, TextArea
from vetchat_protocol import Role

from ..chat import Chat
from ..errors import VetChatError
from .caption import Caption
from .correspondence import Correspondence
from .dialogs import Help, Ids, NewConversation
from .listing import Listing
from .mailbox import Mailbox
from .talk import Talk
from .text import one_line

FRAME = 0.03
"""Seconds in which changes are gathered before the screen is drawn again."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended: by an error or by the person, who that was, and what was typed and not sent."""

    error: VetChatError | None
    me: str
    unsent: list[str]


class Terminal(App[Ending]):
    """A chat on the whole terminal; the chat is connected before it begins and closed after it ends."""

    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (64, "-wide"), (110, "-roomy")]  # noqa: RUF012
    CSS_PATH: ClassVar[CSSPathType | None] = "terminal.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave_talk", "List"),
        Binding("ctrl+n", "begin", "New"),
        Binding("ctrl+o", "ids", "Ids"),
        Binding("ctrl+g,f1", "help", "Help", key_display="^g"),
        Binding("ctrl+q", "leave", "Quit"),
        Binding("ctrl+c", "copy_or_leave", "Quit", show=False, priority=True),
        Binding("alt+up,ctrl+up", "step(-1)", "Above", show=False),
        Binding("alt+down,ctrl+down", "step(1)", "Below", show=False),
        Binding("pageup", "page(-1)", "Scroll up", show=False),
        Binding("pagedown", "page(1)", "Scroll down", show=False),
    ]

    def __init__(self, chat: Chat, name: str | None = None) -> None:
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.animation_level: AnimationLevel = "none"  # over ssh each step would be a repaint
        self.mailbox: Mailbox = Mailbox(chat.user, chat.role)
        self._chat = chat
        self._name = one_line(name or "") or chat.user[:8]
        self._desk = Correspondence(chat, self.mailbox, self.changed)
        self._who = Caption(id="who")
        self._line = Caption(id="line")
        self._listing = Listing(self.mailbox)
        self._nothing = Caption(id="nothing")
        self._talk = Talk(self.mailbox, self._desk)
        self._due = False
        self._warned_of = 0

    def compose(self) -> ComposeResult:
        with Horizontal(id="top"):
            yield self._who
            yield self._line
        with Horizontal(id="middle"):
            yield self._listing
            yield self._nothing
            yield self._talk
        yield Footer()

    def on_mount(self) -> None:
        self._listing.focus()
        self.set_interval(0.5, self._draw_moment)
        self.run_worker(self._listen())
        self.changed()

    async def _listen(self) -> None:
        try:
            await self._desk.listen()
        except VetChatError as error:
            self._end(error)

    def _end(self, error: VetChatError | None) -> None:
        self._talk.keep_draft()
        unsent = [text for thread in self.mailbox.listed() for text in thread.unsent]
        self.exit(Ending(error, self.mailbox.me, unsent))

    # -- drawing -------------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Something is to be drawn; what changes at the same moment is drawn at once."""
        if not self._due and self.is_running:
            self._due = True
            self.set_timer(FRAME, self._draw)

    def _draw(self) -> None:
        self._due = False
        self._listing.show(self.mailbox.listed())
        self._talk.attended = self.app_focus and len(self.screen_stack) == 1
        self._talk.draw()
        self._draw_moment()

    def _draw_moment(self) -> None:
        """Brings up to date what changes as time passes, too."""
        line = "● connected " if self._chat.connected else "○ reconnecting "
        self._line.set_class(not self._chat.connected, "away")
        self._line.say(line)
        self._who.say(self._introduction(self.size.width - len(line)))
        self._nothing.say(self._welcome())
        self._talk.draw_moment()

    def _introduction(self, width: int) -> str:
        """Who one is; the id is there as a whole or not at all."""
        part = "owner" if self.mailbox.role is Role.CLIENT else "vet"
        rest = f" ({part})   your id {self.mailbox.me}"
        rest = rest if width - len(rest) >= 10 else f" ({part})"
        return f" {one_line(self._name, width - len(rest) - 2)}{rest}"

    def _welcome(self) -> str:
        """What stands there while no conversation is open."""
        if not self._desk.loaded:
            return "Loading your conversations …"
        if self.mailbox.role is Role.CLIENT:
            how = "Ctrl+N begins a conversation. To invite a vet you need the vet's id."
        else:
            how = f"An owner invites you by your id:\n{self.mailbox.me}\nCtrl+O copies it."
        return f"{how}\n\n↑ ↓ and Enter open a conversation.\nCtrl+G tells which key does what."

    def on_app_focus(self) -> None:
        self.changed()

    def on_app_blur(self) -> None:
        self._talk.attended = False

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self.changed)

    # -- opening -------------------------------------------------------------------------------------------------------

    def open_thread(self, conversation_id: str) -> None:
        """Shows this conversation."""
        self.screen.add_class("reading")
        self._listing.opened = conversation_id
        self._listing.put_cursor(conversation_id)
        self._talk.open(self.mailbox.threads[conversation_id])
        self.refresh_bindings()
        self.call_after_refresh(self.changed)

    def on_listing_opened(self, message: Listing.Opened) -> None:
        self.open_thread(message.conversation_id)

    def action_step(self, step: int) -> None:
        conversation_id = self._listing.neighbour(step)
        if conversation_id is not None and len(self.screen_stack) == 1:
            self.open_thread(conversation_id)

    def action_leave_talk(self) -> None:
        """To the list; where there is no room for both, the conversation makes room for it."""
        if self.screen.has_class("-narrow"):
            self.screen.remove_class("reading")
        self._listing.focus()

    def action_page(self, direction: int) -> None:
        self._talk.page(direction)

    # -- dialogs -------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "begin":
                return self.mailbox.role is Role.CLIENT
            case "leave_talk":
                return not self._listing.has_focus
            case _:
                return True

    def action_begin(self) -> None:
        def begun(conversation_id: str | None) -> None:
            if conversation_id is not None:
                self.open_thread(conversation_id)

        self.push_screen(NewConversation(self._desk.begin), begun)

    def action_ids(self) -> None:
        ids = [("Your id", self.mailbox.me)]
        if (thread := self._talk.thread) is not None:
            ids += [("This conversation", thread.id), ("The pet", thread.info.pet)]
            ids += [
                (f"{self.mailbox.name(user_id)} ({part})", user_id) for user_id, part in self.mailbox.others(thread)
            ]
        self.push_screen(Ids(ids), lambda _: self.changed())

    def on_ids_chosen(self, message: Ids.Chosen) -> None:
        self.copy_to_clipboard(message.id)

    def action_help(self) -> None:
        self.push_screen(Help(), lambda _: self.changed())

    # -- leaving -------------------------------------------------------------------------------------------------------

    def action_copy_or_leave(self) -> None:
        focused = self.focused
        selected = focused.selected_text if isinstance(focused, TextArea | Input) else ""
        if selected := selected or self.screen.get_selected_text():
            self.copy_to_clipboard(selected)
            self.notify("Copied.", markup=False)
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Quits; while something is still on its way, only when asked twice."""
        waiting = sum(len(thread.outbox) for thread in self.mailbox.threads.values())
        if waiting <= self._warned_of:
            self._end(None)
            return
        self._warned_of = waiting
        self.notify(f"Not sent yet: {waiting}. Ctrl+Q again quits without sending.", severity="warning", markup=False)
