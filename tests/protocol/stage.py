"""People on a simulated server, and the run that they make as the oracle judges it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from vetchat_protocol import Dialect, Role, User
from vetchat_protocol.delivery import Delivery
from vetchat_protocol.exploration import Choose
from vetchat_protocol.records import ConversationStarted, MessageStored, ReadMoved, Record
from vetchat_protocol.session import Terms
from vetchat_protocol.simulation import Connection, Simulation

from tests.protocol.oracle.judge import Rest, Run, Seen, judge
from tests.protocol.oracle.ledger import JSON, Entry, Person

BOTH = (Dialect.BASE, Dialect.V1)
PET = "eeeeeeee-0000-4000-8000-000000000000"
NOWHERE = "dddddddd-0000-4000-8000-000000000000"


def person(number: int, role: Role, name: str = "", picture: str | None = None) -> User:
    """A user; the same number is the same id."""
    return User(f"aaaaaaaa-0000-4000-8000-{number:012x}", role, name or f"Person {number}", picture)


OLGA = person(1, Role.CLIENT)
OTTO = person(2, Role.CLIENT, picture="https://pictures.example/otto.png")
VERA = person(3, Role.PROVIDER, picture="https://pictures.example/vera.png")
VITO = person(4, Role.PROVIDER)
OTTO_AS_A_VET = person(2, Role.PROVIDER, picture="https://pictures.example/otto.png")
CAST = (OLGA, VERA, OTTO, VITO, OTTO_AS_A_VET)
"""Two owners and two vets; one owner is a vet as well (R3.5)."""


@dataclass(eq=False)
class Actor:
    """One connection and what its peer remembers of it."""

    connection: Connection
    user: User
    dialect: Dialect
    refs: int = 0
    read: int = 0
    known: list[JSON] = field(default_factory=list[JSON])

    @property
    def v1(self) -> bool:
        return self.dialect is Dialect.V1

    def frames(self) -> list[JSON]:
        """All that was heard."""
        transcript = self.connection.transcript
        new = [json.loads(line.text) for line in transcript[self.read :] if line.kind == "heard"]
        self.read = len(transcript)
        self.known += new
        return self.known

    def conversations(self) -> list[str]:
        """The ids of the conversations that it was told of."""
        events = ("conversation_created", "new_conversation_invitation")
        listed = [one["id"] for frame in self.frames() if frame["event"] == "conversations" for one in frame["params"]]
        told = [frame["params"]["id"] for frame in self.frames() if frame["event"] in events]
        return list(dict.fromkeys(listed + told))

    def position(self) -> dict[str, JSON] | None:
        """Where to resume: the largest offset received, or where the session began (V1.2)."""
        frames = self.frames()
        welcome = next((frame for frame in frames if frame["event"] == "welcome"), None)
        if welcome is None:
            return None
        began = welcome["params"]["offset"] if not welcome["params"]["recovered"] else 0
        offsets = [frame["offset"] for frame in frames if "offset" in frame]
        return {"epoch": welcome["params"]["epoch"], "offset": max([began, *offsets])}


class Stage:
    """A simulation with people on it. Everything said is unlike everything else, so that the oracle can tell it apart.

    `dialects` are those that connections are made in; `start` makes the delivery machine. Its tail, the pages of a
    replay and what a resume may replay at most are small, so that they matter.
    """

    def __init__(
        self,
        choose: Choose | int,
        *,
        dialects: Sequence[Dialect] = BOTH,
        start: Callable[[int], Delivery] = lambda head: Delivery(head, tail=3),
    ) -> None:
        self.dialects = dialects
        self.simulation = Simulation(choose, terms=Terms(resume_frames=12), start=start, replay_page=2)
        self.actors: list[Actor] = []
        self.faulty = False
        self._rests: list[Rest] = []
        self._said = 0

    def open(self) -> None:
        """Everybody has been there once, and Olga has consulted Vera: so that there is something to talk about."""
        for user in CAST:
            self.connect(user, self.dialects[-1])
        self.say(self.actors[0], "new_conversation", {"pet_id": PET, "providers": [VERA.id]})
        self.rest()
        for actor in self.actors[3:]:
            self.simulation.disconnect(actor.connection)

    # -- people --------------------------------------------------------------------------------------------------------

    def connect(
        self,
        user: User,
        dialect: Dialect,
        *,
        resume: Mapping[str, JSON] | None = None,
        expires_at: int | None = None,
        token: str | None = None,
    ) -> Actor:
        """Somebody comes; in v1 with a `hello`, and with a token of theirs in it if there is none at the upgrade."""
        offered = user if token is None else None
        actor = Actor(self.simulation.connect(offered, dialect=dialect, expires_at=expires_at), user, dialect)
        self.actors.append(actor)
        if actor.v1:
            params = {"token": token, "resume": None if resume is None else dict(resume)}
            self.say(actor, "hello", {key: value for key, value in params.items() if value is not None})
        return actor

    def say(self, actor: Actor, event: str, params: JSON, *, ref: str | None = None) -> None:
        """A command as a careful peer writes it; in v1 mostly with a `ref`."""
        frame = {"sender_id": actor.user.id, "event": event, "params": params}
        if actor.v1 and event != "ping":
            actor.refs += 1
            frame["ref"] = ref or f"{event} {actor.refs}"
        self.simulation.send(actor.connection, json.dumps(frame))

    def number(self) -> int:
        """One that was not given out before, to tell things apart by."""
        self._said += 1
        return self._said

    @property
    def living(self) -> list[Actor]:
        return [actor for actor in self.actors if not actor.connection.gone]

    def conversations(self) -> list[str]:
        """The ids that somebody has heard of; ids are no secret to anybody here."""
        return list(dict.fromkeys(one for actor in self.actors for one in actor.conversations()))

    def rest(self) -> None:
        """Everything comes to rest, with a store that works."""
        self.simulation.world.store_is_down = False
        self.simulation.run()
        lengths = {actor.connection.id: len(actor.connection.transcript) for actor in self.actors}
        self._rests.append(Rest(self.simulation.world.now, self.simulation.world.log.head, lengths))

    # -- judgement -----------------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Everything comes to rest, and the oracle judges it."""
        self.rest()
        judge(self.run())

    def run(self) -> Run:
        """The run so far, in plain values."""
        seen = {
            actor.connection.id: Seen(_plain(actor.user), str(actor.dialect), actor.connection.transcript)
            for actor in self.actors
        }
        log = [entry(record) for record in self.simulation.world.log.records]
        return Run(log, seen, self._rests, self.faulty, self.simulation.terms.resume_frames)


def _plain(user: User) -> Person:
    return Person(user.id, user.role.value, user.display_name, user.profile_image_url)


def entry(record: Record) -> Entry:
    """A record of the log in plain values."""
    match record:
        case MessageStored(offset, message):
            shown = {
                "id": message.id,
                "conversation_id": message.conversation_id,
                "sender_id": message.sender_id,
                "content": message.content,
                "timestamp": message.timestamp,
                "seq": message.seq,
            }
            return Entry(offset, "message", message.conversation_id, shown)
        case ConversationStarted(offset, conversation):
            shown = {
                "id": conversation.id,
                "providers": list(conversation.providers),
                "client": conversation.client,
                "pet": conversation.pet,
                "last_message": "",
                "last_updated_timestamp": conversation.updated_at,
            }
            return Entry(offset, "conversation", conversation.id, shown)
        case ReadMoved(offset, conversation_id, user_id, seq):
            shown = {"conversation_id": conversation_id, "user_id": user_id, "seq": seq}
            return Entry(offset, "read", conversation_id, shown)
