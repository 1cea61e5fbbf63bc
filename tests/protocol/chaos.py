"""What may happen on a stage, at random: everything that people, networks, stores and clocks do to a server."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vetchat_protocol import Dialect, Role, User

from tests.protocol.oracle.ledger import JSON
from tests.protocol.stage import CAST, NOWHERE, OTTO_AS_A_VET, VERA, VITO, Actor, Stage

Draw = Callable[[int], int]
"""Draws a number from 0 up to, not including, the one it is given."""

NONSENSE: Sequence[str | bytes] = (
    "",
    "Hello?",
    "null",
    "[]",
    '{"event": "message"}',
    '{"event": "message", "params": []}',
    '{"event": 7, "params": {}}',
    '{"event": "no_such_thing", "params": {}}',
    '{"sender_id": 5, "event": "conversations"}',
    f'{{"sender_id": "{NOWHERE}", "event": "conversations"}}',
    '{"event": "message", "params": {"conversation_id": "here", "content": "Hello."}}',
    f'{{"event": "message", "params": {{"conversation_id": "{NOWHERE}", "content": "   "}}}}',
    '{"event": "new_conversation", "params": {"pet_id": 1, "providers": []}}',
    b'{"event": "conversations"}',
)
"""Frames that are to be refused (R2.5)."""


@dataclass(frozen=True)
class Sayable:
    """Something that was said under a client-chosen id, and so may be said again (V2.2)."""

    sender: str
    event: str
    params: Mapping[str, JSON]


class Chaos:
    """Lets things happen on a stage; `draw` decides which and how."""

    def __init__(self, stage: Stage, draw: Draw) -> None:
        self.stage = stage
        self.draw = draw
        self._sayable: list[Sayable] = []

    # -- connections ---------------------------------------------------------------------------------------------------

    def somebody_connects(self) -> None:
        """Mostly one of the main characters; in v1 sometimes by a token in `hello`, mostly with a resume."""
        draw, stage = self.draw, self.stage
        dialect = stage.dialects[draw(len(stage.dialects))]
        user = CAST[min(draw(len(CAST)), draw(len(CAST)))]
        expires_at = stage.simulation.world.now + 4_000 if draw(6) == 0 else None
        if dialect is Dialect.BASE:
            stage.connect(user, dialect, expires_at=expires_at)
        else:
            token = stage.simulation.issue(user, expires_at=expires_at) if draw(3) == 0 else None
            stage.connect(user, dialect, resume=self._some_position(user), expires_at=expires_at, token=token)

    def _some_position(self, user: User) -> Mapping[str, JSON] | None:
        """Where one of the user's connections had come to, mostly; else one of the ways in which that can be wrong."""
        positions = [actor.position() for actor in self.stage.actors if actor.user == user and actor.v1]
        known = [position for position in positions if position is not None]
        if not known:
            return None
        position = known[-1 - self.draw(len(known))]
        match self.draw(10):
            case 0:
                return position | {"epoch": "another log"}
            case 1:
                return position | {"offset": position["offset"] + 1_000}
            case 2:
                return position | {"offset": 0}
            case 3:
                return None
            case _:
                return position

    def somebody_leaves(self) -> None:
        """Now, or in the middle of what comes."""
        actor, simulation = self._somebody(), self.stage.simulation
        if actor is not None and self.draw(2):
            simulation.disconnect(actor.connection)
        elif actor is not None:
            simulation.meanwhile(lambda: simulation.disconnect(actor.connection), "disconnect")

    # -- commands ------------------------------------------------------------------------------------------------------

    def somebody_creates(self) -> None:
        draw = self.draw
        owners = [actor for actor in self.stage.living if actor.user.role is Role.CLIENT]
        actor = owners[draw(len(owners))] if owners and draw(8) else self._somebody()
        if actor is None:
            return
        vets = (VERA.id, VITO.id, OTTO_AS_A_VET.id)
        providers = [vet.upper() if draw(2) else vet for vet in vets if draw(3)]
        if actor.user.id in providers and draw(4):
            providers.remove(actor.user.id)
        pet = f"eeeeeeee-0000-4000-8000-{self.stage.number():012x}"
        params: dict[str, JSON] = {"pet_id": pet, "providers": providers + providers[: draw(2)]}
        self._say_once(actor, "new_conversation", params, "client_conversation_id")

    def somebody_speaks(self) -> None:
        actor, conversation = self._somebody_somewhere()
        if actor is not None:
            params: dict[str, JSON] = {"conversation_id": conversation, "content": self._something()}
            self._say_once(actor, "message", params, "client_message_id")

    def _something(self) -> str:
        return f"Message {self.stage.number()}"

    def _say_once(self, actor: Actor, event: str, params: dict[str, JSON], key: str) -> None:
        """Sometimes under a name of its own, which base ignores."""
        if self.draw(3) == 0:
            params[key] = f"key {self.stage.number()}"
            if actor.v1:
                self._sayable.append(Sayable(actor.user.id, event, params))
        self.stage.say(actor, event, params)

    def somebody_retries(self) -> None:
        """The same once more, on whatever connection of the sender; sometimes it is not the same after all."""
        actor = self._somebody()
        if actor is None or not actor.v1:
            return
        mine = [said for said in self._sayable if said.sender == actor.user.id]
        if mine:
            said = mine[self.draw(len(mine))]
            other = {"content": self._something()} if said.event == "message" and self.draw(6) == 0 else {}
            self.stage.say(actor, said.event, {**said.params, **other})

    def somebody_asks(self) -> None:
        """A command that changes nothing but subscriptions."""
        actor, conversation = self._somebody_somewhere()
        if actor is None:
            return
        match self.draw(8):
            case 0:
                self.stage.say(actor, "conversations", {})
            case 1 | 2:
                self.stage.say(actor, "subscribe_conversation", {"conversation_id": conversation})
            case 3 | 4:
                params = {"conversation_id": conversation, "status": "success"}
                self.stage.say(actor, "unsubscribe_conversation", params)
            case _:
                self.stage.say(actor, "conversation_history", self._some_page(actor, conversation))

    def _some_page(self, actor: Actor, conversation: str) -> dict[str, JSON]:
        draw = self.draw
        params: dict[str, JSON] = {"conversation_id": conversation}
        if draw(2):
            params["limit"] = 1 + draw(4)
        anchor = ("page", "before", "after", "around")[draw(4 if actor.v1 else 1)]
        if draw(4):
            params[anchor] = draw(6)
        if actor.v1 and draw(4) == 0:
            params["subscribe"] = False
        return params

    def somebody_uses_the_extension(self) -> None:
        """A command that only v1 has; a base peer that says it is refused."""
        actor, conversation = self._somebody_somewhere()
        if actor is None:
            return
        draw, say = self.draw, self.stage.say
        match draw(8):
            case 0 | 1:
                state = ("active", "active", "done")[draw(3)]
                say(actor, "typing", {"conversation_id": conversation, "state": state})
            case 2 | 3:
                say(actor, "mark_read", {"conversation_id": conversation, "seq": draw(8)})
            case 4:
                say(actor, "conversations", {"limit": 1 + draw(3)} | ({"before": draw(20)} if draw(2) else {}))
            case 5:
                say(actor, "hello", {})
            case 6:
                self._refresh(actor)
            case _:
                say(actor, "ping", None)

    def _refresh(self, actor: Actor) -> None:
        """Mostly with a token of one's own; another's ends the connection (V1.5)."""
        simulation = self.stage.simulation
        user = actor.user if self.draw(4) else CAST[self.draw(len(CAST))]
        token = simulation.issue(user, expires_at=simulation.world.now + 60_000)
        self.stage.say(actor, "refresh", {"token": token})

    def somebody_talks_nonsense(self) -> None:
        actor = self._somebody()
        if actor is not None:
            self.stage.simulation.send(actor.connection, NONSENSE[self.draw(len(NONSENSE))])

    # -- the rest of the world -----------------------------------------------------------------------------------------

    def the_store_breaks_or_mends(self) -> None:
        world = self.stage.simulation.world
        world.store_is_down = not world.store_is_down
        self.stage.faulty = True

    def the_server_restarts(self) -> None:
        """Now, or in the middle of what comes."""
        simulation = self.stage.simulation
        if self.draw(2):
            simulation.restart()
        else:
            simulation.meanwhile(simulation.restart, "restart")

    def time_passes(self) -> None:
        """Mostly forwards; a clock may also be put back."""
        self.stage.simulation.advance((100, 1_000, 7_000, 3_000, -2_000)[self.draw(5)])

    def things_go_on(self) -> None:
        for _ in range(self.draw(25)):
            self.stage.simulation.step()

    def all_comes_to_rest(self) -> None:
        self.stage.rest()

    # -- who and where -------------------------------------------------------------------------------------------------

    def _somebody(self) -> Actor | None:
        living = self.stage.living
        return living[self.draw(len(living))] if living else None

    def _somebody_somewhere(self) -> tuple[Actor | None, str]:
        """Mostly somebody who takes part in a conversation, and there in one of the newest."""
        draw = self.draw
        there = [actor for actor in self.stage.living if actor.conversations()]
        if there and draw(10):
            actor = there[draw(len(there))]
            conversations = actor.conversations()
        else:
            actor, conversations = self._somebody(), [*self.stage.conversations(), NOWHERE]
        conversation = conversations[-1 - min(draw(len(conversations)), draw(len(conversations)))]
        return actor, conversation.upper() if draw(8) == 0 else conversation


HAPPENINGS: Mapping[Callable[[Chaos], None], int] = {
    Chaos.somebody_connects: 9,
    Chaos.somebody_leaves: 5,
    Chaos.somebody_creates: 4,
    Chaos.somebody_speaks: 22,
    Chaos.somebody_retries: 6,
    Chaos.somebody_asks: 14,
    Chaos.somebody_uses_the_extension: 10,
    Chaos.somebody_talks_nonsense: 3,
    Chaos.time_passes: 4,
    Chaos.things_go_on: 20,
    Chaos.all_comes_to_rest: 4,
    Chaos.the_server_restarts: 1,
}
"""What may happen, and how often."""


def let_things_happen(stage: Stage, source: random.Random, *, store_fails: bool = False, length: int = 100) -> None:
    """So many things, which and how decided by the source."""
    happenings = {**HAPPENINGS, Chaos.the_store_breaks_or_mends: 3} if store_fails else HAPPENINGS
    things = Chaos(stage, source.randrange)
    for happen in source.choices(list(happenings), list(happenings.values()), k=length):
        happen(things)


def chaos(seed: int, dialects: Sequence[Dialect], *, store_fails: bool = False, length: int = 100) -> Stage:
    """A stage on which many things have happened, all decided by the seed."""
    stage = Stage(seed, dialects=dialects)
    stage.open()
    let_things_happen(stage, random.Random(seed), store_fails=store_fails, length=length)
    return stage
