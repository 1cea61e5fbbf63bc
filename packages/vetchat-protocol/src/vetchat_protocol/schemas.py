"""JSON Schemas of all frames, per dialect and direction, from the models and the policy table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, cast, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from .codec import COMMANDS, EVENTS, SUBPROTOCOL, Dialect
from .events import V1_EVENTS
from .fields import Frame, v1_only_fields
from .meanings import meaning
from .rules import RULES

Json = dict[str, Any]

Direction = Literal["commands", "events"]
"""What a client sends, or what a server sends."""

DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)

ABOUT: Final = {
    Dialect.BASE: "The base dialect: no WebSocket subprotocol is offered.",
    Dialect.V1: f"The extension: the subprotocol {SUBPROTOCOL} is offered and echoed.",
}


def frames(dialect: Dialect, direction: Direction) -> dict[str, type[Frame]]:
    """The classes of all frames that go this way in this dialect, by their event."""
    if direction == "commands":
        return {event: command for event, command in COMMANDS.items() if dialect in RULES[event].dialects}
    return {name: event for name, event in EVENTS.items() if dialect is Dialect.V1 or event not in V1_EVENTS}


def json_schema(dialect: Dialect, direction: Direction) -> Json:
    """One JSON Schema (2020-12) that any of these frames satisfies; `$defs` has each by its class's name.

    What a schema cannot say (who may do what, white space, one anchor at most) the clauses do.
    """
    classes = frames(dialect, direction).values()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"VetChat, {dialect.value}: {direction}",
        "description": ABOUT[dialect],
        "oneOf": [{"$ref": f"#/$defs/{frame.__name__}"} for frame in classes],
        "$defs": definitions(dialect, direction, "#/$defs/{model}"),
    }


@cache
def frame_schema(dialect: Dialect, direction: Direction, event: str) -> Json:
    """The JSON Schema (2020-12) of one frame, by its event."""
    whole = json_schema(dialect, direction)
    name = frames(dialect, direction)[event].__name__
    return {"$schema": whole["$schema"], "$ref": f"#/$defs/{name}", "$defs": whole["$defs"]}


def definitions(dialect: Dialect, direction: Direction, template: str) -> Json:
    """Every frame's schema and those of the parts inside them, by class name; `template` makes references of names."""
    classes = frames(dialect, direction).values()
    _, schema = models_json_schema([(frame, "validation") for frame in classes], ref_template=template)
    found = cast("Json", schema["$defs"])
    named = {part.__name__: part for part in _with_parts(classes, dialect)}
    return {name: _fitted(named[name], found[name], dialect, direction) for name in sorted(named)}


def _with_parts(types: Iterable[type], dialect: Dialect) -> Iterator[type]:
    """These models and enumerations, and all that stand inside the fields that the dialect has."""
    for one in types:
        yield one
        if issubclass(one, BaseModel):
            for field in _shown(one, dialect).values():
                yield from _with_parts(_types_in(field.annotation), dialect)


def _types_in(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel | Enum):
        yield annotation
    for part in get_args(annotation):
        yield from _types_in(part)


def _shown(model: type[BaseModel], dialect: Dialect) -> dict[str, FieldInfo]:
    hidden = v1_only_fields(model) if dialect is Dialect.BASE else frozenset[str]()
    return {name: field for name, field in model.model_fields.items() if name not in hidden}


def _fitted(model: type, schema: Json, dialect: Dialect, direction: Direction) -> Json:
    """A model's schema as the wire has it: without what the dialect lacks, every key with its meaning."""
    if not issubclass(model, BaseModel):
        return schema
    shown = _shown(model, dialect)
    properties = {name: _property(model, name, field, schema["properties"][name]) for name, field in shown.items()}
    required = [name for name, field in shown.items() if _is_required(name, field, direction)]
    return {
        "type": "object",
        "title": model.__name__,
        "description": schema["description"],
        "properties": properties,
        **({"required": required} if required else {}),
    }


def _property(model: type[BaseModel], name: str, field: FieldInfo, schema: Json) -> Json:
    """One key: in an event null means absent and so cannot come; in a command no params may be null (R2.4)."""
    fitted = {key: value for key, value in schema.items() if key != "title"}
    if field.default is None or name in ("event", "sender_id", "params"):
        fitted.pop("default", None)
    if field.exclude_if is not None:
        (present,) = (choice for choice in fitted.pop("anyOf") if choice != {"type": "null"})
        fitted |= present
    if name == "params" and not field.is_required() and "$ref" in fitted:
        fitted = {"anyOf": [fitted, {"type": "null"}]}
    return {"description": meaning(model, name), **fitted}


def _is_required(name: str, field: FieldInfo, direction: Direction) -> bool:
    """A server writes every key that it does not leave out for being absent; a client may leave defaults to it."""
    return field.exclude_if is None if direction == "events" else field.is_required() or name == "event"
