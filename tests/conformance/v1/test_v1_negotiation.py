"""Beginning a vetchat.v1 connection: the subprotocol, hello and welcome, and a token inside hello (V1.1 to V1.4)."""

import time
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.exceptions import ConnectionClosed

from tests.conformance.peer import ABSENT, Peer, Refused, new_id, raw_upgrade, refusal
from tests.conformance.shapes import NIL, is_uuid
from tests.conformance.v1.peer import V1, V1Peer, V1People
from tests.running import ServerProcess, sign

pytestmark = pytest.mark.anyio

MALFORMED_RESUMES = {
    "a number": 1,
    "text": "resume",
    "an array": ["epoch", 1],
    "an empty object": {},
    "no epoch": {"offset": 1},
    "no offset": {"epoch": "some epoch"},
    "an epoch that is a number": {"epoch": 7, "offset": 1},
    "an epoch that is null": {"epoch": None, "offset": 1},
    "an empty epoch": {"epoch": "", "offset": 1},
    "an epoch of 65 characters": {"epoch": 65 * "e", "offset": 1},
    "an offset below 0": {"epoch": "some epoch", "offset": -1},
    "an offset between two": {"epoch": "some epoch", "offset": 1.5},
    "an offset that is text": {"epoch": "some epoch", "offset": "1"},
    "an offset that is true": {"epoch": "some epoch", "offset": True},
    "an offset that is null": {"epoch": "some epoch", "offset": None},
}


# -- the subprotocol ---------------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.1", "V1.2")
async def test_the_subprotocol_is_echoed_also_when_unknown_ones_are_offered_beside_it(server: ServerProcess) -> None:
    for offered in ([V1], ["graphql-ws", V1], [V1, "vetchat.v2"]):
        token = server.token(new_id(), "client")
        async with await V1Peer.connect(server.ws_url, token=token, subprotocols=offered) as peer:
            assert peer.socket.subprotocol == V1
            await peer.hello()


@pytest.mark.clause("V1.1")
async def test_offering_only_unknown_subprotocols_is_refused_with_400(server: ServerProcess) -> None:
    for offered in (["vetchat.v2"], ["vetchat"], ["vetchat.v10", "chat"]):
        token = server.token(new_id(), "client")
        assert await refusal(server.ws_url, token=token, subprotocols=offered) == 400


@pytest.mark.clause("V1.1")
async def test_without_a_subprotocol_the_wire_is_the_base_dialect(people: V1People) -> None:
    peer = await people.base.client()
    assert peer.socket.subprotocol is None
    await peer.refused("hello", {})
    await peer.refused("ping", {})
    await peer.expect_silence()


# -- hello and welcome -------------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.1", "V1.2")
async def test_hello_is_answered_by_a_welcome_that_says_who_and_where_one_is(
    server: ServerProcess, people: V1People
) -> None:
    expires = int(time.time()) + 600
    vet_id = new_id()
    token = sign({"sub": vet_id, "role": "provider", "iat": expires - 600, "exp": expires})
    vet = await people.waiting(token=token)
    assert (vet.user_id, vet.role) == (vet_id, "provider")
    welcome = await vet.hello()
    assert (welcome["user_id"], welcome["role"]) == (vet_id, "provider")
    assert welcome["recovered"] is False
    assert welcome["heartbeat_interval_ms"] == 25_000
    assert welcome["token_expires_at"] == expires * 1000
    assert welcome["limits"]["content_chars"] == 8_000
    assert welcome["limits"]["frame_bytes"] == 131_072
    await vet.expect_silence()


@pytest.mark.clause("V1.1", "R2.3")
async def test_hello_may_name_its_sender_or_not(people: V1People) -> None:
    for sender in ("own", NIL, ABSENT):
        peer = await people.waiting()
        await peer.send("hello", {}, sender_id=peer.user_id if sender == "own" else sender)
        await peer.expect("welcome", user_id=peer.user_id)


@pytest.mark.clause("V1.2")
async def test_each_connection_has_a_session_of_its_own_in_the_same_epoch(people: V1People) -> None:
    user_id = new_id()
    welcomes = [await (await people.waiting("client", user_id)).hello() for _ in range(3)]
    assert len({welcome["session_id"] for welcome in welcomes}) == 3
    assert user_id not in {welcome["session_id"] for welcome in welcomes}
    assert len({welcome["epoch"] for welcome in welcomes}) == 1


@pytest.mark.clause("V1.2", "R1.3")
async def test_in_open_mode_no_token_runs_out(open_server: ServerProcess) -> None:
    vet_id = new_id()
    query = {"user_id": vet_id, "role": "provider"}
    async with await V1Peer.connect(open_server.ws_url, subprotocols=[V1], query=query) as vet:
        welcome = await vet.hello()
        assert welcome["token_expires_at"] is None
        assert (welcome["user_id"], welcome["role"]) == (vet_id, "provider")
    async with await V1Peer.connect(open_server.ws_url, subprotocols=[V1]) as somebody:
        welcome = await somebody.hello()
        assert is_uuid(welcome["user_id"])
        assert welcome["role"] == "client"


@pytest.mark.clause("V1.1", "V2.3")
async def test_before_hello_every_other_command_is_an_error_without_effect(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    phone = await people.waiting("client", owner.user_id)
    commands: dict[str, Any] = {
        "conversations": {},
        "message": {"conversation_id": conversation, "content": "Too early."},
        "new_conversation": {"pet_id": new_id(), "providers": [vet.user_id]},
        "conversation_history": {"conversation_id": conversation},
        "subscribe_conversation": {"conversation_id": conversation},
        "unsubscribe_conversation": {"conversation_id": conversation},
        "typing": {"conversation_id": conversation, "state": "active"},
        "mark_read": {"conversation_id": conversation, "seq": 0},
        "refresh": {"token": "token"},
        "ping": {},
        "nonsense": {},
    }
    for event, params in commands.items():
        assert await phone.fails(event, params) == "hello_required", event
    await phone.hello()
    assert [frame.event for frame in await phone.caught_up()] == ["presence_state"]
    for peer in (owner, vet):
        await peer.expect_silence()
    assert await owner.log_of(conversation) == []


@pytest.mark.clause("V1.1")
async def test_a_second_hello_is_an_error_and_changes_nothing(people: V1People) -> None:
    owner, vet, conversation = await people.consultation()
    await owner.say(conversation)
    await vet.caught_up()
    for params in ({}, {"resume": {"epoch": vet.epoch, "offset": 0}}, {"token": people.token(new_id(), "client")}):
        assert await vet.fails("hello", params) == "invalid_params"
    await vet.expect_silence()
    await vet.say(conversation, "Still here.")
    assert [frame.params["content"] for frame in await owner.caught_up()] == ["Still here."]


@pytest.mark.clause("V1.2")
@pytest.mark.parametrize("resume", MALFORMED_RESUMES.values(), ids=MALFORMED_RESUMES.keys())
async def test_a_malformed_resume_is_an_error_and_hello_may_be_sent_again(people: V1People, resume: Any) -> None:
    peer = await people.waiting()
    for _ in range(2):
        assert await peer.fails("hello", {"resume": resume}) == "invalid_params"
    assert await peer.fails("conversations", {}) == "hello_required"
    welcome = await peer.hello()
    assert welcome["recovered"] is False
    await peer.expect_silence()


@pytest.mark.clause("V1.2", "V3.4")
async def test_a_resume_with_the_longest_epoch_and_the_largest_offset_is_well_formed(people: V1People) -> None:
    for offset in (0, 2**53, 2**63, 10**30):
        peer = await people.waiting()
        assert (await peer.hello(resume={"epoch": 64 * "é", "offset": offset}))["recovered"] is False
        await peer.expect_silence()


@pytest.mark.clause("V1.2", "V3.2")
async def test_the_offset_of_a_welcome_is_the_head_of_the_log(people: V1People) -> None:
    owner, _, conversation = await people.consultation()
    for _ in range(3):
        await owner.say(conversation)
        for somebody in (await people.another_device_of(owner), await people.client()):
            assert somebody.position == owner.position


# -- who one is --------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.2")
async def test_hello_may_repeat_ones_own_token_or_bring_a_newer_one(server: ServerProcess, people: V1People) -> None:
    user_id = new_id()
    peer = await people.waiting(token=server.token(user_id, "client", ttl=600))
    newer = int(time.time()) + 1200
    token = sign({"sub": user_id, "role": "client", "iat": newer - 1200, "exp": newer})
    assert (await peer.hello(token=token))["token_expires_at"] == newer * 1000


@pytest.mark.clause("V1.2", "V5.2")
@pytest.mark.parametrize("other", ["subject", "role", "both"])
async def test_a_token_in_hello_of_somebody_else_closes_with_4001(people: V1People, other: str) -> None:
    user_id = new_id()
    peer = await people.waiting("client", user_id)
    subject = user_id if other == "role" else new_id()
    token = people.token(subject, "client" if other == "subject" else "provider")
    await peer.send("hello", {"token": token}, sender_id=ABSENT)
    assert await peer.closed() == 4001


@pytest.mark.clause("V1.3", "R1.4")
@pytest.mark.parametrize("role", ["client", "provider"])
async def test_a_connection_without_a_token_brings_it_in_hello(people: V1People, role: str) -> None:
    user_id = new_id()
    peer = await people.waiting(token=None)
    assert "VetChat-User-Id" not in peer.headers
    assert "VetChat-Role" not in peer.headers
    welcome = await peer.hello(token=people.token(user_id, role))
    assert (welcome["user_id"], welcome["role"]) == (user_id, role)
    assert await peer.conversations() == []


@pytest.mark.clause("V1.3", "R1.5")
async def test_a_token_may_travel_in_the_query_as_well(server: ServerProcess, people: V1People) -> None:
    user_id = new_id()
    peer = await people.waiting(query={"token": server.token(user_id, "provider")})
    assert (peer.user_id, peer.role) == (user_id, "provider")
    await peer.hello()
    assert "eyJ" not in server.log


def stranger(**changes: Any) -> str:
    """A token with good claims, changed; a value of None leaves the claim out."""
    now = int(time.time())
    claims = {"sub": new_id(), "role": "client", "iat": now, "exp": now + 60} | changes
    return sign({name: value for name, value in claims.items() if value is not None})


BAD_TOKENS = {
    "garbage": lambda: "garbage",
    "empty": lambda: "",
    "signed by somebody else": lambda: sign(
        {"sub": new_id(), "role": "client", "exp": int(time.time()) + 60},
        secret="another secret that is also longer than 32 bytes",
    ),
    "expired": lambda: stranger(exp=int(time.time()) - 1),
    "without exp": lambda: stranger(exp=None),
    "without sub": lambda: stranger(sub=None),
    "sub is not a UUID": lambda: stranger(sub="ada"),
}


@pytest.mark.clause("V1.3", "V5.2")
@pytest.mark.parametrize("kind", BAD_TOKENS)
async def test_a_bad_token_in_hello_closes_with_4001(people: V1People, kind: str) -> None:
    token = BAD_TOKENS[kind]()
    nameless, named = await people.waiting(token=None), await people.waiting()
    for peer in (nameless, named):
        await peer.send("hello", {"token": token}, sender_id=ABSENT)
        assert await peer.closed() == 4001


@pytest.mark.clause("V1.3", "V5.2")
async def test_a_missing_token_in_hello_closes_with_4001(people: V1People) -> None:
    peer = await people.waiting(token=None)
    await peer.send("hello", {}, sender_id=ABSENT)
    assert await peer.closed() == 4001


@pytest.mark.clause("V1.3", "V5.2")
@pytest.mark.parametrize("role", [None, "", "admin", ["client"]])
async def test_a_token_in_hello_without_a_usable_role_closes_with_4003(people: V1People, role: Any) -> None:
    peer = await people.waiting(token=None)
    await peer.send("hello", {"token": stranger(role=role)}, sender_id=ABSENT)
    assert await peer.closed() == 4003


@pytest.mark.clause("R1.8", "V1.3")
async def test_a_token_in_hello_for_the_nil_uuid_is_refused(people: V1People) -> None:
    peer = await people.waiting(token=None)
    await peer.send("hello", {"token": stranger(sub=NIL)}, sender_id=ABSENT)
    assert await peer.closed() in (4001, 4003)


@pytest.mark.clause("V1.3", "R1.7")
async def test_a_bad_token_at_the_upgrade_is_refused_over_http(server: ServerProcess) -> None:
    for way in ("header", "query"):
        for token, status in ((BAD_TOKENS["expired"](), 401), (stranger(role="admin"), 403)):
            options: dict[str, Any] = {"token": token} if way == "header" else {"query": {"token": token}}
            assert await refusal(server.ws_url, subprotocols=[V1], **options) == status


@pytest.mark.clause("V1.3", "R1.7")
async def test_an_origin_that_is_not_allowed_is_refused_also_without_a_token(server: ServerProcess) -> None:
    headers = [("Sec-WebSocket-Protocol", V1), ("Origin", "https://evil.example")]
    path = f"/ws/?{urlencode({'x': 1})}"
    assert (await raw_upgrade(server.ws_url, path, headers)).status == 403


# -- waiting for hello -------------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.1", "V5.2")
async def test_a_connection_that_never_says_hello_is_closed_with_4008(narrow_server: ServerProcess) -> None:
    began = time.monotonic()
    async with V1People(narrow_server) as people:
        silent, talker = await people.waiting(), await people.waiting(token=None)
        assert await talker.fails("conversations", {}, sender_id=ABSENT) == "hello_required"
        for peer in (silent, talker):
            assert await peer.closed() == 4008
        assert 0.9 <= time.monotonic() - began <= 3


@pytest.mark.clause("V1.3")
async def test_one_connection_too_many_that_waits_for_hello_gets_503(narrow_server: ServerProcess) -> None:
    async with V1People(narrow_server) as people:
        first, second = await people.waiting(), await people.waiting(token=None)
        for options in ({"token": people.token(new_id(), "client")}, {}):
            assert await refusal(narrow_server.ws_url, subprotocols=[V1], **options) == 503
        await (await people.base.client()).expect_silence()
        await first.hello()
        third = await people.waiting()
        with pytest.raises(Refused):
            await people.waiting()
        await second.close()
        await third.hello()
        await people.client()


@pytest.mark.clause("R2.7", "V5.2")
async def test_a_21st_connection_of_a_user_is_closed_with_4110(default_server: ServerProcess) -> None:
    async with V1People(default_server) as people:
        user_id = new_id()
        for _ in range(20):
            await people.client(user_id)
        with_header = await people.waiting("client", user_id)
        nameless = await people.waiting(token=None)
        await greet(with_header)
        await greet(nameless, token=people.token(user_id, "client"))
        for peer in (with_header, nameless):
            assert await peer.closed() == 4110


async def greet(peer: Peer, **params: str) -> None:
    """Says hello to a server that may have closed already."""
    try:
        await peer.send("hello", params, sender_id=ABSENT)
    except ConnectionClosed:
        return


# -- automatic subscription --------------------------------------------------------------------------------------------


@pytest.mark.clause("V1.4", "S5.1")
async def test_one_is_subscribed_at_welcome_and_not_before(people: V1People) -> None:
    owner, vet_id = await people.client(), new_id()
    conversation = (await owner.create(vet_id))["id"]
    vet = await people.waiting("provider", vet_id)
    await owner.say(conversation, "Before.")
    await owner.expect_silence()
    await vet.hello()
    await owner.expect("user_joined", user_id=vet_id, conversation_id=conversation)
    await vet.expect("presence_state", conversation_id=conversation)
    await owner.say(conversation, "After.")
    await vet.expect("message_sent", content="After.")
    await vet.expect_silence()


@pytest.mark.clause("V1.4", "R4.14")
async def test_an_invitation_while_waiting_for_hello_is_found_in_the_conversations(people: V1People) -> None:
    owner, vet = await people.client(), await people.waiting("provider", vet_id := new_id())
    conversation = (await owner.create(vet_id))["id"]
    await owner.expect_silence()
    await vet.hello()
    assert [entry["id"] for entry in await vet.conversations()] == [conversation]
    assert [frame.event for frame in await vet.caught_up()] == ["presence_state"]
    await owner.expect("user_joined", user_id=vet_id)


@pytest.mark.clause("V1.4", "R5.7")
async def test_a_connection_that_never_said_hello_leaves_in_silence(people: V1People) -> None:
    owner, vet_id = await people.client(), new_id()
    await owner.create(vet_id)
    vet = await people.waiting("provider", vet_id)
    await vet.close()
    again = await people.provider(vet_id)
    assert [frame.event for frame in await owner.caught_up()] == ["user_joined"]
    await again.caught_up()
