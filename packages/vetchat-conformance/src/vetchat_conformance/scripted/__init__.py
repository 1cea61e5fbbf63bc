"""A server that plays a transcript, against which a client in any language can be tested."""

from .server import ScriptedServer, Verdict
from .transcript import Transcript

__all__ = ["ScriptedServer", "Transcript", "Verdict"]
