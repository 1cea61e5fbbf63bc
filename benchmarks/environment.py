"""The environments of the generator and of the reference servers, apart from the project's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

from .processes import ROOT, BenchmarkError

HERE: Final = Path(__file__).parent
PYTHON: Final = ROOT / ".venv-bench" / "bin" / "python"
LOCK: Final = HERE / "requirements.lock"
UV: Final = ROOT / ".uv" / "bin" / "uv"
REFERENCES: Final = HERE / "references"
NODE: Final = REFERENCES / "node"


def make() -> None:
    """Brings `.venv-bench` up to date with its lock."""
    stamp = PYTHON.parents[1] / "made-from"
    if PYTHON.exists() and stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
        return
    print("Making .venv-bench from benchmarks/requirements.lock …", file=sys.stderr)
    _run(UV, "venv", "--clear", "--python", sys.executable, PYTHON.parents[1])
    _run(UV, "pip", "sync", "--python", PYTHON, "--require-hashes", LOCK)
    stamp.write_bytes(LOCK.read_bytes())


def lock() -> None:
    """Brings the lock up to date with `requirements.in`, keeping the versions that still fit."""
    options = ["--universal", "--generate-hashes", "--python-version", "3.11"]
    files = ["--output-file", LOCK.relative_to(ROOT), LOCK.with_suffix(".in").relative_to(ROOT)]
    _run(UV, "pip", "compile", "--quiet", *options, "--custom-compile-command", "./dev bench --lock", *files)


@cache
def why_no_node() -> str | None:
    """Why the servers on Node cannot run here; None if they can. Installs their packages when it is needed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "Node and npm are not installed"
    wanted = json.loads((NODE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    if wanted != _installed(wanted):
        print(
            "Installing the packages of the Node servers; the database driver may have to be compiled …",
            file=sys.stderr,
        )
        # The driver's package has no ready-made binary; Node's own headers suffice to compile it.
        headers = Path(node).resolve().parents[1]
        environment = (
            ["env", f"npm_config_nodedir={headers}"] if (headers / "include" / "node" / "node.h").exists() else []
        )
        try:
            _run(*environment, npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", NODE)
        except BenchmarkError as error:
            return str(error)
    try:
        _run(node, "--eval", f"new (require('{NODE}/node_modules/better-sqlite3'))(':memory:')")
    except BenchmarkError:
        return "the SQLite driver for Node does not run here"
    return None


def _installed(names: dict[str, str]) -> dict[str, str]:
    """The versions of these packages that are there."""
    found: dict[str, str] = {}
    for name in names:
        manifest = NODE / "node_modules" / name / "package.json"
        if manifest.exists():
            found[name] = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    return found


def _run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"This failed: {' '.join(str(part) for part in command)}\n{done.stderr[-2_000:]}")
