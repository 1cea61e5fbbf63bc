"""The wire of vetchat.v1: what each event holds at least, and which frames carry `ref` and `offset` (V2.1, V3.2).

Written from the clauses alone. Unlike the base wire, frames may carry more keys than are named here (R2.4).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from tests.conformance import shapes as base
from tests.conformance.shapes import JSON, NIL, Frame, is_uuid

ENVELOPE = ["sender_id", "event", "params"]
"""The keys that every frame has, in their order (S2.2)."""

DURABLE = {"message_sent", "conversation_created", "new_conversation_invitation", "read_marker"}
"""The events that stand in the log and so carry an `offset` (V3.2)."""

CODES = {
    "hello_required",
    "invalid_json",
    "invalid_envelope",
    "unknown_event",
    "invalid_params",
    "sender_mismatch",
    "forbidden_role",
    "not_found",
    "idempotency_conflict",
    "rate_limited",
    "unavailable",
    "internal",
}

COUNTS = {"last_seq": "count", "read_seq": "count", "unread_count": "count", "last_offset": "count"}
MESSAGE = base.MESSAGE | {"seq": "from 1"}
ENTRY = base.CONVERSATION | COUNTS
NEW = base.CONVERSATION | {"duplicate?": "true"}
SUBSCRIPTION = base.SUBSCRIPTION | {"last_seq": "count"}
USER = {"user_id": "uuid", "display_name": "text", "profile_image_url": "https or null"}

WELCOME = {
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

EVENTS: Mapping[str, JSON] = {
    **base.EVENTS,
    "welcome": WELCOME,
    "conversations": [ENTRY],
    "conversation_created": NEW,
    "new_conversation_invitation": base.CONVERSATION,
    "message_sent": MESSAGE | {"duplicate?": "true"},
    "conversation_history_response": {
        "messages": [MESSAGE],
        "total_count": "count",
        "has_more": "flag",
        "has_newer?": "flag",
        "conversation_id": "uuid",
        "last_seq": "count",
    },
    "subscribed": SUBSCRIPTION,
    "error": {"message": "text", "code": "code", "event?": "text", "retry_after_ms?": "from 1"},
    "ok": {},
    "pong": {"offset": "count"},
    "typing": {"conversation_id": "uuid", "user_id": "uuid", "state": "typing", "expires_in_ms?": "count"},
    "read_marker": {"conversation_id": "uuid", "user_id": "uuid", "seq": "from 1"},
    "presence_state": {"conversation_id": "uuid", "users": [USER]},
    "token_expiring": {"token_expires_at": "milliseconds"},
    "refreshed": {"token_expires_at": "milliseconds"},
    "reconnect": {"after_ms": "count"},
}

KINDS: Mapping[str, Callable[[JSON], bool]] = {
    "uuid": lambda value: is_uuid(value) and value != NIL,
    "text": lambda value: isinstance(value, str),
    "epoch": lambda value: isinstance(value, str) and 1 <= len(value) <= 64,
    "count": lambda value: type(value) is int and value >= 0,
    "from 1": lambda value: type(value) is int and value >= 1,
    "milliseconds": lambda value: type(value) is int and base.YEAR_2020_MS < value < base.YEAR_2100_MS,
    "milliseconds or null": lambda value: value is None or KINDS["milliseconds"](value),
    "flag": lambda value: isinstance(value, bool),
    "true": lambda value: value is True,
    "https or null": lambda value: value is None or (isinstance(value, str) and value.startswith("https://")),
    "reason": lambda value: value in ("unsubscribed", "disconnected"),
    "role": lambda value: value in ("client", "provider"),
    "typing": lambda value: value in ("active", "done"),
    "code": lambda value: value in CODES,
    "success": lambda value: value == "success",
}


@dataclass(frozen=True)
class V1Frame(Frame):
    """One frame of vetchat.v1 from the server, known to be well formed."""

    ref: str | None
    offset: int | None


def parse(text: str) -> V1Frame:
    """Judges one text frame from the server and takes it apart.

    Raises:
        AssertionError: it is not a frame of vetchat.v1.
    """
    frame = json.loads(text)
    assert isinstance(frame, dict), f"S2.1: a frame is a JSON object, not {text[:400]}"
    fields = cast("dict[str, JSON]", frame)
    assert [key for key in fields if key in ENVELOPE] == ENVELOPE, f"S2.2: these keys in order: {text[:400]}"
    assert fields["sender_id"] == NIL, f"S2.2: the server's sender_id is the nil UUID: {text[:400]}"
    event, params = fields["event"], fields["params"]
    assert event in EVENTS, f"vetchat.v1 has no event {event!r}: {text[:400]}"
    _check(params, EVENTS[event], f"{event}.params")
    durable = event in DURABLE and "duplicate" not in params
    assert ("offset" in fields) == durable, f"V3.2: durable frames carry an offset, and only they: {text[:400]}"
    assert not durable or KINDS["from 1"](fields["offset"]), f"V3.2: an offset counts: {text[:400]}"
    assert "ref" not in fields or isinstance(fields["ref"], str), f"V2.1: a ref is a string: {text[:400]}"
    return V1Frame(text, event, params, fields.get("ref"), fields.get("offset"))


def _check(value: JSON, shape: JSON, where: str) -> None:
    match shape:
        case dict():
            assert isinstance(value, dict), f"{where} is an object, not {value!r}"
            fields = cast("dict[str, JSON]", value)
            for key, inner in cast("dict[str, JSON]", shape).items():
                name, optional = key.removesuffix("?"), key.endswith("?")
                assert optional or name in fields, f"{where} has a key {name}: {fields}"
                if name in fields:
                    _check(fields[name], inner, f"{where}.{name}")
        case [inner]:
            assert isinstance(value, list), f"{where} is an array, not {value!r}"
            for index, item in enumerate(cast("list[JSON]", value)):
                _check(item, inner, f"{where}[{index}]")
        case _:
            assert KINDS[shape](value), f"{where} is not {shape}: {value!r}"
