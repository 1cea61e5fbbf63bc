"""A client that does exactly what a transcript says, in either of two moods; or what another transcript says."""

import json
from itertools import count
from typing import Any

import pytest
from vetchat_conformance.scripted.placeholders import Bindings
from vetchat_conformance.scripted.transcript import Accept, Close, Cut, Hear, HearClose, Refuse, Say, Transcript
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol


class Mirror:
    """Plays the client of a transcript.

    A talkative one sends every key that may be left out, more keys than were asked for, and a ping where it may.
    """

    def __init__(self, transcript: Transcript, url: str, *, talkative: bool = False) -> None:
        self._transcript = transcript
        self._url = url
        self._talkative = talkative
        self._bindings = Bindings(transcript.user)
        self._numbers = count(1)
        self._socket: ClientConnection | None = None

    async def play(self) -> None:
        """Goes through the transcript; a server that has given up on this client ends it."""
        try:
            for line in self._transcript.lines:
                await self._do(line.step)
        except (ConnectionClosed, InvalidStatus):
            return
        finally:
            if self._socket is not None:
                await self._socket.close()

    async def _do(self, step: object) -> None:
        match step:
            case Accept():
                self._socket = await self._connected(step)
            case Refuse(status):
                with pytest.raises(InvalidStatus, match=str(status)):
                    await connect(self._url, proxy=None)
            case Hear(patterns):
                for pattern in reversed(patterns):
                    await self._send(self._bindings.fill(self._whole(pattern)))
            case Say(template):
                await self._receive(template)
            case Close() | Cut():
                with pytest.raises(ConnectionClosed):
                    await self._open.recv()
            case HearClose():
                await self._open.close()
            case _:
                pass

    async def _connected(self, step: Accept) -> ClientConnection:
        token = self._bindings.fill(step.token)
        return await connect(
            self._url,
            additional_headers={} if token is None else {"Authorization": f"Bearer {token}"},
            subprotocols=None if step.subprotocol is None else [Subprotocol(step.subprotocol)],
            proxy=None,
        )

    @property
    def _open(self) -> ClientConnection:
        assert self._socket is not None
        return self._socket

    async def _send(self, frame: dict[str, Any]) -> None:
        if self._talkative and frame["event"] != "hello" and self._open.subprotocol is not None:
            ref = f"ping {next(self._numbers)}"
            await self._open.send(json.dumps({"event": "ping", "ref": ref}))
            assert json.loads(await self._open.recv())["ref"] == ref
        await self._open.send(json.dumps(frame | ({"colour": "green"} if self._talkative else {})))

    async def _receive(self, template: Any) -> None:
        frame = json.loads(await self._open.recv())
        assert list(frame)[:3] == ["sender_id", "event", "params"]
        assert self._bindings.difference(self._expected(template), frame, "the frame") is None

    def _whole(self, pattern: Any) -> Any:
        """The pattern with all that may be left out, or as it is."""
        if isinstance(pattern, dict):
            return {key: self._whole(value) for key, value in pattern.items()}  # pyright: ignore[reportUnknownVariableType]
        return pattern.removesuffix("?") if self._talkative and isinstance(pattern, str) else pattern

    def _expected(self, template: Any) -> Any:
        """What the server says, in which the time is what it is."""
        return json.loads(json.dumps(template).replace('"$now"', '"$_"'))
