"""Every example frame of the site is one that a client may send, or exactly what the server would write."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema_rs import Draft202012Validator
from vetchat_protocol.codec import EVENTS, Dialect, read_command, read_envelope, read_event, write_event
from vetchat_protocol.events import V1_EVENTS
from vetchat_protocol.models import NIL
from vetchat_protocol.rules import RULES
from vetchat_protocol.schemas import Direction, frame_schema

from docs.generator.examples import examples, on_base
from tests.schemas import closed

PROTOCOL: Final = Path(__file__).parents[2] / "docs" / "protocol"


def fenced(page: str) -> list[str]:
    """The frames that stand by themselves in a block of JSON."""
    text = (PROTOCOL / page).read_text(encoding="utf-8")
    return re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def told(page: str) -> list[str]:
    """The frames of conversations, which stand after an arrow."""
    return re.findall(r"^[→←] (\{.*\})$", (PROTOCOL / page).read_text(encoding="utf-8"), re.MULTILINE)


FRAMES: Final = [
    *((Dialect.BASE, frame) for frame in fenced("index.md")),
    *((Dialect.V1, frame) for frame in told("v1.md")),
    *((Dialect.V1, json.dumps(frame)) for part in examples().values() for frame in part.values()),
    *(
        (Dialect.BASE, json.dumps(on_base("commands", event)))
        for event in RULES
        if Dialect.BASE in RULES[event].dialects
    ),
]
FROM_SERVER: Final = [frame for frame in FRAMES if json.loads(frame[1]).get("sender_id") == NIL]
FROM_CLIENT: Final = [frame for frame in FRAMES if frame not in FROM_SERVER]


def name(value: object) -> str | None:
    return json.loads(value)["event"] if isinstance(value, str) and not isinstance(value, Dialect) else None


def in_order(frame: str) -> Any:
    """The frame in a form that differs when keys stand in another order."""
    return json.loads(frame, object_pairs_hook=list)


@cache
def validator(dialect: Dialect, direction: Direction, event: str) -> Draft202012Validator:
    return Draft202012Validator(closed(frame_schema(dialect, direction, event)), validate_formats=True)


@pytest.mark.clause("S2.1", "S2.2")
@pytest.mark.parametrize(("dialect", "frame"), FROM_SERVER, ids=name)
def test_an_example_event_is_what_the_server_would_write(dialect: Dialect, frame: str) -> None:
    assert in_order(write_event(read_event(frame), dialect)) == in_order(frame)
    validator(dialect, "events", json.loads(frame)["event"]).validate(json.loads(frame))


@pytest.mark.clause("S2.1")
@pytest.mark.parametrize(("dialect", "frame"), FROM_CLIENT, ids=name)
def test_an_example_command_is_one_that_the_server_understands(dialect: Dialect, frame: str) -> None:
    sent = json.loads(frame)
    assert [key for key in sent if key not in ("sender_id", "ref")] == ["event", "params"]
    command = read_command(read_envelope(frame, dialect), dialect)
    assert sent["params"].items() >= command.params.model_dump(mode="json", exclude_unset=True).items()
    # The page shows that older clients send a status, which is an unknown key (R4.22).
    sent["params"].pop("status", None)
    validator(dialect, "commands", sent["event"]).validate(sent)


@pytest.mark.parametrize("dialect", Dialect)
def test_every_command_and_every_event_has_an_example(dialect: Dialect) -> None:
    commands = {command for command, rule in RULES.items() if dialect in rule.dialects}
    events = {event for event, frame in EVENTS.items() if dialect is Dialect.V1 or frame not in V1_EVENTS}
    assert {name(frame) for spoken, frame in FROM_CLIENT if spoken is dialect} == commands
    assert {name(frame) for spoken, frame in FROM_SERVER if spoken is dialect} == events
