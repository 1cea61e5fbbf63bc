"""The machine-readable specification is valid, complete, and says of frames what the codec says."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema_rs import Draft7Validator, Draft202012Validator, meta
from vetchat_protocol import asyncapi
from vetchat_protocol.codec import COMMANDS, EVENTS, Dialect, read_command, read_envelope
from vetchat_protocol.errors import Refusal
from vetchat_protocol.rules import RULES
from vetchat_protocol.schemas import DIRECTIONS, Direction, frame_schema, json_schema

from tests.running import ServerProcess

OFFICIAL: Final = Path(__file__).parent / "asyncapi" / "schema-3.0.0.json"
ID: Final = "3f2b7c1e-9a54-4d0f-8a6b-5c1d2e7f9a01"
NIL: Final = "00000000-0000-0000-0000-000000000000"

CASES: Final[list[tuple[str, Any]]] = [
    ("conversations", {}),
    ("conversations", None),
    ("conversations", {"limit": 1_000, "before": 0}),
    ("conversations", {"limit": 0}),
    ("conversations", {"limit": 1_001}),
    ("conversations", {"limit": None}),
    ("conversations", []),
    ("message", {"conversation_id": ID, "content": "Hello."}),
    ("message", {"conversation_id": ID.upper(), "content": "Hello.", "unknown": 1}),
    ("message", {"conversation_id": ID, "content": ""}),
    ("message", {"conversation_id": ID, "content": "x" * 8_000}),
    ("message", {"conversation_id": ID, "content": "x" * 8_001}),
    ("message", {"conversation_id": ID, "content": 1}),
    ("message", {"conversation_id": NIL, "content": "Hello."}),
    ("message", {"conversation_id": ID[:-1], "content": "Hello."}),
    ("message", {"conversation_id": f"{{{ID}}}", "content": "Hello."}),
    ("message", {"content": "Hello."}),
    ("message", None),
    ("message", {"conversation_id": ID, "content": "Hello.", "client_message_id": "a" * 64}),
    ("message", {"conversation_id": ID, "content": "Hello.", "client_message_id": "a" * 65}),
    ("message", {"conversation_id": ID, "content": "Hello.", "client_message_id": ""}),
    ("message", {"conversation_id": ID, "content": "Hello.", "client_message_id": 1}),
    ("new_conversation", {"pet_id": ID, "providers": []}),
    ("new_conversation", {"pet_id": ID, "providers": [ID, "b81d4f92-6c37-4e5a-9d20-74f0c3a1e802"]}),
    ("new_conversation", {"pet_id": ID, "providers": [NIL]}),
    ("new_conversation", {"pet_id": ID, "providers": None}),
    ("new_conversation", {"pet_id": ID}),
    ("conversation_history", {"conversation_id": ID}),
    ("conversation_history", {"conversation_id": ID, "page": 2**31 - 1, "limit": 100}),
    ("conversation_history", {"conversation_id": ID, "page": 2**31}),
    ("conversation_history", {"conversation_id": ID, "page": -1}),
    ("conversation_history", {"conversation_id": ID, "page": "0"}),
    ("conversation_history", {"conversation_id": ID, "page": None}),
    ("conversation_history", {"conversation_id": ID, "limit": 101}),
    ("conversation_history", {"conversation_id": ID, "around": 0, "subscribe": False}),
    ("conversation_history", {"conversation_id": ID, "after": -1}),
    ("conversation_history", {"conversation_id": ID, "subscribe": None}),
    ("subscribe_conversation", {"conversation_id": ID}),
    ("unsubscribe_conversation", {"conversation_id": ID, "status": 7}),
    ("hello", {}),
    ("hello", None),
    ("hello", {"token": "t", "resume": {"epoch": "e", "offset": 0}}),
    ("hello", {"resume": {"epoch": "", "offset": 0}}),
    ("hello", {"resume": {"epoch": "e", "offset": -1}}),
    ("hello", {"resume": {"epoch": "e"}}),
    ("refresh", {}),
    ("typing", {"conversation_id": ID, "state": "active"}),
    ("typing", {"conversation_id": ID, "state": "asleep"}),
    ("mark_read", {"conversation_id": ID, "seq": 0}),
    ("mark_read", {"conversation_id": ID, "seq": True}),
    ("ping", None),
    ("ping", {"offset": 5}),
    ("ping", {"offset": 1.5}),
]
"""Params of commands on both sides of what is allowed."""


@cache
def command_validator(dialect: Dialect, event: str) -> Draft202012Validator:
    return Draft202012Validator(frame_schema(dialect, "commands", event))


def test_the_document_is_valid_by_the_official_schema() -> None:
    official = Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))
    assert [f"{error.instance_path}: {error.message}" for error in official.iter_errors(asyncapi.document())] == []


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = asyncapi.document()
    references = _references(document)
    assert references
    for reference in references:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return {found for part in value for found in _references(part)}  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(value, dict):
        return set()
    inside = {found for part in value.values() for found in _references(part)}  # pyright: ignore[reportUnknownVariableType]
    return inside | {value["$ref"]} if "$ref" in value else inside


def test_every_command_is_an_operation_with_the_answers_that_the_policy_table_gives_it() -> None:
    operations = asyncapi.document()["operations"]
    named = {
        f"{'base' if dialect is Dialect.BASE else 'v1'}.{event}"
        for event, rule in RULES.items()
        for dialect in rule.dialects
    }
    assert operations.keys() == named | {"base.push", "v1.push"}
    assert operations["v1.mark_read"]["reply"]["messages"] == [
        {"$ref": f"#/channels/v1/messages/v1.events.{name}"} for name in ("read_marker", "ok", "error")
    ]
    assert operations["base.new_conversation"]["x-roles"] == ["client"]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("dialect", Dialect)
def test_each_json_schema_is_a_valid_schema_of_every_frame(dialect: Dialect, direction: Direction) -> None:
    schema = json_schema(dialect, direction)
    meta.validate(schema)
    known = COMMANDS if direction == "commands" else EVENTS
    shown = {reference["$ref"].removeprefix("#/$defs/") for reference in schema["oneOf"]}
    if dialect is Dialect.V1:
        assert shown == {frame.__name__ for frame in known.values()}
    else:
        assert shown < {frame.__name__ for frame in known.values()}
        assert "seq" not in json.dumps(schema["$defs"].get("MessageParams", {})["properties"])


@pytest.mark.clause("R2.5", "R2.8", "V2.3")
@pytest.mark.parametrize(("event", "params"), CASES)
def test_a_command_fits_its_schema_exactly_when_the_codec_takes_it(event: str, params: Any) -> None:
    text = json.dumps({"event": event, "params": params, "ref": "r"})
    for dialect in RULES[event].dialects:
        assert command_validator(dialect, event).is_valid(json.loads(text)) == _is_taken(text, dialect), dialect


@pytest.mark.clause("V2.1")
@pytest.mark.parametrize("ref", ["r", "r" * 64, "r" * 65, "", None, 1])
def test_a_ref_fits_its_schema_exactly_when_the_codec_takes_it(ref: Any) -> None:
    text = json.dumps({"event": "ping", "ref": ref})
    assert command_validator(Dialect.V1, "ping").is_valid(json.loads(text)) == _is_taken(text, Dialect.V1)


def _is_taken(text: str, dialect: Dialect) -> bool:
    try:
        read_command(read_envelope(text, dialect), dialect)
    except Refusal:
        return False
    return True


def test_a_running_server_serves_the_document(open_server: ServerProcess) -> None:
    status, body = open_server.get("/asyncapi.json")
    assert (status, json.loads(body)) == (200, asyncapi.document("/ws/"))
