"""Logs say what failed, never what somebody wrote or proved who they are with (R1.5, R6.2)."""

import io
import json
import logging
import sys

import pytest
import structlog
from vetchat_server import logs

SECRET = "My cat is called Zyzzyva"


class Stream(io.StringIO):
    """Standard error, on a terminal or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(params=[True, False], ids=["terminal", "file"])
def stream(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, unchanged_logging: None) -> Stream:
    stream = Stream(request.param)
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure("info")
    return stream


def fail(content: str) -> None:
    """Something that knows a secret goes wrong."""
    raise RuntimeError(f"it has {len(content)} characters")


def test_a_failure_is_logged_with_its_traceback_and_without_its_variables(stream: Stream) -> None:
    for logger in (structlog.stdlib.get_logger("vetchat"), logging.getLogger("uvicorn.error")):
        try:
            fail(SECRET)
        except RuntimeError:
            logger.exception("operation_failed")
    assert stream.getvalue().count("it has 24 characters") == 2
    assert "Zyzzyva" not in stream.getvalue()


def test_records_are_json_lines_unless_a_person_reads_them(stream: Stream) -> None:
    structlog.stdlib.get_logger("vetchat").info("serving", port=8000)
    logging.getLogger("elsewhere").warning("hello %s", "there")
    if stream.isatty():
        assert "serving" in stream.getvalue()
        return
    one, two = map(json.loads, stream.getvalue().splitlines())
    assert (one["event"], one["port"], one["level"], one["logger"]) == ("serving", 8000, "info", "vetchat")
    assert (two["event"], two["level"], two["logger"]) == ("hello there", "warning", "elsewhere")
    assert one["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_left_out(stream: Stream) -> None:
    logs.configure("warning")
    structlog.stdlib.get_logger("vetchat").info("serving")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("name", ["tortoise.db_client", "aiosqlite", "asyncio"])
def test_libraries_that_would_log_statements_are_kept_quiet_at_every_level(stream: Stream, name: str) -> None:
    logs.configure("debug")
    logging.getLogger(name).debug("INSERT INTO log VALUES (%s)", SECRET)
    assert stream.getvalue() == ""
