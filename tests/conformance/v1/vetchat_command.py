"""What an operator does beside the server, by the `vetchat` command, and what comes of it."""

import subprocess
import sys
import time
from contextlib import suppress

from anyio import fail_after, sleep, to_thread

from tests.conformance.peer import ABSENT, PATIENCE, Refused, refusal
from tests.conformance.v1.peer import V1, V1Peer, V1People
from tests.running import sign

VETCHAT = (sys.executable, "-m", "vetchat_protocol.cli")


async def vetchat(*arguments: str) -> subprocess.CompletedProcess[str]:
    """How a `vetchat` command ended, and what it said."""
    return await to_thread.run_sync(
        lambda: subprocess.run([*VETCHAT, *arguments], capture_output=True, text=True, check=False)
    )


async def revoke(database: str, user_id: str) -> float:
    """Makes the tokens of this user void, and returns when that was done (monotonic seconds)."""
    done = await vetchat("revoke", "--database", database, user_id)
    assert done.returncode == 0, done.stderr
    return time.monotonic()


async def check_revoked(people: V1People, user_id: str, old: str) -> None:
    """A token issued before is refused like a bad one, and so is one that does not say when it was issued (V1.6)."""
    url = people.server.ws_url
    undated = sign({"sub": user_id, "role": "client", "exp": int(time.time()) + 600})
    for token in (old, undated):
        assert await refusal(url, token=token) == 401
        assert await refusal(url, token=token, subprotocols=[V1]) == 401
        peer = await people.waiting(token=None)
        await peer.send("hello", {"token": token}, sender_id=ABSENT)
        assert await peer.closed() == 4001


async def once_let_in(people: V1People, user_id: str) -> V1Peer:
    """A connection with a token issued after the revocation: an `iat` counts in seconds, so the next one must begin."""
    with fail_after(PATIENCE):
        while True:
            with suppress(Refused):
                return await people.client(user_id)
            await sleep(0.1)  # the clock is what is tested
