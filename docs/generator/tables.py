"""A frame's JSON Schema as rows of a table."""

from collections.abc import Iterator, Mapping
from typing import Final

from vetchat_protocol.codec import Dialect
from vetchat_protocol.schemas import Direction, Json, frame_schema, frames

from .markdown import linked, listed

V1_MARK: Final = '<span class="v1">v1</span>'
"""Marks what only `vetchat.v1` has."""


def rows(direction: Direction, event: str, promised: Mapping[str, bool]) -> Iterator[tuple[str, str, str, str]]:
    """For each key of `params`, and of what stands inside it by a dotted name: key, type, whether required, meaning.

    Of an event, what the base wire does not have is shown if it is `promised`, and whether always.
    """
    schema = frame_schema(Dialect.V1, direction, event)
    base = keys_on_base(direction, event)
    for key, value, required in _keys(schema, resolved(schema, schema["$ref"])["properties"]["params"], ""):
        is_new = base is not None and key not in base
        if is_new and direction == "events" and key not in promised:
            continue
        mark = f" {V1_MARK}" if is_new else ""
        always = "yes" if required or promised.get(key, False) else ""
        yield f"`{key}`{mark}", _type(schema, value), always, linked(value["description"])


def keys_on_base(direction: Direction, event: str) -> set[str] | None:
    """The same keys on the base wire; None if it does not have the frame at all."""
    if event not in frames(Dialect.BASE, direction):
        return None
    schema = frame_schema(Dialect.BASE, direction, event)
    return {key for key, _, _ in _keys(schema, resolved(schema, schema["$ref"])["properties"]["params"], "")}


def _keys(schema: Json, value: Json, prefix: str) -> Iterator[tuple[str, Json, bool]]:
    model = _model(schema, value)
    if model is None:
        return
    if value.get("type") == "array":
        prefix = f"{prefix.rstrip('.')}[]."
    for key, inner in model["properties"].items():
        yield f"{prefix}{key}", inner, key in model.get("required", ())
        yield from _keys(schema, inner, f"{prefix}{key}.")


def _model(schema: Json, value: Json) -> Json | None:
    """The object that a value is, or that its items are."""
    for choice in (value, value.get("items", {}), *value.get("anyOf", ())):
        if "$ref" in choice and "properties" in (model := resolved(schema, choice["$ref"])):
            return model
    return None


def resolved(schema: Json, reference: str) -> Json:
    return schema["$defs"][reference.removeprefix("#/$defs/")]


def _type(schema: Json, value: Json) -> str:
    """A value's type as one would say it."""
    if "anyOf" in value:
        return " or ".join(_type(schema, choice) for choice in value["anyOf"])
    if "$ref" in value:
        value = resolved(schema, value["$ref"])
    if "enum" in value:
        return listed([f"`{choice}`" for choice in value["enum"]])
    if "const" in value:
        return f"`{value['const']}`"
    if value.get("format") == "uuid":
        return "UUID"
    if value["type"] == "array":
        items = _type(schema, value["items"])
        return f"array of {items}s"
    return f"{value['type']}{_bounds(value)}"


def _bounds(value: Json) -> str:
    low, high = value.get("minimum", value.get("minLength")), value.get("maximum", value.get("maxLength"))
    unit = " characters" if value["type"] == "string" else ""
    if high is not None:
        return f", {low:,} to {high:,}{unit}"
    return "" if low is None else f" from {low}"
