"""What the reference server holds: who is connected, and what was said."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from websockets.asyncio.server import ServerConnection

Json = Any
Params = dict[str, Any]


def is_object(value: Json) -> TypeGuard[Params]:
    return isinstance(value, dict)


def is_array(value: Json) -> TypeGuard[list[Json]]:
    return isinstance(value, list)


class Failure(Exception):
    """A command is refused: its code, and the sentence for people."""

    def __init__(self, code: str, sentence: str = "This command cannot be carried out.") -> None:
        super().__init__(sentence)
        self.code = code


class Close(Exception):
    """The connection is closed with this code."""


@dataclass(eq=False)
class Line:
    """One connection: who it is, what it speaks and what it follows."""

    socket: ServerConnection
    user: str
    role: str
    name: str | None
    v1: bool
    ready: bool = False
    ref: str | None = None
    position: int = 0
    follows: set[str] = field(default_factory=set[str])
    out: asyncio.Queue[str] = field(default_factory=asyncio.Queue[str])


@dataclass
class Talk:
    """One conversation with all that was said in it."""

    id: str
    client: str
    providers: list[str]
    pet: str
    updated: int
    offset: int = 0
    messages: list[Params] = field(default_factory=list[Params])
    read: dict[str, int] = field(default_factory=dict[str, int])
    typing: set[str] = field(default_factory=set[str])

    def has(self, user: str, role: str) -> bool:
        return user == self.client if role == "client" else user in self.providers

    def whole(self) -> Params:
        last = self.messages[-1]["content"] if self.messages else ""
        return {
            "id": self.id,
            "providers": self.providers,
            "client": self.client,
            "pet": self.pet,
            "last_message": last,
            "last_updated_timestamp": self.updated,
        }
