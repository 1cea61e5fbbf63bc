"""Right at first sight: wrong at an edge, or after a while."""

import asyncio
from collections.abc import Sequence
from functools import partial

from tests.kit.broken_servers.registry import breaks
from tests.kit.reference import Failure, Json, Line, Params, ReferenceServer, Talk


@breaks("R4.17")
class HasMoreAfterTheLastFullPage(ReferenceServer):
    def page(self, line: Line, talk: Talk, low: int, high: int, **more: bool) -> None:
        full = low == 0 and high > 0 and len(talk.messages) % high == 0
        super().page(line, talk, low, high, **more | ({"has_more": True} if full else {}))


@breaks("R4.17")
class CountsOneLessBeyondTheThirdPage(ReferenceServer):
    def history(self, line: Line, params: Params) -> None:
        self.beyond = params.get("page") in (3, 4)
        super().history(line, params)

    beyond = False

    def reply(self, line: Line, event: str, params: Json) -> None:
        less = {"total_count": params["total_count"] - 1} if "total_count" in params and self.beyond else {}
        super().reply(line, event, params | less if less else params)


@breaks("R2.5")
class GivesUpOnDeepFrames(ReferenceServer):
    def parse(self, data: str | bytes) -> Params:
        if isinstance(data, str) and data.count("[") > 1_000:
            raise ConnectionError("too deep")
        return super().parse(data)

    def take(self, line: Line, data: str | bytes) -> None:
        try:
            super().take(line, data)
        except ConnectionError:
            line.socket.transport.abort()


@breaks("R2.7")
class ReadsFramesOfAnyLength(ReferenceServer):
    longest = None


@breaks("R4.13")
class RefusesVetsWhoOwnPets(ReferenceServer):
    def providers(self, line: Line, params: Params) -> list[str]:
        providers = super().providers(line, params)
        if any((one, "client") in self.roles for one in providers):
            raise Failure("invalid_params")
        return providers


@breaks("S4.18")
class SubscribesWhomItRefuses(ReferenceServer):
    def history(self, line: Line, params: Params) -> None:
        self.join(line, self.talk(line, params))
        super().history(line, params)


@breaks("V3.5")
class NarrowsTheWindowAtTheEnds(ReferenceServer):
    def history(self, line: Line, params: Params) -> None:
        if "around" not in params:
            return super().history(line, params)
        talk, limit, seq = self.talk(line, params), params.get("limit", 20), params["around"]
        low, high = max(0, seq - 1 - limit // 2), min(len(talk.messages), seq + limit // 2)
        return self.page(line, talk, low, high, has_more=low > 0, has_newer=high < len(talk.messages))


@breaks("V3.5")
class TakesAPageAndAnAnchorTogether(ReferenceServer):
    def history(self, line: Line, params: Params) -> None:
        anchored = params.keys() & {"before", "after", "around"}
        super().history(line, {key: value for key, value in params.items() if not (anchored and key == "page")})


@breaks("V2.2")
class TakesARetryInAnotherConversationForTheSame(ReferenceServer):
    def again(self, line: Line, event: str, key: Json, what: Json) -> bool:
        return super().again(line, event, key, what[1:] if event == "message_sent" else what)

    def keep(self, line: Line, event: str, key: Json, what: Json, params: Params) -> None:
        super().keep(line, event, key, what[1:] if event == "message_sent" else what, params)


@breaks("V2.1")
class ForgetsTheRefOfABadEnvelope(ReferenceServer):
    def fail(self, line: Line, failure: Failure) -> None:
        if failure.code == "invalid_envelope":
            line.ref = None
        super().fail(line, failure)


@breaks("V2.2")
class IgnoresTheVetsOfARetry(ReferenceServer):
    def again(self, line: Line, event: str, key: Json, what: Json) -> bool:
        return super().again(line, event, key, what if event == "message_sent" else what[:1])

    def keep(self, line: Line, event: str, key: Json, what: Json, params: Params) -> None:
        super().keep(line, event, key, what if event == "message_sent" else what[:1], params)


@breaks("V2.2")
class CutsRetryKeysShort(ReferenceServer):
    def again(self, line: Line, event: str, key: Json, what: Json) -> bool:
        return super().again(line, event, key if key is None else key[:32], what)

    def keep(self, line: Line, event: str, key: Json, what: Json, params: Params) -> None:
        super().keep(line, event, key if key is None else key[:32], what, params)


@breaks("R4.8")
class ReadsLongContentsBackShort(ReferenceServer):
    def ordered(self, messages: list[Params]) -> list[Params]:
        return [one | {"content": one["content"][:7_000]} for one in super().ordered(messages)]


@breaks("R4.3")
class CutsALongLastMessage(ReferenceServer):
    def entry(self, line: Line, talk: Talk) -> Params:
        entry = super().entry(line, talk)
        return entry | {"last_message": entry["last_message"][:1_000]}


@breaks("V3.4")
class RecoversFromOneBeyondTheHead(ReferenceServer):
    def resume(self, params: Params) -> Params | None:
        resume = super().resume(params)
        return resume if resume is None or resume["offset"] != len(self.log) + 1 else resume | {"offset": len(self.log)}


@breaks("R2.6")
class TakesItsTimeOverListsIfThereIsARef(ReferenceServer):
    def listed(self, line: Line, talks: Sequence[Talk]) -> None:
        if line.ref is None:
            return super().listed(line, talks)
        answer = partial(self.send, line, "conversations", [self.entry(line, talk) for talk in talks], ref=line.ref)
        asyncio.get_running_loop().call_soon(answer)
        return None
