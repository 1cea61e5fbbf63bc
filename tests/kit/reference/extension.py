"""What `vetchat.v1` adds (V1 to V5)."""

import asyncio
from collections.abc import Iterable
from uuid import uuid4

from .commands import BaseServer, Command
from .models import Close, Failure, Json, Line, Params, Talk, is_object


class ReferenceServer(BaseServer):
    """Serves both dialects."""

    def commands(self, line: Line) -> dict[str, Command]:
        more = {
            "hello": self.hello,
            "ping": self.ping,
            "typing": self.typing,
            "mark_read": self.mark_read,
            "refresh": self.refresh,
        }
        return super().commands(line) | (more if line.v1 else {})

    def conversations(self, line: Line, params: Params) -> None:
        if not line.v1 or not params.keys() & {"limit", "before"}:
            return super().conversations(line, params)
        limit = self.number(params, "limit", 1, 1_000, 1_000)
        before = self.number(params, "before", 0, 2**60, 2**60)
        talks = [talk for talk in self.mine(line) if talk.offset < before]
        return self.listed(line, sorted(talks, key=lambda talk: -talk.offset)[:limit])

    def history(self, line: Line, params: Params) -> None:
        keys = sorted(params.keys() & {"page", "before", "after", "around"}) if line.v1 else []
        if len(keys) > 1:
            raise Failure("invalid_params", "Only one of page, before, after and around may be there.")
        if keys in ([], ["page"]) and params.get("subscribe") is not False:
            return super().history(line, params)
        talk, limit = self.talk(line, params), self.number(params, "limit", 1, 100, 20)
        last, seq = len(talk.messages), self.number(params, keys[0], 0, 2**60, 0) if keys else 0
        match keys:
            case ["before"]:
                high = max(0, min(seq - 1, last))
                low = max(0, high - limit)
            case ["after"]:
                low, high = min(seq, last), min(seq + limit, last)
            case ["around"]:
                low = max(0, min(seq - 1 - limit // 2, last - limit))
                high = min(low + limit, last)
            case _:
                low, high = self.window(seq, limit, last)
        if params.get("subscribe") is not False:
            self.join(line, talk)
        more = {"has_more": high < last if keys == ["after"] else low > 0}
        return self.page(line, talk, low, high, **more, **({"has_newer": high < last} if keys == ["around"] else {}))

    def hello(self, line: Line, params: Params) -> None:
        if line.ready:
            raise Failure("invalid_params", "You have said hello already.")
        resume = self.resume(params)
        if self.tokens is not None:
            self.bring_token(line, params.get("token"))
        recovered = resume is not None and resume["epoch"] == self.epoch and resume["offset"] <= len(self.log)
        line.position = resume["offset"] if resume is not None and recovered else len(self.log)
        self.reply(line, "welcome", self.welcome(line, recovered))
        for offset, (event, told, _) in self.missed(line):
            kind = "new_conversation_invitation" if event == "conversation_created" and line.role != "client" else event
            self.send(line, kind, told, offset=offset)
        self.begin(line)
        for talk in self.mine(line):
            self.tell_presence(line, talk)

    def resume(self, params: Params) -> Params | None:
        resume = params.get("resume")
        if resume is None:
            return None
        if not is_object(resume):
            raise Failure("invalid_params")
        epoch, offset = resume.get("epoch"), resume.get("offset")
        if not (isinstance(epoch, str) and 1 <= len(epoch) <= 64 and type(offset) is int and offset >= 0):
            raise Failure("invalid_params")
        return resume

    def bring_token(self, line: Line, token: Json) -> None:
        known = (self.tokens or {}).get(token) if token is not None else (line.user, line.role)
        if known is None or "" in known or line.user not in ("", known[0]) or line.role not in ("", known[1]):
            raise Close(4001)
        line.user, line.role = known
        self.roles.add(known)

    def welcome(self, line: Line, recovered: bool) -> Params:
        return {
            "user_id": line.user,
            "role": line.role,
            "session_id": str(uuid4()),
            "epoch": self.epoch,
            "offset": len(self.log),
            "recovered": recovered,
            "heartbeat_interval_ms": 25_000,
            "token_expires_at": None,
            "limits": {"content_chars": 8_000, "frame_bytes": 131_072},
        }

    def missed(self, line: Line) -> Iterable[tuple[int, tuple[str, Params, Talk]]]:
        entries = list(enumerate(self.log, 1))[line.position :]
        return [(offset, entry) for offset, entry in entries if entry[2].has(line.user, line.role)]

    def ping(self, line: Line, params: Params) -> None:
        self.reply(line, "pong", {"offset": line.position})

    def refresh(self, line: Line, params: Params) -> None:
        self.bring_token(line, params.get("token"))
        self.reply(line, "refreshed", {"token_expires_at": None})

    def typing(self, line: Line, params: Params) -> None:
        if params.get("state") not in ("active", "done"):
            raise Failure("invalid_params")
        talk = self.talk(line, params)
        if params["state"] == "active":
            talk.typing.add(line.user)
            self.relay_typing(line, talk, "active")
            asyncio.get_running_loop().call_later(6, self.stop_typing, line, talk)
        else:
            self.stop_typing(line, talk)
        self.reply(line, "ok", {})

    def mark_read(self, line: Line, params: Params) -> None:
        seq = self.number(params, "seq", 0, 2**60, -1)
        talk = self.talk(line, params)
        if seq > len(talk.messages):
            raise Failure("invalid_params", "There is no such message yet.")
        if seq <= talk.read.get(line.user, 0):
            self.reply(line, "ok", {})
            return
        talk.read[line.user] = seq
        told = {"conversation_id": talk.id, "user_id": line.user, "seq": seq}
        offset = self.append("read_marker", told, talk)
        self.broadcast(talk, "read_marker", told, origin=line, offset=offset)
        if talk.id not in line.follows:
            self.send(line, "read_marker", told, ref=line.ref, offset=offset)
