"""`rehearse`: runs a scene from its beginning to its end, in virtual time, and explains why it failed."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from typing import Any, Final, Generic, Literal, TypeVar, cast

import anyio
from anyio import CapacityLimiter, create_task_group
from anyio.to_thread import current_default_thread_limiter

from .clinic import Clinic
from .deadlock import Deadlock
from .on_asyncio import VirtualLoop
from .server import SimulatedServer
from .stage import Stage

T = TypeVar("T")
Backend = Literal["asyncio", "trio"]
Scene = Callable[[Clinic], Awaitable[T]]
"""What happens, told in order."""

MONDAY_MORNING: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def rehearse(
    scene: Scene[T],
    *,
    seed: int = 0,
    backend: Backend = "asyncio",
    start: datetime = MONDAY_MORNING,
    longest: timedelta = timedelta(days=366),
) -> T:
    """Runs a scene and returns what it returns; for tests that are plain functions.

    `seed` picks what happens first where the protocol leaves it open, when faults strike, and what `random` draws: the
    same seed plays the same again. `start` is the wall clock at which the scene begins, with a time zone. Time passes
    only when everybody waits, and then at once. A scene that fails says in a note what was said, by whom and when.

    Raises:
        AssertionError: somebody did not hear what he should.
        TimeoutError: the scene takes longer than `longest`, of its own time: it waits for what never comes.
        ValueError: `start` has no time zone.
        ModuleNotFoundError: trio is not installed.
        Exception: whatever the scene or one of the programs raises.
    """
    if backend == "trio" and find_spec("trio") is None:
        raise ModuleNotFoundError("Scenes on trio need it: pip install 'vetchat-client[testing]'")
    if start.tzinfo is None:
        raise ValueError("Say in which time zone the scene begins.")
    rehearsal = _Rehearsal(scene, seed, start, longest)
    try:
        with _repeatable(seed, backend):
            return anyio.run(rehearsal.run, backend=backend, backend_options=_virtual_time(backend, rehearsal.busy))
    except BaseException as error:  # noqa: BLE001  (whatever it is, it is raised again below, with a note)
        failed = _only(error)
    failed.add_note(f"The scene was rehearsed on {backend} with seed={seed}.{rehearsal.told()}")
    raise failed


class _Rehearsal(Generic[T]):
    """One run of a scene."""

    def __init__(self, scene: Scene[T], seed: int, start: datetime, longest: timedelta) -> None:
        self._scene = scene
        self._seed = seed
        self._start = start
        self._longest = longest
        self._threads: CapacityLimiter | None = None
        self._clinic: Clinic | None = None

    def busy(self) -> bool:
        """Whether a thread works for a task."""
        return self._threads is not None and self._threads.borrowed_tokens > 0

    async def run(self) -> T:
        """Plays it: the programs and people end with the scene, and the server after all of them."""
        self._threads = current_default_thread_limiter()
        server = SimulatedServer(self._seed, self._start, self._longest)
        stage, results = Stage(), list[T]()
        async with create_task_group() as house:
            house.start_soon(self._serve, server, stage)
            async with create_task_group() as company:
                self._clinic = Clinic(server, stage, company, self._start.tzinfo)
                with stage.ended_by_errors(), stage.scope:
                    results.append(await self._scene(self._clinic))
                company.cancel_scope.cancel()
            house.cancel_scope.cancel()
        if stage.errors:
            raise stage.errors[0] if len(stage.errors) == 1 else ExceptionGroup("The scene failed.", stage.errors)
        return results[0]

    async def _serve(self, server: SimulatedServer, stage: Stage) -> None:
        with stage.ended_by_errors():
            await server.run()

    def told(self) -> str:
        """What was said, for a note."""
        return "" if self._clinic is None else f" What was said:\n{self._clinic.transcript()}"


def _only(error: BaseException) -> BaseException:
    """The error itself, where task groups or the event loop have only wrapped it."""
    if isinstance(error.__cause__, Deadlock):
        return error.__cause__
    wrapper: object = error
    if not isinstance(wrapper, BaseExceptionGroup):
        return error
    wrapped = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return _only(wrapped[0]) if len(wrapped) == 1 else error


def _virtual_time(backend: Backend, busy: Callable[[], bool]) -> dict[str, Any]:
    """What `anyio.run` needs, to run in virtual time."""
    if backend == "asyncio":
        return {"loop_factory": partial(VirtualLoop, busy)}
    from .on_trio import VirtualClock  # noqa: PLC0415  (only who runs on trio has it)

    return {"clock": VirtualClock(busy)}


@contextmanager
def _repeatable(seed: int, backend: Backend) -> Generator[None]:
    """Lets `random` and the event loop do the same again, and leaves both as they were."""
    before = random.getstate()
    random.seed(seed)
    try:
        if backend == "asyncio":
            yield
            return
        from .on_trio import repeatable  # noqa: PLC0415  (only who runs on trio has it)

        with repeatable(seed):
            yield
    finally:
        random.setstate(before)
