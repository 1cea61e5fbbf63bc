"""What others wrote, made fit for a terminal: it may say anything, and must not do anything.

Escape sequences never reach the terminal, and each character that is left takes the same number of columns everywhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from rich.cells import cell_len, set_cell_size

JOINER: Final = "\u200d"
"""Joins emoji to one. Some terminals draw one and some draw them all, so nobody could tell how wide the line is."""

VISIBLE_FORMATS: Final = frozenset("\u200c\u200e\u200f\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")
"""Characters of the category Cf that writing needs and that do nothing to what stands around them."""

SELECTORS: Final = frozenset("\ufe0e\ufe0f")
"""They ask for an emoji in text style or in colour, which changes its width on some terminals only."""

SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
"""On some terminals they colour the emoji before them, on others they stand behind it."""

MOST_MARKS: Final = 4
"""How many accents one letter may carry; real scripts need no more."""

LAST_TIME: Final = 253_370_764_800_000
"""The year 9999 in ms, where Python's calendar ends."""


def harmless(text: str) -> str:
    """The text without anything that a terminal would obey; line breaks stay, control characters become visible."""
    lines = text.replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    if lines.isascii() and lines.replace("\n", "").isprintable():
        return lines
    return "".join(_tamed(lines))


def typable(text: str) -> str:
    """What may stand in one's own text: all of it but control characters, line breaks and tabs excepted."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(one for one in lines if one in "\n\t" or unicodedata.category(one) not in ("Cc", "Cs"))


def one_line(text: str, width: int | None = None) -> str:
    """The same on a single line, cut to so many columns."""
    line = " ".join(harmless(text).split())
    return line if width is None or cell_len(line) <= width else set_cell_size(line, max(0, width - 1)).rstrip() + "…"


def _tamed(text: str) -> Iterator[str]:
    marks = 0
    for index, character in enumerate(text):
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks <= MOST_MARKS:
            yield _shown(character, category, text[index - 1 : index], text[index + 1 : index + 2])


def _shown(character: str, category: str, before: str, after: str) -> str:
    match category:
        case "Cc":
            return _control(character)
        case "Cs":
            return "\ufffd"
        case "Cf" if character == JOINER:
            return "" if _is_symbol(before) or _is_symbol(after) else character
        case "Cf":
            return character if character in VISIBLE_FORMATS else ""
        case _:
            return "" if character in SELECTORS or ord(character) in SKIN_TONES else character


def _control(character: str) -> str:
    """A control character by its picture in Unicode."""
    match character:
        case "\n":
            return "\n"
        case "\t":
            return "    "
        case "\x7f":
            return "\u2421"
        case _:
            return chr(0x2400 + ord(character)) if ord(character) < 0x20 else "\ufffd"


def _is_symbol(character: str) -> bool:
    return character != "" and (
        unicodedata.category(character) == "So" or ord(character) in SKIN_TONES or character in SELECTORS
    )


# -- times -------------------------------------------------------------------------------------------------------------


def local_time(timestamp: int) -> datetime:
    """A time of the protocol (ms) on this machine's clock and calendar."""
    return datetime.fromtimestamp(min(timestamp, LAST_TIME) / 1_000, UTC).astimezone()


def clock(timestamp: int) -> str:
    """Hours and minutes."""
    return f"{local_time(timestamp):%H:%M}"


def day(timestamp: int) -> str:
    """The day, for a line between two of them."""
    return f"{local_time(timestamp):%A %d %B %Y}"


def lately(timestamp: int) -> str:
    """The time if it was today, else the day, in at most ten columns."""
    then, now = local_time(timestamp), datetime.now().astimezone()
    if then.date() == now.date():
        return f"{then:%H:%M}"
    return f"{then:%d %b}" if then.year == now.year else f"{then:%Y-%m-%d}"
