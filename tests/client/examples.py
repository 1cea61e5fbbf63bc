"""What the tests of the example bots share: the bots themselves, and who and what these are about."""

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

BOTS: Final = Path(__file__).parents[2] / "docs" / "example-bots"
BERLIN: Final = ZoneInfo("Europe/Berlin")
SEEDS: Final = range(12)
LOOPS: Final[tuple[Literal["asyncio"], Literal["trio"]]] = ("asyncio", "trio")
"""Seeds take turns."""


def imported(name: str) -> Any:
    """An example, as a module."""
    spec = spec_from_file_location(name, BOTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


out_of_hours: Final = imported("out_of_hours")
appointment_reminder: Final = imported("appointment_reminder")
emergency: Final = imported("emergency")


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def by(name: str, said: Iterable[tuple[str, str]]) -> list[str]:
    return [text for who, text in said if who == name]


FOUR: Final = berlin("2026-11-26 16:00")
"""When the appointment is."""


class Calendar:
    """The file with the appointments that the reminder reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.holds()

    def holds(self, *rows: object) -> None:
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(rows), encoding="utf-8")
        draft.replace(self.path)


def row(conversation_id: str, at: datetime = FOUR, what: str = "Rex's vaccination") -> dict[str, str]:
    """An entry in it."""
    return {"conversation": conversation_id, "at": at.isoformat(), "what": what}
