"""Runs every gate, or only those named on the command line, and fails if one fails: what `./dev check` does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
BIN: Final = Path(sys.executable).parent

ENVIRONMENT: Final = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
"""With the environment's own commands first: pyright looks for the python there."""

Command = Sequence[str | Path]

COMPLETE: Final = ("vetchat_protocol", "vetchat_client", "vetchat_conformance")
"""Packages whose every public symbol has a known type; pydantic and typeshed leave some of their own open."""

GATES: Final[dict[str, list[Command]]] = {
    "format": [[BIN / "ruff", "format", "--check", "."]],
    "lint": [[BIN / "ruff", "check", "."]],
    "types": [[BIN / "pyright"], *([BIN / "pyright", "--ignoreexternal", "--verifytypes", name] for name in COMPLETE)],
    "imports": [[BIN / "lint-imports", "--no-logo"]],
    "lock": [["./dev", "lock", "--check"]],
    "docs": [[sys.executable, "-m", "docs.generate", "--check"], [BIN / "mkdocs", "build", "--strict", "--quiet"]],
    "wheels": [[sys.executable, "tools/wheels.py"]],
}
"""The commands of each gate, by its name; a gate passes when all of them do."""


@dataclass(frozen=True)
class Outcome:
    """How one gate went: whether it passed, what it said, and how long it took in seconds."""

    name: str
    passed: bool
    said: str
    seconds: float


def run(name: str) -> Outcome:
    begun = time.monotonic()
    passed, said = True, ""
    for command in GATES[name]:
        done = subprocess.run(
            command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        passed, said = passed and done.returncode == 0, said + done.stdout
    return Outcome(name, passed, said.strip(), time.monotonic() - begun)


def main(names: Sequence[str]) -> int:
    unknown = [name for name in names if name not in GATES]
    if unknown:
        print(f"There is no gate {', '.join(unknown)}. The gates are {', '.join(GATES)}.", file=sys.stderr)
        return 2
    failed: list[str] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for future in as_completed([pool.submit(run, name) for name in names or GATES]):
            outcome = future.result()
            print(f"{'ok  ' if outcome.passed else 'FAIL'} {outcome.name:8} {outcome.seconds:5.1f} s", flush=True)
            if not outcome.passed:
                failed.append(outcome.name)
                print(outcome.said, end="\n\n", flush=True)
    print(f"Failed: {', '.join(failed)}." if failed else "Every gate passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
