"""A test peer that speaks vetchat.v1: it names its commands, notes its position, and judges all that it hears."""

from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, suppress
from itertools import count
from types import TracebackType
from typing import Any, Self

from anyio import fail_after
from vetchat_protocol.codec import Dialect
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.conformance.peer import ABSENT, PATIENCE, Peer, People, new_id
from tests.conformance.shapes import JSON
from tests.conformance.v1.shapes import V1Frame, parse
from tests.running import ServerProcess
from tests.schemas import published

V1 = "vetchat.v1"
CLOSE_REASON_BYTES = 123


class V1Peer(Peer):
    """One connection of one user that offered `vetchat.v1`.

    Whatever test it serves, it checks on every frame that answers come in the order of their commands (R2.6), that
    nothing but an answer carries a `ref` (V2.1), that offsets and each conversation's seqs only grow (V3.1, V3.2), and
    that each `pong` tells the position that this peer has counted itself (V5.1).
    """

    def __init__(self, socket_: ClientConnection) -> None:  # the user may not be known yet: not as in the base dialect
        assert socket_.response is not None
        self.socket = socket_
        self.headers = socket_.response.headers
        self.user_id = self.headers.get("VetChat-User-Id", "")
        self.role = self.headers.get("VetChat-Role", "")
        self.epoch = ""
        self.position = 0
        """The largest offset received, or the one that this connection began with (V1.2, V5.1)."""
        self._resumed_at = 0
        self._refs = count(1)
        self._unanswered: deque[str] = deque()
        self._backlog: deque[V1Frame] = deque()
        self._seqs: dict[str, int] = {}

    @property
    def resume(self) -> dict[str, JSON]:
        """What `hello` says to go on from here (V1.2)."""
        return {"epoch": self.epoch, "offset": self.position}

    # -- saying ----------------------------------------------------------------------------------------------------

    async def hello(self, *, resume: JSON = ABSENT, token: JSON = ABSENT) -> JSON:
        """Introduces this connection, and returns the params of the `welcome`."""
        ref = await self.start_hello(resume=resume, token=token)
        frame = await self._answer(ref)
        assert frame.event == "welcome", f"{self} expected welcome and heard {frame}"
        return frame.params

    async def start_hello(self, *, resume: JSON = ABSENT, token: JSON = ABSENT) -> str:
        """Introduces this connection without waiting for the `welcome`, and returns the `ref` that it will carry."""
        params = {key: value for key, value in (("resume", resume), ("token", token)) if value is not ABSENT}
        if resume is not ABSENT:
            self._resumed_at = resume["offset"]
        return await self.start("hello", params, sender_id=ABSENT)

    async def ask(self, event: str, params: JSON = ABSENT, **more: JSON) -> V1Frame:
        """Sends a command and returns its answer; what comes before it is kept for `receive`."""
        return await self._answer(await self.start(event, params, **more))

    async def start(self, event: str, params: JSON = ABSENT, *, ref: str | None = None, **more: JSON) -> str:
        """Sends a command without waiting for its answer, and returns the `ref` that the answer will carry."""
        ref = ref or f"{event} {next(self._refs)}"
        self._unanswered.append(ref)
        await self.send(event, params, ref=ref, **more)
        return ref

    async def start_text(self, text: str, ref: str) -> None:
        """Sends a text frame of any content whose answer will carry this `ref`."""
        self._unanswered.append(ref)
        await self.send_text(text)

    async def command(self, answer: str, event: str, params: JSON = ABSENT, **more: JSON) -> JSON:
        """The params of the answer to a command, which must be this event."""
        frame = await self.ask(event, params, **more)
        assert frame.event == answer, f"{self} expected {answer} to {event} and heard {frame}"
        return frame.params

    async def fails(self, event: str, params: JSON = ABSENT, **more: JSON) -> str:
        """The code of the error that answers a command."""
        error = await self.command("error", event, params, **more)
        assert error.get("event", event) == event, f"V2.3: {event} failed, not {error['event']}"
        return error["code"]

    # -- hearing ---------------------------------------------------------------------------------------------------

    async def receive(self, within: float = PATIENCE) -> V1Frame:
        """The next frame that nobody has looked at."""
        return self._backlog.popleft() if self._backlog else await self._read(within)

    async def frame_of(self, event: str) -> V1Frame:
        """The next frame, which must be this event."""
        frame = await self.receive()
        assert frame.event == event, f"{self} expected {event} and heard {frame}"
        return frame

    async def caught_up(self) -> list[V1Frame]:
        """All that was on its way to this connection until now."""
        await self.command("pong", "ping", {})
        frames, self._backlog = self._backlog, deque()
        return list(frames)

    async def expect_silence(self) -> None:
        """Proves that nothing was on its way to this connection."""
        frames = await self.caught_up()
        assert not frames, f"{self} expected silence and heard {frames[0]}"

    async def frames(self) -> AsyncGenerator[V1Frame]:
        """Every frame until the connection ends in whatever way."""
        while self._backlog:
            yield self._backlog.popleft()
        with suppress(ConnectionClosed):
            while True:
                yield self._judge(published(parse(str(await self.socket.recv())), Dialect.V1))

    async def closed(self) -> int:
        """The code with which the server closes, with a reason that fits; nothing may come before."""
        try:
            with fail_after(2 * PATIENCE):
                async for frame in self.frames():
                    raise AssertionError(f"{self} expected to be closed and heard {frame}")
        except TimeoutError:
            raise AssertionError(f"{self} was not closed within {2 * PATIENCE} s") from None
        self.check_reason()
        return self.socket.close_code or 1006

    async def until_closed(self, within: float = 2 * PATIENCE) -> tuple[list[V1Frame], int]:
        """Everything up to the server's close, and its code."""
        with fail_after(within):
            heard = [frame async for frame in self.frames()]
        self.check_reason()
        return heard, self.socket.close_code or 1006

    def check_reason(self) -> None:
        """A close tells why, in as many bytes as a close frame holds (V5.2)."""
        close = self.socket.protocol.close_rcvd
        assert close is not None, f"{self} was cut off without a close frame"
        assert 1 <= len(close.reason.encode()) <= CLOSE_REASON_BYTES, f"V5.2: a reason that fits: {close.reason!r}"

    def cut(self) -> None:
        """Breaks the connection off, as a dead network would."""
        self.socket.transport.abort()

    # -- commands with the answer that each has --------------------------------------------------------------------

    async def conversations(self, **params: JSON) -> JSON:
        return await self.command("conversations", "conversations", params)

    async def create(self, *providers: str, pet: str | None = None, **more: JSON) -> JSON:
        params = {"pet_id": pet or new_id(), "providers": list(providers), **more}
        return await self.command("conversation_created", "new_conversation", params)

    async def say(self, conversation: str, content: str = "Hello.", **more: JSON) -> JSON:
        params = {"conversation_id": conversation, "content": content, **more}
        return await self.command("message_sent", "message", params)

    async def history(self, conversation: str, page: int = ABSENT, limit: int = 100, **more: JSON) -> JSON:
        params = {"conversation_id": conversation, "page": page, "limit": limit, **more}
        named = {key: value for key, value in params.items() if value is not ABSENT}
        return await self.command("conversation_history_response", "conversation_history", named)

    async def subscribe(self, conversation: str) -> JSON:
        return await self.command("subscribed", "subscribe_conversation", {"conversation_id": conversation})

    async def unsubscribe(self, conversation: str) -> None:
        await self.command("unsubscribed", "unsubscribe_conversation", {"conversation_id": conversation})

    async def types(self, conversation: str, state: str = "active") -> None:
        await self.command("ok", "typing", {"conversation_id": conversation, "state": state})

    async def reads(self, conversation: str, seq: int) -> V1Frame:
        """The answer to `mark_read`: `read_marker`, or `ok` if nothing moved."""
        return await self.ask("mark_read", {"conversation_id": conversation, "seq": seq})

    async def log_of(self, conversation: str) -> list[JSON]:
        """Every message of a conversation, oldest first, read without subscribing."""
        messages: list[JSON] = []
        while True:
            last = messages[-1]["seq"] if messages else 0
            page = await self.history(conversation, after=last, subscribe=False)
            messages += reversed(page["messages"])
            if not page["has_more"]:
                return messages

    # -- judging ---------------------------------------------------------------------------------------------------

    async def _answer(self, ref: str) -> V1Frame:
        while (frame := await self._read(PATIENCE)).ref != ref:
            self._backlog.append(frame)
        return frame

    async def _read(self, within: float) -> V1Frame:
        try:
            with fail_after(within):
                text = await self.socket.recv()
        except TimeoutError:
            raise AssertionError(f"{self} heard nothing within {within} s") from None
        except ConnectionClosed as closed:
            raise AssertionError(f"{self} was closed instead of hearing something: {closed}") from None
        assert isinstance(text, str), f"S2.1: a frame is a text frame, not {text!r}"
        return self._judge(published(parse(text), Dialect.V1))

    def _judge(self, frame: V1Frame) -> V1Frame:
        if frame.ref is not None:
            assert self._unanswered, f"V2.1: nothing is unanswered, so no frame carries a ref: {frame}"
            assert self._unanswered.popleft() == frame.ref, f"R2.6, V2.1: the answers come in order: {frame}"
        if frame.offset is not None:
            assert frame.offset > self.position, f"V3.2: later is larger, and {self.position} was before {frame}"
            self.position = frame.offset
        if frame.event == "message_sent" and frame.offset is not None:
            conversation, seq = frame.params["conversation_id"], frame.params["seq"]
            assert seq > self._seqs.get(conversation, 0), f"V3.1: seqs grow: {frame}"
            self._seqs[conversation] = seq
        if frame.event == "welcome":
            self._begin(frame.params)
        if frame.event == "pong":
            assert frame.params["offset"] == self.position, f"V5.1: the last offset is {self.position}: {frame}"
        return frame

    def _begin(self, welcome: JSON) -> None:
        known = self.user_id or welcome["user_id"], self.role or welcome["role"]
        assert (welcome["user_id"], welcome["role"]) == known, f"R1.4: the handshake said {known}: {welcome}"
        self.user_id, self.role = known
        self.epoch = welcome["epoch"]
        self.position = self._resumed_at if welcome["recovered"] else welcome["offset"]


def durable(frames: Iterable[V1Frame]) -> list[V1Frame]:
    """Those of them that stand in the log (V3.2)."""
    return [frame for frame in frames if frame.offset is not None]


class V1People:
    """Opens vetchat.v1 connections of owners and vets on one server with tokens, and closes them all at the end.

    `base` opens connections of the base dialect beside them.
    """

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.base = People(server)
        self._stack = AsyncExitStack()
        self._identities: dict[str, dict[str, Any]] = {}

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.base)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def client(self, user_id: str | None = None, *, resume: JSON = ABSENT, **identity: Any) -> V1Peer:
        """A pet owner, new unless an id is given; `name` and `picture` go into the token."""
        return await self._welcomed("client", user_id, resume, identity)

    async def provider(self, user_id: str | None = None, *, resume: JSON = ABSENT, **identity: Any) -> V1Peer:
        """A vet, new unless an id is given; `name` and `picture` go into the token."""
        return await self._welcomed("provider", user_id, resume, identity)

    async def waiting(self, role: str = "client", user_id: str | None = None, **options: Any) -> V1Peer:
        """A connection that has not said `hello` yet; its token went into the header unless `options` say otherwise."""
        if not options.keys() & {"token", "query"}:
            options["token"] = self.token(user_id or new_id(), role)
        peer = await V1Peer.connect(self.server.ws_url, subprotocols=[V1], **options)
        self._stack.push_async_callback(peer.close)
        return peer

    async def another_device_of(self, peer: Peer, *, resume: JSON = ABSENT) -> V1Peer:
        """One more connection of the same user in the same role."""
        return await self._welcomed(peer.role, peer.user_id, resume, {})

    async def back(self, peer: V1Peer) -> V1Peer:
        """The same user on a new connection that goes on where `peer` was; it must be recovered."""
        again = await self.waiting(peer.role, peer.user_id)
        welcome = await again.hello(resume=peer.resume)
        assert welcome["recovered"] is True, f"{peer} was not recovered at {peer.resume}: {welcome}"
        return again

    async def consultation(self, **vet: Any) -> tuple[V1Peer, V1Peer, str]:
        """An owner and a vet, both connected, and the id of a conversation between them; all that came is read."""
        owner, doctor = await self.client(), await self.provider(**vet)
        conversation = await owner.create(doctor.user_id)
        for peer in (owner, doctor):
            await peer.caught_up()
        return owner, doctor, conversation["id"]

    def token(self, user_id: str, role: str, **claims: Any) -> str:
        """A good token of this user with what is known about it."""
        identity = self._identities.setdefault(user_id, {}) | claims
        return self.server.token(user_id, role, **identity)

    async def _welcomed(self, role: str, user_id: str | None, resume: JSON, identity: dict[str, Any]) -> V1Peer:
        user_id = user_id or new_id()
        self._identities.setdefault(user_id, {}).update(identity)
        peer = await self.waiting(role, user_id)
        await peer.hello(resume=resume)
        return peer
