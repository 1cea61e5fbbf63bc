"""What others write reaches the terminal as text, whatever they write, and a line is as wide as it is thought to be."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size
from vetchat_client.terminal.text import clock, harmless, lately, local_time, one_line, typable

EVERYTHING = "".join(map(chr, range(sys.maxunicode + 1)))


def test_no_control_character_of_unicode_is_left() -> None:
    left = {character for character in harmless(EVERYTHING) if unicodedata.category(character) in ("Cc", "Cs")}
    assert left == {"\n"}


def test_nothing_turns_the_direction_of_a_line() -> None:
    assert not set(harmless(EVERYTHING)) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]52;c;ZXZpbA==\x07", "␛]52;c;ZXZpbA==␇"),
        ("\x9b2J", "\ufffd2J"),
        ("one\r\ntwo\u2028three", "one\ntwo\nthree"),
        ("all gone\rHello", "all gone␍Hello"),
        ("a\tb", "a    b"),
        ("e" + "\u0301" * 40, "e" + "\u0301" * 4),
        ("👩\u200d⚕\ufe0f 👍🏽 ❤\ufe0f", "👩⚕ 👍 ❤"),
        ("नम\u200cस्ते", "नम\u200cस्ते"),
        ("ශ්\u200dරී", "ශ්\u200dරී"),
        ("日本語 naïve 🐾", "日本語 naïve 🐾"),
        ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
    ],
)
def test_what_is_written_is_shown_and_not_obeyed(written: str, shown: str) -> None:
    assert harmless(written) == shown


@given(st.text())
def test_a_text_is_as_wide_as_its_characters(text: str) -> None:
    for line in harmless(text).split("\n"):
        if "\u200d" not in line:  # it is kept for the scripts that need it, between letters only
            assert cell_len(line) == sum(map(get_character_cell_size, line))


@given(st.text(), st.integers(2, 40))
def test_one_line_is_one_line_and_fits(text: str, width: int) -> None:
    line = one_line(text, width)
    assert "\n" not in line
    assert cell_len(line) <= width


@given(st.text())
def test_what_is_pasted_keeps_everything_but_control_characters(text: str) -> None:
    kept = typable(text)
    assert not [one for one in kept if unicodedata.category(one) == "Cc" and one not in "\n\t"]
    assert [one for one in kept if one not in "\n\t"] == [
        one for one in text if unicodedata.category(one) not in ("Cc", "Cs")
    ]


def test_times_are_local_and_no_time_is_too_late() -> None:
    assert local_time(0).timestamp() == 0
    assert len(clock(1_672_574_400_000)) == 5
    assert lately(1_672_574_400_000).startswith("202")
    assert lately(10**30).startswith("9999")
