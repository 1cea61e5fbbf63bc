"""Broken in who is told of whom, and in what errors say (S5, S6)."""

from tests.kit.broken_servers.registry import breaks
from tests.kit.reference import Failure, Json, Line, Params, ReferenceServer, Talk


# -- presence ----------------------------------------------------------------------------------------------------------
@breaks("S5.1")
class SubscribesNobodyOnConnecting(ReferenceServer):
    def begin(self, line: Line) -> None:
        line.ready = True


@breaks("S5.2")
class TellsEverybodyEverything(ReferenceServer):
    def followers(self, talk: Talk) -> list[Line]:
        return [line for line in self.lines if line.ready]


@breaks("S5.3")
class SaysNothingOfArrivals(ReferenceServer):
    def tell(self, line: Line, talk: Talk, event: str, more: Params) -> None:
        if event != "user_joined":
            super().tell(line, talk, event, more)


@breaks("R5.4")
class LeavesTheUnknownNameEmpty(ReferenceServer):
    def profile(self, line: Line) -> Params:
        return super().profile(line) | {"display_name": line.name or ""}


@breaks("R5.5")
class AnnouncesEveryDevice(ReferenceServer):
    def join(self, line: Line, talk: Talk) -> None:
        if talk.id not in line.follows:
            line.follows.add(talk.id)
            self.tell(line, talk, "user_joined", {})


@breaks("R5.6")
class TellsOneAboutOneself(ReferenceServer):
    def tell(self, line: Line, talk: Talk, event: str, more: Params) -> None:
        told = self.profile(line) | {"conversation_id": talk.id, "timestamp": self.now(talk)} | more
        self.broadcast(talk, event, told)


@breaks("R5.7")
class SaysNothingOfDisconnections(ReferenceServer):
    def lost(self, line: Line) -> None:
        line.follows.clear()


@breaks("R5.7")
class GivesTheWrongReason(ReferenceServer):
    def leave(self, line: Line, talk: Talk, reason: str) -> None:
        super().leave(line, talk, "unsubscribed")


# -- errors ------------------------------------------------------------------------------------------------------------
@breaks("S6.1")
class TellsMistakesToAll(ReferenceServer):
    def fail(self, line: Line, failure: Failure) -> None:
        super().fail(line, failure)
        for other in self.lines:
            if other is not line and other.follows & line.follows:
                self.send(other, "error", {"message": str(failure), "code": failure.code})


@breaks("R6.2")
class RepeatsTheInput(ReferenceServer):
    def carry_out(self, line: Line, frame: Params) -> None:
        try:
            super().carry_out(line, frame)
        except Failure as failure:
            raise Failure(failure.code, f"Bad command {frame!r}.") from None


@breaks("S6.1")
class CallsTheErrorMessageAnError(ReferenceServer):
    def to_base(self, event: str, params: Json) -> Json:
        return {"error": params["message"]} if event == "error" else super().to_base(event, params)
