"""Broken at the door and in the form of frames (S1 to R2)."""

import json
from http import HTTPStatus
from uuid import uuid4

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from tests.kit.broken_servers.registry import breaks
from tests.kit.reference import Failure, Json, Line, Params, ReferenceServer, Talk


# -- the door ----------------------------------------------------------------------------------------------------------
@breaks("S1.1")
class RedirectsWithoutTheSlash(ReferenceServer):
    def door(self, socket: ServerConnection, request: Request) -> Response | None:
        if not request.path.partition("?")[0].endswith("/"):
            response = socket.respond(HTTPStatus.PERMANENT_REDIRECT, "")
            response.headers["Location"] = f"{self.url}?{request.path.partition('?')[2]}"
            return response
        return super().door(socket, request)


@breaks("S1.2")
class GivesEverybodyTheSameId(ReferenceServer):
    one = str(uuid4())

    def identity(self, request: Request) -> tuple[str, str, str | None] | None:
        self.drawn[id(request)] = self.one
        return super().identity(request)


@breaks("R1.4")
class KeepsTheIdToItself(ReferenceServer):
    def introduce(self, socket: ServerConnection, request: Request, response: Response) -> None:
        pass


@breaks("R1.7")
class LetsForeignPagesIn(ReferenceServer):
    def refusal(self, request: Request) -> HTTPStatus | None:
        if "Origin" in request.headers:
            del request.headers["Origin"]
        return super().refusal(request)


@breaks("R1.8")
class TakesTheNilUuidForAPet(ReferenceServer):
    def uuid(self, value: Json) -> str:
        return str(value) if value == "00000000-0000-0000-0000-000000000000" else super().uuid(value)


# -- the envelope ------------------------------------------------------------------------------------------------------
@breaks("S2.1")
class AddsAKeyToTheBaseWire(ReferenceServer):
    def encode(self, frame: Params) -> str:
        return super().encode(frame | {"version": 1})


@breaks("S2.2")
class ChangesTheOrderOfKeys(ReferenceServer):
    def encode(self, frame: Params) -> str:
        return json.dumps(frame, sort_keys=True)


@breaks("S2.2")
class WritesTimesAsStrings(ReferenceServer):
    def to_base(self, event: str, params: Json) -> Json:
        told = super().to_base(event, params)
        return told | {"timestamp": str(told["timestamp"])} if event == "message_sent" else told


@breaks("S2.2")
class WritesTimesInSeconds(ReferenceServer):
    def now(self, talk: Talk) -> int:
        return super().now(talk) // 1000


@breaks("S2.2")
class WritesIdsInCapitals(ReferenceServer):
    def profile(self, line: Line) -> Params:
        return super().profile(line) | {"user_id": line.user.upper()}


@breaks("R2.3")
class LetsAnybodyWriteAsAnybody(ReferenceServer):
    def check_sender(self, line: Line, frame: Params) -> None:
        pass


@breaks("R2.4")
class RefusesUnknownKeys(ReferenceServer):
    def carry_out(self, line: Line, frame: Params) -> None:
        if frame.keys() - {"sender_id", "event", "params", "ref"}:
            raise Failure("invalid_envelope")
        super().carry_out(line, frame)


@breaks("R2.5")
class AnswersBadJsonInPlainText(ReferenceServer):
    def fail(self, line: Line, failure: Failure) -> None:
        if failure.code == "invalid_json":
            line.out.put_nowait("This is not JSON.")
        else:
            super().fail(line, failure)


@breaks("R2.5")
class ClosesOnBadJson(ReferenceServer):
    def fail(self, line: Line, failure: Failure) -> None:
        if failure.code == "invalid_json":
            line.socket.transport.abort()
        super().fail(line, failure)


@breaks("R2.5")
class TakesNaNForANumber(ReferenceServer):
    def parse(self, data: str | bytes) -> Params:
        return super().parse(data.replace("NaN", "0") if isinstance(data, str) else data)


@breaks("R2.5")
class ReadsBinaryFrames(ReferenceServer):
    def parse(self, data: str | bytes) -> Params:
        return super().parse(data.decode() if isinstance(data, bytes) else data)


@breaks("R2.6")
class AnswersMistakesLate(ReferenceServer):
    late: Json = None

    def send(self, line: Line, event: str, params: Json, *, ref: str | None = None, offset: int | None = None) -> None:
        if event == "error" and self.late is None:
            self.late = params
            return
        super().send(line, event, params, ref=ref, offset=offset)
        if self.late is not None:
            super().send(line, "error", self.late, ref=ref)
            self.late = None


@breaks("R2.6")
class SaysNothingToMistakes(ReferenceServer):
    def fail(self, line: Line, failure: Failure) -> None:
        if failure.code != "unknown_event":
            super().fail(line, failure)


@breaks("R2.8")
class TakesIdsWithoutHyphens(ReferenceServer):
    def uuid(self, value: Json) -> str:
        if isinstance(value, str) and len(value) == 32:
            value = "-".join((value[:8], value[8:12], value[12:16], value[16:20], value[20:]))
        return super().uuid(value)
