"""Who follows what, who is told, and the log of what is durable."""

from collections.abc import Mapping
from time import time
from uuid import uuid4

from .door import Door
from .models import Line, Params, Talk


class Rooms(Door):
    """Subscriptions and presence (S5, R5), typing (V4.1) and the log (V3.2)."""

    def __init__(self, tokens: Mapping[str, tuple[str, str]] | None = None) -> None:
        super().__init__(tokens)
        self.epoch = str(uuid4())
        self.talks: dict[str, Talk] = {}
        self.log: list[tuple[str, Params, Talk]] = []

    def mine(self, line: Line) -> list[Talk]:
        return [talk for talk in self.talks.values() if talk.has(line.user, line.role)]

    def arrived(self, line: Line) -> None:
        if not line.v1:
            self.begin(line)

    def begin(self, line: Line) -> None:
        line.ready = True
        for talk in self.mine(line):
            self.join(line, talk)

    def lost(self, line: Line) -> None:
        for talk_id in list(line.follows):
            self.leave(line, self.talks[talk_id], "disconnected")

    def followers(self, talk: Talk) -> list[Line]:
        return [line for line in self.lines if talk.id in line.follows]

    def profile(self, line: Line) -> Params:
        return {"user_id": line.user, "display_name": line.name or "Unknown User", "profile_image_url": None}

    def join(self, line: Line, talk: Talk) -> None:
        there = any(one.user == line.user for one in self.followers(talk))
        line.follows.add(talk.id)
        if not there:
            self.tell(line, talk, "user_joined", {})

    def leave(self, line: Line, talk: Talk, reason: str) -> None:
        if talk.id not in line.follows:
            return
        line.follows.remove(talk.id)
        if not any(one.user == line.user for one in self.followers(talk)):
            self.stop_typing(line, talk)
            self.tell(line, talk, "user_left", {"reason": reason})

    def tell(self, line: Line, talk: Talk, event: str, more: Params) -> None:
        told = self.profile(line) | {"conversation_id": talk.id, "timestamp": int(time() * 1000)} | more
        self.broadcast(talk, event, told, without=line.user)

    def tell_presence(self, line: Line, talk: Talk) -> None:
        users = {one.user: one for one in self.followers(talk) if one.user != line.user}
        if users:
            told = [self.profile(one) for one in users.values()]
            self.send(line, "presence_state", {"conversation_id": talk.id, "users": told})

    def relay_typing(self, line: Line, talk: Talk, state: str) -> None:
        told = {"conversation_id": talk.id, "user_id": line.user, "state": state, "expires_in_ms": 6_000}
        self.broadcast(talk, "typing", told, without=line.user)

    def stop_typing(self, line: Line, talk: Talk) -> None:
        if line.user in talk.typing:
            talk.typing.remove(line.user)
            self.relay_typing(line, talk, "done")

    def append(self, event: str, params: Params, talk: Talk) -> int:
        self.log.append((event, dict(params), talk))
        return len(self.log)

    def broadcast(
        self,
        talk: Talk,
        event: str,
        params: Params,
        *,
        origin: Line | None = None,
        offset: int | None = None,
        without: str | None = None,
    ) -> None:
        for line in self.followers(talk):
            if line.user != without:
                self.send(line, event, params, ref=line.ref if line is origin else None, offset=offset)
