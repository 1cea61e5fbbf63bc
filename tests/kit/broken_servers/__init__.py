"""Servers that are broken on purpose, each by one small change of the reference server, with the clause it breaks."""

from tests.kit.broken_servers import commands, edges, envelope, extension, presence, sides
from tests.kit.broken_servers.registry import BROKEN

__all__ = ["BROKEN", "commands", "edges", "envelope", "extension", "presence", "sides"]
