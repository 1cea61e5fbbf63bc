"""Writes the pages of the site that come from the code, so that they cannot drift from it.

`python -m docs.generate` writes them, `--check` only says which of them are stale. A further page is one function in
`docs/generator/` that returns its text, and one line in `PAGES`.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from .generator import clauses, codes, frames, machine, reference, settings, states, traceability

DOCS: Final = Path(__file__).parent

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "protocol/clauses.md": clauses.clauses,
    "protocol/commands.md": frames.commands,
    "protocol/events.md": frames.events,
    "protocol/errors.md": codes.errors,
    "protocol/close-codes.md": codes.close_codes,
    "protocol/limits.md": settings.limits,
    "protocol/states.md": states.states,
    "protocol/traceability.md": traceability.traceability,
    "client/reference.md": reference.reference,
    "server/settings.md": settings.settings,
    **machine.FILES,
}
"""The generated pages, and files to download, by their path under `docs/`."""


def main(arguments: Sequence[str] | None = None, *, folder: Path = DOCS) -> int:
    parser = argparse.ArgumentParser(description="Write the generated pages of the site.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is stale")
    checking: bool = parser.parse_args(arguments).check
    pages = {name: page() for name, page in PAGES.items()}
    stale = [name for name, page in pages.items() if _read(folder / name) != page]
    for name in stale:
        if checking:
            print(f"docs/{name} is stale: run ./dev docs", file=sys.stderr)
        else:
            _write(folder / name, pages[name])
            print(f"wrote docs/{name}")
    return 1 if checking and stale else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _write(path: Path, page: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
