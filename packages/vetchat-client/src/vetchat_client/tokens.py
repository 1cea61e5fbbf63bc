"""Where tokens come from: a string, or a callable that is asked for a new one whenever the old one is of no use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable

from anyio import Lock

TokenSource = str | Callable[[], Awaitable[str]] | None
"""A token, an async callable that returns one and may be called again, or None where a server wants none."""


class NoTokenSource(TypeError):
    """Where the token is to come from is neither a string nor an async callable; the program has to be changed."""

    def __init__(self) -> None:
        super().__init__("token must be a string, or an async callable that returns one.")


class Tokens:
    """The token in use; the callable is called by one task at a time, and never for a token that is newer already.

    Raises:
        NoTokenSource: the source is none; the calls raise it, too, where the callable returns nothing to be awaited.
    """

    def __init__(self, source: TokenSource) -> None:
        if not (source is None or isinstance(source, str) or callable(source)):
            raise NoTokenSource
        self._source = source
        self._token = source if isinstance(source, str) else None
        self._lock = Lock()

    @property
    def renewable(self) -> bool:
        """Whether there can be another one."""
        return callable(self._source)

    async def current(self) -> str | None:
        """The token in use, fetched if there is none yet; None where none is needed. Raises what the callable does."""
        return await self.renewed(None) if self._token is None else self._token

    async def renewed(self, old: str | None) -> str | None:
        """Another token than the old one, if that is still the one in use. Raises what the callable does."""
        async with self._lock:
            if self._token == old and self._source is not None and not isinstance(self._source, str):
                token: object = self._source()
                if not isawaitable(token):
                    raise NoTokenSource
                self._token = await token
            return self._token
