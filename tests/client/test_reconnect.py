"""Coming back: after a restart, after each close code, from a saved position, and when something is missing."""

import logging
import math

import pytest
from anyio import create_task_group, fail_after, to_thread
from vetchat_client import (
    Dialect,
    Disconnected,
    Rejected,
    Reset,
    Resume,
    Resumed,
    ServerFault,
    Unauthenticated,
    connect,
    events,
)
from vetchat_client.reconnect import MOST, UNKNOWN, Backoff
from vetchat_protocol.client import ComeBack, Verdict

from tests.client.company import PATIENCE, consultation, contents, items, next_of
from tests.client.plain import PlainServer
from tests.client.proxy import Proxy
from tests.client.scripted import ScriptedServer, closes, serves, welcomes_and_closes
from tests.conformance.peer import new_id
from tests.protocol.counterpart import frame, message
from tests.running import ServerProcess, launched_server, running_server

# -- the line ----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V3.3", "R4.9")
async def test_what_happens_while_the_line_is_down_is_told_when_it_is_back(proxy: Proxy) -> None:
    async with consultation(proxy.url) as (ann, bell, conversation_id):
        proxy.cut()
        async with create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(ann.send, conversation_id, str(number))
        seen = [(await next_of(bell, events.MessageSent)).params.content for _ in range(5)]
        assert seen == await contents(bell, conversation_id)


@pytest.mark.clause("V3.3", "V4.3")
async def test_a_reconnect_is_announced_so_that_who_is_there_can_be_told_anew(
    proxy: Proxy, hasty_server: ServerProcess
) -> None:
    async with (
        connect(proxy.url, role="provider") as bell,
        connect(hasty_server.ws_url, name="Ann") as ann,
    ):
        conversation = await ann.create_conversation(new_id(), [bell.user])
        for _ in range(2):
            present = await next_of(bell, events.PresenceState)
            assert present.params.conversation_id == conversation.id
            assert [one.display_name for one in present.params.users] == ["Ann"]
            proxy.cut()
            await next_of(bell, Resumed)


@pytest.mark.clause("R1.3")
async def test_in_open_mode_one_stays_the_same_user(proxy: Proxy) -> None:
    async with connect(proxy.url) as ann:
        user = ann.user
        proxy.cut()
        await next_of(ann, Resumed)
        assert ann.user == user


async def test_while_there_is_no_line_calls_wait(proxy: Proxy) -> None:
    async with consultation(proxy.url) as (ann, _, conversation_id), create_task_group() as tasks:
        proxy.refuse()
        proxy.cut()
        await next_of(ann, Disconnected)
        assert not ann.connected
        assert "reconnecting" in repr(ann)
        tasks.start_soon(ann.send, conversation_id, "When there is a line again.")
        proxy.refuse(refused=False)
        assert (await next_of(ann, events.MessageSent)).params.content == "When there is a line again."


@pytest.mark.clause("R4.24")
async def test_what_was_unsubscribed_stays_so_over_a_reconnect(proxy: Proxy) -> None:
    async with consultation(proxy.url) as (ann, bell, conversation_id):
        other = await ann.create_conversation(new_id(), [bell.user])
        await bell.unsubscribe(conversation_id)
        proxy.cut()
        await next_of(bell, Resumed)
        await ann.send(conversation_id, "Unheard.")
        await ann.send(other.id, "Heard.")
        assert (await next_of(bell, events.MessageSent)).params.content == "Heard."


# -- restarts and positions --------------------------------------------------------------------------------------------


@pytest.mark.clause("V3.3", "V5.4", "V5.2")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_restart_of_the_server_loses_nothing(database: str) -> None:
    with running_server(database, secret=None) as first:
        async with consultation(first.ws_url) as (ann, bell, conversation_id), create_task_group() as tasks:
            await ann.send(conversation_id, "Before.")
            assert await to_thread.run_sync(first.stop) == 0
            tasks.start_soon(ann.send, conversation_id, "Between.")
            with launched_server(database, secret=None, port=first.port):
                with fail_after(30):  # the server asks for up to five seconds, and starts in its own time
                    await ann.send(conversation_id, "After.")
                seen = [(await next_of(bell, events.MessageSent)).params.content for _ in range(3)]
                assert sorted(seen) == ["After.", "Before.", "Between."]


@pytest.mark.clause("V1.2", "V3.3")
async def test_another_chat_goes_on_from_a_saved_position(proxy: Proxy) -> None:
    async with consultation(proxy.url) as (ann, bell, conversation_id):
        for number in range(3):
            await ann.send(conversation_id, str(number))
        await next_of(bell, events.MessageSent)
        await next_of(bell, events.MessageSent)
        position, user = bell.position, bell.user
        assert position is not None
        saved = Resume.model_validate_json(position.model_dump_json())
        async with connect(proxy.url, role="provider", user_id=user, resume=saved) as again:
            assert [type(item) for item in await items(again, events.MessageSent)] == [Resumed, events.MessageSent]
            assert (await next_of(again, events.MessageSent)).params.content == "2"


@pytest.mark.clause("V1.2", "V3.4")
async def test_where_events_are_missing_a_reset_says_so_and_there_is_no_position_until_the_next_event(
    open_server: ServerProcess,
) -> None:
    elsewhere = Resume(epoch="another log", offset=7)
    async with connect(open_server.ws_url, resume=elsewhere) as ann:
        assert ann.position is None
        reset = await next_of(ann, Reset)
        created = await ann.create_conversation(new_id())
        assert await ann.conversations() != ()
        assert ann.position is None
        assert (await next_of(ann, events.ConversationCreated)).params.id == created.id
        assert ann.position is not None
        assert (ann.position.epoch != elsewhere.epoch, ann.position.offset) == (True, reset.offset)


# -- close codes -------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V5.2")
@pytest.mark.parametrize(("code", "error"), [(4001, Unauthenticated), (4003, Rejected), (4008, Rejected)])
async def test_40xx_is_the_end_for_calls_and_for_the_iteration(code: int, error: type[Rejected]) -> None:
    with ScriptedServer(welcomes_and_closes(code)) as server:
        async with connect(server.url) as ann:
            with pytest.raises(error) as ended:
                await next_of(ann, events.MessageSent)
            assert ended.value.close_code == code
            with pytest.raises(error):
                await ann.ping()
        assert len(server.hellos) == 1


@pytest.mark.clause("V5.2")
@pytest.mark.parametrize("code", [4100, 4109, 4110, 4200, 4201, 1011, 1012])
async def test_41xx_and_42xx_are_no_end(code: int) -> None:
    with ScriptedServer(welcomes_and_closes(code), serves(recovered=True)) as server:
        async with connect(server.url) as ann:
            with fail_after(PATIENCE):
                await next_of(ann, Resumed)
                await ann.ping()
        assert server.hellos == [{}, {"resume": {"epoch": "one", "offset": 0}}]


@pytest.mark.clause("V1.1", "R2.7", "V1.3")
async def test_a_connection_that_is_not_welcomed_is_tried_again() -> None:
    with ScriptedServer(503, 429, closes(4110), serves()) as server:
        async with connect(server.url) as ann:
            await ann.ping()
        assert len(server.tokens) == 4


async def test_what_breaks_the_protocol_is_the_servers_fault_and_the_end() -> None:
    with ScriptedServer(serves("good morning")) as server:
        async with connect(server.url) as ann:
            with pytest.raises(ServerFault):
                await next_of(ann, events.MessageSent)


@pytest.mark.clause("R2.4", "V1.2")
async def test_an_event_of_a_later_version_is_ignored_and_named_once_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    later = [frame("weather", {"sky": "blue"}, offset=offset) for offset in (1, 2)]
    frames = [*later, frame("message_sent", message(1, "Woof."), offset=3), frame("tide", {"level": "high"}, offset=4)]
    with ScriptedServer(serves(*frames)) as server:
        async with connect(server.url) as ann:
            assert (await next_of(ann, events.MessageSent)).params.content == "Woof."
            assert ann.position == Resume(epoch="one", offset=2)
            async with create_task_group() as tasks:
                tasks.start_soon(anext, ann)
                with fail_after(PATIENCE):
                    while ann.position != Resume(epoch="one", offset=4):
                        await ann.ping()
                tasks.cancel_scope.cancel()
    named = [line for line in caplog.messages if line.startswith("ignoring")]
    assert [line.rpartition(" event=")[2] for line in named] == ["weather", "tide"]
    assert "blue" not in caplog.text


@pytest.mark.clause("R2.4")
async def test_a_server_that_makes_up_events_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made_up = [frame(f"weather_{number}", {}) for number in range(2 * UNKNOWN)]
    with ScriptedServer(serves(*made_up)) as server:
        async with connect(server.url) as ann:
            await ann.ping()
    assert len([line for line in caplog.messages if line.startswith("ignoring")]) == UNKNOWN


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_handshake_that_is_refused_for_good_is_the_end(status: int) -> None:
    with ScriptedServer(status) as server, pytest.raises(Rejected) as error:
        async with connect(server.url):
            pass
    assert error.value.status == status
    assert server.offers == ([["vetchat.v1"], []] if status == 400 else [["vetchat.v1"]])


async def test_a_server_that_refuses_what_it_does_not_know_is_spoken_to_on_the_base_wire(
    plain_server: PlainServer, caplog: pytest.LogCaptureFixture
) -> None:
    plain_server.narrow_minded = True
    async with Proxy.before(plain_server.port) as proxy, connect(proxy.url, user_id=new_id()) as ann:
        assert (ann.dialect, await ann.conversations()) == (Dialect.BASE, ())
        proxy.cut()
        await next_of(ann, Reset)
        assert proxy.connections == 3, "it is not offered again what it has refused"
    said = "trying once more without offering vetchat.v1"
    assert [line.startswith(said) for line in caplog.messages if "offering" in line] == [True]


async def test_a_chat_that_has_spoken_v1_does_not_go_on_with_less() -> None:
    with ScriptedServer(welcomes_and_closes(4200), 400) as server:
        async with connect(server.url) as ann:
            with pytest.raises(Rejected):
                await next_of(ann, events.MessageSent)
        assert server.offers == [["vetchat.v1"]] * 2


@pytest.mark.clause("V5.4")
async def test_a_server_that_asks_for_time_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []
    seconds = Backoff.seconds

    def recorded(self: Backoff, verdict: Verdict, *, lasted: float | None) -> float:
        delays.append(seconds(self, verdict, lasted=lasted))
        return delays[-1]

    monkeypatch.setattr(Backoff, "seconds", recorded)
    going = welcomes_and_closes(4200, frame("reconnect", {"after_ms": 123}))
    with ScriptedServer(going, serves(recovered=True)) as server:
        async with connect(server.url) as ann:
            await next_of(ann, Resumed)
    assert delays == [0.123]


# -- back-off ----------------------------------------------------------------------------------------------------------


def longest(low: float, high: float) -> float:
    assert low == 0
    return high


@pytest.mark.clause("V5.2")
def test_the_back_off_doubles_up_to_a_bound_while_nothing_comes_of_it() -> None:
    backoff = Backoff(longest)
    waits = [backoff.seconds(Verdict(ComeBack.NOW), lasted=None) for _ in range(10)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == MOST
    assert backoff.seconds(Verdict(ComeBack.NOW), lasted=0.0) == 0.2


@pytest.mark.clause("V5.2")
def test_a_server_that_wants_to_be_left_alone_is_until_a_connection_lasts() -> None:
    backoff = Backoff(longest)
    assert [backoff.seconds(Verdict(ComeBack.LATER), lasted=0.1) for _ in range(3)] == [1.0, 2.0, 4.0]
    assert backoff.seconds(Verdict(ComeBack.LATER), lasted=60.0) == 1.0


def test_the_jitter_is_full() -> None:
    waits = [Backoff().seconds(Verdict(ComeBack.LATER), lasted=None) for _ in range(2_000)]
    assert math.isclose(sum(waits) / len(waits), 0.5, abs_tol=0.05)
    assert min(waits) < 0.05
    assert max(waits) > 0.95
