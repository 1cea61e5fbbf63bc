"""Small diagrams of states and the ways between them, as SVG that takes its colours from the page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

LINE: Final = 18
"""The height of a line of text."""


@dataclass(frozen=True, slots=True)
class State:
    """A box; `x` and `y` are its middle."""

    name: str
    x: int
    y: int
    width: int = 140
    height: int = 46
    final: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """An arrow through these points, with lines of text from `at` on, which is their `start`, `middle` or `end`."""

    points: Sequence[tuple[int, int]]
    text: Sequence[str]
    at: tuple[int, int]
    anchor: str = "middle"


def diagram(title: str, width: int, height: int, states: Iterable[State], ways: Iterable[Way]) -> str:
    """The diagram, without an empty line, so that Markdown leaves it alone; `title` is for those who cannot see it."""
    tip = f"tip-{title.split()[1]}"  # a page may have several diagrams, and an id must be there once
    lines = [
        f'<div class="diagram"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        f'<defs><marker id="{tip}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '<path d="M0 0 8 4 0 8z"/></marker></defs>',
        *(_way(way, tip) for way in ways),
        *(_state(state) for state in states),
        "</svg></div>",
    ]
    return "\n".join(lines)


def _state(state: State) -> str:
    left, top = state.x - state.width // 2, state.y - state.height // 2
    kind = "state final" if state.final else "state"
    box = f'<rect class="{kind}" x="{left}" y="{top}" width="{state.width}" height="{state.height}" rx="10"/>'
    return f'{box}<text class="name" x="{state.x}" y="{state.y + 5}" text-anchor="middle">{escape(state.name)}</text>'


def _way(way: Way, tip: str) -> str:
    path = " ".join(f"{'L' if index else 'M'}{x} {y}" for index, (x, y) in enumerate(way.points))
    x, y = way.at
    spans = "".join(
        f'<tspan x="{x}" y="{y + LINE * index}">{escape(line)}</tspan>' for index, line in enumerate(way.text)
    )
    text = f'<text text-anchor="{way.anchor}">{spans}</text>'
    return f'<path class="way" d="{path}" marker-end="url(#{tip})"/>{text}'
