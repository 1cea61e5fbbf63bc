"""Testing programs that talk to VetChat: over the protocol's own simulator, in virtual time, without a network.

A scene is an async function that is given a `Clinic`; `rehearse` runs it.
"""

from .clinic import Clinic, Program
from .deadlock import Deadlock
from .people import Participant, Person, Talk
from .rehearsal import Scene, rehearse
from .running import Running

__all__ = ["Clinic", "Deadlock", "Participant", "Person", "Program", "Running", "Scene", "Talk", "rehearse"]
