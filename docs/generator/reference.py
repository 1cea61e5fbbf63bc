"""The reference of the Python client: every public name, from its signature and its docstring."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from types import ModuleType
from typing import Final, cast

import vetchat_client
from pydantic import BaseModel
from vetchat_client import Code, VetChatError
from vetchat_protocol.client.inbox import DURABLE, EPHEMERAL
from vetchat_protocol.codec import EVENTS
from vetchat_protocol.meanings import meaning

from .docstrings import Alias, aliases, prose, raised, signature, type_name
from .markdown import linked, page, table

INTRODUCTION: Final = """\
Everything that `vetchat_client` offers, name by name. To learn it, begin with the [quick start](index.md); what happens
when the line fails is told [there](reconnecting.md).
"""

STREAM: Final = """\
The module `events` has a frozen class for each event of the protocol. `params` has an attribute for each key that the
protocol's page, linked here, names. A durable event carries its place in the log, `offset`, which is None on the base
wire. `async for` yields these:
"""

ANSWERS: Final = """\
With these the client deals itself; calls return what they hold. One that answers nothing that was asked is yielded too.
"""

CLAUSES: Final = "../protocol/clauses.md"

SECTIONS: Final = (
    ("Connecting", "", ("connect",)),
    ("The chat", "", ("Chat",)),
    (
        "What calls return",
        "Frozen classes, the same that the events hold. What only `vetchat.v1` has is `None` on the base wire.",
        ("Conversation", "Message", "History", "Resume"),
    ),
    (
        "Notices",
        "They stand in the stream between the events, and come from the client itself.",
        ("Disconnected", "Resumed", "Reset"),
    ),
    ("Events", "", ("events",)),
    (
        "Bots",
        "What they are good for, and how one is made, is told on [their own page](bots.md).",
        ("Bot", "Heard", "Received", "FilePosition", "PositionStore", "ConnectOptions"),
    ),
    ("Errors", "Indented is what also counts as the error above it.", ("VetChatError",)),
    ("Words", "", ("Role", "Dialect", "Code", "Id", "Item", "Notice", "TokenSource")),
)
"""The sections of the package itself: title, a sentence, and the names in them; an error's name brings its kinds."""

CONSTRUCTED: Final = frozenset({"Bot", "FilePosition"})
"""The classes that one makes instances of; the others are made by calls."""

MODULES: Final = ("vetchat_client.testing",)
"""What has to be imported by itself."""

ALIASES: Final = ("vetchat_client", "vetchat_client.bot", "vetchat_client.testing", "vetchat_protocol.client")
"""The packages that give names to types."""


def reference() -> str:
    """The whole page."""
    return page(
        "Reference",
        INTRODUCTION,
        *(
            part
            for title, sentence, names in SECTIONS
            for part in (f"## {title}", sentence, *(_shown(name, vetchat_client) for name in names))
            if part
        ),
        *(part for name in MODULES for part in _module(import_module(name))),
    )


def documented() -> set[str]:
    """The names of the package that the page has."""
    named: set[str] = {name for _, _, names in SECTIONS for name in names}
    return named | {error.__name__ for error, _ in _kinds(VetChatError)}


def _module(module: ModuleType) -> Iterator[str]:
    yield f"## `{module.__name__}`"
    yield _text(inspect.getdoc(module) or "")
    yield from (_shown(name, module) for name in cast("list[str]", vars(module)["__all__"]))


# -- one name ----------------------------------------------------------------------------------------------------------


def _shown(name: str, module: ModuleType) -> str:
    """Whatever it is, as it is best shown."""
    thing: object = getattr(module, name)
    alias = next((found[name] for package in ALIASES if name in (found := aliases(package))), None)
    match thing:
        case ModuleType():
            return _events()
        case type() if thing is VetChatError:
            return _errors()
        case type():
            return "\n\n".join(_class(name, thing, alias))
        case _ if inspect.isfunction(thing):
            return "\n\n".join([_head(3, name), *_function(name, thing)])
        case _:
            assert alias is not None, f"{name} says nothing of itself"
            return "\n\n".join(
                part for part in (_head(3, name), _code(f"{name} = {alias.meaning}"), _text(alias.text)) if part
            )


def _head(level: int, name: str, anchor: str | None = None) -> str:
    return f"{'#' * level} `{name}` {{ #{anchor or name.lower()} }}"


def _code(text: str) -> str:
    return f"```py\n{text}\n```"


def _function(name: str, function: object) -> Iterator[str]:
    yield _code(signature(name, function))
    yield from _said(inspect.getdoc(inspect.unwrap(function) if callable(function) else function) or "")


def _said(text: str) -> Iterator[str]:
    """A docstring, at last with its errors as a list."""
    yield _text(text)
    lines = [
        f"* {', '.join(map(_error, one.errors))}{f' ({one.when})' if one.when else ''}: {one.why}"
        for one in raised(text)
    ]
    if lines:
        yield _linked("Raises:\n\n" + "\n".join(lines))


def _error(words: str) -> str:
    """One error of such a list; some are said in words."""
    return re.sub(r"^[\w.]+(?=$| \()", r"`\g<0>`", words)


def _class(name: str, thing: type, alias: Alias | None) -> Iterator[str]:
    """A class: what it says, what it holds, and what it does."""
    yield _head(3, name)
    if name in CONSTRUCTED:
        yield _code(signature(name, thing.__init__).removeprefix("def ").removesuffix(" -> None"))
    elif _made_of(thing):
        yield _code(f"{name}({_made_of(thing)})")
    yield from _said((alias and alias.text) or inspect.getdoc(thing) or "")
    yield from _values(thing)
    held = list(_held(thing))
    if held:
        yield table(["attribute", "type", "meaning"], held)
    yield from _methods(name, thing)


def _made_of(thing: type) -> str:
    """The fields of a dataclass."""
    return ", ".join(f"{field.name}: {field.type}" for field in fields(thing)) if is_dataclass(thing) else ""


def _methods(name: str, thing: type) -> Iterator[str]:
    """All at a glance, then one after the other."""
    members: dict[str, object] = dict(vars(thing))
    if issubclass(thing, BaseModel | Enum):
        return
    methods = [method for method, one in members.items() if inspect.isfunction(one) and not method.startswith("_")]
    if methods:
        yield "Methods: " + ", ".join(f"[`{method}`](#{name.lower()}-{method})" for method in methods)
    if "__anext__" in members:
        yield _head(4, f"async for … in {name.lower()}", f"{name.lower()}-async-for")
        yield from _said(inspect.getdoc(members["__anext__"]) or "")
    for method in methods:
        yield _head(4, f"{name}.{method}", f"{name.lower()}-{method}")
        yield from _function(method, members[method])


def _values(thing: type) -> Iterator[str]:
    """What an enumeration has to choose from."""
    if issubclass(thing, Enum):
        advice = " → [What to do about each](../protocol/errors.md)" if thing is Code else ""
        yield f"One of {', '.join(f'`{one.value}`' for one in thing)}.{advice}"


def _held(thing: type) -> Iterator[tuple[str, str, str]]:
    """The fields of a model, and properties: name, type and meaning."""
    members = vars(thing)
    if issubclass(thing, BaseModel):
        for name, field in thing.model_fields.items():
            yield f"`{name}`", f"`{type_name(field.annotation)}`", linked(meaning(thing, name), CLAUSES)
    for name, member in members.items():
        if isinstance(member, property) and not name.startswith("_") and member.fget is not None:
            returns = inspect.get_annotations(member.fget)["return"]
            yield f"`{name}`", f"`{returns}`", " ".join(_text(inspect.getdoc(member) or "").split())


# -- what is shown as a table ------------------------------------------------------------------------------------------


def _events() -> str:
    told = [event for event, model in EVENTS.items() if issubclass(model, DURABLE + EPHEMERAL)]
    return "\n\n".join(
        [
            _text(STREAM),
            table(["`events.…`", "event", "durable", "meaning"], [_event(event) for event in told]),
            _text(ANSWERS),
            table(["`events.…`", "event", "", "meaning"], [_event(event) for event in EVENTS if event not in told]),
        ]
    )


def _event(event: str) -> tuple[str, str, str, str]:
    model = EVENTS[event]
    return (
        f"`{model.__name__}`{{ #{model.__name__.lower()} }}",
        f"[`{event}`](../protocol/events.md#{event})",
        "yes" if issubclass(model, DURABLE) else "",
        _text(inspect.getdoc(model) or ""),
    )


def _errors() -> str:
    rows = [
        (
            f"{'&nbsp;' * 4 * depth}`{error.__name__}`{{ #{error.__name__.lower()} }}",
            " ".join(_text(inspect.getdoc(error) or "").split()),
        )
        for error, depth in _kinds(VetChatError)
    ]
    return table(["error", "meaning"], rows)


def _kinds(error: type[Exception], depth: int = 0) -> Iterator[tuple[type[Exception], int]]:
    """An error and whatever is a kind of it."""
    yield error, depth
    for kind in error.__subclasses__():
        if kind.__name__ in vetchat_client.__all__:
            yield from _kinds(kind, depth + 1)


# -- words -------------------------------------------------------------------------------------------------------------


def _text(text: str) -> str:
    return _linked(prose(text))


def _linked(text: str) -> str:
    """The text with its clauses and names as links."""
    return re.sub(r"(?<!\[)`(\w+)`", _name, linked(text, CLAUSES))


def _name(found: re.Match[str]) -> str:
    return f"[{found[0]}](#{found[1].lower()})" if found[1] in _anchors() else found[0]


def _anchors() -> set[str]:
    """Every name that has its own place on the page."""
    elsewhere = (cast("list[str]", vars(import_module(module))["__all__"]) for module in MODULES)
    return (documented() - {"events"}).union(*elsewhere)
