"""Where a sampled stack belongs, and that no module of the server can be forgotten."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import environment, publish
from benchmarks.anatomy import NAME, Anatomy, as_json, record, text
from benchmarks.processes import BenchmarkError
from benchmarks.stages import LOOP, OTHER, SQLITE, STAGES, placed, split, stage_of

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "packages" / "vetchat-server" / "src"
OFF_THE_WAY = ("cli", "asgi", "settings", "logs", "testing", "__init__", "jwt", "memory", "open")
"""What a message never passes."""

THREAD = 4711
OUTER = f"thread ({THREAD}): MainThread;Runner.run (asyncio/runners.py:118)"
PUSH = "Connection.push (vetchat_server/connection.py:130)"
RAW = f"""\
{OUTER} 30
{OUTER};Log.run (vetchat_server/log.py:98);Hub.committed (vetchat_server/hub.py:170) 7
{OUTER};{PUSH};DirectSocket.write (vetchat_server/sockets.py:88) 2
{OUTER};{PUSH};WebSocketProtocol.write_text (vetchat_server/websocket.py:99) 20
{OUTER};respond (vetchat_protocol/server.py:70);read_envelope (vetchat_protocol/codec.py:50);loads (json.py:3) 5
{OUTER};Hub._deliver (vetchat_server/hub.py:199);encode_event (vetchat_protocol/codec.py:160) 4
thread (4712): Thread-1 (_connection_worker_thread);_connection_worker_thread (aiosqlite/core.py:59) 400
thread (47110): Thread-2;read_envelope (vetchat_protocol/codec.py:50) 9
thread ({THREAD});something (unheard/of.py:1) 1
"""


def test_a_sample_of_the_thread_belongs_to_its_innermost_known_function() -> None:
    assert split(RAW, THREAD) == {
        LOOP: 30,
        "delivery": 7,
        "socket out": 22,
        "reading and checking the frame": 5,
        "encoding": 4,
        OTHER: 1,
    }


@pytest.mark.parametrize(
    "module",
    [
        path.relative_to(SERVER)
        for path in sorted((SERVER / "vetchat_server").rglob("*.py"))
        if not any(part.removesuffix(".py") in OFF_THE_WAY for part in path.parts)
    ],
    ids=str,
)
def test_every_module_that_a_message_passes_belongs_to_a_stage(module: Path) -> None:
    assert placed(f"{module.as_posix()} anything") in STAGES
    assert stage_of([f"anything ({module.as_posix()}:1)"]) in STAGES


def test_shares_add_up() -> None:
    lines = list(text(Anatomy({"delivery": 30.0, SQLITE: 10.0}, 1_000)))
    assert [line.split()[-1] for line in lines[1:]] == ["75%", "25%", "100%"]
    assert "40.0 µs" in lines[-1]


def test_a_void_run_says_so_and_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = Anatomy({"delivery": 30.0, SQLITE: 10.0}, 1_000)
    void = Anatomy({"delivery": 70.0, SQLITE: 10.0}, 1_000, ("a delivery never came",))
    assert "  VOID: a delivery never came" in list(text(void))
    monkeypatch.setattr(publish, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(publish, "RESULTS", tmp_path / "results.json")
    for run, published in ((good, True), (void, False)):
        results = {"another": as_json(good, "a machine", "abc1234"), NAME: as_json(run, "a machine", "abc1234")}
        publish.RESULTS.write_text(json.dumps(results), encoding="utf-8")
        publish.PAGE.write_text(f"{publish.BEGIN}{publish.END}", encoding="utf-8")
        publish.publish()
        assert (f"### `{NAME}`" in publish.PAGE.read_text(encoding="utf-8")) is published


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        ("Caused by: Permission denied (os error 13)", "SYS_PTRACE"),
        ("Error: Operation not permitted (os error 1)", "SYS_PTRACE"),
        ("Error: Failed to find python version from target process", "py-spy failed"),
    ],
)
def test_what_to_do_is_said_when_py_spy_is_refused_and_only_then(
    says: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = tmp_path / "py-spy"
    spy.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n", encoding="utf-8")
    spy.chmod(0o755)
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "python")
    with pytest.raises(BenchmarkError, match=complaint) as raised:
        record(1, tmp_path / "stacks.txt", 1)
    assert ("SYS_PTRACE" in str(raised.value)) is (complaint == "SYS_PTRACE")
    assert says in str(raised.value)


@pytest.mark.soak
def test_it_looks_into_a_real_server(tmp_path: Path) -> None:
    if not (ROOT / ".venv-bench").exists():
        pytest.skip("./dev bench has made no environment for the generator yet")
    kept = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "anatomy", "--seconds", "1", "--json", str(kept)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "The kernel does not let py-spy look" in done.stderr:
        pytest.skip("the kernel lets nobody look into another process here")
    assert done.returncode == 0, done.stderr
    found = json.loads(kept.read_text(encoding="utf-8"))["anatomy"]
    assert found["faults"] == []
    stages = found["stages"]
    assert set(stages) == {*STAGES, LOOP, OTHER, SQLITE}
    assert all(stages[stage] > 0 for stage in ("the log", "socket out", LOOP, SQLITE))
