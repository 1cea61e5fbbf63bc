"""Every store keeps every promise of the port: in memory, on SQLite and on PostgreSQL."""

import pytest
from vetchat_server import MemoryStore, TortoiseStore
from vetchat_server.testing import NewStore, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def new_store(self) -> NewStore:
        store = MemoryStore()
        return lambda: store  # what it keeps lives in the object


class TestTortoiseStore(StoreContract):
    @pytest.fixture
    def new_store(self, shared_database: str) -> NewStore:
        return lambda: TortoiseStore(shared_database)
