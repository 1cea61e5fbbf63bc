"""What all parts of the contract share: the store under test, closed and opened again as a test asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from ..ports import LogHead, Store

NewStore = Callable[[], Store]
"""Makes a store that is not open yet, over the same data whenever it is called within one test."""

Reopen = Callable[[], Awaitable[tuple[Store, LogHead]]]
"""Closes the store and opens a new one over the same data, as a restart would; answers it and what its `open` said."""


class StoreSuite:
    """The fixtures of the contract; a subclass provides `new_store`."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def new_store(self) -> NewStore:
        raise NotImplementedError("Provide the fixture `new_store`, which answers a function that makes your store.")

    @pytest.fixture
    async def opened(self, new_store: NewStore) -> AsyncIterator[list[Store]]:
        """The stores opened so far; the last one is open."""
        stores = [new_store()]
        await stores[0].open()
        yield stores
        await stores[-1].close()

    @pytest.fixture
    def store(self, opened: list[Store]) -> Store:
        return opened[-1]

    @pytest.fixture
    def reopen(self, opened: list[Store], new_store: NewStore) -> Reopen:
        async def close_and_open() -> tuple[Store, LogHead]:
            await opened[-1].close()
            opened.append(new_store())
            return opened[-1], await opened[-1].open()

        return close_and_open
