"""Every Python snippet of the README and of the site runs, and prints what the page says that it prints.

The comment before a snippet says how: `run: open` talks to a server in open mode, `run: app /path` is an application
that takes connections at that path, `run: tests` are tests that pass.
"""

import re
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from websockets.sync.client import connect

from tests.running import ServerProcess, free_port

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

MARKED: Final = re.compile(
    r"<!-- run: (?P<how>open|tests|app (?P<path>/\S*)) -->\n```python\n(?P<code>.*?)^```$"
    r"(?:\n+(?:It prints:\n+)?```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
"""A marked snippet, and its output if a `text` block follows."""

ADDRESS: Final = "ws://127.0.0.1:8000/ws/"
TIMEOUT: Final = 30.0
"""How long a snippet, or an application's start, may take; in seconds."""


@dataclass(frozen=True)
class Snippet:
    page: Path
    line: int
    how: str
    path: str | None
    code: str
    output: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def snippets(page: Path) -> Iterator[Snippet]:
    text = page.read_text(encoding="utf-8")
    for found in MARKED.finditer(text):
        line = text.count("\n", 0, found.start("code")) + 1
        yield Snippet(page, line, found["how"], found["path"], found["code"], found["output"])


SNIPPETS: Final = [snippet for page in PAGES for snippet in snippets(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_snippet_is_marked_so_that_it_is_run(page: Path) -> None:
    fences = re.findall(r"^\s*```python", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == len(list(snippets(page)))


@pytest.mark.parametrize("snippet", [snippet for snippet in SNIPPETS if snippet.how == "open"], ids=str)
def test_a_snippet_that_talks_to_a_server_does_what_the_page_says(
    snippet: Snippet, open_server: ServerProcess, tmp_path: Path
) -> None:
    assert ADDRESS in snippet.code
    program = tmp_path / "snippet.py"
    program.write_text(snippet.code.replace(ADDRESS, open_server.ws_url), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert snippet.output is None or done.stdout == snippet.output


@pytest.mark.parametrize("snippet", [snippet for snippet in SNIPPETS if snippet.path is not None], ids=str)
def test_a_snippet_that_is_an_application_takes_connections(snippet: Snippet, tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(snippet.code, encoding="utf-8")
    with (
        served(tmp_path, "snippet:app") as address,
        connect(f"{address}{snippet.path}", open_timeout=TIMEOUT) as socket,
    ):
        socket.send('{"event": "conversations"}')
        assert '"event":"conversations"' in str(socket.recv(timeout=TIMEOUT))


@pytest.mark.parametrize("snippet", [snippet for snippet in SNIPPETS if snippet.how == "tests"], ids=str)
def test_a_snippet_that_is_a_test_passes(snippet: Snippet, tmp_path: Path) -> None:
    (tmp_path / "test_snippet.py").write_text(snippet.code, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = clause\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--quiet", "--strict-markers", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=4 * TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@contextmanager
def served(folder: Path, application: str) -> Generator[str]:
    """Runs an application as the page says, with uvicorn; the address of its WebSockets, once it listens there."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--ws", "websockets-sansio"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stderr is not None
        try:
            said = next((line for line in process.stderr if "Uvicorn running on" in line), None)
            assert said is not None, "uvicorn ended before it listened"
            yield f"ws://127.0.0.1:{port}"
        finally:
            process.terminate()
