"""The policy table against what the stories really do: every row's roles, participation, answer and effect."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import pytest
from vetchat_protocol import Dialect, Role, User
from vetchat_protocol.codec import COMMANDS, EVENTS
from vetchat_protocol.events import Answer, Error
from vetchat_protocol.rules import RULES, Effect, Rule
from vetchat_protocol.simulation import Connection, Simulation

from tests.conformance.shapes import JSON
from tests.protocol.stage import NOWHERE, OLGA, OTTO, PET, VERA, VITO

ROWS = sorted(RULES.items())
PARAMS: Mapping[str, Mapping[str, JSON]] = {
    "message": {"content": "Hello."},
    "new_conversation": {"pet_id": PET, "providers": [VERA.id]},
    "refresh": {"token": "the user's own"},
    "typing": {"state": "active"},
    "mark_read": {"seq": 2},
}
OUTSIDERS = {Role.CLIENT: OTTO, Role.PROVIDER: VITO}


@dataclass
class Clinic:
    """Olga and Vera share a conversation with a message of each; Otto and Vito have nothing to do with it."""

    simulation: Simulation
    conversation: str
    others: Sequence[Connection]

    def come(self, user: User, dialect: Dialect) -> Connection:
        connection = self.simulation.connect(user, dialect=dialect)
        if dialect is Dialect.V1:
            self.ask(connection, "hello", {})
        self.simulation.run()
        return connection

    def ask(self, connection: Connection, event: str, params: Mapping[str, JSON]) -> JSON:
        """The frame that a command is answered with."""
        so_far = len(connection.transcript)
        self.simulation.send(connection, json.dumps({"event": event, "params": params}))
        self.simulation.run()
        (answer,) = [line.text for line in connection.transcript[so_far:] if line.answers]
        return json.loads(answer)

    def try_out(self, connection: Connection, event: str, conversation: str | None = None) -> JSON:
        """The answer to a command about the conversation, or about another."""
        params = dict(PARAMS.get(event, {})) | {"conversation_id": conversation or self.conversation}
        if event == "refresh":
            params["token"] = self.simulation.issue(connection.session.user)
        return self.ask(connection, event, params)

    def is_subscribed(self, connection: Connection, conversation: str) -> bool:
        return connection.id in [
            seat.connection for seat in self.simulation.world.delivery.rooms.subscribed(conversation)
        ]


@pytest.fixture
def clinic() -> Clinic:
    simulation = Simulation(0)
    olga, vera = simulation.connect(OLGA), simulation.connect(VERA)
    clinic = Clinic(simulation, "", (olga, vera))
    simulation.run()
    clinic.conversation = clinic.ask(olga, "new_conversation", PARAMS["new_conversation"])["params"]["id"]
    for somebody in (olga, vera):
        clinic.try_out(somebody, "message")
    return clinic


def insider(role: Role) -> User:
    return OLGA if role is Role.CLIENT else VERA


def test_there_is_a_row_for_every_command() -> None:
    assert RULES.keys() == COMMANDS.keys()


@pytest.mark.clause("R2.6")
def test_every_answer_answers_something() -> None:
    answered_by = {rule.answer for rule in RULES.values()} | {rule.otherwise for rule in RULES.values()} | {Error}
    assert answered_by - {None} == set(get_args(Answer))
    assert set(get_args(Answer)) <= set(EVENTS.values())


@pytest.mark.clause("S3.1", "S3.2", "R2.6", "V2.4")
@pytest.mark.parametrize(
    ("event", "rule", "dialect"), [(event, rule, dialect) for event, rule in ROWS for dialect in sorted(rule.dialects)]
)
def test_who_may_issue_a_command_gets_the_answer_of_its_row(
    clinic: Clinic, event: str, rule: Rule, dialect: Dialect
) -> None:
    for role in sorted(rule.roles):
        connection = clinic.simulation.connect(insider(role), dialect=dialect)
        if dialect is Dialect.V1 and event != "hello":
            clinic.ask(connection, "hello", {})
        clinic.simulation.run()
        assert EVENTS[clinic.try_out(connection, event)["event"]] is rule.answer


@pytest.mark.clause("S3.2", "S4.11", "V2.3")
@pytest.mark.parametrize(("event", "rule"), ROWS)
def test_any_other_role_is_forbidden(clinic: Clinic, event: str, rule: Rule) -> None:
    for role in set(Role) - rule.roles:
        connection = clinic.come(insider(role), Dialect.V1)
        head = clinic.simulation.world.log.head
        answer = clinic.try_out(connection, event)
        assert answer["event"] == "error"
        assert answer["params"]["code"] == "forbidden_role"
        assert clinic.simulation.world.log.head == head


@pytest.mark.clause("S3.3", "R3.4", "R3.5")
@pytest.mark.parametrize(("event", "rule"), [(event, rule) for event, rule in ROWS if rule.participants_only])
def test_outsiders_are_told_the_same_as_of_a_conversation_that_does_not_exist(
    clinic: Clinic, event: str, rule: Rule
) -> None:
    so_far = [len(other.transcript) for other in clinic.others]
    for role, dialect in ((role, dialect) for role in sorted(rule.roles) for dialect in sorted(rule.dialects)):
        connection = clinic.come(OUTSIDERS[role], dialect)
        head = clinic.simulation.world.log.head
        answer = clinic.try_out(connection, event)
        assert answer == clinic.try_out(connection, event, NOWHERE)
        assert answer["event"] == "error"
        assert answer["params"].get("code") == ("not_found" if dialect is Dialect.V1 else None)
        assert clinic.simulation.world.log.head == head
        assert not clinic.is_subscribed(connection, clinic.conversation)
    assert [len(other.transcript) for other in clinic.others] == so_far


@pytest.mark.clause("R3.5")
@pytest.mark.parametrize(("event", "rule"), [(event, rule) for event, rule in ROWS if rule.participants_only])
def test_the_right_id_in_the_wrong_role_is_an_outsider(clinic: Clinic, event: str, rule: Rule) -> None:
    for user in (User(OLGA.id, Role.PROVIDER), User(VERA.id, Role.CLIENT)):
        connection = clinic.come(user, Dialect.V1)
        assert clinic.try_out(connection, event)["params"]["code"] == "not_found"


@pytest.mark.clause("S4.6", "S4.18", "S4.20", "S4.21", "S5.1", "R4.23")
@pytest.mark.parametrize(
    ("event", "rule"), [(event, rule) for event, rule in ROWS if event not in ("new_conversation", "hello")]
)
def test_a_command_does_to_the_subscription_what_its_row_says(clinic: Clinic, event: str, rule: Rule) -> None:
    for dialect in sorted(rule.dialects):
        connection = clinic.come(VERA, dialect)
        clinic.try_out(connection, event)
        assert clinic.is_subscribed(connection, clinic.conversation) == (rule.effect is not Effect.UNSUBSCRIBES)
        clinic.try_out(connection, "unsubscribe_conversation")
        clinic.try_out(connection, event)
        assert clinic.is_subscribed(connection, clinic.conversation) == (rule.effect is Effect.SUBSCRIBES)


@pytest.mark.clause("S5.1", "R4.14", "V1.4")
@pytest.mark.parametrize("dialect", Dialect)
def test_creating_and_coming_subscribe_to_what_there_is(clinic: Clinic, dialect: Dialect) -> None:
    olga = clinic.come(OLGA, dialect)
    assert clinic.is_subscribed(olga, clinic.conversation)
    created = clinic.ask(olga, "new_conversation", PARAMS["new_conversation"])["params"]["id"]
    assert RULES["new_conversation"].effect is Effect.SUBSCRIBES
    assert clinic.is_subscribed(olga, created)


@pytest.mark.clause("V3.5")
def test_a_history_may_be_read_without_subscribing(clinic: Clinic) -> None:
    vera = clinic.come(VERA, Dialect.V1)
    clinic.try_out(vera, "unsubscribe_conversation")
    clinic.ask(vera, "conversation_history", {"conversation_id": clinic.conversation, "subscribe": False})
    assert not clinic.is_subscribed(vera, clinic.conversation)


@pytest.mark.clause("R2.5", "V2.3")
@pytest.mark.parametrize(
    "event", [*(event for event, rule in ROWS if Dialect.BASE not in rule.dialects), "no_such", ""]
)
def test_base_knows_no_command_of_the_extension(clinic: Clinic, event: str) -> None:
    vera = clinic.come(VERA, Dialect.BASE)
    assert clinic.ask(vera, event, {"conversation_id": clinic.conversation})["params"] == {
        "message": "There is no command of this name."
    }


@pytest.mark.clause("V2.4", "V4.2")
def test_a_read_position_that_does_not_move_is_answered_ok(clinic: Clinic) -> None:
    vera = clinic.come(VERA, Dialect.V1)
    assert clinic.try_out(vera, "mark_read")["event"] == "read_marker"
    head = clinic.simulation.world.log.head
    for seq in (2, 1, 0):
        again = clinic.ask(vera, "mark_read", {"conversation_id": clinic.conversation, "seq": seq})
        assert EVENTS[again["event"]] is RULES["mark_read"].otherwise
    assert clinic.simulation.world.log.head == head
