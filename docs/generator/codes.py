"""The pages of error codes and of close codes."""

from typing import Final

from vetchat_protocol import errors as defined
from vetchat_protocol.errors import UNREADABLE, CloseCode, Code

from .markdown import linked, page, table

ERRORS_INTRODUCTION: Final = """\
A command that is refused is answered by an [`error`](events.md#error), and nothing has happened: nothing stored, nobody
told, no subscription changed (S6.1, R6.3). The connection stays open. `message` is a sentence for a person; a program
looks at `code`, which `vetchat.v1` adds (V2.3).

The codes stand in the order in which a server checks, and the first that fails is the one reported. Whoever collects
too many of those marked • in a minute is closed with [4108](close-codes.md) (R2.7).
"""

ADVICE: Final = {
    Code.INVALID_JSON: (
        "The frame is binary, or not one JSON text; a lone surrogate, NaN or Infinity counts (R2.5).",
        "Mend the program.",
    ),
    Code.INVALID_ENVELOPE: (
        "Not an object, a missing or mistyped `event`, `sender_id` or `params`, a bad `ref` (V2.1).",
        "Mend the program.",
    ),
    Code.RATE_LIMITED: ("This user issues commands too fast (R2.7).", "Send it again after `retry_after_ms`."),
    Code.HELLO_REQUIRED: ("The first frame must be `hello` (V1.1).", "Say `hello`, then send it again."),
    Code.UNKNOWN_EVENT: ("There is no command of this name in this dialect (R2.5).", "Mend the program."),
    Code.SENDER_MISMATCH: ("`sender_id` is somebody else's (R2.3).", "Leave it out, or use your own."),
    Code.INVALID_PARAMS: (
        "A parameter is missing, of the wrong type or out of bounds; the sentence names it.",
        "Mend the program, or tell the user.",
    ),
    Code.FORBIDDEN_ROLE: (
        "Your role may not do this (S3.2), or the operator's policy says no (R4.15).",
        "Do not offer it.",
    ),
    Code.NOT_FOUND: (
        "There is no such conversation, or you take no part in it; which, nobody is told (R3.4).",
        "Forget the conversation.",
    ),
    Code.IDEMPOTENCY_CONFLICT: (
        "You used this client-chosen id for something else before (V2.2).",
        "Choose a new one.",
    ),
    Code.UNAVAILABLE: ("The server cannot do it now; it was not done (R6.3).", "Send it again later, with back-off."),
    Code.INTERNAL: ("The server made a mistake; it was not done.", "Report it. Send it again later."),
}
"""When each code comes, and what to do then."""

CLOSE_INTRODUCTION: Final = """\
When a server ends a connection, the code says whether and when to come back (V5.2). In `vetchat.v1` the verdict is in
the number:

* **40xx**: do not come back as you are; something about you has to change first.
* **41xx**: come back with back-off: wait, and longer each time, with some chance in it.
* **42xx**: come back now.

The base dialect knows the standard codes of RFC 6455 alone, except for 4202 (R1.9). The reason that goes with a code is
one sentence of at most 123 bytes.
"""

STEPS: Final = {
    4001: "Get another token first.",
    4003: "Get a token with a role first.",
    4008: "Mend the program: `hello` is the first frame (V1.1).",
    4100: "Come back with back-off. A command without an answer may have been done: retry it under the same id (V2.2).",
    4108: "Mend the program, then come back with back-off.",
    4109: "Come back with back-off and resume; nothing is lost (V5.3).",
    4110: "Close another one, or come back with back-off.",
    4200: "Come back after what `reconnect` said, and resume (V5.4).",
    4201: "Come back now and resume.",
    4202: "Come back now, with a new token (V1.5).",
}
"""What a client does after each close code."""

V1_ALONE: Final = {4003, 4008, 4110}
"""What a base connection never sees: it is refused before the upgrade, and has no `hello` to wait for."""

STANDARD: Final = [
    ("1007", "1007", "A text frame was not UTF-8 (R2.5).", "Mend the program."),
    ("1009", "1009", "A frame was longer than the server reads (R2.7).", "Send less at once."),
    (
        "1012",
        "1012",
        "The server's process ends without draining, as a plain uvicorn does.",
        "Come back now and resume.",
    ),
]
"""The codes that the WebSocket library sends by itself."""

REFUSED_INTRODUCTION: Final = """\
Before there is a connection, the server answers the upgrade request with a plain HTTP status and a sentence.
"""

STATUSES: Final = [
    ("400", "You offered only subprotocols that the server does not know."),
    (
        "401",
        "The token is missing, bad, expired or revoked (R1.7). In `vetchat.v1` it may come in `hello` instead (V1.3).",
    ),
    (
        "403",
        "The token is good but has no usable role, or the page that you come from is not an allowed origin (R1.7).",
    ),
    ("429", "You have too many connections (R2.7)."),
    ("503", "The server is starting, stopping, or has too many connections that have not said `hello` (V1.3)."),
]


def errors() -> str:
    """Every error code in the order of its check."""
    rows = [
        (f"`{code.value}`{' •' if code in UNREADABLE else ''}", linked(ADVICE[code][0]), ADVICE[code][1])
        for code in Code
    ]
    return page("Error codes", linked(ERRORS_INTRODUCTION), table(["code", "when", "what to do"], rows))


def close_codes() -> str:
    """Every close code in both dialects, and the HTTP statuses that stand for some of them before the upgrade."""
    closes = sorted(
        (close for close in vars(defined).values() if isinstance(close, CloseCode)), key=lambda close: close.code
    )
    rows = [(str(one.code), _on_base(one), one.reason, linked(STEPS[one.code])) for one in closes]
    head = ["`vetchat.v1`", "base", "reason", "what to do"]
    return page(
        "Close codes",
        linked(CLOSE_INTRODUCTION),
        table(head, rows),
        "These come from the WebSocket library, and mean the same in both dialects:",
        table(head, [(one, base, linked(reason), step) for one, base, reason, step in STANDARD]),
        "## Refused before the upgrade",
        REFUSED_INTRODUCTION,
        table(["status", "reason"], [(status, linked(reason)) for status, reason in STATUSES]),
    )


def _on_base(close: CloseCode) -> str:
    return "" if close.code in V1_ALONE else str(close.base_code)
