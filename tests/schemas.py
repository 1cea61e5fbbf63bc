"""Every frame that a test hears is judged by the published JSON Schemas, which must know each of its keys."""

import json
from functools import cache
from typing import Any, TypeVar, cast

from jsonschema_rs import Draft202012Validator
from vetchat_protocol.codec import Dialect
from vetchat_protocol.schemas import frame_schema

from tests.conformance.shapes import JSON, Frame

F = TypeVar("F", bound=Frame)


def published(frame: F, dialect: Dialect) -> F:
    """The frame again, which is one that the published schema of its event describes to the last key."""
    error = next(validator(dialect, frame.event).iter_errors(json.loads(frame.text)), None)
    assert error is None, f"the schema of {frame.event} says at {error.instance_path}: {error.message}: {frame}"
    return frame


@cache
def validator(dialect: Dialect, event: str) -> Draft202012Validator:
    """The schema of an event, made strict about keys that it does not name."""
    return Draft202012Validator(closed(frame_schema(dialect, "events", event)), validate_formats=True)


def closed(schema: JSON) -> Any:
    """A schema that admits no key beside those it names."""
    if isinstance(schema, list):
        return [closed(part) for part in cast("list[JSON]", schema)]
    if not isinstance(schema, dict):
        return schema
    parts = {key: closed(part) for key, part in cast("dict[str, JSON]", schema).items()}
    return parts | {"additionalProperties": False} if parts.get("type") == "object" else parts
