"""Restarts and broken connections under full load: what was acknowledged comes exactly once (V2.2, V3.3)."""

import random
import signal
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager

import pytest
from anyio import create_task_group, fail_after, to_thread

from tests.conformance.peer import by_hand, new_id
from tests.conformance.shapes import JSON
from tests.conformance.v1.peer import V1, V1Peer, V1People, durable
from tests.conformance.v1.promises import Promises
from tests.conformance.v1.resident import Crowd
from tests.conformance.v1.vetchat_command import vetchat
from tests.conformance.v1.witnesses import Witnesses
from tests.databases import postgres_database, run_sql
from tests.running import ServerProcess, launched_server, running_server

pytestmark = pytest.mark.anyio

WINDOW = 4


def restart(server: ServerProcess, by: signal.Signals) -> ServerProcess:
    """Ends a server by a signal; its healthy successor on the same port and database, for the caller to close."""
    server.process.send_signal(by)
    server.wait_for_exit(10)
    assert "Traceback" not in server.log
    successor = ServerProcess(server.database, port=server.port, rate_limit=0)
    try:
        successor.wait_until_healthy()
    except BaseException:
        successor.close()
        raise
    return successor


# -- restarts ----------------------------------------------------------------------------------------------------------


@pytest.mark.clause("V2.2", "V3.1", "V3.3", "V1.6", "R4.7", "R4.9")
async def test_after_a_power_cut_under_full_load_everything_that_was_promised_holds(database: str) -> None:
    with ExitStack() as servers:
        server = servers.enter_context(launched_server(database, rate_limit=0))
        server.wait_until_healthy()
        async with V1People(server) as people:
            crowd, promises = Crowd(people), Promises(people)
            await promises.give()
            async with under_full_load(crowd):
                server = await to_thread.run_sync(restart, server, signal.SIGKILL)
                servers.callback(server.close)
                await promises.check()
            assert {code for resident in crowd.residents for code in resident.codes} == {1006}
            await to_thread.run_sync(server.stop)
            await check_new_epoch(people, promises.vet)


async def check_new_epoch(people: V1People, vet: V1Peer) -> None:
    """Names the log anew while no server runs: nobody is recovered with an old position, and nothing is lost (V3.4)."""
    database, port = people.server.database, people.server.port
    done = await vetchat("new-epoch", "--database", database)
    assert done.returncode == 0, done.stderr
    with running_server(database, port=port):
        again = await people.waiting(vet.role, vet.user_id)
        welcome = await again.hello(resume=vet.resume)
        assert welcome["recovered"] is False
        assert welcome["epoch"] != vet.epoch
        assert len(await again.conversations()) == 1
        await people.back(again)


@pytest.mark.clause("V5.4", "V5.2", "V2.1", "V2.2", "V3.1", "V3.3", "R2.6", "R4.7", "R4.9")
async def test_a_shutdown_under_full_load_tells_everybody_to_come_back_to_everything(database: str) -> None:
    with ExitStack() as servers:
        server = servers.enter_context(launched_server(database, rate_limit=0))
        server.wait_until_healthy()
        bystander = [("Authorization", f"Bearer {server.token(new_id(), 'client')}"), ("Sec-WebSocket-Protocol", V1)]
        async with V1People(server) as people, by_hand(server.ws_url, headers=bystander):  # it never answers a close
            crowd, witnesses = Crowd(people), Witnesses(people)
            await witnesses.gather()
            async with under_full_load(crowd), create_task_group() as group:
                group.start_soon(witnesses.see)
                await witnesses.enough.wait()
                server = await to_thread.run_sync(restart, server, signal.SIGTERM)
                servers.callback(server.close)
            assert {code for resident in crowd.residents for code in resident.codes} == {4200}
            await witnesses.check()


@asynccontextmanager
async def under_full_load(crowd: Crowd) -> AsyncGenerator[None]:
    """Many talk without a pause before, during and after what is done meanwhile; all they said is judged at the end."""
    await crowd.settle_in(conversations=10, devices=2, window=WINDOW)
    with fail_after(90):
        async with create_task_group() as group:
            for resident in crowd.residents:
                group.start_soon(resident.run)
            await crowd.until_answered(300)
            yield
            await crowd.until_answered(300)
            await crowd.part()
    assert await crowd.check() >= 600


# -- storms ------------------------------------------------------------------------------------------------------------


async def weather(server: ServerProcess, connections: int, rounds: int, seed: int) -> None:
    """Cuts so many connections, each after a random number of frames, in so many rounds, and judges every stream."""
    generator = random.Random(seed)
    async with V1People(server) as people:
        crowd = Crowd(people)
        await crowd.settle_in(conversations=connections // 4, devices=2)
        for resident in crowd.residents:
            resident.lives = [generator.choice([0, 1, 2, generator.randrange(40)]) for _ in range(rounds)]
        async with create_task_group() as group:
            for resident in crowd.residents:
                group.start_soon(resident.run)
            await crowd.part()
        assert await crowd.check() >= len(crowd.residents)
        assert not [resident.codes for resident in crowd.residents if resident.codes]


@pytest.mark.clause("V3.3", "V2.2", "V3.1", "R4.9")
async def test_in_a_storm_of_broken_connections_nobody_misses_anything(server: ServerProcess) -> None:
    with fail_after(60):
        await weather(server, connections=60, rounds=5, seed=1)


@pytest.mark.soak
@pytest.mark.clause("V3.3", "V2.2", "V3.1", "R4.9")
@pytest.mark.parametrize("seed", range(2))
async def test_in_a_long_storm_of_broken_connections_nobody_misses_anything(server: ServerProcess, seed: int) -> None:
    await weather(server, connections=500, rounds=20, seed=seed)


# -- a database that fails ---------------------------------------------------------------------------------------------

BREAK_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.mark.clause("V2.2", "V5.2", "R4.7", "R6.3")
async def test_when_the_database_breaks_off_retries_store_nothing_twice_and_lose_nothing() -> None:
    with postgres_database() as database, running_server(database, rate_limit=0) as server:
        async with V1People(server) as people:
            crowd = Crowd(people)
            await crowd.settle_in(conversations=3, devices=2, window=WINDOW)
            with fail_after(60):
                async with create_task_group() as group:
                    for resident in crowd.residents:
                        group.start_soon(resident.run)
                    for _ in range(5):
                        await crowd.until_answered(100)
                        await to_thread.run_sync(run_sql, database, BREAK_CONNECTIONS)
                    await crowd.until_answered(100)
                    await crowd.part()
            await crowd.check()
            assert {code for resident in crowd.residents for code in resident.codes} <= {4100}


@pytest.mark.clause("V2.3", "V2.2", "R6.3")
async def test_a_database_that_cannot_do_its_work_is_unavailable_and_what_failed_may_be_retried() -> None:
    with postgres_database() as database, running_server(database, rate_limit=0) as server:
        async with V1People(server) as people:
            owner, vet, conversation = await people.consultation()
            message = {"conversation_id": conversation, "content": "Hello.", "client_message_id": "m"}
            creation: JSON = {"pet_id": new_id(), "providers": [vet.user_id], "client_conversation_id": "c"}
            run_sql(database, RENAME.format(name="'lost_' || name"))
            for _ in range(2):
                assert await owner.fails("message", message) == "unavailable"
                assert await owner.fails("new_conversation", creation) == "unavailable"
                assert await owner.fails("conversation_history", {"conversation_id": conversation}) == "unavailable"
            run_sql(database, RENAME.format(name="substr(name, 6)"))
            assert "duplicate" not in await owner.command("message_sent", "message", message)
            assert "duplicate" not in await owner.command("conversation_created", "new_conversation", creation)
            events = [frame.event for frame in durable(await vet.caught_up())]
            assert events == ["message_sent", "new_conversation_invitation"]


RENAME = """
    DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_stat_user_tables LOOP
    EXECUTE format('ALTER TABLE %I RENAME TO %I', name, {name}); END LOOP; END $$
    """
"""Gives every table another name."""
