"""The open conversation: who is there, what was said, and where one writes."""

from __future__ import annotations

from time import monotonic

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import TextArea

from .caption import Caption
from .composer import Composer
from .correspondence import Correspondence
from .lines import Typesetter
from .mailbox import Mailbox
from .text import harmless
from .thread import Thread
from .transcript import Transcript


class Talk(Vertical):
    """Shows `thread`. What is in sight decides what is loaded, and what counts as seen.

    `attended` says whether somebody can be looking: the terminal has the focus and nothing covers the conversation.
    """

    def __init__(self, mailbox: Mailbox, desk: Correspondence) -> None:
        super().__init__()
        self.attended = True
        self._mailbox = mailbox
        self._desk = desk
        self._typesetter = Typesetter()
        self._head = Caption(id="head")
        self._transcript = Transcript()
        self._hint = Caption(id="hint")
        self._composer = Composer()
        self._jump = False
        self._oldest: str | None = None

    @property
    def thread(self) -> Thread | None:
        """The conversation that is open."""
        return self._desk.open

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._transcript
        yield self._hint
        yield self._composer

    def open(self, thread: Thread) -> None:
        """Shows another conversation, at its newest message; what one was writing there is there again."""
        if thread is not self.thread:
            self.keep_draft()
            thread.open()
            self._desk.open = thread
            self._composer.conversation_id = thread.id
            self._composer.replace_all(thread.editable(thread.draft))
            self._jump = True
        self._composer.focus()

    def keep_draft(self) -> None:
        """What one is writing is kept with its conversation."""
        if self.thread is not None:
            self.thread.draft = self._composer.text

    def page(self, direction: int) -> None:
        """Scrolls by nearly a screen."""
        self._transcript.scroll_relative(y=direction * max(1, self._transcript.size.height - 2), animate=False)

    # -- drawing -------------------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Brings everything up to date."""
        if (thread := self.thread) is None:
            return
        if thread.returned:
            self._composer.replace_all(thread.editable(self._composer.text))
        width, connected = self._transcript.size.width, self._desk.chat.connected
        lines = self._typesetter.lines(thread, self._mailbox, width, connected=connected)
        self._transcript.show(lines, at_end=self._jump)
        self._oldest = _oldest(thread)
        self._jump = self._jump and not thread.loaded
        self.draw_moment()
        self._look(thread)

    def draw_moment(self) -> None:
        """Brings up to date what changes as time passes, too: who is there and who types."""
        if (thread := self.thread) is not None:
            self._head.say(self._present(thread))
            self._show_hint(thread)

    def _present(self, thread: Thread) -> str:
        dots = {True: "● ", False: "○ "} if self._desk.chat.connected else {True: "", False: ""}
        people = [
            f"{dots[user_id in thread.present]}{self._mailbox.name(user_id)} ({part})"
            for user_id, part in self._mailbox.others(thread)
        ]
        return "  ".join([*people, f"pet {thread.info.pet[:8]}"] if people else ["No vet is invited."])

    def _show_hint(self, thread: Thread) -> None:
        """One line between what was said and what one writes."""
        trouble = harmless(thread.trouble or thread.history_trouble)
        self._hint.set_class(bool(trouble), "trouble")
        self._hint.say(trouble or self._below(thread) or self._typing(thread))

    def _below(self, thread: Thread) -> str:
        if self._transcript.at_end:
            return ""
        return f"↓ PgDn: {thread.unread} new" if thread.unread else "↓ PgDn: to the newest"

    def _typing(self, thread: Thread) -> str:
        names = [self._mailbox.name(user_id) for user_id in thread.typists(monotonic())]
        return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} typing …" if names else ""

    # -- looking -------------------------------------------------------------------------------------------------------

    def _look(self, thread: Thread) -> None:
        transcript = self._transcript
        at_top = transcript.at_top and self._oldest == _oldest(thread)  # what has just come is not drawn yet
        if not thread.loaded or (at_top and not thread.complete):
            self.run_worker(self._desk.load_history(thread))
        if self.display and self.attended and thread.loaded and thread.unread and transcript.at_end:
            self.run_worker(self._desk.mark_read(thread))

    def on_transcript_moved(self) -> None:
        if (thread := self.thread) is not None:
            self._look(thread)
            self._show_hint(thread)

    # -- writing -------------------------------------------------------------------------------------------------------

    def on_composer_sent(self, message: Composer.Sent) -> None:
        thread = self._mailbox.threads[message.conversation_id]
        thread.outbox.append(message.text)
        thread.trouble = ""
        thread.new_from = None
        self.keep_draft()
        self._jump = True
        self.run_worker(self._desk.send(thread))
        self.draw()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        if (thread := self.thread) is not None:
            self.keep_draft()
            self.run_worker(self._desk.tell_typing(thread, active=bool(thread.draft.strip())))


def _oldest(thread: Thread) -> str | None:
    """The first message that is loaded."""
    return thread.messages[0].id if thread.messages else None
