"""Broken in `vetchat.v1` (V1 to V5)."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

from tests.kit.broken_servers.registry import breaks
from tests.kit.reference import Failure, Json, Line, Params, ReferenceServer, Talk


@breaks("V1.1")
class AsksForNoHello(ReferenceServer):
    def arrived(self, line: Line) -> None:
        self.begin(line)

    def hello(self, line: Line, params: Params) -> None:
        line.ready = False
        super().hello(line, params)


@breaks("V1.2")
class CallsEverySessionTheSame(ReferenceServer):
    session = str(uuid4())

    def welcome(self, line: Line, recovered: bool) -> Params:
        return super().welcome(line, recovered) | {"session_id": self.session}


@breaks("V1.4")
class SubscribesBeforeHello(ReferenceServer):
    def arrived(self, line: Line) -> None:
        self.begin(line)
        line.ready = not line.v1


@breaks("V2.1")
class PutsTheRefOnBroadcasts(ReferenceServer):
    def deliver(self, line: Line, talk: Talk, said: Params) -> None:
        for one in self.followers(talk):
            self.send(one, "message_sent", said, ref=line.ref, offset=talk.offset)


@breaks("V2.2")
class StoresRetriesAgain(ReferenceServer):
    def again(self, line: Line, event: str, key: Json, what: Json) -> bool:
        return False


@breaks("V2.2")
class SharesRetryKeysAmongUsers(ReferenceServer):
    def again(self, line: Line, event: str, key: Json, what: Json) -> bool:
        user, line.user = line.user, "everybody"
        try:
            return super().again(line, event, key, what)
        finally:
            line.user = user

    def keep(self, line: Line, event: str, key: Json, what: Json, params: Params) -> None:
        user, line.user = line.user, "everybody"
        super().keep(line, event, key, what, params)
        line.user = user


@breaks("V2.3")
class ChecksTheSenderBeforeTheEvent(ReferenceServer):
    def carry_out(self, line: Line, frame: Params) -> None:
        line.ref = self.ref(line, frame)
        self.check_sender(line, frame)
        super().carry_out(line, frame)


@breaks("V2.4")
class SaysNothingToTyping(ReferenceServer):
    def reply(self, line: Line, event: str, params: Json) -> None:
        if event != "ok":
            super().reply(line, event, params)


@breaks("V3.1")
class SkipsANumberForEveryMistake(ReferenceServer):
    skipped = 0

    def fail(self, line: Line, failure: Failure) -> None:
        self.skipped += 1
        super().fail(line, failure)

    def deliver(self, line: Line, talk: Talk, said: Params) -> None:
        super().deliver(line, talk, said | {"seq": said["seq"] + self.skipped})


@breaks("V3.2")
class CountsOffsetsForEachConversation(ReferenceServer):
    def append(self, event: str, params: Params, talk: Talk) -> int:
        super().append(event, params, talk)
        return sum(entry[2] is talk for entry in self.log)


@breaks("V3.3")
class LosesOneOnResume(ReferenceServer):
    def missed(self, line: Line) -> Sequence[tuple[int, tuple[str, Params, Talk]]]:
        return list(super().missed(line))[1:]


@breaks("V3.3")
class DoublesOneOnResume(ReferenceServer):
    def missed(self, line: Line) -> Sequence[tuple[int, tuple[str, Params, Talk]]]:
        missed = list(super().missed(line))
        return [*missed[:1], *missed]


@breaks("V3.3")
class ReplaysTheNewestFirst(ReferenceServer):
    def missed(self, line: Line) -> Sequence[tuple[int, tuple[str, Params, Talk]]]:
        return list(super().missed(line))[::-1]


@breaks("V3.4")
class RecoversFromAnotherEpoch(ReferenceServer):
    def resume(self, params: Params) -> Params | None:
        resume = super().resume(params)
        return None if resume is None else resume | {"epoch": self.epoch}


@breaks("V3.5")
class IncludesTheNumberItselfBefore(ReferenceServer):
    def history(self, line: Line, params: Params) -> None:
        more: Mapping[str, Json] = {"before": params["before"] + 1} if "before" in params else {}
        super().history(line, params | dict(more))


@breaks("V3.6")
class IgnoresTheLimitOfTheList(ReferenceServer):
    def conversations(self, line: Line, params: Params) -> None:
        super().conversations(line, {key: value for key, value in params.items() if key != "limit"})


@breaks("V4.1")
class EchoesTyping(ReferenceServer):
    def relay_typing(self, line: Line, talk: Talk, state: str) -> None:
        super().relay_typing(line, talk, state)
        self.send(line, "typing", {"conversation_id": talk.id, "user_id": line.user, "state": state})


@breaks("V4.1")
class TypesOnAfterTheMessage(ReferenceServer):
    def before_message(self, line: Line, talk: Talk) -> None:
        self.join(line, talk)
        talk.typing.discard(line.user)


@breaks("V4.2")
class ReadsBackwards(ReferenceServer):
    def mark_read(self, line: Line, params: Params) -> None:
        self.talk(line, params).read[line.user] = 0
        super().mark_read(line, params)


@breaks("V4.2")
class CountsOnesOwnMessagesAsUnread(ReferenceServer):
    def entry(self, line: Line, talk: Talk) -> Params:
        entry = super().entry(line, talk)
        return entry | {"unread_count": entry["last_seq"] - entry["read_seq"]}


@breaks("V4.3")
class CountsOneselfAsThere(ReferenceServer):
    def tell_presence(self, line: Line, talk: Talk) -> None:
        told = [self.profile(one) for one in self.followers(talk)]
        self.send(line, "presence_state", {"conversation_id": talk.id, "users": told})


@breaks("V4.3")
class TellsTheBaseWireWhoIsThere(ReferenceServer):
    def send(self, line: Line, event: str, params: Json, *, ref: str | None = None, offset: int | None = None) -> None:
        if event == "presence_state" and not line.v1:
            line.out.put_nowait(self.encode({"sender_id": str(uuid4()), "event": event, "params": params}))
        super().send(line, event, params, ref=ref, offset=offset)


@breaks("S4.5")
class LeaksTheNumberToTheBaseWire(ReferenceServer):
    def to_base(self, event: str, params: Json) -> Json:
        return params if event == "message_sent" else super().to_base(event, params)


@breaks("V5.1")
class PongsTheHeadOfTheLog(ReferenceServer):
    def ping(self, line: Line, params: Params) -> None:
        self.reply(line, "pong", {"offset": len(self.log)})
