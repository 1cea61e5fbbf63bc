"""The stories, told by themselves: what each command asks of the world, in which order, and what refuses it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from vetchat_protocol import Closing, Code, Conversation, Dialect, Message, Refusal
from vetchat_protocol import operations as ask
from vetchat_protocol.errors import NO_ROLE, TOO_MANY_CONNECTIONS, UNAUTHENTICATED, UNAVAILABLE
from vetchat_protocol.events import Error
from vetchat_protocol.models import NIL
from vetchat_protocol.operations import Identity, Joined, Operation
from vetchat_protocol.records import Conflict, ConversationDraft, MessageDraft, MessageStored, ReadDraft, Unchanged
from vetchat_protocol.rules import RULES
from vetchat_protocol.server import Response, Story, connect, respond
from vetchat_protocol.session import Session, Terms

from tests.conformance.shapes import JSON
from tests.protocol.stage import OLGA, OTTO, PET, VERA, VITO

NOW = 1_700_000_000_000
HERE = "cccccccc-0000-4000-8000-000000000001"
CONVERSATION = Conversation(HERE, OLGA.id, (VERA.id,), PET, NOW, NOW, "Hello.", 3, 4)
MESSAGE = Message("dddddddd-0000-4000-8000-000000000001", HERE, OLGA.id, "Hello.", NOW, 4)
BUSY = Refusal(Code.UNAVAILABLE, "Not now.")


@dataclass
class World:
    """Answers operations; `says` stands for other answers than the usual ones, an exception is thrown."""

    says: Mapping[type, object] = field(default_factory=dict[type, object])
    asked: list[Operation[object]] = field(default_factory=list[Operation[object]])

    @property
    def names(self) -> list[str]:
        return [type(operation).__name__ for operation in self.asked]

    def run(self, story: Story[Any]) -> Any:
        answer, error = None, None
        try:
            while True:
                operation = story.send(answer) if error is None else story.throw(error)
                self.asked.append(operation)
                said = self.says.get(type(operation), USUAL.get(type(operation)))
                answer, error = (None, said) if isinstance(said, Exception) else (said, None)
        except StopIteration as end:
            return end.value

    def ask(self, session: Session, event: str, params: JSON = None, **more: JSON) -> Response:
        return self.run(respond(session, json.dumps({"event": event, "params": params, **more})))


USUAL: Mapping[type, object] = {
    ask.Participates: True,
    ask.Load: CONVERSATION,
    ask.ListConversations: (),
    ask.ReadMessages: (MESSAGE,),
    ask.OnlyClients: frozenset[str](),
    ask.Append: MessageStored(5, MESSAGE),
    ask.Authenticate: Identity(OLGA),
    ask.Enter: (HERE,),
    ask.Join: Joined("the log", 4),
    ask.ResumePoint: True,
    ask.GoLive: True,
    ask.Subscribe: True,
    ask.Position: 4,
}


def session(
    dialect: Dialect = Dialect.V1, *, user: Any = OLGA, greeted: bool = True, terms: Terms | None = None
) -> Session:
    identity = Identity(user)
    return Session("a session", dialect, terms or Terms(), NOW, identity, identity if greeted else None)


def code(response: Response) -> str | None:
    assert isinstance(response.answer, Error)
    return response.answer.params.code


PARAMS: Mapping[str, Mapping[str, JSON]] = {
    "message": {"conversation_id": HERE, "content": "Hello."},
    "new_conversation": {"pet_id": PET, "providers": [VERA.id]},
    "conversation_history": {"conversation_id": HERE},
    "subscribe_conversation": {"conversation_id": HERE},
    "unsubscribe_conversation": {"conversation_id": HERE},
    "hello": {"resume": {"epoch": "the log", "offset": 2}},
    "refresh": {"token": "another"},
    "typing": {"conversation_id": HERE, "state": "active"},
    "mark_read": {"conversation_id": HERE, "seq": 3},
}


# -- the order of the checks (V2.3) ------------------------------------------------------------------------------------

WRONG: Sequence[tuple[str, Mapping[str, JSON], type[Operation[Any]] | None]] = (
    ("invalid_envelope", {"ref": 7}, None),
    ("rate_limited", {}, ask.Admit),
    ("unknown_event", {"event": "no_such"}, None),
    ("sender_mismatch", {"sender_id": VERA.id}, None),
    ("invalid_params", {"params": {"conversation_id": HERE, "content": " "}}, None),
    ("not_found", {}, ask.Participates),
    ("idempotency_conflict", {}, ask.Append),
)
"""What may be wrong with a message, in the order in which it is checked: other keys, or another answer."""

OTHERWISE: Mapping[type, object] = {
    ask.Admit: Refusal(Code.RATE_LIMITED, "Slowly.", retry_after_ms=50),
    ask.Participates: False,
    ask.Append: Conflict(),
}


@pytest.mark.clause("V2.3", "R2.3", "R2.7")
@pytest.mark.parametrize("first", range(len(WRONG)))
def test_of_all_that_is_wrong_the_first_is_reported(first: int) -> None:
    frame: dict[str, JSON] = {"event": "message", "params": PARAMS["message"], "ref": "mine"}
    says: dict[type, object] = {}
    for _, keys, operation in WRONG[first:]:
        frame |= keys
        if operation is not None:
            says[operation] = OTHERWISE[operation]
    world = World(says)
    response = world.run(respond(session(), json.dumps(frame)))
    assert code(response) == WRONG[first][0]


@pytest.mark.clause("V1.1", "V2.3")
@pytest.mark.parametrize("event", sorted([*(RULES.keys() - {"hello"}), "no_such"]))
def test_before_hello_every_other_command_is_told_so_whatever_else_is_wrong(event: str) -> None:
    world = World()
    response = world.ask(session(greeted=False), event, {}, sender_id=VERA.id, ref="mine")
    assert code(response) == "hello_required"
    assert response.answer is not None
    assert response.answer.ref == "mine"
    assert world.names == ["Admit"]


@pytest.mark.clause("V2.3", "R2.7")
def test_the_rate_is_checked_before_hello_and_says_when_to_come_again() -> None:
    world = World({ask.Admit: Refusal(Code.RATE_LIMITED, "Slowly.", retry_after_ms=50)})
    response = world.ask(session(greeted=False), "conversations", ref="mine")
    assert isinstance(response.answer, Error)
    assert response.answer.params.model_dump() == {
        "message": "Slowly.", "code": "rate_limited", "event": "conversations", "retry_after_ms": 50,
    }  # fmt: skip
    assert response.answer.ref == "mine"


@pytest.mark.clause("R2.5", "V2.3")
@pytest.mark.parametrize("received", ["", "{", b"{}", '{"event": 1}', "[]"])
def test_what_cannot_be_read_asks_the_world_nothing(received: str | bytes) -> None:
    world = World()
    response = world.run(respond(session(), received))
    assert code(response) in ("invalid_json", "invalid_envelope")
    assert world.names == []
    assert response.event is None


@pytest.mark.clause("R2.3", "R2.8")
@pytest.mark.parametrize("sender", [OLGA.id, OLGA.id.upper(), NIL])
def test_one_may_speak_as_oneself_or_as_nobody(sender: str) -> None:
    assert World().ask(session(), "ping", sender_id=sender).answer is not None
    assert World().ask(session(Dialect.BASE), "conversations", sender_id=sender).event == "conversations"


@pytest.mark.clause("R2.3")
@pytest.mark.parametrize("sender", [VERA.id, "", "me", OLGA.id[:-1], OLGA.id + " "])
def test_nobody_speaks_for_somebody_else(sender: str) -> None:
    assert code(World().ask(session(), "ping", sender_id=sender)) == "sender_mismatch"
    assert code(World().ask(session(greeted=False), "hello", {}, sender_id=sender)) == "sender_mismatch"


@pytest.mark.clause("V2.3")
def test_an_error_names_the_command_if_there_is_one_of_that_name() -> None:
    for event, expected in (("message", "message"), ("no_such", None)):
        response = World().ask(session(), event, {})
        assert isinstance(response.answer, Error)
        assert response.event == response.answer.params.event == expected


# -- commands ----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("S4.4", "S3.3")
def test_a_message_is_appended_once_its_sender_takes_part() -> None:
    world = World()
    params = {**PARAMS["message"], "client_message_id": "once"}
    assert world.ask(session(), "message", params, ref="mine") == Response("message", None)
    draft = MessageDraft(HERE, OLGA.id, "Hello.", "once")
    assert world.asked == [ask.Admit(), ask.Participates(HERE), ask.Append(draft, "mine")]


@pytest.mark.clause("V2.2")
def test_on_base_a_client_message_id_is_not_seen() -> None:
    world = World()
    world.ask(session(Dialect.BASE), "message", {**PARAMS["message"], "client_message_id": "once"}, ref="mine")
    assert world.asked[-1] == ask.Append(MessageDraft(HERE, OLGA.id, "Hello."), None)


@pytest.mark.clause("R4.13", "R4.15")
def test_a_new_conversation_is_checked_then_appended_each_provider_once() -> None:
    world = World()
    params = {"pet_id": PET, "providers": [VITO.id, VERA.id.upper(), VITO.id, VERA.id]}
    assert world.ask(session(), "new_conversation", params).answer is None
    vets = (VITO.id, VERA.id)
    draft = ConversationDraft(OLGA.id, PET, vets)
    assert world.asked == [ask.Admit(), ask.OnlyClients(vets), ask.Permit(PET, vets), ask.Append(draft)]


@pytest.mark.clause("R4.13", "R4.15")
@pytest.mark.parametrize(
    ("providers", "says", "expected"),
    [
        ([f"aaaaaaaa-0000-4000-8000-{number:012x}" for number in range(100, 133)], {}, "invalid_params"),
        ([OLGA.id], {}, "invalid_params"),
        ([VERA.id, OLGA.id.upper()], {}, "invalid_params"),
        ([VERA.id], {ask.OnlyClients: frozenset({VERA.id})}, "invalid_params"),
        ([VERA.id], {ask.Permit: "This pet is not yours."}, "forbidden_role"),
    ],
)
def test_a_conversation_that_may_not_be_is_refused(
    providers: list[str], says: Mapping[type, object], expected: str
) -> None:
    world = World(says)
    assert code(world.ask(session(), "new_conversation", {"pet_id": PET, "providers": providers})) == expected
    assert "Append" not in world.names


@pytest.mark.clause("R4.13")
def test_the_most_providers_are_counted_without_duplicates_and_are_a_setting() -> None:
    providers = [f"aaaaaaaa-0000-4000-8000-{number:012x}" for number in range(100, 132)]
    assert World().ask(session(), "new_conversation", {"pet_id": PET, "providers": providers * 2}).answer is None
    few = session(terms=Terms(providers=1))
    assert (
        code(World().ask(few, "new_conversation", {"pet_id": PET, "providers": [VERA.id, VITO.id]})) == "invalid_params"
    )


@pytest.mark.clause("V2.2")
@pytest.mark.parametrize(("found", "stored"), [(CONVERSATION, True), (None, False)])
def test_a_retry_of_what_was_created_is_not_refused_for_what_changed_since(
    found: Conversation | None, stored: bool
) -> None:
    world = World({ask.Permit: "Not any more.", ask.FindConversation: found})
    world.ask(session(), "new_conversation", {**PARAMS["new_conversation"], "client_conversation_id": "once"})
    assert ("Append" in world.names) == stored


@pytest.mark.clause("S4.16", "S4.18")
def test_a_history_subscribes_silently_then_reads_then_announces() -> None:
    world = World()
    assert world.ask(session(), "conversation_history", {"conversation_id": HERE, "limit": 2}).answer is None
    assert world.names == ["Admit", "Participates", "Subscribe", "Load", "ReadMessages", "Announce"]
    assert world.asked[4] == ask.ReadMessages(HERE, after=1, upto=3)


@pytest.mark.clause("R4.19")
def test_a_page_beyond_the_end_reads_nothing() -> None:
    world = World()
    world.ask(session(), "conversation_history", {"conversation_id": HERE, "page": 2**31 - 1, "limit": 100})
    assert "ReadMessages" not in world.names


@pytest.mark.clause("V3.5")
def test_a_history_without_subscribing_only_reads() -> None:
    world = World()
    response = world.ask(session(), "conversation_history", {"conversation_id": HERE, "subscribe": False})
    assert response.answer is not None
    assert world.names == ["Admit", "Participates", "Load", "ReadMessages"]


@pytest.mark.clause("R4.9", "V3.5")
def test_subscribing_listens_before_it_looks_how_far_the_conversation_is() -> None:
    world = World()
    world.ask(session(), "subscribe_conversation", {"conversation_id": HERE})
    assert world.names == ["Admit", "Participates", "Subscribe", "Load", "Announce"]


@pytest.mark.clause("R6.3")
@pytest.mark.parametrize("event", ["conversation_history", "subscribe_conversation"])
@pytest.mark.parametrize("new", [True, False])
def test_a_subscription_that_was_new_is_undone_when_the_read_fails(event: str, new: bool) -> None:
    world = World({ask.Subscribe: new, ask.Load: BUSY})
    assert code(world.ask(session(), event, {"conversation_id": HERE})) == "unavailable"
    assert ("Unsubscribe" in world.names) == new
    assert "Announce" not in world.names


@pytest.mark.clause("V4.2")
def test_marking_beyond_the_last_message_changes_nothing() -> None:
    world = World()
    assert code(world.ask(session(), "mark_read", {"conversation_id": HERE, "seq": 4})) == "invalid_params"
    assert "Append" not in world.names
    world.ask(session(), "mark_read", {"conversation_id": HERE, "seq": 3}, ref="mine")
    assert world.asked[-1] == ask.Append(ReadDraft(HERE, OLGA.id, 3), "mine")


@pytest.mark.clause("V2.4", "V4.2")
def test_marking_what_is_marked_is_answered_ok() -> None:
    response = World({ask.Append: Unchanged()}).ask(session(), "mark_read", PARAMS["mark_read"], ref="mine")
    assert response.answer is not None
    assert (response.answer.event, response.answer.ref) == ("ok", "mine")


ASKED_OF_THE_STORE = (
    ask.Participates, ask.Load, ask.ListConversations, ask.ReadMessages, ask.OnlyClients, ask.Permit, ask.Append,
    ask.ResumePoint,
)  # fmt: skip


@pytest.mark.clause("R6.3", "R4.7")
@pytest.mark.parametrize("event", sorted(RULES))
def test_whatever_the_store_fails_in_is_an_error_to_the_sender_and_the_end_of_the_story(event: str) -> None:
    usual, greeted = World(), event != "hello"
    usual.ask(session(greeted=greeted), event, PARAMS.get(event, {}))
    for operation in {type(asked) for asked in usual.asked if isinstance(asked, ASKED_OF_THE_STORE)}:
        world = World({operation: BUSY})
        response = world.ask(session(greeted=greeted), event, PARAMS.get(event, {}), ref="mine")
        assert code(response) == "unavailable"
        assert response.answer is not None
        assert response.answer.ref == "mine"
        afterwards = world.names[world.names.index(operation.__name__) + 1 :]
        assert afterwards in ([], ["Leave"], ["Unsubscribe"]), operation


@pytest.mark.clause("R4.7")
def test_when_nobody_can_tell_whether_it_was_stored_the_connection_ends_without_an_answer() -> None:
    with pytest.raises(Closing) as closing:
        World({ask.Append: Closing(UNAVAILABLE)}).ask(session(), "message", PARAMS["message"])
    assert closing.value.close is UNAVAILABLE


# -- coming in ---------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R1.4", "S5.1")
def test_a_base_connection_listens_then_joins() -> None:
    world, base = World(), session(Dialect.BASE, greeted=False)
    world.run(connect(base, Identity(OLGA)))
    assert world.asked == [ask.Enter(Identity(OLGA)), ask.Join((HERE,))]
    assert base.user == OLGA


@pytest.mark.clause("R2.7")
def test_one_connection_too_many_is_turned_away() -> None:
    for story in (
        connect(session(Dialect.BASE, greeted=False), Identity(OLGA)),
        respond(session(greeted=False), HELLO),
    ):
        with pytest.raises(Closing):
            World({ask.Enter: Closing(TOO_MANY_CONNECTIONS)}).run(story)


HELLO = '{"event": "hello", "params": {}}'


@pytest.mark.clause("V1.1", "V1.4", "V3.3")
def test_hello_listens_looks_welcomes_and_goes_live() -> None:
    world, new = World(), session(greeted=False)
    assert world.run(respond(new, HELLO)) == Response("hello", None)
    assert world.names == ["Admit", "Authenticate", "Enter", "Join", "Reply", "GoLive"]
    assert new.user == OLGA


@pytest.mark.clause("V1.2", "V3.3")
@pytest.mark.parametrize(("recovered", "begins_at"), [(True, 2), (False, 4)])
def test_a_resume_goes_on_where_it_was_and_otherwise_at_the_head(recovered: bool, begins_at: int) -> None:
    world = World({ask.ResumePoint: recovered})
    world.ask(session(greeted=False), "hello", PARAMS["hello"], ref="mine")
    assert world.asked[3] == ask.ResumePoint("the log", 2)
    reply = world.asked[-2]
    assert isinstance(reply, ask.Reply)
    assert reply.answer.ref == "mine"
    welcome = reply.answer.model_dump()["params"]
    assert (welcome["recovered"], welcome["offset"], welcome["epoch"]) == (recovered, 4, "the log")
    assert world.asked[-1] == ask.GoLive(begins_at)


@pytest.mark.clause("V1.1", "V2.3")
def test_a_second_hello_is_refused_and_asks_nothing() -> None:
    world = World()
    assert code(world.run(respond(session(), HELLO))) == "invalid_params"
    assert world.names == ["Admit"]


@pytest.mark.clause("V1.2")
def test_after_a_malformed_hello_another_may_be_sent() -> None:
    world, new = World(), session(greeted=False)
    assert code(world.ask(new, "hello", {"resume": {"epoch": ""}})) == "invalid_params"
    assert world.ask(new, "hello", {}).answer is None
    assert new.user == OLGA


@pytest.mark.clause("R6.3", "V1.1")
def test_a_hello_that_cannot_be_looked_up_leaves_nothing_behind_and_may_be_sent_again() -> None:
    world, new = World({ask.ResumePoint: BUSY}), session(greeted=False)
    assert code(world.ask(new, "hello", PARAMS["hello"])) == "unavailable"
    assert world.names[-1] == "Leave"
    assert new.identity is None
    assert World().ask(new, "hello", PARAMS["hello"]).answer is None


@pytest.mark.clause("V3.3", "V3.4")
@pytest.mark.parametrize("operation", [ask.ReadLog, ask.GoLive])
def test_a_replay_that_fails_ends_the_connection_for_it_is_never_partial(operation: type) -> None:
    with pytest.raises(Closing) as closing:
        World({ask.GoLive: False, operation: BUSY}).ask(session(greeted=False), "hello", PARAMS["hello"])
    assert closing.value.close is UNAVAILABLE


@pytest.mark.clause("V1.2", "V1.5", "R1.6")
@pytest.mark.parametrize("other", [OTTO, VERA])
@pytest.mark.parametrize("event", ["hello", "refresh"])
def test_anothers_token_ends_the_connection(event: str, other: Any) -> None:
    world = World({ask.Authenticate: Identity(other)})
    with pytest.raises(Closing) as closing:
        world.ask(session(greeted=event == "refresh"), event, {"token": "another's"})
    assert closing.value.close is UNAUTHENTICATED
    assert world.names == ["Admit", "Authenticate"]


@pytest.mark.clause("V1.3")
@pytest.mark.parametrize("close", [UNAUTHENTICATED, NO_ROLE])
def test_a_token_that_does_not_hold_ends_the_connection(close: Any) -> None:
    with pytest.raises(Closing) as closing:
        World({ask.Authenticate: Closing(close)}).ask(session(greeted=False), "hello", {"token": "bad"})
    assert closing.value.close is close


@pytest.mark.clause("V1.5")
def test_a_refresh_gives_the_session_a_new_lifetime() -> None:
    renewed = Identity(OLGA, expires_at=NOW + 1)
    world, old = World({ask.Authenticate: renewed}), session()
    response = world.ask(old, "refresh", {"token": "new"}, ref="mine")
    assert world.asked[1:] == [ask.Authenticate("new"), ask.Renew(renewed)]
    assert response.answer is not None
    assert response.answer.model_dump()["params"] == {"token_expires_at": NOW + 1}
    assert old.identity == renewed
