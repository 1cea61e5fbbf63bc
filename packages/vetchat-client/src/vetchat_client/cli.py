"""`vetchat chat`: a chat in the terminal. It needs the extra `terminal`, and says so where that is missing."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from vetchat_protocol import Role
from vetchat_protocol.fields import canonical_uuid

from .address import Address
from .client import connect
from .errors import Unauthenticated, UnknownUser, Unreachable, VetChatError
from .tokens import TokenSource

if TYPE_CHECKING:
    from .terminal.app import Ending

OPEN_TIMEOUT = 6.0
"""How long to try to get the first connection, in seconds."""

DESCRIPTION = """\
Chat in the terminal, as a pet owner (client) or as a vet (provider).

In open mode, which a server on your own machine has unless told otherwise, say who you are by --role and --name.
Everywhere else bring a token, best in VETCHAT_TOKEN or in a file: what stands on the command line can be seen by
others on the same machine and stays in the history of your shell.

It needs a library of its own for the screen: pip install 'vetchat-client[terminal]'"""

EXAMPLES = """\
examples:
  vetchat chat ws://127.0.0.1:8000/ws/ --role client --name Ann
  VETCHAT_TOKEN=… vetchat chat wss://chat.clinic.example/ws/

Ctrl+G shows the keys, Ctrl+Q quits. The exit status is 0 after that, 1 if the server could not be reached or did not
want you, and 2 if the command was not understood."""


class _Chat:
    """The command in the shape in which `vetchat` takes it, made of the standard library alone."""

    def main(self, *, args: Sequence[str], prog_name: str, standalone_mode: bool = True) -> int:
        """Runs the command; the exit status."""
        parser = _parser(prog_name)
        options = parser.parse_args(args)
        try:
            Address(options.url)
            token = _token(options)
        except ValueError as error:
            parser.error(str(error))
        if why := _unfit():
            print(f"{prog_name}: {why}", file=sys.stderr)
            return 2
        return _run(prog_name, options, token)


chat: _Chat = _Chat()
"""The entry point."""


def _parser(prog_name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog_name,
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("url", metavar="URL", help="where the server is: ws://… or wss://…; without a path, /ws/")
    parser.add_argument("--role", choices=[role.value for role in Role], help="who you want to be, in open mode")
    parser.add_argument("--name", help="how others see you, in open mode")
    parser.add_argument("--user-id", metavar="UUID", help="be the same user again, in open mode; otherwise a new one")
    tokens = parser.add_mutually_exclusive_group()
    tokens.add_argument(
        "--token-file", type=Path, metavar="FILE", help="a file with a token; read again when it expires"
    )
    tokens.add_argument("--token", help="a token; better in the variable VETCHAT_TOKEN or in a file")
    return parser


def _token(options: argparse.Namespace) -> TokenSource:
    """Where the token comes from; a file is read again whenever the server wants another one.

    Raises:
        ValueError: the file cannot be read, or the user id is none.
    """
    if options.user_id is not None:
        _check_id(options.user_id)
    if options.token_file is None:
        return options.token or os.environ.get("VETCHAT_TOKEN") or None
    path: Path = options.token_file

    async def read() -> str:
        return _read(path)

    _read(path)
    return read


def _check_id(user_id: str) -> None:
    try:
        canonical_uuid(user_id)
    except ValueError:
        raise ValueError("--user-id must be a UUID in its 36-character form.") from None


def _read(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"--token-file {path} cannot be read: {getattr(error, 'strerror', 'it is not text')}."
        ) from None
    if not token:
        raise ValueError(f"--token-file {path} is empty.")
    return token


def _unfit() -> str | None:
    """Why there can be no chat here."""
    if _missing("textual"):
        return "the terminal's library is missing. Install it by: pip install 'vetchat-client[terminal]'"
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or os.environ.get("TERM") == "dumb":
        return "this is a chat on the whole screen and needs a terminal. For programs there is vetchat_client.connect."
    return None


def _missing(module: str) -> bool:
    try:
        return find_spec(module) is None
    except ValueError:  # somebody has blocked it in sys.modules
        return True


def _run(prog_name: str, options: argparse.Namespace, token: TokenSource) -> int:
    """Connects and chats; the exit status."""
    logging.getLogger("vetchat_client").addHandler(logging.NullHandler())  # the screen belongs to the chat
    print(f"Connecting to {Address(options.url)} …", file=sys.stderr)
    try:
        ending = anyio.run(_converse, options, token)
    except VetChatError as error:
        print(f"{prog_name}: {_why(error, Address(options.url))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if ending is None:
        return 128 + signal.SIGTERM
    _say_goodbye(options, ending, in_open_mode=token is None)
    if ending.error is not None:
        print(f"{prog_name}: {ending.error}", file=sys.stderr)
    return 0 if ending.error is None else 1


async def _converse(options: argparse.Namespace, token: TokenSource) -> Ending | None:
    """Shows the chat until somebody ends it; None if that was a signal."""
    from .terminal.app import Terminal  # noqa: PLC0415  (it needs the extra)

    async with connect(
        options.url,
        token=token,
        user_id=options.user_id,
        role=options.role,
        name=options.name,
        open_timeout=OPEN_TIMEOUT,
    ) as chat:
        app = Terminal(chat, options.name)
        async with anyio.create_task_group() as tasks:
            if sys.platform != "win32":
                tasks.start_soon(_leave_on_signal, app.exit)
            ending = await app.run_async()
            tasks.cancel_scope.cancel()
            return ending


async def _leave_on_signal(leave: Callable[[], None]) -> None:
    """Gives the terminal back before the process ends."""
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            leave()


def _why(error: VetChatError, address: Address) -> str:
    """An error in a sentence that says what to do."""
    match error:
        case Unreachable():
            return _unreachable(error, address)
        case Unauthenticated():
            code = error.status or error.close_code
            return f"The server asks for a good token ({code}). Put one into VETCHAT_TOKEN or --token-file."
        case UnknownUser():
            return "This server does not say who you are, so you have to: add --user-id."
        case _:
            return str(error)


def _unreachable(error: Unreachable, address: Address) -> str:
    attempt = error.__cause__
    match attempt.__cause__ if attempt is not None else None:
        case ConnectionRefusedError():
            return f"Nothing listens at {address}. Is the server running?"
        case socket.gaierror():
            return f"There is no host by the name in {address}."
        case _:
            return str(error) if attempt is None else f"{error} {attempt}"


def _say_goodbye(options: argparse.Namespace, ending: Ending, *, in_open_mode: bool) -> None:
    """What one wants to have when the screen is gone: what was not sent, and how to come back as the same."""
    for text in ending.unsent:
        print(f"Not sent:\n{text}\n")
    if in_open_mode:
        who = "".join(f" --{key} {shlex.quote(value)}" for key in ("role", "name") if (value := getattr(options, key)))
        print(f"To come back as the same:\nvetchat chat {Address(options.url)}{who} --user-id {ending.me}")
