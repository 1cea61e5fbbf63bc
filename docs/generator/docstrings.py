"""What code says of itself: its docstrings, signatures and types, and what a name stands for."""

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from inspect import Parameter
from pathlib import Path
from textwrap import dedent
from types import EllipsisType, FunctionType, ModuleType
from typing import Annotated, Final, get_args, get_origin

WIDTH: Final = 76
"""A signature that is longer stands on several lines."""

STARS: Final = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}

SECTION: Final = re.compile(r"^(Raises[^:\n]*):\n((?: {4}.*\n?)+)", re.MULTILINE)
"""A block of what is raised, and by what if that is not the call itself."""

ENTRY: Final = re.compile(r"^ {4}(\S[^:]*): (.*(?:\n {8}.*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Raised:
    """Errors that are raised for one reason; `when` is empty for the call itself."""

    when: str
    errors: tuple[str, ...]
    why: str


def prose(text: str) -> str:
    """A docstring without what it says of errors."""
    return SECTION.sub("", inspect.cleandoc(text)).strip()


def raised(text: str) -> Iterator[Raised]:
    """What a docstring says of errors."""
    for section in SECTION.finditer(inspect.cleandoc(text)):
        when = section[1].removeprefix("Raises").strip(" ()")
        for entry in ENTRY.finditer(section[2]):
            yield Raised(when, tuple(entry[1].split(", ")), " ".join(entry[2].split()))


# -- signatures --------------------------------------------------------------------------------------------------------


def signature(name: str, function: object) -> str:
    """How it is called, on as many lines as that takes; only what is awaited is `async`.

    The module of the function must import `annotations` from the future: then they are as somebody wrote them.
    """
    plain = inspect.unwrap(function) if callable(function) else None
    assert inspect.isfunction(plain)
    parameters = list(_parameters(plain))
    asks = "async def" if inspect.iscoroutinefunction(plain) else "def"
    returns = str(inspect.signature(plain).return_annotation)
    if plain is not function:  # made a context manager by its decorator
        returns = re.sub(r"^Async\w+\[(.*?)(?:, None)?\]$", r"AbstractAsyncContextManager[\1]", returns)
    line = f"{asks} {name}({', '.join(parameters)}) -> {returns}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{asks} {name}(", *(f"    {parameter}," for parameter in parameters), f") -> {returns}"])


def _parameters(function: FunctionType) -> Iterator[str]:
    """The parameters without `self`, and with the star before those that are named only."""
    defaults = _written_defaults(function)
    starred = False
    for name, parameter in inspect.signature(function).parameters.items():
        if name in ("self", "cls"):
            continue
        if parameter.kind is Parameter.KEYWORD_ONLY and not starred:
            yield "*"
        starred = starred or parameter.kind in (Parameter.KEYWORD_ONLY, Parameter.VAR_POSITIONAL)
        default = f" = {_default(parameter.default, defaults[name])}" if name in defaults else ""
        yield f"{STARS.get(parameter.kind, '')}{name}: {parameter.annotation}{default}"


def _written_defaults(function: FunctionType) -> dict[str, ast.expr]:
    """The defaults as the code has them, by parameter."""
    (source,) = ast.parse(dedent(inspect.getsource(function))).body
    assert isinstance(source, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = source.args
    positional = [*arguments.posonlyargs, *arguments.args]
    found = zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {one.arg: default for one, default in [*found, *named] if default is not None}


def _default(value: object, written: ast.expr) -> str:
    """A number or a string itself; of everything else what the code calls it."""
    match value:
        case Enum() | bool():
            return ast.unparse(written)
        case str():
            return json.dumps(value)
        case int():
            return f"{value:_}"
        case float():
            return str(value)
        case _:
            return ast.unparse(written)


def type_name(annotation: object) -> str:
    """A field's type as one would write it, by the names that it has here."""
    match get_origin(annotation), get_args(annotation):
        case None, _:
            text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
            return {"NoneType": "None", "MessageParams": "Message"}.get(text, text)
        case origin, (value, *_) if origin is Annotated:
            return type_name(value)
        case origin, (item, EllipsisType()):
            return f"{origin.__name__}[{type_name(item)}, ...]"
        case _, parts:
            return " | ".join(map(type_name, parts))


# -- names that stand for something ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alias:
    """A name that was given to something: what that is, in the code's own words, and what it says there."""

    meaning: str
    text: str


@cache
def aliases(package: str) -> Mapping[str, Alias]:
    """Every documented name of this kind in a package."""
    found: dict[str, Alias] = {}
    for path in _sources(import_module(package)):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for statement, after in zip(body, [*body[1:], None], strict=True):
            match statement, after:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = Alias(ast.unparse(value), text)
                case ast.Assign(targets=[ast.Name(id=name)], value=value), _:
                    found[name] = Alias(ast.unparse(value), "")
                case _:
                    pass
    return found


def _sources(package: ModuleType) -> Iterator[Path]:
    for folder in package.__path__:
        yield from sorted(Path(folder).glob("*.py"))
