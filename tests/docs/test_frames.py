"""Every example frame of the protocol's page is one that a client may send, or exactly what the server would write."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from vetchat_protocol.codec import EVENTS, Dialect, read_command, read_envelope, read_event, write_event
from vetchat_protocol.events import V1_EVENTS
from vetchat_protocol.models import NIL
from vetchat_protocol.rules import RULES

PAGE: Final = Path(__file__).parents[2] / "docs" / "protocol" / "index.md"
FRAMES: Final = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
FROM_SERVER: Final = [frame for frame in FRAMES if json.loads(frame)["sender_id"] == NIL]
FROM_CLIENT: Final = [frame for frame in FRAMES if frame not in FROM_SERVER]


def name(frame: str) -> str:
    return json.loads(frame)["event"]


def in_order(frame: str) -> Any:
    """The frame in a form that differs when keys stand in another order."""
    return json.loads(frame, object_pairs_hook=list)


@pytest.mark.clause("S2.1", "S2.2")
@pytest.mark.parametrize("frame", FROM_SERVER, ids=name)
def test_an_example_event_is_what_the_server_would_write(frame: str) -> None:
    assert in_order(write_event(read_event(frame), Dialect.BASE)) == in_order(frame)


@pytest.mark.clause("S2.1")
@pytest.mark.parametrize("frame", FROM_CLIENT, ids=name)
def test_an_example_command_is_one_that_the_server_understands(frame: str) -> None:
    assert list(json.loads(frame)) == ["sender_id", "event", "params"]
    command = read_command(read_envelope(frame, Dialect.BASE), Dialect.BASE)
    assert json.loads(frame)["params"].items() >= command.params.model_dump(mode="json", exclude_unset=True).items()


def test_every_command_and_every_event_of_the_base_wire_has_an_example() -> None:
    commands = {command for command, rule in RULES.items() if Dialect.BASE in rule.dialects}
    events = {event for event, frame in EVENTS.items() if frame not in V1_EVENTS}
    assert {name(frame) for frame in FROM_CLIENT} == commands
    assert {name(frame) for frame in FROM_SERVER} == events
