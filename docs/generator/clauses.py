"""The page of all clauses."""

from collections.abc import Iterator
from typing import Final

from vetchat_protocol.clauses import CLAUSES, SECTIONS, Clause

from .markdown import anchor, linked, page

INTRODUCTION: Final = """\
This is the whole protocol, one rule at a time. Every rule has an id that never changes its meaning; tests and code
name these ids, and so can a bug report. The first letter says where a rule comes from:

* **S** is stated by the base protocol, the wire that existed before this project;
* **R** is a ruling, where the base protocol is silent or says two things at once;
* **V** belongs to the extension `vetchat.v1`.

**N** stands for the nil UUID, `00000000-0000-0000-0000-000000000000`.

If you are new here, read [how the protocol works](index.md) first; it has the example frames.

## Two dialects, one endpoint

A connection speaks one of two dialects from its first byte to its last.

* **base**: the client offers no WebSocket subprotocol. It gets the base protocol's own keys and events and never
  another one. A program that knows only the base protocol, and its own user id, works.
* **vetchat.v1**: the client offers the subprotocol `vetchat.v1` and the server echoes it. All base commands and events
  are still there; frames may carry more keys, and there are more events.

A client that offers only subprotocols the server does not know gets HTTP 400. In both dialects, both sides ignore keys
they do not know.
"""

V1_INTRODUCTION: Final = """\
Negotiated with `Sec-WebSocket-Protocol: vetchat.v1`. A base connection in the same conversation never sees any of it.
"""


def clauses() -> str:
    """Every clause with an anchor of its own (`#r4-9`), under the headings of its dialect and section."""
    return page(
        "Clauses",
        INTRODUCTION,
        "## The base wire",
        *_sections("base"),
        "## The extension `vetchat.v1`",
        V1_INTRODUCTION,
        *_sections("vetchat.v1"),
    )


def _sections(dialect: str) -> Iterator[str]:
    for section in SECTIONS.values():
        if section.dialect == dialect:
            yield f"### {section.title}"
            yield f"*{section.introduction}*"
            yield from (_clause(clause) for clause in CLAUSES.values() if clause.section == section.id)


def _clause(clause: Clause) -> str:
    place = anchor(clause.id)
    return f'<a class="clause" id="{place}" href="#{place}">{clause.id}</a> {linked(clause.text, "")}'
