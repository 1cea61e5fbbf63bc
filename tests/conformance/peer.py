"""A test peer: one connection to a VetChat server, which sends what it is told to and judges all that it hears."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from anyio import fail_after
from vetchat_protocol.codec import Dialect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.conformance.shapes import JSON, Frame, parse
from tests.running import ServerProcess
from tests.schemas import published

PATIENCE = 5.0
"""Seconds that a peer waits for what must come."""

MY_OWN: Any = object()
"""For `sender_id`: the id that the handshake told this peer."""

ABSENT: Any = object()
"""For any key of a frame: leave it out."""


class Refused(Exception):
    """The server answered the upgrade with an HTTP status instead."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the upgrade was answered with HTTP {status}")
        self.status = status


class Peer:
    """One connection of one user. Every wait has a time-out; every frame received is checked against the base wire."""

    def __init__(self, socket_: ClientConnection) -> None:
        assert socket_.response is not None
        self.socket = socket_
        self.headers = socket_.response.headers
        self.user_id = self.headers["VetChat-User-Id"]
        self.role = self.headers["VetChat-Role"]

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        token: str | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] | None = None,
        deaf: bool = False,
    ) -> Self:
        """Opens the connection; the token travels in the Authorization header.

        A deaf peer has a tiny receive buffer and takes nothing off the wire until it is asked to receive.

        Raises:
            Refused: the server answered with something else than 101.
        """
        extra = dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token is not None else {})
        try:
            with fail_after(PATIENCE):
                return cls(
                    await connect(
                        f"{url}?{urlencode(query)}" if query else url,
                        additional_headers=extra,
                        subprotocols=[Subprotocol(name) for name in subprotocols] if subprotocols else None,
                        sock=_tiny_socket(url) if deaf else None,
                        max_queue=1 if deaf else None,
                        max_size=None,
                        compression=None,
                        ping_interval=None,
                        proxy=None,
                        close_timeout=PATIENCE,
                    )
                )
        except InvalidStatus as refusal:
            raise Refused(refusal.response.status_code) from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Says good-bye properly."""
        await self.socket.close()

    # -- saying ----------------------------------------------------------------------------------------------------

    def frame(self, event: str, params: JSON = ABSENT, *, sender_id: JSON = MY_OWN, **more: JSON) -> str:
        """The text of a command as the seed writes it."""
        fields = {
            "sender_id": self.user_id if sender_id is MY_OWN else sender_id,
            "event": event,
            "params": params,
            **more,
        }
        return json.dumps({key: value for key, value in fields.items() if value is not ABSENT})

    async def send(self, event: str, params: JSON = ABSENT, *, sender_id: JSON = MY_OWN, **more: JSON) -> None:
        """Sends one command; without `sender_id` it is this peer's own."""
        await self.send_text(self.frame(event, params, sender_id=sender_id, **more))

    async def send_text(self, text: str | bytes) -> None:
        """Sends a text frame of any content, valid or not."""
        with fail_after(PATIENCE):
            await self.socket.send(text, text=True)

    async def send_binary(self, data: bytes) -> None:
        """Sends a binary frame."""
        with fail_after(PATIENCE):
            await self.socket.send(data)

    # -- hearing ---------------------------------------------------------------------------------------------------

    async def receive(self, within: float = PATIENCE) -> Frame:
        """The next frame, whatever it is."""
        try:
            with fail_after(within):
                text = await self.socket.recv()
        except TimeoutError:
            raise AssertionError(f"{self} heard nothing within {within} s") from None
        except ConnectionClosed as closed:
            raise AssertionError(f"{self} was closed instead of hearing something: {closed}") from None
        assert isinstance(text, str), f"S2.1: a frame is a text frame, not {text!r}"
        return published(parse(text), Dialect.BASE)

    async def expect(self, event: str, within: float = PATIENCE, **params: JSON) -> JSON:
        """The params of the next frame, which must be this event, with these values among its params."""
        frame = await self.receive(within)
        assert frame.event == event, f"{self} expected {event} and heard {frame}"
        for key, value in params.items():
            assert frame.params[key] == value, f"{self} expected {key}={value!r} and heard {frame}"
        return frame.params

    async def expect_error(self) -> str:
        """The message of the next frame, which must be an error that reads as R6.2 asks."""
        message = (await self.expect("error"))["message"]
        assert message[:1].isupper() or not message[:1].isalpha(), f"R6.2: a sentence: {message!r}"
        assert message.endswith("."), f"R6.2: a sentence: {message!r}"
        assert len(message) <= 300, f"R6.2: one plain sentence: {message!r}"
        return message

    async def expect_silence(self) -> None:
        """Proves that nothing is on its way to this connection: the next frame is the answer to what is asked now."""
        await self.conversations()

    async def closed(self) -> int:
        """The code with which the server closes; nothing may come before."""
        frames, code = await self.drain()
        assert not frames, f"{self} expected to be closed and heard {frames[0]}"
        return code

    async def drain(self, within: float = 2 * PATIENCE) -> tuple[list[Frame], int]:
        """Everything up to the server's close, and its code."""
        frames: list[Frame] = []
        try:
            with fail_after(within):
                async for frame in self.frames():
                    frames.append(frame)  # noqa: PERF401  (what came before a time-out is worth telling)
        except TimeoutError:
            raise AssertionError(f"{self} was not closed within {within} s; it heard {len(frames)} frames") from None
        close = self.socket.protocol.close_rcvd
        assert close is not None, f"{self} was cut off without a close frame"
        return frames, close.code

    async def frames(self) -> AsyncIterator[Frame]:
        """Every frame until the connection ends in whatever way."""
        with suppress(ConnectionClosed):
            while True:
                yield published(parse(str(await self.socket.recv())), Dialect.BASE)

    # -- commands with the answer that each has (R2.6) -------------------------------------------------------------

    async def conversations(self) -> JSON:
        await self.send("conversations", {})
        return await self.expect("conversations")

    async def create(self, *providers: str, pet: str | None = None) -> JSON:
        """A new conversation, answered by the whole of it."""
        await self.send("new_conversation", {"pet_id": pet or new_id(), "providers": list(providers)})
        return await self.expect("conversation_created", client=self.user_id)

    async def say(self, conversation: str, content: str = "Hello.") -> JSON:
        await self.send("message", {"conversation_id": conversation, "content": content})
        return await self.expect("message_sent", conversation_id=conversation, sender_id=self.user_id, content=content)

    async def history(self, conversation: str, page: int = 0, limit: int = 100) -> JSON:
        await self.send("conversation_history", {"conversation_id": conversation, "page": page, "limit": limit})
        return await self.expect("conversation_history_response")

    async def contents(self, conversation: str) -> list[str]:
        """What has been said in a conversation of up to 100 messages, oldest first."""
        return [message["content"] for message in reversed((await self.history(conversation))["messages"])]

    async def subscribe(self, conversation: str) -> None:
        await self.send("subscribe_conversation", {"conversation_id": conversation})
        await self.expect("subscribed", conversation_id=conversation)

    async def unsubscribe(self, conversation: str) -> None:
        await self.send("unsubscribe_conversation", {"conversation_id": conversation})
        await self.expect("unsubscribed", conversation_id=conversation)

    async def refused(self, event: str, params: JSON = ABSENT, *, sender_id: JSON = MY_OWN, **more: JSON) -> str:
        """Sends a command that must be answered by an error, and returns its message."""
        await self.send(event, params, sender_id=sender_id, **more)
        return await self.expect_error()

    def __str__(self) -> str:
        return f"the {self.role} {self.user_id}"


class People:
    """Opens connections of owners and vets on one server with tokens, and closes them all at the end."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self._peers: list[Peer] = []
        self._identities: dict[int, dict[str, Any]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.leave(*self._peers)

    async def client(self, user_id: str | None = None, **identity: Any) -> Peer:
        """A pet owner, new unless an id is given; `name` and `picture` go into the token."""
        return await self._connect("client", user_id, identity)

    async def provider(self, user_id: str | None = None, **identity: Any) -> Peer:
        """A vet, new unless an id is given; `name` and `picture` go into the token."""
        return await self._connect("provider", user_id, identity)

    async def another_device_of(self, peer: Peer) -> Peer:
        """One more connection of the same user in the same role."""
        return await self._connect(peer.role, peer.user_id, self._identities[id(peer)])

    async def consultation(self, **vet: Any) -> tuple[Peer, Peer, str]:
        """An owner and a vet, both connected, and the id of a conversation between them."""
        owner, doctor = await self.client(), await self.provider(**vet)
        conversation = await owner.create(doctor.user_id)
        await doctor.expect("new_conversation_invitation", id=conversation["id"])
        return owner, doctor, conversation["id"]

    async def leave(self, *peers: Peer) -> None:
        """Closes these connections."""
        async with AsyncExitStack() as stack:
            for peer in peers:
                stack.push_async_callback(peer.close)

    async def _connect(self, role: str, user_id: str | None, identity: dict[str, Any]) -> Peer:
        token = self.server.token(user_id or new_id(), role, **identity)
        peer = await Peer.connect(self.server.ws_url, token=token)
        self._peers.append(peer)
        self._identities[id(peer)] = identity
        return peer


class RawResponse:
    """A server's answer to a hand-made HTTP request: the status, and the headers by lower-case name."""

    def __init__(self, head: bytes) -> None:
        status, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(status.split()[1])
        fields = [line.partition(":") for line in lines if line]
        self.headers = {name.lower(): value.strip() for name, _, value in fields}


@asynccontextmanager
async def by_hand(
    url: str, path: str = "/ws/", headers: Iterable[tuple[str, str]] = ()
) -> AsyncGenerator[tuple[RawResponse, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Asks for an upgrade by hand: no redirect is followed, any header can be sent, and any bytes afterwards."""
    address = urlsplit(url)
    fields = {
        "Host": address.netloc,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **dict(headers),
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write("\r\n".join(lines).encode())
        with fail_after(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
        yield RawResponse(head), reader, writer
    finally:
        writer.transport.abort()


async def raw_upgrade(url: str, path: str = "/ws/", headers: Iterable[tuple[str, str]] = ()) -> RawResponse:
    """The answer to an upgrade that was asked for by hand."""
    async with by_hand(url, path, headers) as (response, _, _):
        return response


async def refusal(url: str, **options: Any) -> int:
    """The HTTP status of an upgrade that must be refused."""
    try:
        peer = await Peer.connect(url, **options)
    except Refused as refused:
        return refused.status
    await peer.close()
    raise AssertionError(f"the upgrade was accepted, as {peer}")


def new_id() -> str:
    """An id that nobody has had before."""
    return str(uuid4())


def _tiny_socket(url: str) -> socket.socket:
    address = urlsplit(url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((address.hostname, address.port))
    connection.setblocking(False)
    return connection
