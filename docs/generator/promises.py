"""Which keys an event of `vetchat.v1` has, and which of them always: a schema lets all of them be missing."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from vetchat_conformance.shapes import shapes

from .examples import examples

PROMISED: Final = shapes("v1")


def promised(event: str) -> Mapping[str, bool]:
    """The keys of `params` by their dotted names, and whether the conformance kit insists on each.

    A key that is neither there nor in the example belongs to another event that shares the model.
    """
    seen = dict.fromkeys(dict(_keys(examples()["events"][event]["params"])), False)
    return seen | dict(_keys(PROMISED[event].params))


def _keys(value: Any, prefix: str = "") -> Iterator[tuple[str, bool]]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _keys(item, f"{prefix.rstrip('.')}[].")
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            name = f"{prefix}{key.removesuffix('?')}"
            yield name, not key.endswith("?")
            yield from _keys(inner, f"{name}.")
