"""The `vetchat` command: its first word picks an entry point, the rest is that package's own command.

Every installed package adds its commands to the entry-point group `vetchat.commands`; nobody owns the name. This is
the one module of the package that may do I/O.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points, version

GROUP = "vetchat.commands"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `vetchat WORD …` by the installed command of that name; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands = {point.name: point for point in entry_points(group=GROUP)}
    if words and words[0] == "--version":
        print(f"vetchat {version('vetchat-protocol')}")
        return 0
    if not words or words[0] in ("-h", "--help", "help"):
        print(_usage(commands))
        return 0
    point = commands.get(words[0])
    if point is None:
        print(f"vetchat: there is no command {words[0]!r}.\n\n{_usage(commands)}", file=sys.stderr)
        return 2
    return _run(point, words[1:])


def _run(point: EntryPoint, arguments: list[str]) -> int:
    """Hands the rest of the line to the package's own click command, or to any callable of the same shape."""
    command = point.load()
    status = command.main(args=arguments, prog_name=f"vetchat {point.name}", standalone_mode=True)
    return status if isinstance(status, int) else 0


def _usage(commands: Iterable[str]) -> str:
    names = sorted(commands)
    if not names:
        return "usage: vetchat COMMAND …\n\nNo commands are installed. `pip install vetchat-server` brings `serve`."
    listed = "\n".join(f"  {name}" for name in names)
    return f"usage: vetchat COMMAND …\n\nCommands:\n{listed}\n\n`vetchat COMMAND --help` tells more about each."


if __name__ == "__main__":
    sys.exit(main())
