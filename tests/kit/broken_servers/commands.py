"""Broken in who may do what, and in what commands do (S3, S4)."""

from collections.abc import Sequence
from uuid import uuid4

from tests.kit.broken_servers.registry import breaks
from tests.kit.reference import Failure, Json, Line, Params, ReferenceServer, Talk
from tests.kit.reference.models import is_array


# -- roles -------------------------------------------------------------------------------------------------------------
@breaks("S3.1")
class ShowsOwnersTheConversationsOfOthers(ReferenceServer):
    def conversations(self, line: Line, params: Params) -> None:
        self.listed(line, sorted(self.talks.values(), key=lambda talk: (-talk.updated, talk.id)))


@breaks("S3.2")
class LetsVetsCreate(ReferenceServer):
    def new_conversation(self, line: Line, params: Params) -> None:
        role, line.role = line.role, "client"
        try:
            super().new_conversation(line, params)
        finally:
            line.role = role


@breaks("S3.3")
class LetsStrangersSend(ReferenceServer):
    def message(self, line: Line, params: Params) -> None:
        self.may_enter = True
        try:
            super().message(line, params)
        finally:
            self.may_enter = False

    may_enter = False

    def allowed(self, line: Line, talk: Talk | None) -> Talk:
        return talk if talk is not None and self.may_enter else super().allowed(line, talk)


@breaks("S3.3")
class LetsStrangersRead(LetsStrangersSend):
    def message(self, line: Line, params: Params) -> None:
        ReferenceServer.message(self, line, params)

    def history(self, line: Line, params: Params) -> None:
        self.may_enter = True
        try:
            super().history(line, params)
        finally:
            self.may_enter = False


@breaks("S3.3")
class LetsStrangersSubscribe(LetsStrangersSend):
    def message(self, line: Line, params: Params) -> None:
        ReferenceServer.message(self, line, params)

    def subscribe(self, line: Line, params: Params) -> None:
        self.may_enter = True
        try:
            super().subscribe(line, params)
        finally:
            self.may_enter = False


@breaks("R3.4")
class TellsForeignFromUnknown(ReferenceServer):
    def allowed(self, line: Line, talk: Talk | None) -> Talk:
        if talk is not None and not talk.has(line.user, line.role):
            raise Failure("not_found", "You do not take part in this conversation.")
        return super().allowed(line, talk)


@breaks("R3.5")
class ForgetsTheRole(ReferenceServer):
    def mine(self, line: Line) -> list[Talk]:
        return [talk for talk in self.talks.values() if line.user in (talk.client, *talk.providers)]


# -- commands ----------------------------------------------------------------------------------------------------------
@breaks("R4.2")
class ListsTheOldestFirst(ReferenceServer):
    def listed(self, line: Line, talks: Sequence[Talk]) -> None:
        super().listed(line, talks[::-1])


@breaks("R4.3")
class CutsTheLastMessageShort(ReferenceServer):
    def entry(self, line: Line, talk: Talk) -> Params:
        entry = super().entry(line, talk)
        return entry | {"last_message": entry["last_message"][:100]}


@breaks("S4.5")
class LeavesTheSendersOtherPeopleOut(ReferenceServer):
    def deliver(self, line: Line, talk: Talk, said: Params) -> None:
        self.send(line, "message_sent", said, ref=line.ref, offset=talk.offset)


@breaks("S4.6")
class LeavesTheSenderUnsubscribed(ReferenceServer):
    def before_message(self, line: Line, talk: Talk) -> None:
        self.stop_typing(line, talk)

    def deliver(self, line: Line, talk: Talk, said: Params) -> None:
        super().deliver(line, talk, said)
        if talk.id not in line.follows:
            self.send(line, "message_sent", said, ref=line.ref, offset=talk.offset)


@breaks("R4.7")
class StoresWhatItRefuses(ReferenceServer):
    def content(self, params: Params) -> str:
        try:
            return super().content(params)
        except Failure:
            self.talks[params["conversation_id"]].messages.append(
                {
                    "id": str(uuid4()),
                    "conversation_id": params["conversation_id"],
                    "sender_id": str(uuid4()),
                    "content": str(params.get("content")),
                    "timestamp": self.now(self.talks[params["conversation_id"]]),
                    "seq": 1,
                }
            )
            raise


@breaks("R4.8")
class TrimsContent(ReferenceServer):
    def content(self, params: Params) -> str:
        return super().content(params).strip()


@breaks("R4.8")
class CountsBytesInsteadOfCharacters(ReferenceServer):
    def content(self, params: Params) -> str:
        content = super().content(params)
        if len(content.encode()) > 8_000:
            raise Failure("invalid_params")
        return content


@breaks("R4.9")
class DeliversEveryMessageTwice(ReferenceServer):
    def deliver(self, line: Line, talk: Talk, said: Params) -> None:
        super().deliver(line, talk, said)
        self.broadcast(talk, "message_sent", said, offset=talk.offset, without=line.user)


@breaks("R4.10")
class RunsBackwards(ReferenceServer):
    def now(self, talk: Talk) -> int:
        return talk.updated - 1


@breaks("S4.12")
class InvitesWithAPetId(ReferenceServer):
    def to_base(self, event: str, params: Json) -> Json:
        told = super().to_base(event, params)
        return told | {"pet_id": told["pet"]} if event == "new_conversation_invitation" else told


@breaks("R4.13")
class KeepsDuplicateProviders(ReferenceServer):
    def providers(self, line: Line, params: Params) -> list[str]:
        super().providers(line, params)
        return [self.uuid(one) for one in params["providers"]]


@breaks("R4.13")
class InvitesTheCreator(ReferenceServer):
    def providers(self, line: Line, params: Params) -> list[str]:
        named = params.get("providers")
        others = [one for one in named if str(one).lower() != line.user] if is_array(named) else named
        return super().providers(line, params | {"providers": others})


@breaks("R4.14")
class InvitesNobody(ReferenceServer):
    def send(self, line: Line, event: str, params: Json, *, ref: str | None = None, offset: int | None = None) -> None:
        if event != "new_conversation_invitation":
            super().send(line, event, params, ref=ref, offset=offset)


@breaks("R4.14")
class AnnouncesInvitationsAsArrivals(ReferenceServer):
    def announce(self, line: Line, talk: Talk) -> None:
        super().announce(line, talk)
        for one in self.followers(talk):
            self.tell(one, talk, "user_joined", {})


@breaks("R4.17")
class CountsPagesFrom1(ReferenceServer):
    def window(self, page: int, limit: int, last: int) -> tuple[int, int]:
        return super().window(max(0, page - 1), limit, last)


@breaks("R4.17")
class ReadsTheOldestFirst(ReferenceServer):
    def ordered(self, messages: list[Params]) -> list[Params]:
        return messages


@breaks("R4.17")
class ClampsTheLimit(ReferenceServer):
    def number(self, params: Params, key: str, low: int, high: int, default: int) -> int:
        value = params.get(key, default)
        clamped = min(max(value, low), high) if type(value) is int else value
        return super().number(params | {key: clamped}, key, low, high, default)


@breaks("S4.18")
class ReadsWithoutSubscribing(ReferenceServer):
    def history(self, line: Line, params: Params) -> None:
        follows = set(line.follows)
        super().history(line, params)
        line.follows = follows


@breaks("R4.22")
class AsksForTheStatus(ReferenceServer):
    def unsubscribe(self, line: Line, params: Params) -> None:
        if params.get("status") != "success":
            raise Failure("invalid_params")
        super().unsubscribe(line, params)


@breaks("R4.23")
class RefusesToSubscribeTwice(ReferenceServer):
    def subscribe(self, line: Line, params: Params) -> None:
        if params.get("conversation_id") in line.follows:
            raise Failure("invalid_params", "You have subscribed already.")
        super().subscribe(line, params)


@breaks("R4.24")
class SilencesEveryDevice(ReferenceServer):
    def unsubscribe(self, line: Line, params: Params) -> None:
        super().unsubscribe(line, params)
        for one in self.lines:
            if one.user == line.user:
                one.follows.discard(params["conversation_id"])
