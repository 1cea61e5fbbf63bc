"""The generator's process: a plan comes in as one line, its result goes out as one line."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import uvloop  # pyright: ignore[reportMissingImports, reportMissingTypeStubs]

from . import crowds, reading, traffic
from .plan import Idle, Load, Reading, Result, Resuming, Storm, Target, Traffic, from_json


async def perform(target: Target, load: Load) -> Result:
    """Does what the plan says."""
    match load:
        case Traffic():
            return await traffic.run(target, load)
        case Storm():
            return await crowds.storm(target, load)
        case Idle():
            return await crowds.idle(target, load)
        case Reading():
            return await reading.read(target, load)
        case Resuming():
            return await reading.resume(target, load)
        case _:
            raise NotImplementedError(type(load).__name__)


def main() -> None:
    target, load = from_json(sys.stdin.readline())
    result: Result = uvloop.run(perform(target, load))  # pyright: ignore[reportUnknownMemberType]
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
