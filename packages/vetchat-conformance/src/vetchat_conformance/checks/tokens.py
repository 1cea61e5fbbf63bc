"""Tokens that do not hold for ever: they run out, or are revoked (R1.9, V1.5, V1.6)."""

from __future__ import annotations

from time import time
from typing import Final

from ..check import Section
from ..identities import Identity
from ..peer import ABSENT, Peer
from ..scene import Scene
from ..verdicts import LeftOut, require
from .connection import refusal

SECTION: Final = Section()
LONGEST_LIFE: Final = 60.0
"""How long a token may hold that a check waits for, in seconds."""

GRACE: Final = 25.0
"""How long a `vetchat.v1` connection outlives its token, in seconds (V1.5)."""

SLACK: Final = 5.0
"""How far the server's clock may be from ours, in seconds."""


def expiring(scene: Scene) -> tuple[Identity, float]:
    """Whose token runs out during the run, and in how many seconds, or in how many at most."""
    identity = scene.cast.bearer("expiring")
    left = LONGEST_LIFE if identity.expires_at is None else identity.expires_at - time()
    if not 0 < left <= LONGEST_LIFE:
        when = "has run out already" if left <= 0 else f"holds for {left:.0f} s"
        raise LeftOut(f"The token that is to run out {when}: make one for less than {LONGEST_LIFE:g} s.")
    return identity, left


async def ends_with_4202(peer: Peer, scene: Scene, left: float, grace: float) -> None:
    """Sees the connection closed with 4202 when its token has run out and the grace is over."""
    patience = scene.patience
    scene.patience += left + grace
    code = await peer.until_closed()
    scene.patience = patience
    require(code == 4202, f"The connection must be closed with 4202, not {code}.")
    if peer.identity.expires_at is not None:
        late = time() - peer.identity.expires_at - grace
        require(-SLACK < late < SLACK, f"It must be closed {grace:g} s after the token's exp, not {late:+.0f} s off.")


@SECTION.check("R1.9", "R1.7", apart=True)
async def a_connection_ends_with_its_token(scene: Scene) -> None:
    """Waits on the base wire until the token runs out: closed with 4202; who comes back with it is refused with 401."""
    identity, left = expiring(scene)
    peer = await scene.at_the_door(identity, dialect="base")
    await peer.silence()
    await ends_with_4202(peer, scene, left, 0.0)
    status = await refusal(scene, headers=scene.credentials(identity)[1])
    require(status == 401, f"An expired token must be answered with HTTP 401, not {status}.")


@SECTION.check("V1.5", "V5.2", apart=True)
async def who_does_not_refresh_is_warned_and_closed_after_a_grace(scene: Scene) -> None:
    """Waits in `vetchat.v1` until the token runs out: `token_expiring` at once, and 25 s after the end close 4202."""
    identity, left = expiring(scene)
    peer = await scene.at_the_door(identity)
    welcome = await peer.done("welcome", "hello", {})
    ends = welcome.get("token_expires_at")
    if identity.expires_at is not None:
        require(ends == identity.expires_at * 1000, "token_expires_at must be the token's exp in milliseconds.")
    await peer.expect("token_expiring", token_expires_at=ends)
    await ends_with_4202(peer, scene, left, GRACE)


@SECTION.check("V1.6", apart=True)
async def a_revoked_token_is_refused_like_a_bad_one(scene: Scene) -> None:
    """Brings it to the base upgrade, which is refused with HTTP 401, and in `hello`, which closes with 4001."""
    identity = scene.cast.bearer("revoked")
    status = await refusal(scene, headers=scene.credentials(identity)[1])
    require(status == 401, f"A revoked token must be answered with HTTP 401, not {status}.")
    peer = await scene.open("somebody", identity, dialect="v1")
    await peer.send("hello", {"token": identity.token}, sender_id=ABSENT)
    code = await peer.until_closed()
    require(code == 4001, f"The connection must be closed with 4001, not {code}.")
