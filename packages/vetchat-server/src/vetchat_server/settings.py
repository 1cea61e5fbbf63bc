"""Every setting of `vetchat serve`, read once by the command line: from `VETCHAT_…` variables and from its options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from vetchat_protocol.fields import MAX_PROVIDERS
from vetchat_protocol.session import Terms

from .backends.tortoise.database import Database
from .environment import Limits
from .upgrade import Origins, is_loopback

PREFIX: Final = "VETCHAT_"
"""What the name of every variable begins with."""

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@*\s]+")

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def default_database() -> str:
    """A SQLite file in the user's data directory."""
    return f"sqlite://{user_data_path('vetchat') / 'vetchat.sqlite3'}"


class Settings(BaseSettings):
    """How a server runs. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", env_ignore_empty=True, allow_inf_nan=False)

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="The port to listen on; 0 picks a free one.")
    database: str = Field(
        default_factory=default_database,
        description="`sqlite:///absolute/path` or `postgres://user@host:port/name`.",
    )
    open: bool = Field(
        False, description="Lets everybody in as whoever they say they are, even on an address that is not loopback."
    )
    jwt_secret: SecretStr | None = Field(None, description="Verifies tokens by HS256; at least 32 bytes.")
    jwt_keys: Path | None = Field(None, description="A JWKS or PEM file; verifies by RS256, ES256 or EdDSA.")
    jwt_issuer: str | None = Field(None, description="What a token's `iss` must be.")
    jwt_audience: str | None = Field(None, description="What a token's `aud` must be, or contain.")
    allowed_origins: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="Web origins that may connect beside the server's own, separated by commas."
    )
    rate_limit: float = Field(
        20.0, ge=0, allow_inf_nan=False, description="Commands per second and user; 0 for no limit."
    )
    rate_burst: Positive = Field(200, description="Commands that a user may issue at once.")
    max_refusals: Positive = Field(100, description="Refused frames per minute and connection.")
    max_connections_per_user: Positive = Field(20, description="Connections per user.")
    max_frame_bytes: Positive = Field(131_072, description="The largest frame a peer may send.")
    max_providers: Positive = Field(MAX_PROVIDERS, description="Providers per conversation.")
    outbox_frames: Positive = Field(1_000, description="Frames that may wait for one connection.")
    outbox_bytes: Positive = Field(1_048_576, description="Bytes that may wait for one connection.")
    max_waiting_for_hello: Positive = Field(1_000, description="`vetchat.v1` connections that have not said hello.")
    max_resume_frames: Positive = Field(10_000, description="Frames that a resume may replay.")
    handshake_timeout: Seconds = Field(10.0, description="How long a new connection may take to send its request.")
    hello_timeout: Seconds = Field(10.0, description="How long a `vetchat.v1` connection may take to say hello.")
    heartbeat_interval: Seconds = Field(25.0, description="How often peers are pinged, and may take to answer.")
    tell_disconnects: bool = Field(True, description="Whether `user_left` is sent when somebody disconnects.")
    direct: bool = Field(
        True, description="Whether frames pass ASGI by, which is faster; false goes the way of every ASGI server."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(origin.strip().lower().rstrip("/") for origin in value.split(",") if origin.strip())
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: frozenset[str]) -> frozenset[str]:
        if not all(_ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("An origin is named like https://clinic.example, without a path; commas separate several.")
        return value

    @field_validator("database")
    @classmethod
    def _known_database(cls, value: str) -> str:
        Database.parse(value)
        return value

    @model_validator(mode="after")
    def _safe(self) -> Settings:
        if self.jwt_secret is not None and self.jwt_keys is not None:
            raise ValueError("Give a JWT secret or JWT keys, not both.")
        if self.open and not self.open_mode:
            raise ValueError("Open mode and JWT tokens exclude each other.")
        if self.open_mode and not self.open and not is_loopback(self.host):
            raise ValueError(
                "Without tokens everybody could be anybody, so the server listens on loopback only. Set "
                "VETCHAT_JWT_SECRET or VETCHAT_JWT_KEYS, or, if you know what you do, VETCHAT_OPEN=true."
            )
        return self

    @property
    def open_mode(self) -> bool:
        """Whether no tokens are configured (R1.3)."""
        return self.jwt_secret is None and self.jwt_keys is None

    def terms(self) -> Terms:
        """What every session is bound by."""
        return Terms(
            frame_bytes=self.max_frame_bytes,
            providers=self.max_providers,
            commands_per_second=self.rate_limit,
            resume_frames=self.max_resume_frames,
            heartbeat_interval=round(self.heartbeat_interval * 1_000),
            hello_timeout=round(self.hello_timeout * 1_000),
        )

    def limits(self) -> Limits:
        """What the server takes on."""
        return Limits(
            burst=self.rate_burst,
            refusals_per_minute=self.max_refusals,
            connections_per_user=self.max_connections_per_user,
            outbox_frames=self.outbox_frames,
            outbox_bytes=self.outbox_bytes,
            waiting_for_hello=self.max_waiting_for_hello,
        )

    def origins(self) -> Origins:
        """Which web pages may connect."""
        return Origins(self.allowed_origins, loopback_only=self.open_mode and not self.open)


def emptied(environment: Mapping[str, str]) -> Iterator[str]:
    """Names of variables about tokens that are set to nothing: somebody meant to have tokens verified (R1.3)."""
    return (name for name, value in environment.items() if not value and name.upper().startswith(f"{PREFIX}JWT_"))


def misspelt(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names of variables that set nothing and look like one that would, each with that one."""
    for name in names:
        prefix, setting = name[: len(PREFIX)].upper(), name[len(PREFIX) :].lower()
        if prefix != PREFIX or setting in Settings.model_fields:
            continue
        if meant := get_close_matches(setting, Settings.model_fields, n=1, cutoff=0.8):
            yield name, f"{PREFIX}{meant[0].upper()}"


def explain(error: ValidationError) -> str:
    """What is wrong with the settings, a line each, naming variables and never repeating a secret."""
    lines: list[str] = []
    for one in error.errors(include_url=False, include_input=False):
        message = one["msg"].removeprefix("Value error, ")
        name = "_".join(str(part) for part in one["loc"])
        lines.append(f"{PREFIX}{name.upper()}: {message}" if name else message)
    return "\n".join(lines)
