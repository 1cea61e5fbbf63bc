"""The chat's app."""
