"""The field types that frames are made of, each with the sentence that a wrong value is answered with."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from .models import NIL

MAX_CONTENT: Final = 8_000
"""The longest message, in Unicode code points (R4.8)."""

MAX_PROVIDERS: Final = 32
"""How many providers one conversation may have, unless a setting says otherwise (R4.13)."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def canonical_uuid(text: str) -> str:
    """The id in lower case.

    Raises:
        ValueError: it is not a UUID in its 36-character form (R2.8), or is the nil UUID (R1.8).
    """
    lowered = text.lower()
    if _UUID.fullmatch(lowered) is None:
        raise PydanticCustomError("uuid", "must be a UUID in its 36-character form")
    if lowered == NIL:
        raise PydanticCustomError("nil", "must not be the nil UUID")
    return lowered


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "must not contain NUL")
    return text


def _not_blank(text: str) -> str:
    if not text or text.isspace():
        raise PydanticCustomError("blank", "must not be empty or only white space")
    return text


_ANY_CASE: Final = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
_LOWER_CASE: Final = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

Uuid = Annotated[
    str,
    AfterValidator(canonical_uuid),
    WithJsonSchema({"type": "string", "format": "uuid", "pattern": _ANY_CASE, "not": {"const": NIL}}),
]
"""An id in a command: any case in, lower case from there on (R2.8); never the nil UUID (R1.8)."""

Id = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid", "pattern": _LOWER_CASE})]
"""An id in an event: in lower case, since the server wrote it (S2.2)."""

Text = Annotated[str, AfterValidator(_without_nul)]
"""A string that is used, hence without NUL (R2.5)."""

Content = Annotated[
    str,
    Field(max_length=MAX_CONTENT),
    AfterValidator(_without_nul),
    AfterValidator(_not_blank),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_CONTENT}),
]
"""What a message says: 1 to 8,000 Unicode code points, not all white space, kept exactly as sent (R4.8)."""

Key = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_without_nul)]
"""A client-chosen name of 1 to 64 characters: a `ref` (V2.1), a `client_message_id` (V2.2), an `epoch` (V1.2)."""

Seq = Annotated[int, Field(ge=0)]
"""A place in a conversation's message sequence (V3.1, V3.5)."""

Millis = Annotated[int, Field(ge=0)]
"""Milliseconds since the epoch (S2.2)."""


class Frame(BaseModel):
    """What every part of a frame shares: immutable, strict about types, and deaf to unknown keys (R2.4)."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class V1Only:
    """Marks a field that exists in `vetchat.v1` alone: not read from the base wire, not written to it."""


V1: Final = V1Only()


def v1_only_fields(model: type[BaseModel]) -> frozenset[str]:
    """The names of a model's fields that the base wire does not know."""
    return frozenset(name for name, field in model.model_fields.items() if V1 in field.metadata)
