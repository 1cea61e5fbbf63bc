"""The base wire as the seed writes it down: each event's keys in their order, and what kind of value each one holds.

Written from the clauses alone; every frame that a test peer receives is judged by it (S2.1, S2.2).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

NIL = "00000000-0000-0000-0000-000000000000"
JSON = Any
"""A value as `json.loads` gives it."""

CONVERSATION = {
    "id": "uuid",
    "providers": ["uuid"],
    "client": "uuid",
    "pet": "uuid",
    "last_message": "text",
    "last_updated_timestamp": "milliseconds",
}
MESSAGE = {"id": "uuid", "conversation_id": "uuid", "sender_id": "uuid", "content": "text", "timestamp": "milliseconds"}
SUBSCRIPTION = {"conversation_id": "uuid", "status": "success"}
PRESENCE = {
    "user_id": "uuid",
    "display_name": "text",
    "profile_image_url": "https or null",
    "conversation_id": "uuid",
    "timestamp": "milliseconds",
}
EVENTS: Mapping[str, JSON] = {
    "conversations": [CONVERSATION],
    "conversation_created": CONVERSATION,
    "new_conversation_invitation": CONVERSATION,
    "message_sent": MESSAGE,
    "conversation_history_response": {"messages": [MESSAGE], "total_count": "count", "has_more": "flag"},
    "subscribed": SUBSCRIPTION,
    "unsubscribed": SUBSCRIPTION,
    "user_joined": PRESENCE,
    "user_left": PRESENCE | {"reason": "reason"},
    "error": {"message": "text"},
}

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
YEAR_2020_MS = 1_577_836_800_000
YEAR_2100_MS = 4_102_444_800_000


@dataclass(frozen=True)
class Frame:
    """One frame from the server, known to be well formed; `text` is what came over the wire."""

    text: str
    event: str
    params: JSON

    def __str__(self) -> str:
        return self.text if len(self.text) <= 400 else f"{self.text[:400]}… ({len(self.text)} characters)"


def parse(text: str) -> Frame:
    """Judges one text frame from the server and takes it apart.

    Raises:
        AssertionError: it is not exactly a frame of the base wire.
    """
    frame = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    assert isinstance(frame, dict), f"S2.1: a frame is a JSON object, not {text[:400]}"
    fields = cast("dict[str, JSON]", frame)
    assert list(fields) == ["sender_id", "event", "params"], f"S2.2: these keys in this order: {text[:400]}"
    assert fields["sender_id"] == NIL, f"S2.2: the server's sender_id is the nil UUID: {text[:400]}"
    event = fields["event"]
    assert event in EVENTS, f"the base wire has no event {event!r}: {text[:400]}"
    _check(fields["params"], EVENTS[event], f"{event}.params")
    return Frame(text, event, fields["params"])


def is_uuid(value: JSON) -> bool:
    """Lower case, with hyphens (S2.2)."""
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def _check(value: JSON, shape: JSON, where: str) -> None:
    match shape:
        case dict():
            shapes = cast("dict[str, JSON]", shape)
            assert isinstance(value, dict), f"{where} is an object, not {value!r}"
            fields = cast("dict[str, JSON]", value)
            assert list(fields) == list(shapes), f"{where} has the keys {list(shapes)}, not {list(fields)}"
            for key, inner in shapes.items():
                _check(fields[key], inner, f"{where}.{key}")
        case [inner]:
            assert isinstance(value, list), f"{where} is an array, not {value!r}"
            for index, item in enumerate(cast("list[JSON]", value)):
                _check(item, inner, f"{where}[{index}]")
        case _:
            assert _is_a(str(shape), value), f"{where} is not a {shape}: {value!r}"


def _is_a(kind: str, value: JSON) -> bool:
    match kind:
        case "uuid":
            return is_uuid(value) and value != NIL
        case "text":
            return isinstance(value, str)
        case "milliseconds":
            return type(value) is int and YEAR_2020_MS < value < YEAR_2100_MS
        case "count":
            return type(value) is int and value >= 0
        case "flag":
            return isinstance(value, bool)
        case "https or null":
            return value is None or (isinstance(value, str) and value.startswith("https://"))
        case "reason":
            return value in ("unsubscribed", "disconnected")
        case _:
            return value == kind


def _without_doubles(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    assert len({key for key, _ in pairs}) == len(pairs), f"a key comes twice: {[key for key, _ in pairs]}"
    return dict(pairs)


def _no_constant(name: str) -> JSON:
    raise AssertionError(f"{name} is not JSON")
