"""Servers that are broken on purpose, each by one small change of the reference server, with the clause it breaks."""

from tests.kit.broken_servers import commands, envelope, extension, presence
from tests.kit.broken_servers.registry import BROKEN

__all__ = ["BROKEN", "commands", "envelope", "extension", "presence"]
