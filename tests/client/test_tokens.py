"""Where tokens come from, when another one is asked for, and what happens when there is none that the server takes."""

import json
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from anyio import Event, create_task_group, fail_after, lowlevel
from vetchat_client import (
    AnotherUser,
    Disconnected,
    Rejected,
    Resumed,
    Unauthenticated,
    Unreachable,
    connect,
    events,
    reconnect,
)
from vetchat_client.tokens import Tokens
from websockets.sync.server import ServerConnection

from tests.client.company import PATIENCE, next_of
from tests.client.scripted import Act, ScriptedServer, closes, serves, welcomes_and_closes
from tests.conformance.peer import new_id
from tests.protocol.counterpart import frame, welcome
from tests.running import ServerProcess


def one_after_the_other(*tokens: str) -> Callable[[], Awaitable[str]]:
    """A callable that returns these tokens, one for each call."""
    rest = list(tokens)

    async def next_token() -> str:
        await lowlevel.checkpoint()
        return rest.pop(0)

    return next_token


@pytest.mark.clause("R1.5", "R1.3")
async def test_a_token_says_who_one_is(default_server: ServerProcess) -> None:
    vet = new_id()
    async with connect(default_server.ws_url, token=default_server.token(vet, "provider")) as bell:
        assert (bell.user, bell.role) == (vet, "provider")
        assert await bell.conversations() == ()


@pytest.mark.clause("R1.7")
async def test_a_token_that_the_server_does_not_take_is_the_end(default_server: ServerProcess) -> None:
    for token in (None, "nonsense"):
        with pytest.raises(Unauthenticated) as error:
            async with connect(default_server.ws_url, token=token):
                pass
        assert (error.value.status, error.value.close_code) in {(401, None), (None, 4001)}


@pytest.mark.clause("R1.7")
async def test_a_token_without_a_usable_role_is_the_end(default_server: ServerProcess) -> None:
    with pytest.raises(Rejected) as error:
        async with connect(default_server.ws_url, token=default_server.token(new_id(), "groomer")):
            pass
    assert (error.value.status, type(error.value)) == (403, Rejected)
    assert "gives you no role that the server knows" in str(error.value)


@pytest.mark.clause("R1.7")
async def test_a_callable_is_asked_again_when_its_token_is_not_taken_but_only_once(
    default_server: ServerProcess,
) -> None:
    good = default_server.token(new_id(), "client")
    async with connect(default_server.ws_url, token=one_after_the_other("stale", good)) as ann:
        await ann.ping()
    with pytest.raises(Unauthenticated):
        async with connect(default_server.ws_url, token=one_after_the_other("stale", "staler", good)):
            pass


@pytest.mark.clause("R1.6")
async def test_a_token_of_somebody_else_ends_the_chat() -> None:
    other = new_id()
    with ScriptedServer(welcomes_and_closes(4202), serves(user_id=other)) as server:
        async with connect(server.url, token=one_after_the_other("mine", "theirs")) as ann:
            with pytest.raises(AnotherUser):
                await next_of(ann, events.MessageSent)


@pytest.mark.clause("V1.5")
async def test_a_token_that_runs_out_soon_is_replaced_on_the_connection(default_server: ServerProcess) -> None:
    user, asked = new_id(), [Event(), Event()]

    async def token() -> str:
        first, second = asked
        (second if first.is_set() else first).set()
        return default_server.token(user, "client", ttl=3_600 if second.is_set() else 30)

    async with connect(default_server.ws_url, token=token) as ann:
        with fail_after(PATIENCE):
            await asked[1].wait()
            await ann.ping()
        assert ann.connected


@pytest.mark.clause("V1.5", "V5.2")
async def test_after_4202_the_client_comes_back_with_a_new_token() -> None:
    with ScriptedServer(welcomes_and_closes(4202), serves(recovered=True)) as server:
        async with connect(server.url, token=one_after_the_other("first", "second")) as ann:
            await next_of(ann, Disconnected)
            await ann.ping()
        assert server.tokens == ["first", "second"]


@pytest.mark.clause("V1.5")
async def test_the_server_is_told_the_new_token() -> None:
    told: list[str] = []

    def expire(peer: ServerConnection) -> None:
        peer.send(welcome())
        peer.send(frame("token_expiring", {"token_expires_at": 1}))
        command = json.loads(peer.recv())
        told.append(command["params"]["token"])
        peer.send(frame("refreshed", {"token_expires_at": 2}, ref=command["ref"]))
        peer.close(4200)

    with ScriptedServer(expire, serves(recovered=True)) as server:
        async with connect(server.url, token=one_after_the_other("first", "second")) as ann:
            await next_of(ann, Resumed)
    assert (told, server.tokens) == (["second"], ["first", "second"])


@pytest.mark.clause("V1.5")
async def test_tokens_that_are_warned_of_at_once_are_renewed_without_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "PAUSE", 0.3)
    times: list[float] = []

    def expire(peer: ServerConnection) -> None:
        peer.send(welcome())
        for _ in range(3):
            peer.send(frame("token_expiring", {"token_expires_at": 1}))
            command = json.loads(peer.recv())
            times.append(time.monotonic())
            peer.send(frame("refreshed", {"token_expires_at": 2}, ref=command["ref"]))
        peer.close(4200)

    with ScriptedServer(expire, serves(recovered=True)) as server:
        async with connect(server.url, token=one_after_the_other("first", "second", "third", "fourth")) as ann:
            await next_of(ann, Resumed)
    assert all(later - earlier > 0.25 for earlier, later in pairwise(times))


@pytest.mark.clause("V1.5", "V5.2")
async def test_a_long_chat_uses_up_many_tokens() -> None:
    with ScriptedServer(welcomes_and_closes(4202), welcomes_and_closes(4202), serves(recovered=True)) as server:
        async with connect(server.url, token=one_after_the_other("first", "second", "third")) as ann:
            for _ in range(2):
                await next_of(ann, Disconnected)
            await ann.ping()
        assert server.tokens == ["first", "second", "third"]


@pytest.mark.clause("V5.2")
async def test_after_4202_there_is_no_way_back_with_a_mere_string() -> None:
    with ScriptedServer(welcomes_and_closes(4202)) as server:
        async with connect(server.url, token="the only one") as ann:
            with pytest.raises(Unauthenticated) as error:
                await next_of(ann, events.MessageSent)
            assert error.value.close_code == 4202
            with pytest.raises(Unauthenticated):
                await ann.ping()


@pytest.mark.clause("V5.2", "V1.6")
@pytest.mark.parametrize("refuses", [closes, welcomes_and_closes])
async def test_after_4001_one_other_token_is_tried(refuses: Callable[[int], Act]) -> None:
    with ScriptedServer(refuses(4001), serves(recovered=True)) as server:
        async with connect(server.url, token=one_after_the_other("old key", "new key")) as ann:
            with fail_after(PATIENCE):
                await ann.ping()
        assert server.tokens == ["old key", "new key"]


@pytest.mark.clause("V5.2", "V1.6")
async def test_who_is_revoked_gives_up_after_one_other_token() -> None:
    with ScriptedServer(welcomes_and_closes(4001)) as server:
        async with connect(server.url, token=one_after_the_other("first", "second", "third")) as ann:
            with pytest.raises(Unauthenticated) as error:
                await next_of(ann, events.MessageSent)
            assert error.value.close_code == 4001
        assert server.tokens == ["first", "second"]


@pytest.mark.clause("V5.2")
async def test_a_token_that_has_done_good_service_may_be_refused_one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vetchat_client.reconnect.STEADY", 0.0)
    script = [*[welcomes_and_closes(4001)] * 3, serves(recovered=True)]
    with ScriptedServer(*script) as server:
        async with connect(server.url, token=one_after_the_other("1", "2", "3", "4")) as ann:
            for _ in range(3):
                await next_of(ann, Disconnected)
            await ann.ping()
        assert server.tokens == ["1", "2", "3", "4"]


async def test_other_reconnects_use_the_token_again() -> None:
    with ScriptedServer(welcomes_and_closes(4201), welcomes_and_closes(4200), serves(recovered=True)) as server:
        async with connect(server.url, token=one_after_the_other("the only one")) as ann:
            for _ in range(2):
                await next_of(ann, Disconnected)
            await ann.ping()
        assert server.tokens == ["the only one"] * 3


async def test_a_callable_that_fails_is_called_again() -> None:
    attempts: list[int] = []

    async def flaky() -> str:
        attempts.append(len(attempts))
        if len(attempts) < 3:
            raise OSError("the token service is down")
        return "good"

    with ScriptedServer(serves()) as server:
        async with connect(server.url, token=flaky) as ann:
            await ann.ping()
        assert (len(attempts), server.tokens) == (3, ["good"])


async def test_where_no_token_can_be_had_that_is_what_is_told() -> None:
    async def broken() -> str:
        raise OSError("the token service is down")

    with ScriptedServer(serves()) as server, pytest.raises(Unreachable) as error:
        async with connect(server.url, token=broken, open_timeout=0.3):
            pass
    assert isinstance(error.value.__cause__, OSError)


async def test_one_call_for_a_token_is_under_way_at_a_time() -> None:
    calls: list[str] = []
    go = Event()

    async def slow() -> str:
        calls.append(f"token {len(calls)}")
        token = calls[-1]
        await go.wait()
        return token

    tokens = Tokens(slow)
    got: list[str | None] = []

    async def ask(old: str | None) -> None:
        got.append(await tokens.renewed(old))

    async with create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask, None)
        for _ in range(5):
            await lowlevel.checkpoint()
        go.set()
    assert (calls, got) == (["token 0"], ["token 0"] * 5)
    await ask("token 0")
    await ask("token 0")
    assert got[5:] == ["token 1", "token 1"]


async def test_what_can_never_bring_a_token_is_the_programs_mistake_and_said_at_once(
    default_server: ServerProcess,
) -> None:
    with pytest.raises(TypeError, match="token must be a string, or an async callable"):
        connect(default_server.ws_url, token=5)  # pyright: ignore[reportArgumentType]
    with fail_after(PATIENCE), pytest.raises(ExceptionGroup) as group:
        async with connect(default_server.ws_url, token=lambda: "abc"):  # pyright: ignore[reportArgumentType]
            pass
    assert group.group_contains(TypeError, match="token must be a string, or an async callable")


@pytest.mark.clause("V1.5")
async def test_without_a_callable_the_end_of_a_token_is_announced_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedServer(serves(frame("token_expiring", {"token_expires_at": 1}))) as server:
        async with connect(server.url, token="the only one") as ann:
            await ann.ping()
    assert "the token runs out soon and there is nobody to ask for another one" in caplog.messages
