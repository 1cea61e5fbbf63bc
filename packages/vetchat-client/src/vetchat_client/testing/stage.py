"""Where a scene plays: it ends when the scene does, or as soon as anything goes wrong around it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from anyio import CancelScope


class Stage:
    """Ends the scene first and everybody else afterwards, so that nobody fails only because another one has.

    `scope` holds the scene. `errors` are those of the server, the people and the programs, the first one first.
    """

    def __init__(self) -> None:
        self.scope: CancelScope = CancelScope()
        self.errors: list[Exception] = []

    @contextmanager
    def ended_by_errors(self) -> Generator[None]:
        """An error in this block ends the scene."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  (it is raised when the scene has ended)
            self.errors.append(error)
            self.scope.cancel()
