"""Right for most: wrong for one side only, for one's other device, or for who was away."""

from collections.abc import Sequence

from tests.kit.broken_servers.registry import breaks
from tests.kit.reference import Json, Line, Params, ReferenceServer, Talk


# -- for one side only -------------------------------------------------------------------------------------------------
@breaks("R4.10")
class HasAClockOfItsOwnForVets(ReferenceServer):
    vet = False

    def message(self, line: Line, params: Params) -> None:
        self.vet = line.role == "provider"
        super().message(line, params)

    def now(self, talk: Talk) -> int:
        return talk.updated - 1 if self.vet else super().now(talk)


@breaks("R4.14")
class InvitesTheOtherRoleToo(ReferenceServer):
    def announce(self, line: Line, talk: Talk) -> None:
        super().announce(line, talk)
        for one in self.lines:
            if one.ready and one.role == "client" and one.user in talk.providers:
                self.send(one, "new_conversation_invitation", talk.whole(), offset=talk.offset)


@breaks("V4.1")
class LetsStrangersType(ReferenceServer):
    def typing(self, line: Line, params: Params) -> None:
        talk = self.talks.get(self.uuid(params.get("conversation_id")))
        if talk is None or talk.has(line.user, line.role):
            super().typing(line, params)
        else:
            self.relay_typing(line, talk, params["state"])
            self.reply(line, "ok", {})


@breaks("V4.2")
class LetsStrangersMarkAsRead(ReferenceServer):
    def mark_read(self, line: Line, params: Params) -> None:
        talk = self.talks.get(self.uuid(params.get("conversation_id")))
        if talk is None or talk.has(line.user, line.role):
            super().mark_read(line, params)
        else:
            self.reply(line, "ok", {})


@breaks("R5.7")
class TellsOnlyTheBaseWireOfLostConnections(ReferenceServer):
    def send(self, line: Line, event: str, params: Json, *, ref: str | None = None, offset: int | None = None) -> None:
        if not (event == "user_left" and line.v1 and params["reason"] == "disconnected"):
            super().send(line, event, params, ref=ref, offset=offset)


# -- for one's other device --------------------------------------------------------------------------------------------
@breaks("V4.1")
class TellsOnesOtherDeviceThatOneTypes(ReferenceServer):
    def relay_typing(self, line: Line, talk: Talk, state: str) -> None:
        told = {"conversation_id": talk.id, "user_id": line.user, "state": state, "expires_in_ms": 6_000}
        for one in self.followers(talk):
            if one is not line:
                self.send(one, "typing", told)


@breaks("V4.2")
class KeepsTheReadMarkerFromOnesOtherDevice(ReferenceServer):
    def send(self, line: Line, event: str, params: Json, *, ref: str | None = None, offset: int | None = None) -> None:
        if event != "read_marker" or params["user_id"] != line.user or ref is not None:
            super().send(line, event, params, ref=ref, offset=offset)


@breaks("V4.2")
class AnswersNoReaderWhoLooksAway(ReferenceServer):
    def mark_read(self, line: Line, params: Params) -> None:
        if params.get("conversation_id") in line.follows:
            super().mark_read(line, params)
        else:
            self.reply(line, "ok", {})


# -- when one comes back -----------------------------------------------------------------------------------------------
@breaks("V3.3")
class ReplaysNothingOfOnesOwn(ReferenceServer):
    def missed(self, line: Line) -> Sequence[tuple[int, tuple[str, Params, Talk]]]:
        return [(at, one) for at, one in super().missed(line) if one[1].get("sender_id") != line.user]


@breaks("V3.3")
class ReplaysNoReadMarkers(ReferenceServer):
    def missed(self, line: Line) -> Sequence[tuple[int, tuple[str, Params, Talk]]]:
        return [(at, one) for at, one in super().missed(line) if one[0] != "read_marker"]


@breaks("V3.3")
class RemembersWhatWasUnsubscribed(ReferenceServer):
    def __init__(self) -> None:
        super().__init__()
        self.away: set[tuple[str, str]] = set()

    def unsubscribe(self, line: Line, params: Params) -> None:
        super().unsubscribe(line, params)
        self.away.add((line.user, params["conversation_id"]))

    def missed(self, line: Line) -> Sequence[tuple[int, tuple[str, Params, Talk]]]:
        return [(at, one) for at, one in super().missed(line) if (line.user, one[2].id) not in self.away]


@breaks("V5.3")
class DropsWhatASlowReaderMisses(ReferenceServer):
    def send(self, line: Line, event: str, params: Json, *, ref: str | None = None, offset: int | None = None) -> None:
        if line.out.qsize() < 10:
            super().send(line, event, params, ref=ref, offset=offset)
