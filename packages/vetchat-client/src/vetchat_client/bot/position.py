"""Where a bot remembers how far it has come: a file, or whatever can load and save a position."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from anyio.to_thread import run_sync
from vetchat_protocol.commands import Resume

from ..errors import LocalError


class UnreadablePosition(LocalError):
    """There is a saved position and it cannot be read; the sentence says what to do."""


class PositionStore(Protocol):
    """Keeps one position, of one bot with one server. A program may bring its own, say a row of its database."""

    async def load(self) -> Resume | None:
        """What was saved last; None if nothing ever was. Raises if it cannot tell."""
        ...

    async def save(self, position: Resume) -> None:
        """Returns once the position would outlive a power cut; until then the one before stays.

        Only one call at a time. Raises if it did not work; the bot will try again.
        """
        ...


class FilePosition:
    """A position in a file of its own, as JSON; its folder must exist."""

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path)

    def __repr__(self) -> str:
        return f"FilePosition({str(self.path)!r})"

    async def load(self) -> Resume | None:
        """What was saved last; None if there is no file.

        Raises:
            UnreadablePosition: there is one, but no position can be read from it.
        """
        try:
            return Resume.model_validate_json(await run_sync(self.path.read_bytes))
        except FileNotFoundError:
            return None
        except OSError as error:
            why = f"The position in {self.path} cannot be read ({type(error).__name__}): let this user read the file."
            raise UnreadablePosition(why) from error
        except ValueError:
            raise UnreadablePosition(
                f"{self.path} holds no position. Put back a copy of it, if there is one: whatever is answered twice is"
                " stored once. Or delete it to begin at the end of the log: what was said meanwhile stays unanswered."
            ) from None

    async def save(self, position: Resume) -> None:
        """Replaces the file at once and as a whole.

        Raises:
            OSError: the file system does not let it.
        """
        await run_sync(self._replace, position.model_dump_json())

    def _replace(self, text: str) -> None:
        draft = self.path.with_name(f".{self.path.name}.new")
        with draft.open("w", encoding="utf-8") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
        if os.name == "posix":
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
