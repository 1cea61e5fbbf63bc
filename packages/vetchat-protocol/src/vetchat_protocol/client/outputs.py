"""What the client machine wants done: plain values for whoever drives it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ProtocolError
from ..events import Answer
from .calls import Call
from .verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Answered:
    """A call's answer has come; an `error` is one too (R2.6)."""

    call: Call
    answer: Answer


@dataclass(frozen=True, slots=True)
class Failed:
    """A call will not be answered any more."""

    call: Call
    error: ProtocolError


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """The token runs out soon: get another one and `refresh` with it (V1.5)."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Nothing was heard for too long: send a ping of RFC 6455, and report `heard` when its pong comes."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An event came that this version does not know, and was ignored (R2.4); `event` is its name, for the log."""

    event: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Close this connection and report it `lost`; `why` is a phrase for the log."""

    why: str


Output = Answered | Failed | TokenWanted | Probe | PassedOver | Leave | Verdict
"""Anything a driver may be asked to do; a `Verdict`, on what to do next, is the last output of a connection."""
