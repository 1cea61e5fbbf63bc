"""What a value is here: made often, compared by what it holds, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """A dataclass that nobody may change, which the type checker sees to: at run time it would double its cost."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
