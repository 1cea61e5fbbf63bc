"""The VetChat conformance kit: judges any server by the clauses, over the wire, and any client by transcripts.

`run` plays the `CHECKS` against a server and `verdicts` says what they prove; `scripted` plays a server for a client.
"""

from .check import Check, Profile
from .checks import CHECKS, OUT_OF_REACH
from .identities import Cast, Identity, OpenCast, Role, TokenCast, from_file, from_token
from .report import Failure, Verdict, verdicts
from .runner import Outcome, Plan, run

__all__ = [
    "CHECKS",
    "OUT_OF_REACH",
    "Cast",
    "Check",
    "Failure",
    "Identity",
    "OpenCast",
    "Outcome",
    "Plan",
    "Profile",
    "Role",
    "TokenCast",
    "Verdict",
    "from_file",
    "from_token",
    "run",
    "verdicts",
]
