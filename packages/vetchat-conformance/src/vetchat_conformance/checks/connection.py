"""Where to connect, who one is once connected, and who is turned away at the door (S1, R1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from ..check import Section
from ..identities import Identity
from ..scene import Refused, Scene
from ..shapes import JSON, NIL, is_uuid
from ..verdicts import Broken, LeftOut, require

SECTION: Final = Section()
NOBODY: Final = Identity(NIL, "client")


async def refusal(
    scene: Scene,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    origin: str | None = None,
) -> int:
    """The HTTP status of an upgrade that must be refused."""
    try:
        await scene.open("somebody", NOBODY, query=query, headers=headers, origin=origin)
    except Refused as refused:
        return refused.status
    raise Broken("The upgrade must be refused, and was accepted.")


@SECTION.check("S1.1")
async def the_endpoint_answers_with_and_without_its_last_slash(scene: Scene) -> None:
    """Connects to `/ws/` and to `/ws`, following no redirect, and lists the conversations on each."""
    parts = urlsplit(scene.url)
    if parts.path not in ("/ws/", "/ws"):
        raise LeftOut(f"It needs the server's own path /ws/, and was given {parts.path}.")
    for path in ("/ws/", "/ws"):
        scene.url = urlunsplit(parts._replace(path=path))
        await (await scene.owner()).silence()


@SECTION.check("S1.2", "R1.3")
async def every_connection_in_open_mode_is_given_an_id_of_its_own(scene: Scene) -> None:
    """Connects twice without asking for an id: the handshakes tell two different UUIDs, both for clients."""
    scene.needs_open_mode("where the server picks ids")
    peers = [await scene.open("somebody", NOBODY) for _ in range(2)]
    ids = [peer.header("VetChat-User-Id") for peer in peers]
    require(all(is_uuid(one) and one != NIL for one in ids), f"The handshake must tell a UUID, and told {ids}.")
    require(ids[0] != ids[1], "Two connections that ask for no id must get different ones.")
    require(peers[0].header("VetChat-Role") == "client", "Without ?role= a connection must be a client's.")


@SECTION.check("S1.2", "R1.3", "R1.4")
async def the_handshake_tells_the_id_and_the_role(scene: Scene) -> None:
    """Connects an owner and a vet, and compares the headers of the answer with what was asked for."""
    for peer in (await scene.owner(), await scene.vet()):
        told = (peer.header("VetChat-User-Id"), peer.header("VetChat-Role"))
        require(told == (peer.user_id, peer.identity.role), f"The handshake must tell {peer.name}'s id and role.")


@SECTION.check("R1.4", "R4.13")
async def a_role_is_on_record_as_soon_as_the_handshake_is_answered(scene: Scene) -> None:
    """A second owner connects, and the first one cannot invite it as a vet."""
    owner, somebody = await scene.owner(), await scene.owner(2)
    await owner.refused("new_conversation", {"pet_id": scene.new_id(), "providers": [somebody.user_id]})


@SECTION.check("R1.5")
async def a_token_may_travel_in_the_query_too(scene: Scene) -> None:
    """Connects with `?token=…` instead of the Authorization header."""
    scene.needs_tokens("which open mode has not")
    identity = scene.role("client")
    owner = await scene.open("the owner", identity, query={"token": identity.token or ""})
    await owner.silence()


@SECTION.check("R1.6")
async def a_role_written_into_a_frame_counts_for_nothing(scene: Scene) -> None:
    """A vet calls itself a client in the envelope and in the params of `new_conversation`, and is refused."""
    vet = await scene.vet()
    params: JSON = {"pet_id": scene.new_id(), "providers": [], "role": "client"}
    await vet.refused("new_conversation", params, role="client")


@SECTION.check("R1.7")
async def who_brings_no_token_or_a_bad_one_is_turned_away_with_401(scene: Scene) -> None:
    """Asks for the base upgrade without a token, and with one that is none: HTTP 401 before the upgrade, both times."""
    scene.needs_tokens("which open mode does not ask for")
    for headers in ({}, {"Authorization": "Bearer this.is.none"}):
        status = await refusal(scene, headers=headers)
        require(status == 401, f"The upgrade must be answered with HTTP 401, not {status}.")


@SECTION.check("R1.7")
async def a_foreign_origin_is_turned_away_with_403(scene: Scene) -> None:
    """Asks for the upgrade with the credentials of an owner and the `Origin` of a page elsewhere."""
    identity = scene.role("client")
    headers = {"Authorization": f"Bearer {identity.token}"} if identity.token else {}
    status = await refusal(scene, headers=headers, origin="https://elsewhere.invalid")
    require(status == 403, f"A foreign Origin must be answered with HTTP 403, not {status}.")


@SECTION.check("R1.8")
async def the_nil_uuid_is_nobodys_id(scene: Scene) -> None:
    """Names N as a pet, as a vet and as a conversation: each is an error, and nothing is created."""
    owner = await scene.owner()
    before = len(await owner.conversations())
    await owner.refused("new_conversation", {"pet_id": NIL, "providers": []})
    await owner.refused("new_conversation", {"pet_id": scene.new_id(), "providers": [NIL]})
    await owner.refused("message", {"conversation_id": NIL, "content": "Hello?"})
    require(len(await owner.conversations()) == before, "A frame that names N must create nothing.")


@SECTION.check("R1.8", "R1.3")
async def open_mode_gives_nobody_the_nil_uuid_or_an_id_or_a_role_that_cannot_be(scene: Scene) -> None:
    """Asks for N, for an id that is no UUID and for a role that there is not: each upgrade is refused."""
    scene.needs_open_mode("where one asks for an id")
    for query in ({"user_id": NIL}, {"user_id": "42"}, {"role": "admin"}):
        status = await refusal(scene, query=query)
        require(400 <= status < 500, f"The upgrade must be refused with a status of 4xx, not {status}.")
