"""A text on the screen that changes now and then."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Caption(Static):
    """Takes its text as it is, without markup, and is drawn again only when it says something else."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  (as textual calls it)
        super().__init__(id=id, markup=False)
        self._said = ""

    def say(self, text: str) -> None:
        """Shows this text, which is harmless already."""
        if text != self._said:
            self._said = text
            self.update(Content(text))
