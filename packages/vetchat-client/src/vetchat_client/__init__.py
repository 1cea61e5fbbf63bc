"""The VetChat client for Python programs, on asyncio and trio."""
