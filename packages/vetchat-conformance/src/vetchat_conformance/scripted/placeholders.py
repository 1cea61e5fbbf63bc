"""Placeholders: what a line of a transcript leaves open, bound when it is first seen and compared from then on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from time import time
from typing import Any, Final
from uuid import uuid4

from ..shapes import JSON, is_array, is_object

__all__ = ["Bindings"]

PLACEHOLDER: Final = re.compile(r"\$(?P<name>[a-z][a-z0-9_]*|_)(?P<optional>\?)?")
_ABSENT: Final[Any] = object()


class Bindings:
    """The values that a transcript's placeholders have taken so far.

    `"$name"` stands for one value, the same wherever it comes again. `"$name?"` may be missing. `"$_"` is any value.
    `"$now"` is the present time in milliseconds.
    """

    def __init__(self, values: Mapping[str, JSON] | None = None) -> None:
        self._values: dict[str, JSON] = dict(values or {})

    def __getitem__(self, name: str) -> JSON:
        return self._values[name]

    def copy(self) -> Bindings:
        """The same values, for what is bound for a moment only."""
        return Bindings(self._values)

    def difference(self, pattern: JSON, value: JSON, where: str) -> str | None:
        """What is different between a frame and a pattern, in a sentence, or `None`; nothing is bound unless it fits.

        Objects may have more keys than the pattern (R2.4).
        """
        before = dict(self._values)
        sentence = self._compare(pattern, value, where)
        if sentence is not None:
            self._values = before
        return sentence

    def fill(self, template: JSON) -> JSON:
        """The template with its values; a name that stands for nothing yet becomes a new UUID."""
        if is_object(template):
            filled = {key: self.fill(value) for key, value in template.items()}
            return {key: value for key, value in filled.items() if value is not _ABSENT}
        if is_array(template):
            return [self.fill(value) for value in template]
        found = PLACEHOLDER.fullmatch(template) if isinstance(template, str) else None
        if found is None:
            return template
        if found["name"] == "now":
            return int(time() * 1000)
        if found["optional"]:
            return self._values.get(found["name"], _ABSENT)
        return self._values.setdefault(found["name"], str(uuid4()))

    def _compare(self, pattern: JSON, value: JSON, where: str) -> str | None:
        if is_object(pattern):
            return self._compare_objects(pattern, value, where)
        if is_array(pattern):
            return self._compare_arrays(pattern, value, where)
        found = PLACEHOLDER.fullmatch(pattern) if isinstance(pattern, str) else None
        if found is not None:
            return self._bind(found["name"], value, where)
        same = type(pattern) is type(value) and pattern == value
        return None if same else f"{where} must be {pattern!r}, and is {value!r}."

    def _compare_arrays(self, pattern: Sequence[JSON], value: JSON, where: str) -> str | None:
        if not is_array(value) or len(pattern) != len(value):
            return f"{where} must be an array of {len(pattern)}, and is {value!r}."
        for index, (inner, item) in enumerate(zip(pattern, value, strict=True)):
            sentence = self._compare(inner, item, f"{where}[{index}]")
            if sentence is not None:
                return sentence
        return None

    def _compare_objects(self, pattern: Mapping[str, JSON], value: JSON, where: str) -> str | None:
        if not is_object(value):
            return f"{where} must be an object, and is {value!r}."
        for key, inner in pattern.items():
            if key in value:
                sentence = self._compare(inner, value[key], f"{where}.{key}")
            else:
                optional = isinstance(inner, str) and inner.startswith("$") and inner.endswith("?")
                sentence = None if optional else f"{where} must have the key {key!r}."
            if sentence is not None:
                return sentence
        return None

    def _bind(self, name: str, value: JSON, where: str) -> str | None:
        if name == "_":
            return None
        known = self._values.setdefault(name, value)
        return None if known == value else f"{where} must be {known!r} as before (${name}), and is {value!r}."
