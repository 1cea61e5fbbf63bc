"""The load generator: one process on a core of its own, which counts every delivery of every message."""
