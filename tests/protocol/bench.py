"""A client machine of Ann's on the bench: welcomed, spoken to, and listened to, without a line between."""

import json
from collections.abc import Sequence
from typing import Any

from vetchat_protocol import Dialect, Role, events
from vetchat_protocol.client import (
    Call,
    Client,
    Failed,
    Item,
    Output,
    Verdict,
)

from tests.protocol.counterpart import ANN, CONVERSATION, frame, message, welcome

HELLO = {"conversation_id": CONVERSATION, "content": "Hello."}
ROOM = {"conversation_id": CONVERSATION}


def on_v1(now: int = 0, *, offset: int = 0, **options: Any) -> Client:
    """A client of Ann's that has been welcomed."""
    client = Client(**options)
    client.connected(Dialect.V1, now)
    assert said(client)["event"] == "hello"
    assert client.received(welcome(offset), now) == []
    return client


def on_base(now: int = 0, **options: Any) -> Client:
    """A client of Ann's on the base wire."""
    client = Client(**options)
    assert client.connected(Dialect.BASE, now, user_id=ANN, role=Role.CLIENT) == []
    return client


def said(client: Client, now: int = 0) -> dict[str, Any]:
    """The next frame that goes out."""
    text = client.to_send(now)
    assert text is not None
    return json.loads(text)


def told(client: Client, now: int = 0) -> list[Item]:
    """All that the application is told at this moment."""
    items: list[Item] = []
    while (item := client.take(now)) is not None:
        items.append(item)
    return items


def heard(client: Client, *offsets: int) -> None:
    """Messages of Bell's arrive, each at its place in the log."""
    for offset in offsets:
        client.received(frame("message_sent", message(offset, f"Number {offset}"), offset=offset), 0)


def offsets(items: Sequence[Item]) -> list[int | None]:
    return [item.offset for item in items if isinstance(item, events.MessageSent)]


def come_back(client: Client, *, now: int = 0) -> dict[str, Any]:
    """The line breaks and is mended; the params of the `hello` on the new one."""
    client.lost(None)
    client.connected(Dialect.V1, now)
    return said(client, now)["params"]


def verdict(outputs: Sequence[Output]) -> Verdict:
    last = outputs[-1]
    assert isinstance(last, Verdict)
    return last


def error_of(outputs: Sequence[Output], call: Call) -> Exception:
    (failed,) = [output for output in outputs if isinstance(output, Failed) and output.call is call]
    return failed.error
