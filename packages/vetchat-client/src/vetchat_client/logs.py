"""What the client writes to the log: that something happened, with its fields, and never a token or what was said."""

from __future__ import annotations

import logging
from typing import Final

logger: Final = logging.getLogger("vetchat_client")


def log(level: int, happened: str, **fields: object) -> None:
    """Writes `happened key=value …`; the fields are also the record's `vetchat`, for handlers that want them apart."""
    shown = "".join(f" {key}={value}" for key, value in fields.items() if value not in (None, ""))
    logger.log(level, "%s%s", happened, shown, extra={"vetchat": fields})
