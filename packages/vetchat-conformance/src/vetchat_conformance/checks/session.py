"""Saying hello, and staying known (V1)."""

from __future__ import annotations

from typing import Final

from ..check import Section
from ..frames import Frame
from ..peer import ABSENT
from ..scene import Refused, Scene
from ..shapes import JSON
from ..verdicts import Broken, require

SECTION: Final = Section()

MALFORMED: Final[tuple[JSON, ...]] = (
    1,
    {},
    {"offset": 1},
    {"epoch": "e"},
    {"epoch": "", "offset": 1},
    {"epoch": "e" * 65, "offset": 1},
    {"epoch": "e", "offset": -1},
    {"epoch": "e", "offset": "1"},
)
"""What is no `resume` (V1.2)."""


@SECTION.check("V1.1")
async def before_hello_every_other_command_is_hello_required(scene: Scene) -> None:
    """A second device of an owner sends commands before its hello: errors without effect; then it is welcomed."""
    owner, vet, conversation = await scene.consultation()
    phone = await scene.at_the_door(owner.identity)
    for event, params in (
        ("conversations", {}),
        ("message", {"conversation_id": conversation, "content": "Too early."}),
        ("subscribe_conversation", {"conversation_id": conversation}),
        ("ping", {}),
        ("no_such_event", {}),
    ):
        await phone.fails("hello_required", event, params)
    await phone.done("welcome", "hello", {})
    await vet.silence()
    require(await owner.contents(conversation) == [], "A command before hello must have no effect.")


@SECTION.check("V1.1")
async def a_second_hello_is_invalid_params(scene: Scene) -> None:
    """Says hello twice: the second one is an error, and the connection goes on."""
    owner = await scene.owner()
    await owner.fails("invalid_params", "hello", {})
    await owner.silence()


@SECTION.check("V1.1", slow=True)
async def who_says_no_hello_is_closed_with_4008(scene: Scene) -> None:
    """Opens a connection and says nothing, for 15 s at most."""
    scene.patience = max(scene.patience, 15.0)
    code = await (await scene.at_the_door(scene.role("client"))).until_closed()
    require(code == 4008, f"The connection must be closed with 4008, not {code}.")


@SECTION.check("V1.1")
async def the_base_wire_knows_no_hello(scene: Scene) -> None:
    """Says hello and ping on a connection that offered no subprotocol: both are errors."""
    owner = await scene.owner(dialect="base")
    await owner.refused("hello", {})
    await owner.refused("ping", {})


@SECTION.check("V1.2")
async def welcome_tells_who_and_where_one_is(scene: Scene) -> None:
    """Compares each `welcome` with the user, and those of two connections with each other."""
    identities = (scene.role("client"), scene.role("client"), scene.role("provider"))
    welcomes: list[Frame] = []
    for identity in identities:
        peer = await scene.at_the_door(identity)
        welcome = await peer.done("welcome", "hello", {})
        told = (welcome.get("user_id"), welcome.get("role"))
        require(told == (identity.user_id, identity.role), "welcome must tell the user's id and role.")
        require(welcome.get("recovered") is False, "Without resume, recovered must be false.")
        welcomes.append(welcome)
    require(len({welcome.get("session_id") for welcome in welcomes}) == 3, "Each connection must have its session_id.")
    require(len({welcome.get("epoch") for welcome in welcomes}) == 1, "All connections must be told the same epoch.")


@SECTION.check("V1.2", "R2.7")
async def a_frame_longer_than_welcome_allows_closes_with_1009(scene: Scene) -> None:
    """Sends a frame of `limits.frame_bytes` bytes, which is answered, and one of a byte more."""
    owner = await scene.at_the_door(scene.role("client"))
    welcome = await owner.done("welcome", "hello", {})
    longest: int = welcome.get("limits")["frame_bytes"]
    frame = '{"event": "ping"}'
    await owner.send_text(frame + " " * (longest - len(frame)))
    await owner.expect("pong")
    await owner.send_text(frame + " " * (longest + 1 - len(frame)))
    code = await owner.until_closed()
    require(code == 1009, f"The connection must be closed with 1009, not {code}.")


@SECTION.check("V1.2")
async def a_malformed_resume_is_invalid_params_and_hello_may_be_said_again(scene: Scene) -> None:
    """Says hello with what is no `resume` in eight ways; then without one, and is welcomed."""
    owner = await scene.at_the_door(scene.role("client"))
    for resume in MALFORMED:
        await owner.fails("invalid_params", "hello", {"resume": resume})
    await owner.done("welcome", "hello", {})


@SECTION.check("V1.3")
async def a_token_may_travel_in_hello(scene: Scene) -> None:
    """Opens a connection without a token and brings it in `hello`."""
    scene.needs_tokens("which open mode has not")
    identity = scene.role("provider")
    vet = await scene.open("the vet", identity, dialect="v1")
    welcome = await vet.done("welcome", "hello", {"token": identity.token}, sender_id=ABSENT)
    require(welcome.get("user_id") == identity.user_id, "welcome must tell the user of the token.")


@SECTION.check("V1.3", "V5.2")
async def a_missing_or_a_bad_token_in_hello_closes_with_4001(scene: Scene) -> None:
    """Opens connections without a token, and says hello without one and with one that is none."""
    scene.needs_tokens("which open mode does not ask for")
    for params in ({}, {"token": "this.is.none"}):
        peer = await scene.open("somebody", scene.role("client"), dialect="v1")
        await peer.send("hello", params, sender_id=ABSENT)
        code = await peer.until_closed()
        require(code == 4001, f"The connection must be closed with 4001, not {code}.")


@SECTION.check("V1.2", "V5.2")
async def the_token_of_another_user_in_hello_closes_with_4001(scene: Scene) -> None:
    """Opens a connection with the token of one owner and says hello with the token of another."""
    scene.needs_tokens("which open mode has not")
    peer = await scene.at_the_door(scene.role("client"))
    await peer.send("hello", {"token": scene.role("client", 2).token})
    code = await peer.until_closed()
    require(code == 4001, f"The connection must be closed with 4001, not {code}.")


@SECTION.check("V1.4")
async def one_is_subscribed_at_welcome(scene: Scene) -> None:
    """A vet opens a connection: the owner hears `user_joined` only after the vet's hello, and the vet then hears it."""
    owner, away = await scene.owner(), scene.role("provider")
    conversation = await scene.create(owner, away)
    vet = await scene.at_the_door(away)
    await owner.say(conversation, "Before hello.")
    await owner.silence()
    await vet.done("welcome", "hello", {})
    await owner.expect("user_joined", user_id=away.user_id)
    await vet.caught_up()
    await owner.say(conversation, "After hello.")
    await vet.expect("message_sent", content="After hello.")


@SECTION.check("V1.5")
async def a_token_can_be_refreshed_by_one_of_the_same_user_only(scene: Scene) -> None:
    """Refreshes with the same token, which is answered, and with another user's, which closes with 4001."""
    scene.needs_tokens("which open mode has not")
    owner = await scene.owner()
    await owner.done("refreshed", "refresh", {"token": owner.identity.token})
    await owner.send("refresh", {"token": scene.role("client", 2).token})
    code = await owner.until_closed()
    require(code == 4001, f"The connection must be closed with 4001, not {code}.")


@SECTION.check("V1.1")
async def an_offer_of_unknown_subprotocols_alone_is_refused_with_400(scene: Scene) -> None:
    """Offers only `vetchat.v0`."""
    identity = scene.role("client")
    query, headers = scene.credentials(identity)
    try:
        await scene.open("somebody", identity, query=query, headers=headers, dialect="v1", subprotocol="vetchat.v0")
    except Refused as refused:
        require(refused.status == 400, f"The upgrade must be answered with HTTP 400, not {refused.status}.")
        return
    raise Broken("An offer of unknown subprotocols alone must be refused with HTTP 400.")
