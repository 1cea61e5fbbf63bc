"""What machines read: the AsyncAPI document and the JSON Schemas, as files to download."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from vetchat_protocol import asyncapi, schemas
from vetchat_protocol.codec import Dialect


def _asyncapi() -> str:
    return _text(asyncapi.document())


def _schema(dialect: Dialect, direction: schemas.Direction) -> str:
    return _text(schemas.json_schema(dialect, direction))


def _text(document: schemas.Json) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


FILES: Final[Mapping[str, Callable[[], str]]] = {
    "asyncapi.json": _asyncapi,
    **{
        f"schemas/{dialect.value}-{direction}.json": partial(_schema, dialect, direction)
        for dialect in Dialect
        for direction in schemas.DIRECTIONS
    },
}
"""The files by their path under `docs/`."""
