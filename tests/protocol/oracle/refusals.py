"""What the clauses make of one frame that a peer sends: whether it is refused, and why (V2.3).

Imports nothing of what it judges.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from tests.protocol.oracle.ledger import JSON, Ledger, Person

NIL = "00000000-0000-0000-0000-000000000000"
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Command:
    """One frame that was said; `refusal` is the code that it must be refused with, None if it is in order.

    `event` and `params` are empty where they could not be read; ids in `params` are in lower case.
    """

    text: str | bytes
    refusal: str | None
    event: str = ""
    ref: str | None = None
    params: Mapping[str, JSON] = field(default_factory=dict[str, JSON])

    @property
    def conversation_id(self) -> str | None:
        return self.params.get("conversation_id")

    @property
    def subscribes(self) -> bool:
        """Whether, in order, it subscribes the connection that says it (S5.1)."""
        if self.event == "conversation_history":
            return bool(self.params.get("subscribe", True))
        return self.event in ("subscribe_conversation", "message")


def read(text: str | bytes, person: Person | None, ledger: Ledger, *, v1: bool) -> Command:
    """Judges a frame as the server must; without a `person` nobody has said hello yet (V1.1)."""
    frame = _object(text)
    if isinstance(frame, str):
        return Command(text, frame)
    ref = frame.get("ref") if v1 else None
    if ref is not None and not (isinstance(ref, str) and 1 <= len(ref) <= 64):
        return Command(text, "invalid_envelope")
    event, sender, params = frame.get("event"), frame.get("sender_id", NIL), frame.get("params")
    if not isinstance(event, str) or not isinstance(sender, str) or not isinstance(params, dict | None):
        return Command(text, "invalid_envelope", ref=ref)
    command = Command(text, None, event, ref, _lowered(cast("dict[str, JSON]", params or {}), v1=v1))
    known = list(_PARAMS) if v1 else BASE_COMMANDS
    if person is None and event != "hello":
        refusal = "hello_required"
    elif event not in known:
        refusal = "unknown_event"
    elif person is not None and sender.lower() not in (NIL, person.id):
        refusal = "sender_mismatch"
    else:
        refusal = _refusal(command, person, ledger)
    return replace(command, refusal=refusal)


def _object(text: str | bytes) -> dict[str, JSON] | str:
    if isinstance(text, bytes):
        return "invalid_json"
    try:
        frame = json.loads(text)
    except ValueError:
        return "invalid_json"
    return cast("dict[str, JSON]", frame) if isinstance(frame, dict) else "invalid_envelope"


_BASE_PARAMS = {"conversation_id", "content", "pet_id", "providers", "page", "limit"}


def _lowered(params: Mapping[str, JSON], *, v1: bool) -> Mapping[str, JSON]:
    """The params that are known on this wire, ids in lower case (R2.4, R2.8)."""
    ids = ("conversation_id", "pet_id")
    known = {key: value for key, value in params.items() if v1 or key in _BASE_PARAMS}
    return {key: value.lower() if key in ids and isinstance(value, str) else value for key, value in known.items()}


def _refusal(command: Command, person: Person | None, ledger: Ledger) -> str | None:
    """Params, role and participation, in that order."""
    event, params = command.event, command.params
    if not all(in_order(params.get(key)) for key, in_order in _PARAMS[event].items()):
        return "invalid_params"
    if person is None or event == "hello":
        return None if person is None else "invalid_params"
    if event == "new_conversation":
        if person.role != "client":
            return "forbidden_role"
        return "invalid_params" if person.id in [one.lower() for one in params["providers"]] else None
    if "conversation_id" in _PARAMS[event]:
        thread = ledger.threads.get(params["conversation_id"])
        if thread is None or not thread.includes(person):
            return "not_found"
        if event == "mark_read" and params["seq"] > len(thread.messages):
            return "invalid_params"
    return None


def _id(value: JSON) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None and value != NIL


def _content(value: JSON) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 8_000 and not value.isspace() and "\0" not in value


def _providers(value: JSON) -> bool:
    if not isinstance(value, list):
        return False
    providers = cast("list[JSON]", value)
    return all(_id(one) for one in providers) and len({one.lower() for one in providers}) <= 32


def _optional(in_order: Callable[[JSON], bool]) -> Callable[[JSON], bool]:
    return lambda value: value is None or in_order(value)


def _between(low: int, high: int | None = None) -> Callable[[JSON], bool]:
    return lambda value: type(value) is int and low <= value and (high is None or value <= high)


def _one_of(*values: JSON) -> Callable[[JSON], bool]:
    return lambda value: value in values


def _key(value: JSON) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 64


_PARAMS: Mapping[str, Mapping[str, Callable[[JSON], bool]]] = {
    "conversations": {"limit": _optional(_between(1, 1_000)), "before": _optional(_between(0))},
    "message": {"conversation_id": _id, "content": _content, "client_message_id": _optional(_key)},
    "new_conversation": {"pet_id": _id, "providers": _providers, "client_conversation_id": _optional(_key)},
    "conversation_history": {
        "conversation_id": _id,
        "page": _optional(_between(0, 2**31 - 1)),
        "limit": _optional(_between(1, 100)),
        "before": _optional(_between(0)),
        "after": _optional(_between(0)),
        "around": _optional(_between(0)),
    },
    "subscribe_conversation": {"conversation_id": _id},
    "unsubscribe_conversation": {"conversation_id": _id},
    "hello": {},
    "refresh": {"token": _optional(_key)},
    "typing": {"conversation_id": _id, "state": _one_of("active", "done")},
    "mark_read": {"conversation_id": _id, "seq": _between(0)},
    "ping": {"offset": _optional(_between(0))},
}
BASE_COMMANDS = list(_PARAMS)[:6]
