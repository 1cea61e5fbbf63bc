"""All checks, section by section, and the clauses that no check can reach from outside."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..check import Check
from . import (
    closing,
    connection,
    conversations,
    correlation,
    envelope,
    ephemeral,
    errors,
    history,
    messages,
    new_conversation,
    presence,
    recovery,
    roles,
    session,
    subscribing,
    tokens,
)

__all__ = ["CHECKS", "OUT_OF_REACH"]

_SECTIONS: Final = (
    connection,
    envelope,
    roles,
    conversations,
    messages,
    new_conversation,
    history,
    subscribing,
    presence,
    errors,
    session,
    tokens,
    correlation,
    recovery,
    ephemeral,
    closing,
)

CHECKS: Final[tuple[Check, ...]] = tuple(check for section in _SECTIONS for check in section.SECTION)
"""Every check, in the order of the clauses' sections."""

OUT_OF_REACH: Final[Mapping[str, str]] = MappingProxyType(
    {
        "R4.15": "Which policy a server has cannot be seen from outside.",
        "R4.19": "What a page costs shows only on a large database.",
        "S5.8": "What stays behind in memory cannot be seen from outside.",
        "R6.3": "It needs a storage that fails.",
        "V5.4": "It needs a server that is being shut down.",
    }
)
"""Clauses without a check, and why."""
