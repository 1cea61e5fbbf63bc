"""`vetchat chat` as a command: in a real terminal, and wherever it cannot be one."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import monotonic

import pytest
from vetchat_client import cli
from vetchat_client.cli import chat

from tests.client.company import PATIENCE, consultation
from tests.client.plain import PlainServer
from tests.conformance.peer import new_id
from tests.running import ServerProcess, free_port

CHAT = (sys.executable, "-m", "vetchat_protocol.cli", "chat")
CTRL_Q, CTRL_C, ENTER = b"\x11", b"\x03", b"\r"
LEFT = b"\x1b[?1049l"
"""What gives the screen back to what was there before."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Typist:
    """A person at a pseudo-terminal of 80 × 24 in which the command runs."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.shown = b""
        self._keyboard, screen = pty.openpty()
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VETCHAT_")}
        self.process = subprocess.Popen(
            [*CHAT, *arguments],
            stdin=screen,
            stdout=screen,
            stderr=screen,
            env=clean | {"TERM": "xterm-256color"} | environment,
            start_new_session=True,
        )
        os.close(screen)

    def press(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def sees(self, text: str) -> None:
        """Returns once this was written to the terminal."""
        deadline = monotonic() + 2 * PATIENCE
        with DefaultSelector() as selector:
            selector.register(self._keyboard, EVENT_READ)
            while text.encode() not in self.shown:
                assert selector.select(deadline - monotonic()), f"{text!r} never came:\n{self.shown[-2_000:]!r}"
                self.shown += self._read()

    def leaves(self) -> int:
        """The exit status; everything was read until then."""
        while data := self._read():
            self.shown += data
        return self.process.wait(PATIENCE)

    def _read(self) -> bytes:
        try:
            return os.read(self._keyboard, 65_536)
        except OSError:  # on Linux, the end of a pseudo-terminal
            return b""

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._keyboard)


@contextmanager
def typist(*arguments: str, **environment: str) -> Generator[Typist]:
    one = Typist(*arguments, **environment)
    try:
        yield one
    finally:
        one.close()


def run(*arguments: str) -> int:
    """The command in this process, which has no terminal; its exit status."""
    try:
        return chat.main(args=arguments, prog_name="vetchat chat")
    except SystemExit as left:
        return int(left.code or 0)


async def test_one_starts_it_writes_and_quits(open_server: ServerProcess) -> None:
    async with consultation(open_server.ws_url) as (ann, bell, conversation):
        await bell.send(conversation, "Hello\x1b]0;owned\x07 Ann.")
        arguments = (open_server.ws_url, "--role", "client", "--name", "Ann", "--user-id", ann.user)
        with typist(*arguments) as someone:
            someone.sees("connected")
            someone.sees("(1)")
            someone.press(ENTER)
            someone.sees("rite a message")
            someone.press("Grüße\nund Dank".encode() + ENTER)
            someone.sees("▌ und Dank")
            someone.press(b"not finished")
            someone.sees("not finished")
            someone.press(CTRL_Q)
            assert someone.leaves() == 0
            after = someone.shown.split(LEFT)[-1].decode()
            assert b"\x1b]0;owned" not in someone.shown
        assert "Not sent:\r\nnot finished" in after
        assert f"vetchat chat {open_server.ws_url} --role client --name Ann --user-id {ann.user}" in after
        messages = (await ann.history(conversation)).messages
        assert [one.content for one in messages] == ["Grüße\nund Dank", "Hello\x1b]0;owned\x07 Ann."]


@pytest.mark.parametrize("how", ["ctrl+c", "SIGTERM"])
def test_it_gives_the_terminal_back(open_server: ServerProcess, how: str) -> None:
    with typist(open_server.ws_url) as someone:
        someone.sees("connected")
        if how == "ctrl+c":
            someone.press(CTRL_C)
        else:
            someone.process.send_signal(signal.SIGTERM)
        assert someone.leaves() == (0 if how == "ctrl+c" else 143)
        assert LEFT in someone.shown
        assert b"Traceback" not in someone.shown


def test_a_token_comes_from_the_environment_or_a_file(default_server: ServerProcess, tmp_path: Path) -> None:
    token = default_server.token(new_id(), "provider", name="Dr Bell")
    with typist(default_server.ws_url, VETCHAT_TOKEN=token) as someone:
        someone.sees("(vet)")
        someone.press(CTRL_Q)
        assert someone.leaves() == 0
        assert b"To come back" not in someone.shown
    (tmp_path / "token").write_text(f"{token}\n")
    with typist(default_server.ws_url, "--token-file", str(tmp_path / "token")) as someone:
        someone.sees("(vet)")
        someone.press(CTRL_Q)
        assert someone.leaves() == 0


def test_a_server_that_does_not_want_one_is_told_in_a_sentence(default_server: ServerProcess) -> None:
    for token, code in (("no token", b"401"), ("", b"4001")):
        with typist(default_server.ws_url, VETCHAT_TOKEN=token) as someone:
            assert someone.leaves() == 1
            assert b"The server asks for a good token (" + code + b")" in someone.shown
            assert b"Traceback" not in someone.shown
            assert b"\x1b" not in someone.shown


def test_so_is_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "OPEN_TIMEOUT", 0.3)
    monkeypatch.setattr(cli, "_unfit", lambda: None)
    url = f"ws://127.0.0.1:{free_port()}/ws/"
    assert run(url) == 1
    assert capsys.readouterr().err.endswith(f"\nvetchat chat: Nothing listens at {url}. Is the server running?\n")


def test_a_server_that_names_no_user_wants_a_user_id(plain_server: PlainServer) -> None:
    with typist(plain_server.url) as someone:
        assert someone.leaves() == 1
        assert b"add --user-id" in someone.shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["http://127.0.0.1/"], "begins with ws:// or wss://"),
        (["ws://127.0.0.1/", "--user-id", "Ann"], "--user-id must be a UUID"),
        (["ws://127.0.0.1/", "--role", "dog"], "invalid choice: 'dog'"),
        (["ws://127.0.0.1/", "--token-file", "nowhere/at all"], "cannot be read: No such file or directory."),
        (["ws://127.0.0.1/"], "needs a terminal"),
        ([], "the following arguments are required: URL"),
    ],
)
def test_what_cannot_be_understood_or_done_is_said_with_status_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""


def test_without_the_extra_it_says_what_to_install() -> None:
    without = "import sys; sys.modules['textual'] = None; from vetchat_protocol.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", without, "chat", "ws://127.0.0.1/"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'vetchat-client[terminal]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_tells_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    said = capsys.readouterr().out
    assert "pip install 'vetchat-client[terminal]'" in said
    for told in ("--role {client,provider}", "--token-file FILE", "VETCHAT_TOKEN", "Ctrl+Q", "vetchat chat ws://"):
        assert told in said
