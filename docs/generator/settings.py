"""The pages that come from the server's settings: all of them, and the limits among them."""

from typing import Final

from pydantic.fields import FieldInfo
from vetchat_protocol.commands import MAX_LIMIT, MAX_LISTED
from vetchat_protocol.fields import MAX_CONTENT
from vetchat_server.settings import Settings

from .markdown import linked, page, table

INTRODUCTION: Final = """\
Every setting of `vetchat serve` is an environment variable; `--host`, `--port` and `--database` are options as well,
and the option wins. Times are in seconds, sizes in bytes. A value that makes no sense is a sentence on the terminal and
a refusal to start. So is an empty variable about tokens, lest a secret that went missing let everybody in; any other
empty one counts as not set. A variable that sets nothing but looks like one that would is named in the log.
"""

LIMITS_INTRODUCTION: Final = """\
What a server takes on, and what happens beyond it. The defaults stand here; an operator may have
[set others](../server/settings.md), and `welcome` tells a `vetchat.v1` client those that concern it (V1.2). Nothing is
ever dropped in silence: beyond a limit there is an `error`, a close code or an HTTP status.
"""

LIMITS: Final = {
    "max_frame_bytes": ("One frame, in bytes", "close 1009", "R2.7"),
    "max_providers": ("Vets of one conversation", "`error`", "R4.13"),
    "rate_limit": ("Commands of a user in a second, in the long run", "`error`", "R2.7"),
    "rate_burst": ("Commands of a user at once", "`error`", "R2.7"),
    "max_refusals": ("Refused frames of a connection in a minute", "close 4108, base 1008", "R2.7"),
    "max_connections_per_user": ("Connections of a user", "close 4110, base HTTP 429", "R2.7"),
    "outbox_frames": ("Frames that wait for a slow reader", "close 4109, base 1013", "V5.3"),
    "outbox_bytes": ("Bytes that wait for a slow reader", "close 4109, base 1013", "V5.3"),
    "handshake_timeout": ("Time for the handshake, in seconds", "dropped", "R2.7"),
    "hello_timeout": ("Time until `hello`, in seconds", "close 4008", "V1.1"),
    "max_waiting_for_hello": ("Connections that have not said `hello`", "HTTP 503", "V1.3"),
    "max_resume_frames": ("Frames that a resume replays", "`recovered` is `false`", "V3.4"),
    "heartbeat_interval": ("Time to answer a WebSocket ping, in seconds", "close 4201, base 1011", "V5.1"),
}
"""What each of these settings bounds, what happens beyond it, and the clause that says so."""

FIXED: Final = [
    ("The content of a message, in code points", f"{MAX_CONTENT:,}", "`error`", "R4.8"),
    ("Messages in one answer to `conversation_history`", str(MAX_LIMIT), "`error`", "R4.17"),
    ("Entries in one page of `conversations`", f"{MAX_LISTED:,}", "`error`", "V3.6"),
    ("A `ref`, a `client_message_id`, an `epoch`, in characters", "64", "`error`", "V2.1"),
]
"""Limits that no setting changes."""


def settings() -> str:
    """Every setting of the server with its default."""
    rows = [_setting(name, field) for name, field in Settings.model_fields.items()]
    return page("Settings", INTRODUCTION, table(["variable", "default", "meaning"], rows))


def _setting(name: str, field: FieldInfo) -> tuple[str, str, str]:
    return f"`VETCHAT_{name.upper()}`", _default(field), str(field.description)


def _default(field: FieldInfo) -> str:
    """The default as one would write it, in words where it is worked out at the start, nothing where there is none."""
    if field.default_factory is not None:
        return (field.default_factory.__doc__ or "").rstrip(".")
    value: object = field.default
    if value is None or value == frozenset():
        return ""
    text = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{text}`"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def limits() -> str:
    """Every limit that a client can run into."""
    set_by = [
        (what, _number(Settings.model_fields[name].default), beyond, linked(clause), f"`VETCHAT_{name.upper()}`")
        for name, (what, beyond, clause) in LIMITS.items()
    ]
    fixed = [(what, value, beyond, linked(clause)) for what, value, beyond, clause in FIXED]
    return page(
        "Limits",
        linked(LIMITS_INTRODUCTION),
        "## Set by the operator",
        table(["limit", "default", "beyond it", "clause", "setting"], set_by),
        "## Part of the protocol",
        table(["limit", "value", "beyond it", "clause"], fixed),
    )
