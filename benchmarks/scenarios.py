"""Every benchmark: who is measured, under which load, and what VetChat has promised itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from .contenders import CHANNELS, PICOWS, PYTHON_SOCKETIO, SOCKET_IO, VETCHAT, VETCHAT_V1, WS, Server
from .load.plan import Idle, Load, Reading, Resuming, Storm, Traffic


@dataclass(frozen=True, kw_only=True)
class Inside:
    """A program of `benchmarks.inside`, run without a network; `argument` is its last one."""

    program: str
    argument: str = ""
    needs_database: bool = False
    seconds: float = 4.0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Something measured, under a label. `rows` messages are seeded into its database, in `conversations` of them."""

    label: str
    work: Load | Inside
    server: Server = VETCHAT
    postgres: bool = False
    rows: int = 0
    conversations: int = 50


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a figure of the first subject, or of `of`, should be: by itself, or as a multiple of another subject's."""

    figure: str
    at_least: float | None = None
    at_most: float | None = None
    of: str | None = None
    than: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One benchmark. The first of `figures` is the one by which the subjects are compared.

    In a closed loop the server must use its core, or something else was the bottleneck.
    """

    title: str
    subjects: tuple[Subject, ...]
    figures: tuple[str, ...]
    goals: tuple[Goal, ...] = ()
    loop: Literal["closed", "open"] = "closed"


def _against(load: Load, *servers: Server) -> tuple[Subject, ...]:
    return tuple(Subject(label=server.name, server=server, work=load) for server in servers)


def _on_postgres(load: Load) -> Subject:
    return Subject(label="VetChat, PostgreSQL", work=load, postgres=True)


THROUGHPUT: Final = ("messages_per_cpu_s", "messages_per_s", "p50_ms", "p99_ms", "server_core", "generator_core")
FAN_OUT: Final = ("deliveries_per_cpu_s", *THROUGHPUT)
LATENCY: Final = ("p50_ms", "p99_ms", "max_ms", "messages_per_s", "server_core", "generator_core")

PAIRS: Final = Traffic(conversations=200, in_flight=200)
MANY: Final = Traffic(conversations=4_000, each=20, in_flight=200, warmup=3)
MANY_PEOPLE: Final = Traffic(conversations=4_000, in_flight=200, warmup=3)
SLOW: Final = Traffic(conversations=20, rate=1_000, content=8_000)


def _open(rate: int) -> Traffic:
    return Traffic(conversations=200, rate=rate)


def _commits() -> tuple[Subject, ...]:
    sizes = (1_000, 100, 10, 1)
    kinds = ((False, "SQLite"), (True, "PostgreSQL"))
    return tuple(
        Subject(
            label=f"{size:,} a commit, {name}",
            work=Inside(program="commit_group", argument=str(size), needs_database=True, seconds=2),
            postgres=postgres,
        )
        for postgres, name in kinds
        for size in sizes
    )


def _history(rows: int) -> Scenario:
    """Reading at a thousand messages and at `rows` of them."""
    sizes = {"large": rows, "small": 1_000}
    engines = {"SQLite": False, "PostgreSQL": True}
    figures = ("newest_us", "middle_us", "list_us")
    return Scenario(
        title=f"History and the list of conversations, with {rows:,} messages in the database and with 1,000",
        subjects=tuple(
            Subject(label=f"{size}, {engine}", work=Reading(messages=count, seconds=6), postgres=postgres, rows=count)
            for engine, postgres in engines.items()
            for size, count in sizes.items()
        ),
        figures=(*figures, "newest_database_us", "middle_database_us", "list_database_us"),
        goals=tuple(
            Goal(figure=figure, of=f"large, {engine}", than=f"small, {engine}", at_most=1.5)
            for engine in engines
            for figure in figures
        ),
        loop="open",
    )


def scenarios(rows: int) -> Mapping[str, Scenario]:
    """All of them by name; `rows` is the size of the large database of `history_10m`."""
    return {
        "pair_closed": Scenario(
            title="200 conversations of two; each owner sends its next message when its own came back",
            subjects=(*_against(PAIRS, VETCHAT, PYTHON_SOCKETIO, CHANNELS, SOCKET_IO, WS), _on_postgres(PAIRS)),
            figures=(*THROUGHPUT, "database_core", "grown_kib"),
            goals=(
                Goal(figure="messages_per_cpu_s", than="python-socketio", at_least=3.5),
                Goal(figure="messages_per_cpu_s", than="Django Channels", at_least=12),
                Goal(figure="messages_per_cpu_s", than="socket.io", at_least=1.2),
                Goal(figure="messages_per_cpu_s", of="VetChat, PostgreSQL", than="VetChat", at_least=0.8),
            ),
        ),
        "pair_open_400": Scenario(
            title="The same conversations, 400 messages a second on a fixed schedule",
            subjects=_against(_open(400), VETCHAT, PYTHON_SOCKETIO, CHANNELS, SOCKET_IO, WS),
            figures=LATENCY,
            loop="open",
        ),
        "pair_open_2000": Scenario(
            title="The same conversations, 2,000 messages a second on a fixed schedule",
            subjects=_against(_open(2_000), VETCHAT, SOCKET_IO, WS),
            figures=LATENCY,
            goals=(Goal(figure="p50_ms", at_most=6), Goal(figure="p99_ms", at_most=25)),
            loop="open",
        ),
        "group5_closed": Scenario(
            title="100 conversations of an owner and four vets",
            subjects=_against(
                Traffic(conversations=100, members=5, in_flight=100), VETCHAT, PYTHON_SOCKETIO, CHANNELS, SOCKET_IO, WS
            ),
            figures=THROUGHPUT,
        ),
        "fan_1000": Scenario(
            title="One conversation of a thousand: every message goes to a thousand connections",
            subjects=_against(
                Traffic(conversations=1, members=1_000, in_flight=1),
                VETCHAT,
                PYTHON_SOCKETIO,
                CHANNELS,
                SOCKET_IO,
                WS,
                PICOWS,
            ),
            figures=FAN_OUT,
            goals=(Goal(figure="deliveries_per_cpu_s", at_least=60_000),),
        ),
        "relay_pair": Scenario(
            title="What is passed on without being stored (VetChat: typing)",
            subjects=_against(
                Traffic(conversations=200, in_flight=200, says="relay"),
                VETCHAT_V1,
                PYTHON_SOCKETIO,
                SOCKET_IO,
                WS,
                PICOWS,
            ),
            figures=THROUGHPUT,
        ),
        "echo": Scenario(
            title="What is answered at once (VetChat: ping)",
            subjects=_against(
                Traffic(conversations=200, in_flight=200, says="echo"),
                VETCHAT_V1,
                PYTHON_SOCKETIO,
                SOCKET_IO,
                WS,
                PICOWS,
            ),
            figures=THROUGHPUT,
        ),
        "scale_conv": Scenario(
            title="200 messages in flight, in 200 conversations and in 4,000: of the same people, and of more of them",
            subjects=(
                Subject(label="200 conversations", work=PAIRS),
                Subject(label="4,000 conversations", work=MANY),
                Subject(label="4,000 with 8,000 connections", work=MANY_PEOPLE),
                Subject(label="200 conversations, ws", work=PAIRS, server=WS),
                Subject(label="4,000 with 8,000 connections, ws", work=MANY_PEOPLE, server=WS),
            ),
            figures=THROUGHPUT,
            goals=(Goal(figure="messages_per_cpu_s", of="200 conversations", than="4,000 conversations", at_most=1.1),),
        ),
        "idle_mem": Scenario(
            title="Memory per connection that says nothing",
            subjects=_against(Idle(), VETCHAT, PYTHON_SOCKETIO, SOCKET_IO, WS),
            figures=("kib_per_connection", "rss_kib"),
            goals=(Goal(figure="kib_per_connection", at_most=24),),
            loop="open",
        ),
        "memory_1m": Scenario(
            title="A million messages and more: how much the server's memory grows once its caches are full",
            subjects=(Subject(label="VetChat", work=replace(PAIRS, warmup=20, seconds=150)),),
            figures=("grown_kib", "messages_per_s", "server_core"),
            goals=(Goal(figure="grown_kib", at_most=4 * 1_024),),
        ),
        "connect_storm": Scenario(
            title="1,000 users come back at once; each has a conversation, whose other member is told",
            subjects=_against(Storm(), VETCHAT, PYTHON_SOCKETIO, SOCKET_IO, WS),
            figures=("connects_per_cpu_s", "connects_per_s", "server_core", "generator_core"),
            goals=(Goal(figure="connects_per_cpu_s", at_least=900),),
        ),
        "commit_group": Scenario(
            title="The store alone: messages in groups of one size",
            subjects=_commits(),
            figures=("messages_per_cpu_s", "messages_per_s", "commit_ms"),
            loop="open",
        ),
        "codec_message": Scenario(
            title="The codec alone: one message in, one event built and written",
            subjects=(Subject(label="VetChat", work=Inside(program="codec_message", seconds=2)),),
            figures=("read_us", "build_us", "write_base_us", "write_v1_us"),
            loop="open",
        ),
        "history_10m": _history(rows),
        "resume_10k": Scenario(
            title="One user comes back to 10,000 missed messages",
            subjects=(
                Subject(label="VetChat", server=VETCHAT_V1, work=Resuming(), rows=10_000, conversations=1),
                Subject(
                    label="VetChat, PostgreSQL",
                    server=VETCHAT_V1,
                    work=Resuming(),
                    rows=10_000,
                    conversations=1,
                    postgres=True,
                ),
            ),
            figures=("frames_per_cpu_s", "resume_ms", "server_core", "generator_core"),
            loop="open",
        ),
        "gc_stall": Scenario(
            title="400 messages a second while 8,000 other connections are open: the longest stall",
            subjects=(Subject(label="VetChat", work=Traffic(rate=400, idle=8_000, seconds=10)),),
            figures=("max_ms", "p99_ms", "p50_ms", "server_core"),
            goals=(Goal(figure="max_ms", at_most=100),),
            loop="open",
        ),
        "slow_reader": Scenario(
            title="Long messages; in half of all conversations one member stops reading",
            subjects=(
                Subject(label="half have stopped", work=replace(SLOW, stalled=10)),
                Subject(label="everybody reads", work=SLOW),
            ),
            figures=("p99_ms", "p50_ms", "max_ms", "server_core", "grown_kib"),
            goals=(
                Goal(figure="p99_ms", than="everybody reads", at_most=1.25),
                Goal(figure="grown_kib", at_most=10 * 1_024 * 1.25),
            ),
            loop="open",
        ),
        "hostile": Scenario(
            title="A tenth of all frames is nonsense, some never read, some reconnect in a loop",
            subjects=(
                Subject(label="among hostile peers", work=Traffic(in_flight=200, stalled=10, hostile=True)),
                Subject(label="alone", work=PAIRS),
            ),
            figures=THROUGHPUT,
            goals=(Goal(figure="messages_per_s", than="alone", at_least=0.8),),
        ),
    }


MAIN: Final = (
    "pair_closed",
    "pair_open_2000",
    "fan_1000",
    "connect_storm",
    "idle_mem",
    "commit_group",
    "codec_message",
)
"""What runs when nothing is named."""
