"""Connecting: the endpoint, who one is, tokens, origins and open mode (S1, R1)."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conformance.peer import Peer, People, new_id, raw_upgrade, refusal
from tests.conformance.shapes import NIL, is_uuid
from tests.running import ALLOWED_ORIGIN, SECRET, ServerProcess, sign

pytestmark = pytest.mark.anyio


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token, changed; a value of None leaves the claim out."""
    now = int(time.time())
    all_claims = {"sub": new_id(), "role": "client", "iat": now, "exp": now + 60} | changes
    return {name: value for name, value in all_claims.items() if value is not None}


def unsigned(token_claims: Mapping[str, Any]) -> str:
    """A token with the algorithm `none`."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, token_claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


# -- the endpoint ------------------------------------------------------------------------------------------------------


@pytest.mark.clause("S1.1")
@pytest.mark.parametrize("path", ["/ws/", "/ws"])
async def test_the_endpoint_answers_with_and_without_the_last_slash(server: ServerProcess, path: str) -> None:
    token = server.token(new_id(), "client")
    response = await raw_upgrade(server.ws_url, path, [bearer(token)])
    assert response.status == 101
    assert "sec-websocket-protocol" not in response.headers


@pytest.mark.clause("S1.1")
async def test_a_chat_works_on_the_endpoint_without_the_last_slash(server: ServerProcess) -> None:
    url = server.ws_url.removesuffix("/")
    async with await Peer.connect(url, token=server.token(new_id(), "client")) as owner:
        conversation = await owner.create()
        await owner.say(conversation["id"])


@pytest.mark.clause("S1.1")
async def test_offering_only_unknown_subprotocols_is_refused_with_400(server: ServerProcess) -> None:
    token = server.token(new_id(), "client")
    assert await refusal(server.ws_url, token=token, subprotocols=["graphql-ws", "vetchat.v999"]) == 400


# -- who one is --------------------------------------------------------------------------------------------------------


@pytest.mark.clause("S1.2", "R1.3", "R1.4")
async def test_each_connection_in_open_mode_gets_an_id_of_its_own_and_is_told_it(open_server: ServerProcess) -> None:
    async with await Peer.connect(open_server.ws_url) as one, await Peer.connect(open_server.ws_url) as other:
        assert is_uuid(one.user_id)
        assert is_uuid(other.user_id)
        assert len({one.user_id, other.user_id, NIL}) == 3
        assert (one.role, other.role) == ("client", "client")


@pytest.mark.clause("R1.3", "R1.4")
async def test_open_mode_takes_id_role_and_name_from_the_query(open_server: ServerProcess) -> None:
    vet_id = new_id()
    async with await Peer.connect(open_server.ws_url) as owner:
        conversation = await owner.create(vet_id)
        query = {"user_id": vet_id, "role": "provider", "name": "Dr. Åse Øy"}
        async with await Peer.connect(open_server.ws_url, query=query) as vet:
            assert (vet.user_id, vet.role) == (vet_id, "provider")
            assert [entry["id"] for entry in await vet.conversations()] == [conversation["id"]]
            await owner.expect("user_joined", user_id=vet_id, display_name="Dr. Åse Øy", profile_image_url=None)


@pytest.mark.clause("R1.3", "R1.8")
@pytest.mark.parametrize(
    "query", [{"user_id": "42"}, {"user_id": NIL}, {"role": "admin"}, {"role": ""}, {"user_id": "not-a-uuid"}]
)
async def test_open_mode_refuses_an_id_or_a_role_that_cannot_be(
    open_server: ServerProcess, query: dict[str, str]
) -> None:
    assert 400 <= await refusal(open_server.ws_url, query=query) < 500


@pytest.mark.clause("S1.2", "R1.3", "R1.4")
@pytest.mark.parametrize("role", ["client", "provider"])
async def test_the_handshake_tells_the_id_and_the_role_that_the_token_carries(people: People, role: str) -> None:
    user_id = new_id()
    peer = await (people.client(user_id) if role == "client" else people.provider(user_id))
    assert (peer.user_id, peer.role) == (user_id, role)


@pytest.mark.clause("R1.4")
async def test_a_connection_counts_before_its_handshake_is_answered(people: People) -> None:
    owner, vet_id = await people.client(), new_id()
    conversation = await owner.create(vet_id)
    vet = await people.provider(vet_id)
    await owner.send("message", {"conversation_id": conversation["id"], "content": "Are you there?"})
    await owner.expect("user_joined", user_id=vet_id)
    await owner.expect("message_sent", content="Are you there?")
    await vet.expect("message_sent", content="Are you there?")


@pytest.mark.clause("R1.4", "R4.13")
async def test_a_role_is_on_record_as_soon_as_the_handshake_is_answered(people: People) -> None:
    owner = await people.client()
    somebody = await people.client()
    await owner.refused("new_conversation", {"pet_id": new_id(), "providers": [somebody.user_id]})


# -- tokens ------------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R1.5")
async def test_a_token_travels_in_the_authorization_header_or_in_the_query(server: ServerProcess) -> None:
    for way in ("header", "query"):
        user_id = new_id()
        token = server.token(user_id, "provider")
        options: dict[str, Any] = {"token": token} if way == "header" else {"query": {"token": token}}
        async with await Peer.connect(server.ws_url, **options) as peer:
            assert (peer.user_id, peer.role) == (user_id, "provider")


@pytest.mark.clause("R1.5")
async def test_a_token_never_reaches_the_log_accepted_or_refused(server: ServerProcess) -> None:
    good = server.token(new_id(), "client")
    forged = sign(claims(), secret="another secret that is also longer than 32 bytes")
    async with await Peer.connect(server.ws_url, query={"token": good}) as peer:
        await peer.expect_silence()
    assert await refusal(server.ws_url, query={"token": forged}) == 401
    assert await refusal(server.ws_url, token=forged) == 401
    assert server.get("/health")[0] == 200
    for token in (good, forged):
        assert not [part for part in token.split(".") if part in server.log]


@pytest.mark.clause("R1.6")
async def test_a_role_asked_for_beside_a_token_counts_for_nothing(server: ServerProcess) -> None:
    query = {"role": "client", "user_id": new_id()}
    vet_id = new_id()
    async with await Peer.connect(server.ws_url, token=server.token(vet_id, "provider"), query=query) as vet:
        assert (vet.user_id, vet.role) == (vet_id, "provider")


@pytest.mark.clause("R1.6")
async def test_a_role_written_into_a_frame_counts_for_nothing(people: People) -> None:
    vet = await people.provider()
    params: dict[str, Any] = {"pet_id": new_id(), "providers": [], "role": "client"}
    await vet.refused("new_conversation", params, role="client")
    assert await vet.conversations() == []


@pytest.mark.clause("R1.6")
async def test_a_role_holds_for_the_life_of_the_connection(people: People) -> None:
    owner = await people.client()
    await people.provider(owner.user_id)
    await owner.create()


TOKENS_REFUSED_WITH_401 = {
    "garbage": lambda: "garbage",
    "empty": lambda: "",
    "three dots": lambda: "a.b.c",
    "signed by somebody else": lambda: sign(claims(), secret="another secret that is also longer than 32 bytes"),
    "not signed": lambda: unsigned(claims()),
    "another algorithm": lambda: sign(claims(), algorithm="HS512"),
    "expired": lambda: sign(claims(exp=int(time.time()) - 3600)),
    "expired a second ago": lambda: sign(claims(exp=int(time.time()) - 1)),
    "without exp": lambda: sign(claims(exp=None)),
    "exp is not a number": lambda: sign(claims(exp="tomorrow")),
    "without sub": lambda: sign(claims(sub=None)),
    "sub is not a UUID": lambda: sign(claims(sub="ada")),
    "sub is not a string": lambda: sign(claims(sub=42)),
}


@pytest.mark.clause("R1.7", "R1.9")
@pytest.mark.parametrize("way", ["header", "query"])
@pytest.mark.parametrize("kind", TOKENS_REFUSED_WITH_401)
async def test_a_bad_token_is_refused_with_401_before_the_upgrade(server: ServerProcess, kind: str, way: str) -> None:
    token = TOKENS_REFUSED_WITH_401[kind]()
    options: dict[str, Any] = {"token": token} if way == "header" else {"query": {"token": token}}
    assert await refusal(server.ws_url, **options) == 401


@pytest.mark.clause("R1.7")
async def test_a_missing_token_is_refused_with_401_before_the_upgrade(server: ServerProcess) -> None:
    assert await refusal(server.ws_url) == 401
    assert await refusal(server.ws_url, query={"user_id": new_id(), "role": "client"}) == 401
    assert await refusal(server.ws_url, headers={"Authorization": "Basic YWRhOmFkYQ=="}) == 401


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize("role", [None, "", "admin", "Client", ["client"], 7])
async def test_a_token_without_a_usable_role_is_refused_with_403(server: ServerProcess, role: Any) -> None:
    assert await refusal(server.ws_url, token=sign(claims(role=role))) == 403


@pytest.mark.clause("R1.8")
async def test_a_token_for_the_nil_uuid_is_refused(server: ServerProcess) -> None:
    assert await refusal(server.ws_url, token=sign(claims(sub=NIL))) in (401, 403)


@pytest.mark.clause("R1.8")
async def test_the_nil_uuid_names_no_pet_no_vet_and_no_conversation(people: People) -> None:
    owner = await people.client()
    await owner.refused("new_conversation", {"pet_id": NIL, "providers": []})
    await owner.refused("new_conversation", {"pet_id": new_id(), "providers": [new_id(), NIL]})
    await owner.refused("message", {"conversation_id": NIL, "content": "Hello."})
    await owner.refused("conversation_history", {"conversation_id": NIL})
    await owner.refused("subscribe_conversation", {"conversation_id": NIL})
    await owner.refused("unsubscribe_conversation", {"conversation_id": NIL})
    assert await owner.conversations() == []


@pytest.mark.clause("R1.9")
async def test_the_connection_closes_with_4202_when_its_token_runs_out(default_server: ServerProcess) -> None:
    expires = int(time.time()) + 2
    token = sign(claims(exp=expires), default_server.secret or SECRET)
    async with await Peer.connect(default_server.ws_url, token=token) as owner:
        await owner.create()
        assert await owner.closed() == 4202
        assert expires - 0.1 <= time.time() <= expires + 1


# -- origins -----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R1.7")
async def test_no_origin_the_servers_own_and_a_listed_one_are_allowed(server: ServerProcess) -> None:
    token = server.token(new_id(), "client")
    for origin in (None, server.http_url, ALLOWED_ORIGIN):
        headers = [bearer(token)] + ([("Origin", origin)] if origin else [])
        assert (await raw_upgrade(server.ws_url, "/ws/", headers)).status == 101, origin


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:5173",
        "http://127.0.0.1:1",
        "null",
        "https://clinic.example.evil.example",
        "https://clinic.example:8443",
        "http://clinic.example",
    ],
)
async def test_any_other_origin_is_refused_with_403(server: ServerProcess, origin: str) -> None:
    token = server.token(new_id(), "client")
    assert await refusal(server.ws_url, token=token, headers={"Origin": origin}) == 403


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:8080"])
async def test_open_mode_allows_any_loopback_origin(open_server: ServerProcess, origin: str) -> None:
    response = await raw_upgrade(open_server.ws_url, "/ws/", [("Origin", origin)])
    assert response.status == 101


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost.evil.example", "http://192.0.2.1", "null"]
)
async def test_open_mode_refuses_any_other_origin(open_server: ServerProcess, origin: str) -> None:
    assert await refusal(open_server.ws_url, headers={"Origin": origin}) == 403


@pytest.mark.clause("R1.7")
async def test_open_mode_answers_to_loopback_hosts_only(open_server: ServerProcess) -> None:
    port = open_server.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "localhost"):
        assert (await raw_upgrade(open_server.ws_url, "/ws/", [("Host", host)])).status == 101, host
    for host in ("evil.example", f"evil.example:{port}", f"localhost.evil.example:{port}", f"192.0.2.1:{port}"):
        headers = [("Host", host), ("Origin", f"http://{host}")]
        assert (await raw_upgrade(open_server.ws_url, "/ws/", headers)).status == 403, host
