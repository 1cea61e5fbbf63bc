"""The commands that the server contributes to `vetchat`: serve, token, migrate, revoke and new-epoch."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import click
import structlog
from pydantic import ValidationError
from vetchat_protocol.fields import canonical_uuid
from vetchat_protocol.models import Role, User

from . import asgi, logs
from .app import create_app
from .backends.jwt import JwtAuthenticator, PinnedKey, make_token, public_keys, secret_key
from .backends.open import OpenAuthenticator
from .backends.tortoise import TortoiseStore
from .backends.tortoise import revoke as revoke_tokens
from .clock import random_id, system_clock
from .ports import Authenticator, StoreError
from .service import Service
from .settings import Settings, emptied, explain, misspelt

logger = structlog.stdlib.get_logger(__name__)

DATABASE = click.option("--database", metavar="URL", help="sqlite:///absolute/path or postgres://user@host:port/name.")


def _settings(**options: object) -> Settings:
    """The settings, options before variables.

    Raises:
        click.ClickException: something is wrong with them.
    """
    for name in emptied(os.environ):
        raise click.ClickException(f"{name} is empty. Give it a value, or do not set it at all.")
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        raise click.ClickException(explain(error)) from None


def _keys(settings: Settings) -> list[PinnedKey]:
    try:
        if settings.jwt_secret is not None:
            return [secret_key(settings.jwt_secret.get_secret_value())]
        return public_keys(settings.jwt_keys) if settings.jwt_keys is not None else []
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _authenticator(settings: Settings) -> Authenticator:
    keys = _keys(settings)
    if not keys:
        return OpenAuthenticator()
    return JwtAuthenticator(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)


def _service(settings: Settings) -> Service:
    return Service(
        TortoiseStore(settings.database),
        _authenticator(settings),
        terms=settings.terms(),
        limits=settings.limits(),
        origins=settings.origins(),
        tells_disconnect=settings.tell_disconnects,
    )


@click.command()
@click.option("--host", help="The address to listen on [127.0.0.1].")
@click.option("--port", type=int, help="The port to listen on [8000]; 0 picks a free one.")
@DATABASE
def serve(host: str | None, port: int | None, database: str | None) -> None:
    """Run the VetChat server until SIGTERM or SIGINT.

    Every setting can also be given as an environment variable: VETCHAT_HOST, VETCHAT_JWT_SECRET, VETCHAT_RATE_LIMIT, …
    """
    settings = _settings(host=host, port=port, database=database)
    logs.configure(settings.log_level)
    for name, meant in misspelt(os.environ):
        logger.warning("unknown_setting", variable=name, did_you_mean=meant)
    service = _service(settings)
    listener = _listen(settings.host, settings.port)
    try:
        anyio.run(_serve, settings, service, listener, backend_options={"use_uvloop": sys.platform != "win32"})
    except* StoreError as errors:
        raise click.ClickException(_sentence(errors)) from None


def _sentence(errors: BaseExceptionGroup[Any]) -> str:
    """The first error of a group that says something."""
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return _sentence(error)  # pyright: ignore[reportUnknownArgumentType]
        return str(error)
    return "The server cannot run."


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        click.ClickException: the address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise click.ClickException(f"Cannot listen on {host} port {port}: {error.strerror}.") from None
    return listener


async def _serve(settings: Settings, service: Service, listener: socket.socket) -> None:
    """Listens at once, so that `/health` can say `starting`, and serves as soon as the store is open."""
    config = asgi.configure(
        create_app(service, demo=settings.open_mode),
        frame_bytes=settings.max_frame_bytes,
        heartbeat_interval=settings.heartbeat_interval,
        handshake_timeout=settings.handshake_timeout,
        direct=settings.direct,
    )
    server = asgi.Server(config, service.drain)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listener])
        async with service:
            _calm_collector()
            host, port = listener.getsockname()[:2]
            mode = "open" if settings.open_mode else "jwt"
            logger.info("serving", url=f"http://{host}:{port}/", endpoint="/ws/", authentication=mode)
            if settings.open_mode and sys.stderr.isatty():
                click.echo(f"\n  VetChat runs. Open http://{host}:{port}/ in a browser.\n", err=True)
            await server.finished.wait()
    logger.info("stopped")


def _calm_collector() -> None:
    """Leaves what the start made out of garbage collection, which would else stop a full server for half a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@click.command()
@click.option("--sub", help="The user's id, a UUID; left out, a new one.")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.CLIENT.value, show_default=True)
@click.option("--name", default="", help="The name that others see.")
@click.option("--ttl", type=click.IntRange(min=1), default=3_600, show_default=True, help="Its lifetime in seconds.")
def token(sub: str | None, role: str, name: str, ttl: int) -> None:
    """Make a token for trying things out, signed with VETCHAT_JWT_SECRET."""
    settings = _settings()
    if settings.jwt_secret is None:
        raise click.ClickException("Set VETCHAT_JWT_SECRET to the server's secret first.")
    try:
        user_id = random_id() if sub is None else canonical_uuid(sub)
    except ValueError:
        raise click.BadParameter("it must be a UUID in its 36-character form", param_hint="--sub") from None
    now = system_clock()
    click.echo(
        make_token(
            _keys(settings)[0],
            User(user_id, Role(role), name),
            issued_at=now,
            expires_at=now + ttl * 1_000,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        )
    )


def _run(work: Callable[[], Awaitable[str]]) -> None:
    """Runs a command on the database and says what it answers."""
    try:
        click.echo(anyio.run(work))
    except StoreError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@DATABASE
def migrate(database: str | None) -> None:
    """Bring a database's schema up to date; `vetchat serve` does so by itself."""
    store = TortoiseStore(_settings(database=database).database)

    async def run() -> str:
        head = await store.open()
        await store.close()
        return f"The database is up to date; its log has {head.position} entries."

    _run(run)


@click.command("new-epoch")
@DATABASE
def new_epoch(database: str | None) -> None:
    """Name the log anew after restoring a backup, while no server runs, so that every client reloads."""
    store = TortoiseStore(_settings(database=database).database)

    async def run() -> str:
        await store.open()
        try:
            return f"The log is now {await store.new_epoch()}."
        finally:
            await store.close()

    _run(run)


@click.command()
@click.argument("user")
@DATABASE
def revoke(user: str, database: str | None) -> None:
    """Make void every token that USER (a UUID) was given up to now; works while the server runs."""
    url = _settings(database=database).database
    try:
        user_id = canonical_uuid(user)
    except ValueError:
        raise click.BadParameter("it must be a UUID in its 36-character form", param_hint="USER") from None

    async def run() -> str:
        await revoke_tokens(url, user_id, system_clock())
        return f"Every token that {user_id} was given up to now is void; a running server ends its connections."

    _run(run)
