"""`vetchat conformance`: judges a server over the wire, or plays one for a client."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import get_terminal_size

import anyio
import click
from vetchat_protocol.clauses import CLAUSES

from .check import Check, Profile, profile_of
from .checks import CHECKS
from .identities import Cast, Identity, OpenCast, State, TokenCast, from_file, from_token
from .knocking import Unheard, knock
from .rendering import as_json, as_junit, as_table, explained
from .report import verdicts
from .runner import Outcome, Plan, run
from .scripted import ScriptedServer, Transcript

__all__ = ["conformance"]


@click.command()
@click.argument("url", required=False)
@click.option(
    "--profile",
    type=click.Choice(["base", "v1"]),
    default="base",
    show_default=True,
    help="Which clauses: those of the base wire, or those of vetchat.v1 as well.",
)
@click.option("--open", "is_open", is_flag=True, help="The server is in open mode: take any id by ?user_id=.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    metavar="JWT",
    help="A token to connect with; repeat it for two owners, two vets, and one id in both roles.",
)
@click.option(
    "--tokens",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='A JSON array of {"user_id", "role", "token"}, for tokens that are not JWTs.',
)
@click.option(
    "--expiring-token", metavar="JWT", help="A token of another user that runs out within a minute, to see it end."
)
@click.option("--revoked-token", metavar="JWT", help="A token of another user that the operator has revoked.")
@click.option("--only", multiple=True, metavar="CLAUSE", help="Check this clause only; may be repeated.")
@click.option("--slow", is_flag=True, help="Run the checks that take long too: half a minute more.")
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=15.0,
    show_default=True,
    help="Commands a second that a user sends at most; 0 for any number.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds to wait for what must come.",
)
@click.option("--json", "as_object", is_flag=True, help="Print the report as JSON.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JUnit's XML too.")
@click.option("--explain", metavar="CLAUSE", help="Print a clause and what its checks do, and judge nothing.")
@click.option(
    "--serve",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="TRANSCRIPT",
    help="Play the server of this transcript for one client, and judge the client.",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="The port for --serve; a free one if left out.")
def conformance(
    url: str | None,
    *,
    profile: Profile,
    is_open: bool,
    tokens: Sequence[str],
    file: Path | None,
    expiring_token: str | None,
    revoked_token: str | None,
    only: Sequence[str],
    slow: bool,
    rate: float,
    patience: float,
    as_object: bool,
    junit: Path | None,
    explain: str | None,
    serve: Path | None,
    port: int,
) -> None:
    """Judges the server at URL by the clauses of the protocol, over the wire alone.

    Give it --open for a server in open mode, or tokens. Prints a line for each clause, and the frames that show a
    failure. The exit status is 0 if nothing failed, 1 if something did, and 2 if nothing could be judged.
    """
    if explain is not None:
        for line in explained(CLAUSES[_known(explain, "v1")], _width()):
            click.echo(line)
        return
    if serve is not None:
        sys.exit(anyio.run(_serve, _transcript(serve), port, patience))
    if url is None:
        raise click.UsageError("Name the server, for example ws://127.0.0.1:8000/ws/.")
    identities = [*_identities(tokens, file), *_spare("expiring", expiring_token), *_spare("revoked", revoked_token)]
    plan = Plan(url, _casting(is_open, identities), patience=patience, rate=rate, slow=slow)
    checks = _chosen(profile, [_known(clause, profile) for clause in only])
    try:
        outcomes = anyio.run(_judge, plan, checks, sys.stderr.isatty())
    except Unheard as unheard:
        raise click.UsageError(str(unheard)) from None
    found = [one for one in verdicts(outcomes, profile) if not only or one.clause.id in only]
    if junit is not None:
        junit.write_text(as_junit(profile, found), encoding="utf-8")
    click.echo(as_json(url, profile, found) if as_object else as_table(found, _width()))
    statuses = {one.status for one in found}
    sys.exit(1 if "failed" in statuses else 0 if "passed" in statuses else 2)


def _known(clause: str, profile: Profile) -> str:
    if clause not in CLAUSES:
        raise click.BadParameter(f"There is no clause {clause}; the first one is {next(iter(CLAUSES))}.")
    if profile == "base" != profile_of(clause):
        raise click.BadParameter(f"{clause} belongs to vetchat.v1: add --profile v1.")
    return clause


def _width() -> int | None:
    """The columns of the terminal, or `None` where the output goes elsewhere."""
    return max(60, get_terminal_size().columns) if sys.stdout.isatty() else None


def _identities(tokens: Sequence[str], file: Path | None) -> list[Identity]:
    try:
        listed = from_file(file.read_text(encoding="utf-8")) if file is not None else []
        return [*(from_token(token) for token in tokens), *listed]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _spare(state: State, token: str | None) -> list[Identity]:
    try:
        return [] if token is None else [from_token(token, state)]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _casting(is_open: bool, identities: Sequence[Identity]) -> Callable[[], Cast]:
    if is_open == bool(identities):
        raise click.UsageError("Say --open for a server in open mode, or give it tokens by --token or --tokens.")
    if is_open:
        return OpenCast
    try:
        cast = TokenCast(identities)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return lambda: cast


def _chosen(profile: Profile, only: Sequence[str]) -> list[Check]:
    mine = [check for check in CHECKS if profile == "v1" or check.profile == "base"]
    return [check for check in mine if not only or set(only) & set(check.clauses)]


async def _judge(plan: Plan, checks: Sequence[Check], aloud: bool) -> list[Outcome]:
    """Runs the checks; to a person at a terminal it tells how far it is."""
    await knock(plan)
    done = 0

    def told(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        if aloud:
            text = f"{done} of {len(checks)}: {outcome.check.sentence[:90]}" if done < len(checks) else ""
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)

    return await run(plan, checks, told)


def _transcript(path: Path) -> Transcript:
    try:
        return Transcript.parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}") from None


async def _serve(transcript: Transcript, port: int, patience: float) -> int:
    async with ScriptedServer(transcript, port=port, patience=patience) as server:
        click.echo(f"{transcript.about}\nListening on {server.url}")
        verdict = await server.verdict()
    click.echo(str(verdict))
    return 0 if verdict.passed else 1
