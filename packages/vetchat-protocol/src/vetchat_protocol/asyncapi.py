"""The protocol for machines: an AsyncAPI 3.0 document from the frames and the policy table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from .clauses import CLAUSES
from .codec import COMMANDS, EVENTS, Dialect
from .events import Error
from .meanings import meaning
from .rules import RULES, Rule
from .schemas import ABOUT, DIRECTIONS, Direction, Json, definitions, frames

VERSION: Final = "1.0.0"
"""The version of the wire, which is not that of a package: it changes when a clause does."""

_SHORT: Final = {Dialect.BASE: "base", Dialect.V1: "v1"}
"""The dialects' names inside an AsyncAPI document, whose keys have few characters to choose from."""


def document(address: str = "/ws/") -> Json:
    """The AsyncAPI 3.0 document of a server whose endpoint has this path: what it receives and what it answers."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "VetChat",
            "version": VERSION,
            "description": "A chat between pet owners and vets. The numbers in brackets are the protocol's clauses.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {_SHORT[dialect]: _channel(dialect, address) for dialect in Dialect},
        "operations": dict(_operations()),
        "components": {
            "messages": {key: message for dialect in Dialect for key, message in _messages(dialect)},
            "schemas": {
                _key(dialect, direction, name): schema
                for dialect in Dialect
                for direction in DIRECTIONS
                for name, schema in definitions(dialect, direction, _reference(dialect, direction)).items()
            },
        },
    }


def _key(dialect: Dialect, direction: Direction, name: str) -> str:
    return f"{_SHORT[dialect]}.{direction}.{name}"


def _reference(dialect: Dialect, direction: Direction) -> str:
    return f"#/components/schemas/{_key(dialect, direction, '{model}')}"


def _channel(dialect: Dialect, address: str) -> Json:
    keys = [_key(dialect, direction, name) for direction in DIRECTIONS for name in frames(dialect, direction)]
    return {
        "address": address,
        "title": dialect.value,
        "description": f"{ABOUT[dialect]} {CLAUSES['S2.1'].text}",
        "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in keys},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }


def _messages(dialect: Dialect) -> Iterator[tuple[str, Json]]:
    for direction in DIRECTIONS:
        for name, frame in frames(dialect, direction).items():
            message: Json = {
                "name": name,
                "title": f"{name} ({dialect.value})",
                "summary": frame.__doc__,
                "payload": {"$ref": _reference(dialect, direction).format(model=frame.__name__)},
            }
            if dialect is Dialect.V1 and "ref" in frame.model_fields:
                message["correlationId"] = {"location": "$message.payload#/ref", "description": meaning(frame, "ref")}
            yield _key(dialect, direction, name), message


def _operations() -> Iterator[tuple[str, Json]]:
    for dialect in Dialect:
        answers = {frame: name for name, frame in EVENTS.items()}
        for event in frames(dialect, "commands"):
            rule = RULES[event]
            replies = [answers[frame] for frame in (rule.answer, rule.otherwise, Error) if frame is not None]
            yield f"{_SHORT[dialect]}.{event}", _operation(dialect, event, rule, replies)
        pushes = [_message_in(dialect, "events", name) for name in frames(dialect, "events")]
        yield f"{_SHORT[dialect]}.push", _pushing(dialect, pushes)


def _operation(dialect: Dialect, event: str, rule: Rule, replies: Iterable[str]) -> Json:
    return {
        "action": "receive",
        "channel": _channel_of(dialect),
        "summary": COMMANDS[event].__doc__,
        "messages": [_message_in(dialect, "commands", event)],
        "reply": {
            "channel": _channel_of(dialect),
            "messages": [_message_in(dialect, "events", name) for name in replies],
        },
        "x-roles": sorted(role.value for role in rule.roles),
        "x-participants-only": rule.participants_only,
        "x-subscription": rule.effect.value,
    }


def _pushing(dialect: Dialect, messages: list[Json]) -> Json:
    return {
        "action": "send",
        "channel": _channel_of(dialect),
        "summary": "What the server says: answers, and what happens elsewhere.",
        "messages": messages,
    }


def _channel_of(dialect: Dialect) -> Json:
    return {"$ref": f"#/channels/{_SHORT[dialect]}"}


def _message_in(dialect: Dialect, direction: Direction, name: str) -> Json:
    return {"$ref": f"#/channels/{_SHORT[dialect]}/messages/{_key(dialect, direction, name)}"}
