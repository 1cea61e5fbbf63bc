"""A base connection never learns that the extension exists: it gets what it would get if all others were base too."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from vetchat_protocol import Dialect, write_event
from vetchat_protocol.delivery import Delivery, Sending
from vetchat_protocol.exploration import Scripted

from tests.protocol.chaos import let_things_happen
from tests.protocol.oracle.ledger import JSON
from tests.protocol.stage import OLGA, PET, VERA, VITO, Stage

# -- for the same committed records and room changes -------------------------------------------------------------------

INPUTS = {"enter", "join", "go_live", "replay", "disconnect", "subscribe", "announce", "unsubscribe", "committed"}
"""What a delivery machine is told; `show_typing` and `tick` are the extension's alone."""


@dataclass(frozen=True)
class Input:
    """One input of a delivery machine, and what came out."""

    name: str
    arguments: tuple[Any, ...]
    sendings: Sequence[Sending]


class Recorder:
    """A delivery machine that writes down what it is told and what it says."""

    def __init__(self, head: int, inputs: list[Input]) -> None:
        self._delivery = Delivery(head, tail=3)
        self._inputs = inputs
        inputs.append(Input("begin", (head,), ()))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._delivery, name)
        return self._recorded(name, value) if name in INPUTS else value

    def _recorded(self, name: str, tell: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*arguments: Any) -> Any:
            answer = tell(*arguments)
            sendings = None if answer is None or isinstance(answer, bool) else list(cast("Iterable[Sending]", answer))
            self._inputs.append(Input(name, arguments, sendings or ()))
            return answer if sendings is None else sendings

        return recorded


def all_base(inputs: Iterable[Input]) -> list[Input]:
    """The same inputs to a machine of which all connections speak base; what only v1 does is left out."""
    delivery = Delivery(0)
    outputs: list[Input] = []
    for told in inputs:
        arguments, sendings = told.arguments, list[Sending]()
        match told.name:
            case "begin":
                delivery = Delivery(*arguments)
            case "enter":
                delivery.enter(arguments[0], arguments[1], Dialect.BASE)
            case "go_live" | "replay":
                pass
            case "subscribe":
                delivery.subscribe(*arguments)
            case "committed":
                record, origin, now = arguments
                sendings = list(delivery.committed(record, origin and replace(origin, ref=None), now))
            case _:
                sendings = list(getattr(delivery, told.name)(*arguments))
        outputs.append(replace(told, sendings=sendings))
    return outputs


def told_to(connections: set[str], outputs: Iterable[Input]) -> list[list[tuple[str, str]]]:
    """After each input, the frames that these connections get, as bytes of the base wire."""
    return [
        [
            (connection, write_event(sending.event, Dialect.BASE))
            for sending in output.sendings
            for connection in sending.to
            if connection in connections
        ]
        for output in outputs
    ]


def record(seed: int) -> tuple[set[str], list[Input]]:
    """Chaos in mixed company: which connections spoke base, and all that the delivery machine was told."""
    inputs: list[Input] = []
    stage = Stage(seed, start=lambda head: cast("Delivery", Recorder(head, inputs)))
    for user in (OLGA, VERA):
        stage.connect(user, Dialect.BASE)
    stage.open()
    let_things_happen(stage, random.Random(seed))
    stage.rest()
    return {actor.connection.id for actor in stage.actors if actor.dialect is Dialect.BASE}, inputs


@pytest.mark.clause("R2.4", "V3.2")
@pytest.mark.parametrize("first", [0, pytest.param(1_000, marks=pytest.mark.soak)])
def test_for_the_same_records_and_room_changes_base_gets_the_same_bytes(first: int) -> None:
    frames = 0
    for seed in range(first, first + (first or 100)):
        base, inputs = record(seed)
        told = told_to(base, inputs)
        assert told == told_to(base, all_base(inputs)), f"seed {seed}"
        frames += sum(len(one) for one in told)
    assert frames > 1_000


# -- for the same story ------------------------------------------------------------------------------------------------

Act = Callable[[Stage], None]
"""Something that happens on a stage."""


def story(source: random.Random) -> list[Act]:
    """What happens, one after the other."""
    return [some_act(source) for _ in range(60)]


def some_act(source: random.Random) -> Act:
    who, value = source.randrange(100), source.randrange(100)
    match source.choices(range(7), (4, 2, 2, 12, 8, 6, 1))[0]:
        case 0:
            return lambda stage: come(stage, value)
        case 1:
            return lambda stage: stage.simulation.disconnect(stage.actors[who % len(stage.actors)].connection)
        case 2:
            providers = [VERA.id, VITO.id][: 1 + value % 2]
            return lambda stage: say(stage, who, "new_conversation", {"pet_id": PET, "providers": providers})
        case 3:
            return lambda stage: say(stage, who, "message", {"content": f"Message {value}"})
        case 4:
            event = ("conversation_history", "subscribe_conversation", "unsubscribe_conversation")[value % 3]
            return lambda stage: say(stage, who, event, {})
        case 5:
            event, params = (("typing", {"state": "active"}), ("mark_read", {"seq": value % 5}), ("ping", {}))[
                value % 3
            ]
            return lambda stage: say(stage, who, event, params, extension=True)
        case _:
            return lambda stage: stage.simulation.restart()


def come(stage: Stage, value: int) -> None:
    """Every other one speaks base in any case."""
    others = stage.dialects[0]
    stage.connect((OLGA, VERA, VITO)[value % 3], Dialect.BASE if len(stage.actors) % 2 else others)


def say(stage: Stage, who: int, event: str, params: dict[str, JSON], *, extension: bool = False) -> None:
    """One of the living says something in one of the conversations; the extension is only for those who speak it."""
    living = [actor for actor in stage.living if actor.v1 or not extension]
    if living:
        records = stage.simulation.world.log.records
        conversations = list(dict.fromkeys(record.conversation_id for record in records)) or [PET]
        stage.say(
            living[who % len(living)], event, {"conversation_id": conversations[who % len(conversations)]} | params
        )


def play(acts: Sequence[Act], others: Dialect) -> list[list[str]]:
    """What each connection that speaks base in any case hears, the others speaking this."""
    stage = Stage(Scripted(), dialects=(others,))
    for value in range(6):
        come(stage, value)
    for act in acts:
        stage.simulation.run()
        act(stage)
    stage.simulation.run()
    return [actor.connection.heard for actor in stage.actors[1::2]]


@pytest.mark.clause("R2.4", "V3.2")
@pytest.mark.parametrize("first", [0, pytest.param(1_000, marks=pytest.mark.soak)])
def test_in_the_same_story_base_gets_the_same_bytes_whatever_the_others_speak(first: int) -> None:
    frames = 0
    for seed in range(first, first + (first or 100)):
        acts = story(random.Random(seed))
        heard = play(acts, Dialect.BASE)
        assert heard == play(acts, Dialect.V1), f"seed {seed}"
        frames += sum(len(one) for one in heard)
    assert frames > 1_000
