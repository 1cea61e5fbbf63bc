"""The reference has every public name of the Python client, as the code has it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
import vetchat_client
from vetchat_client import testing

from docs.generator.docstrings import Raised, prose, raised, signature, type_name
from docs.generator.reference import documented, reference

PAGE: Final = reference()


def test_every_public_name_has_its_place() -> None:
    assert documented() == set(vetchat_client.__all__)
    anchors = set(re.findall(r"\{ #([\w-]+) \}", PAGE))
    assert {name.lower() for name in (*vetchat_client.__all__, *testing.__all__)} - anchors == {"events"}


def test_no_name_has_two_places() -> None:
    anchors = re.findall(r"\{ #([\w-]+) \}", PAGE)
    assert len(anchors) == len(set(anchors))


@pytest.mark.parametrize("thing", [vetchat_client.Chat, vetchat_client.Bot, testing.Clinic, testing.Person])
def test_every_public_method_and_property_is_there_and_says_what_it_is_for(thing: type) -> None:
    for name, member in vars(thing).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        first = (inspect.getdoc(member) or "").partition("\n")[0]
        assert first, name
        heading = f"#### `{thing.__name__}.{name}`" if inspect.isfunction(member) else f"| `{name}` |"
        assert heading in PAGE


def test_nothing_shows_where_something_lies_in_memory() -> None:
    assert " at 0x" not in PAGE
    assert "<class" not in PAGE


async def waits(first: str, *rest: int, last: Mapping[str, Any] | None = None, limit: int = 1_000) -> None: ...


def short(self: object, way: Callable[..., object] = print, name: str = "Ann") -> int: ...  # type: ignore[empty-body]


def test_a_signature_stands_as_it_is_written_on_as_many_lines_as_it_takes() -> None:
    assert signature("short", short) == 'def short(way: Callable[..., object] = print, name: str = "Ann") -> int'
    assert signature("waits", waits) == (
        "async def waits(\n    first: str,\n    *rest: int,\n    last: Mapping[str, Any] | None = None,\n"
        "    limit: int = 1_000,\n) -> None"
    )


def test_a_docstring_falls_into_what_it_says_and_what_is_raised() -> None:
    text = """Does it.

    At length.

    Raises (from entering):
        ValueError, KeyError: it is
            none.

    Raises:
        OSError: the disk is full.
    """
    assert prose(text) == "Does it.\n\nAt length."
    assert list(raised(text)) == [
        Raised("from entering", ("ValueError", "KeyError"), "it is none."),
        Raised("", ("OSError",), "the disk is full."),
    ]


@pytest.mark.parametrize(
    ("annotation", "name"),
    [(int, "int"), (int | None, "int | None"), (tuple[str, ...], "tuple[str, ...]")],
)
def test_a_type_has_the_name_that_one_would_write(annotation: object, name: str) -> None:
    assert type_name(annotation) == name
