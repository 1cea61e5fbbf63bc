"""Tortoise ORM on SQLite or PostgreSQL; the only room that knows either."""

from .store import TortoiseStore, revoke

__all__ = ["TortoiseStore", "revoke"]
