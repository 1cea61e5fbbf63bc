"""Tortoise ORM on SQLite or PostgreSQL; the only room that knows either."""

from .store import TortoiseStore

__all__ = ["TortoiseStore"]
