"""A TCP proxy under the test's control: it cuts, stalls, half-opens or splits a connection at any byte."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, Self

from anyio import (
    BrokenResourceError,
    CancelScope,
    ClosedResourceError,
    EndOfStream,
    Event,
    connect_tcp,
    create_task_group,
    create_tcp_listener,
    sleep_forever,
)
from anyio.abc import SocketAttribute, SocketStream

Fault = Literal["cut", "stall", "half-open", "split"]
"""The line breaks; nothing passes any more; one direction is swallowed and the other is not; every byte comes alone."""

Direction = Literal["up", "down"]
Part = Literal["handshake", "frames"]


@dataclass(frozen=True)
class Point:
    """A byte of a connection: so many of them pass in this direction, in this part, before the fault strikes."""

    direction: Direction
    part: Part
    byte: int


@dataclass
class Link:
    """One connection through the proxy."""

    client: SocketStream
    server: SocketStream
    scope: CancelScope = field(default_factory=CancelScope)
    stalled: bool = False
    swallows: set[Direction] = field(default_factory=set[Direction])
    parts: dict[Direction, Part] = field(default_factory=lambda: {"up": "handshake", "down": "handshake"})


class Proxy:
    """Forwards to a port of this machine. A fault strikes once; the connections after it are good ones."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._links: list[Link] = []
        self._fault: tuple[Fault, Point] | None = None
        self._passed = 0
        self._accepts = True
        self.struck = Event()
        self.connections = 0
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def before(cls, port: int) -> AsyncGenerator[Self]:
        """A proxy that listens for as long as the block lasts."""
        proxy = cls(port)
        async with await create_tcp_listener(local_host="127.0.0.1") as listener, create_task_group() as tasks:
            address = listener.extra(SocketAttribute.local_address)
            proxy.url = f"ws://127.0.0.1:{address[1]}/ws/"
            tasks.start_soon(listener.serve, proxy._forward)
            yield proxy
            tasks.cancel_scope.cancel()

    def arm(self, fault: Fault, point: Point) -> None:
        """Lets a fault strike at this point, counted from now."""
        self._fault = (fault, point)
        self._passed = 0
        self.struck = Event()

    def cut(self) -> int:
        """Breaks every connection there is; how many that were."""
        links, self._links = self._links, []
        for link in links:
            link.scope.cancel()
        return len(links)

    def refuse(self, *, refused: bool = True) -> None:
        """Breaks new connections at once, or lets them through again."""
        self._accepts = not refused

    async def _forward(self, client: SocketStream) -> None:
        self.connections += 1
        async with client:
            if not self._accepts:
                return
            async with await connect_tcp("127.0.0.1", self._port) as server:
                link = Link(client, server)
                self._links.append(link)
                with link.scope:
                    async with create_task_group() as tasks:
                        tasks.start_soon(self._pump, link, "up")
                        tasks.start_soon(self._pump, link, "down")
                if link in self._links:
                    self._links.remove(link)

    async def _pump(self, link: Link, direction: Direction) -> None:
        """Carries one direction of one connection, until either side ends it."""
        source, sink = (link.client, link.server) if direction == "up" else (link.server, link.client)
        try:
            while True:
                for chunk in self._parts(link, direction, await source.receive()):
                    await self._pass(link, direction, sink, chunk)
        except (EndOfStream, BrokenResourceError, ClosedResourceError):
            link.scope.cancel()

    def _parts(self, link: Link, direction: Direction, data: bytes) -> list[bytes]:
        """The data, with the handshake's end between two of its parts."""
        if link.parts[direction] == "frames":
            return [data]
        end = data.find(b"\r\n\r\n")
        return [data] if end < 0 else [data[: end + 4], data[end + 4 :]]

    async def _pass(self, link: Link, direction: Direction, sink: SocketStream, data: bytes) -> None:
        part = link.parts[direction]
        if part == "handshake" and data.endswith(b"\r\n\r\n"):
            link.parts[direction] = "frames"
        if self._fault is not None and (self._fault[1].direction, self._fault[1].part) == (direction, part):
            (fault, point) = self._fault
            if fault == "split" or self._passed + len(data) > point.byte:
                self.struck.set()
                await self._strike(fault, link, direction, data, point.byte - self._passed)
                return
            self._passed += len(data)
        if link.stalled:
            await sleep_forever()
        if data and direction not in link.swallows:
            await sink.send(data)

    async def _strike(self, fault: Fault, link: Link, direction: Direction, data: bytes, passing: int) -> None:
        sink = link.server if direction == "up" else link.client
        if fault == "split":
            for index in range(len(data)):
                await sink.send(data[index : index + 1])
            return
        self._fault = None
        if passing > 0:
            await sink.send(data[:passing])
        match fault:
            case "cut":
                link.scope.cancel()
            case "stall":
                link.stalled = True
            case "half-open":
                link.swallows.add(direction)
