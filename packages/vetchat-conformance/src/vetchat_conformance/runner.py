"""Runs checks against a server and collects what each of them saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final, Literal

from anyio import CapacityLimiter, create_task_group, fail_after, sleep

from .check import Check
from .identities import Cast
from .pace import Pace
from .scene import Refused, Scene, Step
from .verdicts import Broken, Finding, LeftOut

__all__ = ["Outcome", "Plan", "run"]

Status = Literal["passed", "failed", "left out"]

AT_ONCE: Final = 4
"""How many scenes play at the same time where each has users of its own."""

LONGEST: Final = 60.0
"""How long one scene may take, in seconds."""

LONGEST_APART: Final = 120.0
"""The same for one that waits for the end of a token, and for the grace after it (V1.5)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a check: why it failed or was left out, every frame that went to and fro, and what was found in
    their form.
    """

    check: Check
    status: Status
    reason: str = ""
    record: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Against what, as whom and how to run.

    `patience` is how long what must come may take, in seconds; `rate` the commands that a user may send in a second,
    0 for any number; `settle` a pause after each check whose users play in the next one too, in seconds: no fence
    tells when a server has noticed that somebody hung up. `slow` checks take seconds each.
    """

    url: str
    casting: Callable[[], Cast]
    patience: float = 5.0
    rate: float = 15.0
    settle: float = 0.05
    slow: bool = False


async def run(plan: Plan, checks: Sequence[Check], told: Callable[[Outcome], None] = lambda _: None) -> list[Outcome]:
    """The outcome of every check, in their order; `told` hears of each as soon as it is known."""
    outcomes: dict[int, Outcome] = {}
    pace = Pace(plan.rate)
    limiter = CapacityLimiter(AT_ONCE if plan.casting().fresh else 1)

    async def one(index: int, check: Check) -> None:
        async with nullcontext() if check.apart else limiter:
            outcomes[index] = await _play(plan, pace, check)
            told(outcomes[index])
            if outcomes[index].record and not (check.apart or plan.casting().fresh):
                await sleep(plan.settle)

    async with create_task_group() as group:
        for index, check in enumerate(checks):
            group.start_soon(one, index, check)
    return [outcomes[index] for index in range(len(checks))]


async def _play(plan: Plan, pace: Pace, check: Check) -> Outcome:
    if check.slow and not plan.slow:
        return Outcome(check, "left out", "It takes its time: run it with --slow.")
    scene = Scene(plan.url, plan.casting(), check.dialect, plan.patience, pace)
    status, reason = "passed", ""
    longest = LONGEST_APART if check.apart else LONGEST
    try:
        with fail_after(longest):
            async with scene:
                await check.play(scene)
    except LeftOut as left_out:
        status, reason = "left out", str(left_out)
    except Broken as broken:
        status, reason = "failed", str(broken)
    except Refused as refused:
        status, reason = "failed", f"The server refused an upgrade with HTTP {refused.status}."
    except TimeoutError:
        status, reason = "failed", f"It was not done after {longest:g} s."
    except (KeyError, TypeError, IndexError) as misshapen:
        status, reason = "failed", f"A frame lacks what the check needs of it: {misshapen!r}."
    return Outcome(check, status, reason, tuple(scene.record), tuple(scene.findings))
