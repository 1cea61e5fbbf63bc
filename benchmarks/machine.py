"""What the figures were measured on, in one line."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
from pathlib import Path


def machine() -> str:
    """Processor, cores, memory and versions."""
    parts = [
        _processor(),
        f"{os.cpu_count()} cores",
        f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        f"Linux {platform.release().partition('-')[0]}",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
    ]
    if shutil.which("node"):
        parts.append(f"Node {_said('node', '--version').removeprefix('v')}")
    return ", ".join(parts)


def revision() -> str:
    """The commit that was measured; with a plus sign if files had been changed since."""
    measured = ("packages", "benchmarks", ":!benchmarks/results.json")
    changed = "+" if _said("git", "status", "--porcelain", "--", *measured) else ""
    return f"{_said('git', 'rev-parse', '--short', 'HEAD')}{changed}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
