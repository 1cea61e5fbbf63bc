"""Builds each wheel and imports all of it in an environment that holds nothing but the wheel and what it asks for.

The versions are those of `requirements.lock`. So a module that imports what its package does not declare fails here,
and so does a wheel that lacks a file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final
from zipfile import ZipFile

ROOT: Final = Path(__file__).parents[1]
UV: Final = ROOT / ".uv" / "bin" / "uv"

PURE: Final = {"annotated-types", "pydantic", "pydantic-core", "typing-extensions", "typing-inspection"}
"""All that vetchat-protocol may bring: pydantic and what pydantic needs."""

EXTRAS: Final = ("testing", "terminal")
"""The subpackages that need the extra of their name."""

IMPORT_ALL: Final = """
import importlib, pkgutil, sys
name, *extras = sys.argv[1:]
package = importlib.import_module(name)
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.startswith(tuple(f"{name}.{extra}" for extra in extras)):
        importlib.import_module(module.name)
"""
"""Imports a package and all that is in it, but for these subpackages."""


def uv(*arguments: str | Path) -> str:
    return run(UV, *arguments, "--quiet")


def run(*command: str | Path) -> str:
    """Runs a command and returns what it printed; one that fails ends this program with what it said."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"This failed: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(package: Path, wheels: Path) -> Path:
    uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", wheels, package)
    return next(wheels.glob(f"{package.name.replace('-', '_')}-*.whl"))


def check_contents(wheel: Path, package: Path) -> None:
    """Every file under the package's `src` is in its wheel, and so is the licence."""
    there = set(ZipFile(wheel).namelist())
    source = package / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = sorted(wanted - there)
    if missing:
        sys.exit(f"{wheel.name} lacks {', '.join(missing)}.")
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in there):
        sys.exit(f"{wheel.name} lacks its licence.")


def check_alone(wheel: Path, package: Path, environment: Path) -> None:
    """The wheel, installed alone, imports without a warning; so do its extras, once each is there too."""
    python = environment / "bin" / "python"
    name = package.name.replace("-", "_")
    uv("venv", "--python", sys.executable, environment)
    install(python, wheel, wheel.parent)
    run(python, "-I", "-W", "error", "-c", IMPORT_ALL, name, *EXTRAS)
    if package.name == "vetchat-protocol":
        check_pure(python)
    for extra in EXTRAS:
        if (package / "src" / name / extra).is_dir():
            install(python, f"{package.name}[{extra}] @ {wheel.as_uri()}", wheel.parent)
            run(python, "-I", "-W", "error", "-c", IMPORT_ALL, f"{name}.{extra}")


def install(python: Path, wheel: str | Path, wheels: Path) -> None:
    """Installs a wheel, the project's other ones from beside it and everything else in the versions of the lock."""
    lock = ROOT / "requirements.lock"
    uv("pip", "install", "--python", python, "--constraint", lock, "--find-links", wheels, wheel)


def check_pure(python: Path) -> None:
    """The protocol package needs pydantic and nothing else, and its command works without the other packages."""
    installed = {
        line.split("==")[0].split(" @ ")[0] for line in run(UV, "pip", "freeze", "--python", python).splitlines()
    }
    surplus = installed - PURE - {"vetchat-protocol"}
    if surplus:
        sys.exit(f"vetchat-protocol may need nothing but pydantic, yet it brings {', '.join(sorted(surplus))}.")
    run(python.with_name("vetchat"), "--help")


def main() -> None:
    packages = sorted((ROOT / "packages").iterdir())
    with tempfile.TemporaryDirectory() as scratch:
        wheels = Path(scratch) / "wheels"
        built = {package: build(package, wheels) for package in packages}
        for package, wheel in built.items():
            check_contents(wheel, package)
            check_alone(wheel, package, Path(scratch) / package.name)


if __name__ == "__main__":
    main()
