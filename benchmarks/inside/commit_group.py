"""Commits messages to a store in groups of one size, again and again: messages per second of CPU, and ms per commit."""

from __future__ import annotations

import json
import sys
from itertools import count
from time import perf_counter, process_time
from uuid import UUID

import uvloop
from vetchat_protocol.records import ConversationDraft, MessageDraft, Stamped
from vetchat_server.backends.tortoise import TortoiseStore

CONVERSATIONS = 200
NUMBERS = count(1)
CONTENT = "Rex will not eat, and he has been sleeping since Monday."


def new_id() -> str:
    """A new UUID, made cheaply: the server's own way is not what is measured here."""
    return str(UUID(int=next(NUMBERS) | 4 << 76))


async def measure(url: str, size: int, seconds: float) -> dict[str, float]:
    store = TortoiseStore(url)
    await store.open()
    try:
        owner, vet = new_id(), new_id()
        started = [Stamped(ConversationDraft(owner, new_id(), (vet,)), new_id(), 1) for _ in range(CONVERSATIONS)]
        await store.commit(started)
        commits, cpu, begun = 0, process_time(), perf_counter()
        while perf_counter() - begun < seconds:
            turn = commits * size
            drafts = [MessageDraft(started[(turn + place) % CONVERSATIONS].id, owner, CONTENT) for place in range(size)]
            await store.commit([Stamped(draft, new_id(), 2) for draft in drafts])
            commits += 1
        return {
            "messages_per_cpu_s": commits * size / (process_time() - cpu),
            "messages_per_s": commits * size / (perf_counter() - begun),
            "commit_ms": (perf_counter() - begun) / commits * 1_000,
        }
    finally:
        await store.close()


def main(seconds: float, url: str, size: int) -> None:
    figures = uvloop.run(measure(url, size, seconds))
    print(json.dumps({"figures": figures, "faults": []}))


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
