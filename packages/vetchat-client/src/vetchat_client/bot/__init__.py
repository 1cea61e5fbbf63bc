"""Bots: handlers for what happens, and answers that are stored once however often the program ends and starts again.

`Bot` is what one uses; the other modules are what it is made of.
"""

from .bot import Bot, ConnectOptions
from .position import FilePosition, PositionStore, UnreadablePosition
from .received import Heard, Received

__all__ = ["Bot", "ConnectOptions", "FilePosition", "Heard", "PositionStore", "Received", "UnreadablePosition"]
