"""The commands of the base wire, and who follows what."""

import json
from collections.abc import Callable, Mapping, Sequence
from time import time
from uuid import uuid4

from .door import NIL, UUID
from .models import Failure, Json, Line, Params, Talk, is_array, is_object
from .rooms import Rooms

Command = Callable[[Line, Params], None]


class BaseServer(Rooms):
    """Answers the commands of the base wire (S3 to S6)."""

    def __init__(self, tokens: Mapping[str, tuple[str, str]] | None = None) -> None:
        super().__init__(tokens)
        self.kept: dict[tuple[str, str, str], tuple[Json, Params]] = {}

    def commands(self, line: Line) -> dict[str, Command]:
        return {
            "conversations": self.conversations,
            "message": self.message,
            "new_conversation": self.new_conversation,
            "conversation_history": self.history,
            "subscribe_conversation": self.subscribe,
            "unsubscribe_conversation": self.unsubscribe,
        }

    def take(self, line: Line, data: str | bytes) -> None:
        line.ref = None
        try:
            self.carry_out(line, self.parse(data))
        except Failure as failure:
            self.fail(line, failure)

    def carry_out(self, line: Line, frame: Params) -> None:
        line.ref = self.ref(line, frame)
        event = self.event(frame)
        if not line.ready and event != "hello":
            raise Failure("hello_required")
        command = self.commands(line).get(event)
        if command is None:
            raise Failure("unknown_event", "There is no such command.")
        self.check_sender(line, frame)
        params: Json = {} if frame.get("params") is None and event in ("conversations", "ping") else frame.get("params")
        if not is_object(params):
            raise Failure("invalid_params", "The params are missing.")
        command(line, params)

    def fail(self, line: Line, failure: Failure) -> None:
        self.reply(line, "error", {"message": str(failure), "code": failure.code})

    def parse(self, data: str | bytes) -> Params:
        try:
            frame = json.loads(data if isinstance(data, str) else "")
            json.dumps(frame, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            raise Failure("invalid_json", "This is not JSON.") from None
        if not is_object(frame):
            raise Failure("invalid_envelope")
        return frame

    def ref(self, line: Line, frame: Params) -> str | None:
        ref = frame.get("ref") if line.v1 else None
        if ref is not None and not (isinstance(ref, str) and 1 <= len(ref) <= 64):
            raise Failure("invalid_envelope")
        return ref

    def event(self, frame: Params) -> str:
        if not isinstance(frame.get("event"), str) or not isinstance(frame.get("sender_id", ""), str | None):
            raise Failure("invalid_envelope")
        return frame["event"]

    def check_sender(self, line: Line, frame: Params) -> None:
        if str(frame.get("sender_id") or NIL).lower() not in (line.user, NIL):
            raise Failure("sender_mismatch")

    # -- what commands check -------------------------------------------------------------------------------------------

    def uuid(self, value: Json) -> str:
        if not isinstance(value, str) or not UUID.fullmatch(value) or value == NIL:
            raise Failure("invalid_params", "An id must be a UUID of 36 characters.")
        return value.lower()

    def number(self, params: Params, key: str, low: int, high: int, default: int) -> int:
        value = params.get(key, default)
        if type(value) is not int or not low <= value <= high:
            raise Failure("invalid_params", f"The {key} is out of range.")
        return value

    def talk(self, line: Line, params: Params) -> Talk:
        return self.allowed(line, self.talks.get(self.uuid(params.get("conversation_id"))))

    def allowed(self, line: Line, talk: Talk | None) -> Talk:
        if talk is None or not talk.has(line.user, line.role):
            raise Failure("not_found", "You have no such conversation.")
        return talk

    def content(self, params: Params) -> str:
        content = params.get("content")
        if not isinstance(content, str) or not content.strip() or len(content) > 8_000 or "\0" in content:
            raise Failure("invalid_params", "Content has 1 to 8,000 characters.")
        return content

    def providers(self, line: Line, params: Params) -> list[str]:
        named = params.get("providers")
        if not is_array(named):
            raise Failure("invalid_params", "Providers are an array.")
        providers = list(dict.fromkeys(self.uuid(one) for one in named))
        owners = {user for user, role in self.roles if role == "client" and (user, "provider") not in self.roles}
        if len(providers) > 32 or line.user in providers or owners & set(providers):
            raise Failure("invalid_params", "These providers cannot be invited.")
        return providers

    # -- commands ------------------------------------------------------------------------------------------------------

    def conversations(self, line: Line, params: Params) -> None:
        self.listed(line, sorted(self.mine(line), key=lambda talk: (-talk.updated, talk.id)))

    def listed(self, line: Line, talks: Sequence[Talk]) -> None:
        self.reply(line, "conversations", [self.entry(line, talk) for talk in talks])

    def entry(self, line: Line, talk: Talk) -> Params:
        read = talk.read.get(line.user, 0)
        unread = sum(one["sender_id"] != line.user for one in talk.messages[read:])
        counts = {"last_seq": len(talk.messages), "read_seq": read, "unread_count": unread, "last_offset": talk.offset}
        return talk.whole() | counts

    def now(self, talk: Talk) -> int:
        return max(talk.updated, int(time() * 1000))

    def message(self, line: Line, params: Params) -> None:
        content = self.content(params)
        talk = self.talk(line, params)
        if self.again(line, "message_sent", params.get("client_message_id"), (talk.id, content)):
            return
        seq, talk.updated = len(talk.messages) + 1, self.now(talk)
        said = {
            "id": str(uuid4()),
            "conversation_id": talk.id,
            "sender_id": line.user,
            "content": content,
            "timestamp": talk.updated,
            "seq": seq,
        }
        talk.messages.append(said)
        if talk.read.get(line.user, 0) == seq - 1:
            talk.read[line.user] = seq
        talk.offset = self.append("message_sent", said, talk)
        self.keep(line, "message_sent", params.get("client_message_id"), (talk.id, content), said)
        self.before_message(line, talk)
        self.deliver(line, talk, said)

    def deliver(self, line: Line, talk: Talk, said: Params) -> None:
        self.broadcast(talk, "message_sent", said, origin=line, offset=talk.offset)

    def before_message(self, line: Line, talk: Talk) -> None:
        self.join(line, talk)
        self.stop_typing(line, talk)

    def new_conversation(self, line: Line, params: Params) -> None:
        pet, providers = self.uuid(params.get("pet_id")), self.providers(line, params)
        if line.role != "client":
            raise Failure("forbidden_role", "Only pet owners create conversations.")
        if self.again(line, "conversation_created", params.get("client_conversation_id"), (pet, providers)):
            return
        talk = Talk(str(uuid4()), line.user, providers, pet, int(time() * 1000))
        self.talks[talk.id] = talk
        talk.offset = self.append("conversation_created", talk.whole(), talk)
        self.keep(line, "conversation_created", params.get("client_conversation_id"), (pet, providers), talk.whole())
        self.announce(line, talk)

    def announce(self, line: Line, talk: Talk) -> None:
        here = [one for one in self.lines if one.ready and talk.has(one.user, one.role)]
        for one in here:
            one.follows.add(talk.id)
        for one in here:
            event = "conversation_created" if one.role == "client" else "new_conversation_invitation"
            self.send(one, event, talk.whole(), ref=line.ref if one is line else None, offset=talk.offset)
            self.tell_presence(one, talk)

    def again(self, line: Line, event: str, key: Json, what: Json) -> bool:
        if not line.v1 or key is None:
            return False
        if not isinstance(key, str) or not 1 <= len(key) <= 64:
            raise Failure("invalid_params")
        kept = self.kept.get((line.user, event, key))
        if kept is None:
            return False
        if kept[0] != what:
            raise Failure("idempotency_conflict")
        self.reply(line, event, kept[1] | {"duplicate": True})
        return True

    def keep(self, line: Line, event: str, key: Json, what: Json, params: Params) -> None:
        if line.v1 and key is not None:
            self.kept[line.user, event, key] = (what, params)

    def history(self, line: Line, params: Params) -> None:
        limit = self.number(params, "limit", 1, 100, 20)
        page = self.number(params, "page", 0, 2**31 - 1, 0)
        talk = self.talk(line, params)
        self.join(line, talk)
        low, high = self.window(page, limit, len(talk.messages))
        self.page(line, talk, low, high, has_more=low > 0)

    def page(self, line: Line, talk: Talk, low: int, high: int, **more: bool) -> None:
        messages, last = self.ordered(talk.messages[low:high]), len(talk.messages)
        answer = {"messages": messages, "total_count": last, **more, "conversation_id": talk.id, "last_seq": last}
        self.reply(line, "conversation_history_response", answer)

    def window(self, page: int, limit: int, last: int) -> tuple[int, int]:
        high = max(0, last - page * limit)
        return max(0, high - limit), high

    def ordered(self, messages: list[Params]) -> list[Params]:
        return messages[::-1]

    def subscribe(self, line: Line, params: Params) -> None:
        talk = self.talk(line, params)
        self.join(line, talk)
        more = {"last_seq": len(talk.messages)}
        self.reply(line, "subscribed", {"conversation_id": talk.id, "status": "success"} | more)
        self.tell_presence(line, talk)

    def unsubscribe(self, line: Line, params: Params) -> None:
        talk = self.talk(line, params)
        self.leave(line, talk, "unsubscribed")
        self.reply(line, "unsubscribed", {"conversation_id": talk.id, "status": "success"})
