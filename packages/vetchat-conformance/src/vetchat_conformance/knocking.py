"""Sees that there is a server to judge, before every check says that there is none."""

from __future__ import annotations

from urllib.parse import urlsplit

import anyio

from .identities import Identity, TokenCast
from .pace import Pace
from .runner import Plan
from .scene import Refused, Scene
from .verdicts import Broken

__all__ = ["Unheard", "knock"]

LONGEST = 10.0
"""How long a server may take to accept a connection, in seconds."""


class Unheard(Exception):
    """Nothing can be judged here; the message says why, and what to do."""


async def knock(plan: Plan) -> None:
    """Connects as each user whose token should hold, or in open mode as a new owner, and hangs up.

    Raises:
        Unheard: nothing listens there, no WebSocket server answers, or it lets somebody not in.
    """
    await _listens(plan.url)
    cast = plan.casting()
    for identity in cast.good if isinstance(cast, TokenCast) else (cast.one("client", 1),):
        await _lets_in(plan, identity)


async def _listens(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or parts.hostname is None:
        raise Unheard("The server's address begins with ws:// or wss://.")
    try:
        with anyio.fail_after(LONGEST):
            port = parts.port or (443 if parts.scheme == "wss" else 80)
            await (await anyio.connect_tcp(parts.hostname, port)).aclose()
    except (OSError, TimeoutError):
        raise Unheard(f"Nothing listens at {url}. Is the server running?") from None


async def _lets_in(plan: Plan, identity: Identity) -> None:
    query, headers = Scene.credentials(identity)
    try:
        async with Scene(plan.url, plan.casting(), "base", plan.patience, Pace(0)) as scene:
            await scene.open("the kit", identity, query=query, headers=headers)
    except Refused as refused:
        raise Unheard(_why(plan.url, identity, refused.status)) from None
    except Broken as broken:
        raise Unheard(f"No WebSocket server answers at {plan.url}. {broken}") from None


def _why(url: str, identity: Identity, status: int) -> str:
    who = f"{identity.user_id} as a {identity.role}"
    if status in (401, 403) and identity.token is not None:
        return f"The server refuses {who} with HTTP {status}. Is the token for this server, and does it still hold?"
    if status == 401:
        return "The server answers HTTP 401: it is not in open mode. Give it tokens by --token or --tokens."
    return f"The server refuses {who} with HTTP {status}. Is {urlsplit(url).path or '/'} its endpoint?"
