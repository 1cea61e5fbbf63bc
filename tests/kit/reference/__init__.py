"""A second VetChat server, small and in memory, written from the clauses alone: it shares no code with the first.

`door` lets connections in and out, `rooms` knows who follows what, `commands` is the base wire, `extension` is
`vetchat.v1`. Everything happens in one step of one event loop, so no frame can overtake another.
"""

from .extension import ReferenceServer
from .models import Close, Failure, Json, Line, Params, Talk

__all__ = ["Close", "Failure", "Json", "Line", "Params", "ReferenceServer", "Talk"]
