"""What the end of a connection means to a client: whether to come back, when, and with what (V5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..errors import TOKEN_EXPIRED, UNAUTHENTICATED


class ComeBack(Enum):
    """Whether and when to come back: not as one is, with back-off, or at once (V5.2).

    Even at once is better not at the same moment as everybody else, and not for ever in vain: a driver adds its jitter.
    """

    NEVER = "never"
    LATER = "later"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about a connection that has ended, or was refused.

    `new_token` asks for another token first; `after_ms` is how long the server wants to be left alone (V5.4).
    """

    come_back: ComeBack
    new_token: bool = False
    after_ms: int = 0


_HUNDREDS: Final[Mapping[int, ComeBack]] = {40: ComeBack.NEVER, 41: ComeBack.LATER, 42: ComeBack.NOW}

_STANDARD: Final[Mapping[int, ComeBack]] = {
    1001: ComeBack.NOW,  # going away: the base wire's 4200
    1008: ComeBack.NEVER,  # policy: the base wire's 40xx
    1011: ComeBack.NOW,  # the base wire's 4201
    1012: ComeBack.NOW,  # a restart of a server that cannot drain
    1013: ComeBack.LATER,  # try again later: the base wire's 41xx
}


def of_close(code: int | None) -> Verdict:
    """The verdict of a WebSocket close code, of either dialect; None for a line that broke without a word.

    After 4001 another token may be taken, one of a rotated key say; who has been revoked gets none (V1.5, V1.6).
    """
    if code is None:
        return Verdict(ComeBack.NOW)
    if code in (TOKEN_EXPIRED.code, UNAUTHENTICATED.code):
        return Verdict(ComeBack.NOW, new_token=True)
    return Verdict(_HUNDREDS.get(code // 100) or _STANDARD.get(code, ComeBack.LATER))


def of_status(status: int) -> Verdict:
    """The verdict of the HTTP status that an upgrade was refused with (R1.7, R2.7, V1.3)."""
    if status == 401:
        return Verdict(ComeBack.NOW, new_token=True)
    if status in (408, 425, 429) or status >= 500:
        return Verdict(ComeBack.LATER)
    return Verdict(ComeBack.NEVER)
