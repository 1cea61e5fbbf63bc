"""One connection to the server under test: says what a check tells it to, and judges every frame that it hears."""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from itertools import count
from typing import Any, Final, Protocol

from anyio import fail_after
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .frames import Frame, judged, parse
from .identities import Identity
from .shapes import JSON, Dialect, is_array
from .verdicts import Broken, Finding

__all__ = ["ABSENT", "MY_OWN", "Peer", "Watcher"]

MY_OWN: Final[Any] = object()
"""For `sender_id`: the id of the peer itself."""

ABSENT: Final[Any] = object()
"""For any key of a frame: leave it out."""


class Watcher(Protocol):
    """Whom a peer tells what it does and hears: the scene that it plays in."""

    @property
    def patience(self) -> float:
        """How long a peer waits for what must come, in seconds."""
        ...

    async def pace(self, identity: Identity) -> None:
        """Returns once this user may send one more command without exceeding the server's rate."""
        ...

    def note(self, who: str, does: str, text: str) -> None: ...

    def find(self, finding: Finding) -> None: ...

    def concerns(self, frame: Frame) -> bool:
        """Whether a frame belongs to the scene, and is not the echo of an earlier one."""
        ...


class Peer:
    """One connection of one user. Every wait ends with `Broken` after the scene's patience."""

    def __init__(self, name: str, identity: Identity, dialect: Dialect, socket: ClientConnection, watcher: Watcher):
        self.name = name
        self.identity = identity
        self.dialect: Dialect = dialect
        self.socket = socket
        self.epoch: str = ""
        self.position: int = 0
        """The largest offset received, or the one that this connection began with (V1.2)."""
        self._watcher = watcher
        self._refs = count(1)
        self._open_refs: set[str] = set()
        self._backlog: deque[Frame] = deque()
        self._offset = 0

    @property
    def user_id(self) -> str:
        return self.identity.user_id

    @property
    def resume(self) -> dict[str, JSON]:
        """What `hello` says to go on from here (V1.2)."""
        return {"epoch": self.epoch, "offset": self.position}

    def header(self, name: str) -> str | None:
        """A header of the handshake's answer."""
        return None if self.socket.response is None else self.socket.response.headers.get(name)

    # -- saying --------------------------------------------------------------------------------------------------------

    async def send(self, event: str, params: JSON = ABSENT, *, sender_id: JSON = MY_OWN, **more: JSON) -> None:
        """Sends one command in the letters of the base protocol."""
        sender = self.user_id if sender_id is MY_OWN else sender_id
        fields = {"sender_id": sender, "event": event, "params": params, **more}
        await self.send_text(json.dumps({key: value for key, value in fields.items() if value is not ABSENT}))

    async def send_text(self, text: str | bytes) -> None:
        """Sends a text frame of any content, valid or not."""
        await self._transmit(text, as_text=True)

    async def send_binary(self, data: bytes) -> None:
        """Sends a binary frame."""
        await self._transmit(data, as_text=False)

    async def ask(self, event: str, params: JSON = ABSENT, *, sender_id: JSON = MY_OWN, **more: JSON) -> Frame:
        """Sends a command and returns its direct answer: by its `ref`, or on the base wire the next frame (R2.6)."""
        if self.dialect == "base":
            await self.send(event, params, sender_id=sender_id, **more)
            return await self.receive()
        return await self.answer(await self.start(event, params, sender_id=sender_id, **more))

    async def start(self, event: str, params: JSON = ABSENT, **more: JSON) -> str:
        """Sends a command of `vetchat.v1` without waiting, and returns the `ref` that its answer will carry (V2.1)."""
        ref = more.setdefault("ref", f"{event} {next(self._refs)}")
        self._open_refs.add(ref)
        await self.send(event, params, **more)
        return ref

    async def answer(self, ref: str) -> Frame:
        """The frame that carries this `ref`; what comes before it is kept for `receive`."""
        while (frame := await self._read()).ref != ref:
            self._backlog.append(frame)
        return frame

    # -- hearing -------------------------------------------------------------------------------------------------------

    async def receive(self) -> Frame:
        """The next frame that nobody has looked at."""
        return self._backlog.popleft() if self._backlog else await self._read()

    async def expect(self, event: str, **params: JSON) -> Frame:
        """The next frame, which must be this event with these values among its params."""
        return self._is(await self.receive(), event, params)

    async def caught_up(self) -> list[Frame]:
        """All that was on its way to this connection until now: what comes before the answer to one more command."""
        before: list[Frame] = []
        if self.dialect == "v1":
            self._is(await self.ask("ping", {}), "pong", {})
            before, self._backlog = list(self._backlog), deque()
            return before
        await self.send("conversations", {})
        while (frame := await self.receive()).event != "conversations":
            before.append(frame)
        return before

    async def silence(self) -> None:
        """Sees that nothing was on its way to this connection.

        Raises:
            Broken: something was.
        """
        for frame in await self.caught_up():
            raise Broken(f"{self.name} must hear nothing here, and heard {frame.event}.")

    async def until_closed(self) -> int:
        """The code with which the server closes; frames that come before are noted only.

        Raises:
            Broken: it does not close in time.
        """
        try:
            with fail_after(self._watcher.patience), suppress(ConnectionClosed):
                while True:
                    self._watcher.note(self.name, "hears", str(await self.socket.recv())[:400])
        except TimeoutError:
            raise Broken(f"The server must close the connection of {self.name}, and does not.") from None
        code = self.socket.close_code or 1006
        self._watcher.note(self.name, "is closed", str(code))
        return code

    # -- commands with the answer that each has ------------------------------------------------------------------------

    async def done(self, answer: str, event: str, params: JSON = ABSENT, **more: JSON) -> Frame:
        """Sends a command that must be answered by this event."""
        return self._is(await self.ask(event, params, **more), answer, {})

    async def refused(self, event: str, params: JSON = ABSENT, **more: JSON) -> Frame:
        """Sends a command that must be answered by an error."""
        return await self.done("error", event, params, **more)

    async def fails(self, code: str, event: str, params: JSON = ABSENT, **more: JSON) -> None:
        """Sends a command of `vetchat.v1` that must be answered by an error of this code (V2.3)."""
        self._is(await self.refused(event, params, **more), "error", {"code": code})

    async def conversations(self, **params: JSON) -> list[JSON]:
        frame = await self.done("conversations", "conversations", params)
        if not is_array(frame.params):
            raise Broken("The params of conversations must be an array.")
        return frame.params

    async def say(self, conversation: str, content: str = "Hello.", **more: JSON) -> Frame:
        return await self.done("message_sent", "message", {"conversation_id": conversation, "content": content, **more})

    async def history(self, conversation: str, **more: JSON) -> JSON:
        params = {"conversation_id": conversation, **more}
        frame = await self.done("conversation_history_response", "conversation_history", params)
        frame.get("messages")
        return frame.params

    async def contents(self, conversation: str) -> list[str]:
        """What was said in a conversation of up to 100 messages, oldest first."""
        return [message["content"] for message in reversed((await self.history(conversation, limit=100))["messages"])]

    async def subscribe(self, conversation: str) -> Frame:
        return await self.done("subscribed", "subscribe_conversation", {"conversation_id": conversation})

    async def unsubscribe(self, conversation: str) -> Frame:
        return await self.done("unsubscribed", "unsubscribe_conversation", {"conversation_id": conversation})

    # -- looking away and ending ---------------------------------------------------------------------------------------

    def look_away(self) -> None:
        """Takes nothing more off the network, as a machine that is too slow would."""
        self._watcher.note(self.name, "reads no longer", "")
        self.socket.transport.pause_reading()

    def look_back(self) -> None:
        """Reads on where it looked away."""
        self._watcher.note(self.name, "reads again", "")
        self.socket.transport.resume_reading()

    async def close(self) -> None:
        """Says good-bye and sees the other side hang up."""
        await self.socket.close()

    def cut(self) -> None:
        """Breaks the connection off, as a dead network would."""
        self._watcher.note(self.name, "is cut off", "")
        self.socket.transport.abort()

    # -- judging -------------------------------------------------------------------------------------------------------

    def _is(self, frame: Frame, event: str, params: dict[str, JSON]) -> Frame:
        if frame.event != event:
            raise Broken(f"{self.name} must hear {event} here, and heard {frame.event}.")
        for key, value in params.items():
            if frame.get(key) != value:
                raise Broken(f"{self.name} must hear {event} with {key} {value!r}, and heard {frame.get(key)!r}.")
        return frame

    async def _transmit(self, data: str | bytes, *, as_text: bool) -> None:
        await self._watcher.pace(self.identity)
        self._watcher.note(self.name, "sends", data if isinstance(data, str) else repr(data))
        try:
            with fail_after(self._watcher.patience):
                await self.socket.send(data, text=as_text)
        except TimeoutError:
            raise Broken(f"The server takes nothing off the connection of {self.name}.") from None
        except ConnectionClosed as closed:
            raise Broken(f"The connection of {self.name} must stay open, and was closed: {closed}.") from None

    async def _read(self) -> Frame:
        """The next frame that concerns the scene."""
        while True:
            frame = parse(await self._next_text())
            for finding in judged(frame, self.dialect):
                self._watcher.find(finding)
            if self.dialect == "v1":
                self._count(frame)
            if self._watcher.concerns(frame):
                self._watcher.note(self.name, "hears", frame.text)
                return frame

    async def _next_text(self) -> str | bytes:
        try:
            with fail_after(self._watcher.patience):
                return await self.socket.recv()
        except TimeoutError:
            raise Broken(f"{self.name} heard nothing for {self._watcher.patience:g} s.") from None
        except ConnectionClosed as closed:
            raise Broken(f"The connection of {self.name} must stay open, and was closed: {closed}.") from None

    def _count(self, frame: Frame) -> None:
        """Keeps the position, and sees that only answers carry a `ref` (V2.1) and that offsets grow (V3.2)."""
        if frame.event == "welcome":
            self.epoch = frame.get("epoch")
            self.position = self.position if frame.get("recovered") is True else frame.get("offset")
        if frame.ref is not None:
            if frame.ref not in self._open_refs:
                self._watcher.find(Finding("V2.1", "Only the one answer to a command may carry its ref.", frame.text))
            self._open_refs.discard(frame.ref)
        if type(frame.offset) is int:
            if frame.offset <= self._offset:
                self._watcher.find(Finding("V3.2", "Offsets must grow from frame to frame.", frame.text))
            self._offset = frame.offset
            self.position = max(self.position, frame.offset)
