"""One connection by the `websockets` library, without the machine that drives it."""

import logging
import threading
from contextlib import suppress

import pytest
from anyio import fail_after, to_thread
from vetchat_client import Unreachable, connect
from vetchat_client.transport import Ended, Request, Unopened, UpgradeRefused, open_websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.client.company import PATIENCE
from tests.client.scripted import ScriptedServer, closes
from tests.running import free_port


async def test_a_connection_that_nobody_reads_any_more_is_closed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vetchat_client.transport.GOODBYE", 1.5 * PATIENCE)  # cutting the line comes too late
    codes: list[int | None] = []
    over = threading.Event()

    def talk(peer: ServerConnection) -> None:
        with suppress(ConnectionClosed):  # the goodbye may come before everything is sent
            for _ in range(500):
                peer.send("Woof.")
            peer.recv()
        codes.append(peer.close_code)
        over.set()

    with ScriptedServer(talk) as server, fail_after(PATIENCE):
        async with open_websocket(Request(server.url)) as transport:
            await transport.send('{"event": "hello", "params": {}}')
            assert await transport.receive() == "Woof."
        assert await to_thread.run_sync(over.wait, PATIENCE)
    assert codes == [1000]


async def test_how_a_connection_ended_is_told_by_its_close_code() -> None:
    with ScriptedServer(closes(4100)) as server:
        async with open_websocket(Request(server.url)) as transport:
            await transport.send('{"event": "hello", "params": {}}')
            for _ in range(2):
                with pytest.raises(Ended) as ended:
                    await transport.receive()
                assert (ended.value.code, ended.value.reason) == (4100, "Because.")
            with pytest.raises(Ended):
                await transport.send("Too late.")
            with pytest.raises(Ended):
                await transport.ping()


async def test_why_there_is_no_connection_is_told() -> None:
    with ScriptedServer(403) as server, pytest.raises(UpgradeRefused) as refused:
        async with open_websocket(Request(server.url)):
            pass
    assert refused.value.status == 403
    with pytest.raises(Unopened) as unopened:
        async with open_websocket(Request(f"ws://127.0.0.1:{free_port()}/ws/")):
            pass
    assert isinstance(unopened.value.__cause__, OSError)


def test_a_request_shows_nothing_secret() -> None:
    shown = repr(Request("ws://ann:sesame@127.0.0.1/ws/?token=secret", "eyJhbGciOiJIUzI1NiJ9"))
    assert not any(secret in shown for secret in ("eyJ", "sesame", "secret"))


async def test_neither_an_error_nor_a_log_shows_what_is_secret_in_an_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    where = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable) as unreachable:
        async with connect(f"ws://ann:sesame@{where}/ws/?token=secret", open_timeout=0.3):
            pass
    assert f"ws://{where}/ws/" in str(unreachable.value)
    assert f"server=ws://{where}/ws/" in caplog.text
    for shown in (str(unreachable.value), caplog.text):
        assert "sesame" not in shown
        assert "secret" not in shown
