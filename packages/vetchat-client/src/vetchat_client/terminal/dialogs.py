"""What comes up over the conversation: to begin one, to see and copy ids, and help."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar
from uuid import uuid4

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Label, OptionList, Static
from textual.widgets.option_list import Option
from vetchat_protocol.fields import canonical_uuid

from ..errors import VetChatError
from .correspondence import sentence
from .text import harmless

Begin = Callable[[str, Sequence[str]], Awaitable[str]]
"""Begins a conversation about a pet with these vets; the id of the conversation."""

STYLE = """
{name} {{ align: center middle; }}
{name} > Vertical {{
    width: 72; max-width: 100%; height: auto; max-height: 100%;
    border: round $accent; background: $surface; padding: 0 1;
}}
{name} .trouble {{ color: $warning; height: auto; }}
{name} .aside {{ color: $text-muted; width: 100%; height: auto; }}
{name} Input {{ background: $panel; border: none; height: 1; padding: 0 1; margin: 0 0 1 0; }}
{name} Input:focus {{ border: none; }}
{name} OptionList, {name} OptionList:focus {{ height: auto; max-height: 16; border: none; padding: 0; }}
"""


class NewConversation(ModalScreen[str | None]):
    """Asks for the pet and the vets; stays until the server has said yes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]
    DEFAULT_CSS: ClassVar[str] = STYLE.format(name="NewConversation")

    def __init__(self, begin: Begin) -> None:
        super().__init__()
        self._begin = begin
        self._busy = False

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "New conversation"
            box.border_subtitle = "Enter begins it"
            yield Label("About which pet? Here is a fresh id; put in the pet's own if it has one.", classes="aside")
            yield Input(str(uuid4()), id="pet", select_on_focus=False)
            yield Label("Which vets? Their ids, with spaces between; may stay empty.", classes="aside")
            yield Input(id="vets", placeholder="a vet sees it by Ctrl+O")
            yield Static("", id="trouble", classes="trouble", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#vets").focus()

    def on_input_submitted(self) -> None:
        if not self._busy:
            self._busy = True
            self.run_worker(self._create())

    async def _create(self) -> None:
        trouble = self.query_one("#trouble", Static)
        trouble.update("Creating …")
        pet = self.query_one("#pet", Input).value.strip()
        vets = [vet for vet in re.split(r"[\s,;]+", self.query_one("#vets", Input).value.strip()) if vet]
        try:
            wrong = _wrong_id(pet, *vets)
            if wrong is None:
                self.dismiss(await self._begin(pet, vets))
            else:
                trouble.update(harmless(wrong))
        except VetChatError as error:
            trouble.update(harmless(sentence(error)))
        finally:
            self._busy = False


def _wrong_id(*ids: str) -> str | None:
    """Which of several ids is none, and why; the server could only number them."""
    for one in ids:
        try:
            canonical_uuid(one)
        except ValueError as error:
            return f"“{one}” is no id: it {error}."
    return None


class Ids(ModalScreen[None]):
    """Shows ids; Enter copies one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+o", "dismiss(None)", "Close")]
    DEFAULT_CSS: ClassVar[str] = STYLE.format(name="Ids")

    class Chosen(Message):
        """This id is to be copied."""

        def __init__(self, chosen: str) -> None:
            super().__init__()
            self.id = chosen

    def __init__(self, ids: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._ids = ids

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Ids"
            yield OptionList(
                *(Option(Content(f"{what}\n  {one}"), id=str(n)) for n, (what, one) in enumerate(self._ids))
            )
            yield Static(
                "Enter copies, if your terminal lets programs do that.", id="said", classes="aside", markup=False
            )
        yield Footer()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        what, one = self._ids[event.option_index]
        self.post_message(self.Chosen(one))
        said = f"Copied: {what}. If pasting gives something else, your terminal does not let programs copy: select it"
        self.query_one("#said", Static).update(f"{said} with the mouse while you hold Shift.")


HELP = """\
Tab, Esc         from the message to the list and back
↑ ↓ Enter        choose a conversation in the list and open it
Alt+↑ Alt+↓      the conversation above or below (Ctrl+↑ ↓ too)
PgUp PgDn        scroll; older messages are loaded at the top
Enter            send
Ctrl+J           a new line in your message (Alt+Enter too)
Ctrl+N           begin a conversation, if you are an owner
Ctrl+O           your id and the others', to copy
Ctrl+C           copy what is selected, or quit
Ctrl+Q           quit

● somebody is here    ○ is not    ▌ your messages
✓ read by            they have seen it
(3)                  three messages that you have not seen

What you type is kept while the connection is away, and
sent when it is back. A message that the server refuses
comes back to where you wrote it."""


class Help(ModalScreen[None]):
    """Which key does what."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,f1,ctrl+g", "dismiss(None)", "Close")]
    DEFAULT_CSS: ClassVar[str] = STYLE.format(name="Help") + "Help VerticalScroll { height: auto; max-height: 100%; }"

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Help"
            with VerticalScroll():
                yield Static(HELP, markup=False)
        yield Footer()
