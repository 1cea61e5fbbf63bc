"""The form of every event: which keys, which kinds of values, and the clause that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, TypeGuard, cast

__all__ = ["DURABLE", "JSON", "NIL", "Dialect", "Shape", "is_array", "is_object", "is_uuid", "misfits", "shapes"]

JSON = Any
"""A value as `json.loads` gives it."""

Dialect = Literal["base", "v1"]

NIL: Final = "00000000-0000-0000-0000-000000000000"
DURABLE: Final = frozenset({"message_sent", "conversation_created", "new_conversation_invitation", "read_marker"})
"""The events that stand in the log and so carry an `offset` (V3.2)."""

CODES: Final = frozenset(
    {
        *("hello_required", "invalid_json", "invalid_envelope", "unknown_event", "invalid_params", "sender_mismatch"),
        *("forbidden_role", "not_found", "idempotency_conflict", "rate_limited", "unavailable", "internal"),
    }
)
YEAR_2020_MS: Final = 1_577_836_800_000
YEAR_2100_MS: Final = 4_102_444_800_000
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Shape:
    """What `params` of an event hold; a key that ends in `?` may be missing. `clause` is the one that lists them."""

    clause: str
    params: JSON


_CONVERSATION: Final = {
    "id": "uuid",
    "providers": ["uuid"],
    "client": "uuid",
    "pet": "uuid",
    "last_message": "text",
    "last_updated_timestamp": "milliseconds",
}
_MESSAGE: Final = {
    "id": "uuid",
    "conversation_id": "uuid",
    "sender_id": "uuid",
    "content": "text",
    "timestamp": "milliseconds",
}
_SUBSCRIPTION: Final = {"conversation_id": "uuid", "status": "success"}
_PROFILE: Final = {"user_id": "uuid", "display_name": "text", "profile_image_url": "https or null"}
_PRESENCE: Final = _PROFILE | {"conversation_id": "uuid", "timestamp": "milliseconds"}
_HISTORY: Final = {"messages": [_MESSAGE], "total_count": "count", "has_more": "flag"}

_BASE: Final[Mapping[str, Shape]] = {
    "conversations": Shape("S4.1", [_CONVERSATION]),
    "conversation_created": Shape("S4.12", _CONVERSATION),
    "new_conversation_invitation": Shape("S4.12", _CONVERSATION),
    "message_sent": Shape("S4.5", _MESSAGE),
    "conversation_history_response": Shape("S4.16", _HISTORY),
    "subscribed": Shape("S4.20", _SUBSCRIPTION),
    "unsubscribed": Shape("S4.21", _SUBSCRIPTION),
    "user_joined": Shape("R5.4", _PRESENCE),
    "user_left": Shape("R5.4", _PRESENCE | {"reason": "reason"}),
    "error": Shape("S6.1", {"message": "text"}),
}

_NUMBERED: Final = _MESSAGE | {"seq": "from 1"}
_ENTRY: Final = _CONVERSATION | dict.fromkeys(("last_seq", "read_seq", "unread_count", "last_offset"), "count")
_WELCOME: Final = {
    "user_id": "uuid",
    "role": "role",
    "session_id": "uuid",
    "epoch": "epoch",
    "offset": "count",
    "recovered": "flag",
    "heartbeat_interval_ms": "from 1",
    "token_expires_at": "milliseconds or null",
    "limits": {"content_chars": "from 1", "frame_bytes": "from 1"},
}

_V1: Final[Mapping[str, Shape]] = {
    **_BASE,
    "conversations": Shape("V4.2", [_ENTRY]),
    "conversation_created": Shape("S4.12", _CONVERSATION | {"duplicate?": "true"}),
    "message_sent": Shape("V3.1", _NUMBERED | {"duplicate?": "true"}),
    "conversation_history_response": Shape(
        "V3.5",
        _HISTORY | {"messages": [_NUMBERED], "has_newer?": "flag", "conversation_id": "uuid", "last_seq": "count"},
    ),
    "subscribed": Shape("V3.5", _SUBSCRIPTION | {"last_seq": "count"}),
    "error": Shape("V2.3", {"message": "text", "code": "code", "event?": "text", "retry_after_ms?": "from 1"}),
    "welcome": Shape("V1.2", _WELCOME),
    "ok": Shape("V2.4", {}),
    "pong": Shape("V5.1", {"offset": "count"}),
    "typing": Shape("V4.1", {"conversation_id": "uuid", "user_id": "uuid", "state": "typing"}),
    "read_marker": Shape("V4.2", {"conversation_id": "uuid", "user_id": "uuid", "seq": "from 1"}),
    "presence_state": Shape("V4.3", {"conversation_id": "uuid", "users": [_PROFILE]}),
    "token_expiring": Shape("V1.5", {"token_expires_at": "milliseconds"}),
    "refreshed": Shape("V1.5", {"token_expires_at": "milliseconds or null"}),
    "reconnect": Shape("V5.4", {"after_ms": "count"}),
}

_FROM_S2_2: Final = frozenset({"uuid", "milliseconds", "milliseconds or null"})
"""The kinds of values whose form is stated once for all events."""


def shapes(dialect: Dialect) -> Mapping[str, Shape]:
    """Each event that a server may send in this dialect."""
    return MappingProxyType(dict(_BASE if dialect == "base" else _V1))


def is_object(value: JSON) -> TypeGuard[dict[str, JSON]]:
    """Whether a value is a JSON object."""
    return isinstance(value, dict)


def is_array(value: JSON) -> TypeGuard[list[JSON]]:
    """Whether a value is a JSON array."""
    return isinstance(value, list)


def is_uuid(value: JSON) -> bool:
    """Lower case, with hyphens (S2.2)."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def misfits(value: JSON, shape: Shape, where: str, *, exact: bool) -> Iterator[tuple[str, str]]:
    """Each place where `value` is not of this shape, as the clause it breaks and a sentence.

    With `exact` no other keys may be there: the base wire has no extra key, `vetchat.v1` may have more.
    """
    yield from _misfits(value, shape.params, shape.clause, where, exact)


def _misfits(value: JSON, shape: JSON, clause: str, where: str, exact: bool) -> Iterator[tuple[str, str]]:
    match shape:
        case dict():
            yield from _in_object(value, cast("dict[str, JSON]", shape), clause, where, exact)
        case [inner]:
            if not is_array(value):
                yield clause, f"{where} must be an array."
                return
            for index, item in enumerate(value):
                yield from _misfits(item, inner, clause, f"{where}[{index}]", exact)
        case _:
            if not _is_a(str(shape), value):
                yield "S2.2" if shape in _FROM_S2_2 else clause, f"{where} must be {_WORDS.get(shape, repr(shape))}."


def _in_object(
    value: JSON, shape: Mapping[str, JSON], clause: str, where: str, exact: bool
) -> Iterator[tuple[str, str]]:
    if not is_object(value):
        yield clause, f"{where} must be an object."
        return
    named = {key.removesuffix("?"): (inner, key.endswith("?")) for key, inner in shape.items()}
    for key, (inner, optional) in named.items():
        if key in value:
            yield from _misfits(value[key], inner, clause, f"{where}.{key}", exact)
        elif not optional:
            yield clause, f"{where} must have the key {key!r}."
    if exact:
        for key in value.keys() - named.keys():
            yield clause, f"{where} must not have the key {key!r} on the base wire."


_WORDS: Final[Mapping[str, str]] = {
    "uuid": "a UUID in lower case with hyphens, and not N",
    "text": "a string",
    "count": "an integer from 0",
    "from 1": "an integer from 1",
    "flag": "true or false",
    "milliseconds": "a time in whole milliseconds since the Unix epoch",
    "milliseconds or null": "a time in whole milliseconds since the Unix epoch, or null",
    "https or null": "an https URL or null",
    "reason": '"unsubscribed" or "disconnected"',
    "role": '"client" or "provider"',
    "typing": '"active" or "done"',
    "epoch": "a string of 1 to 64 characters",
    "code": "one of the codes of V2.3",
    "true": "true, or left out",
}


def _is_a(kind: str, value: JSON) -> bool:
    match kind:
        case "uuid":
            return is_uuid(value) and value != NIL
        case "text":
            return isinstance(value, str)
        case "count" | "from 1":
            return type(value) is int and value >= (1 if kind == "from 1" else 0)
        case "milliseconds":
            return type(value) is int and YEAR_2020_MS < value < YEAR_2100_MS
        case "milliseconds or null" | "https or null":
            return value is None or _is_a(kind.removesuffix(" or null"), value)
        case "https":
            return isinstance(value, str) and value.startswith("https://")
        case "flag":
            return isinstance(value, bool)
        case "epoch":
            return isinstance(value, str) and 1 <= len(value) <= 64
        case "code":
            return value in CODES
        case "true":
            return value is True
        case _:
            return value in _CHOICES.get(kind, (kind,))


_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "reason": ("unsubscribed", "disconnected"),
    "role": ("client", "provider"),
    "typing": ("active", "done"),
}
