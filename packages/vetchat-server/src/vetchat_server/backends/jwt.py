"""Authentication by JSON Web Tokens (RFC 7519): HS256 by a shared secret, or RS256, ES256 and EdDSA by public keys.

The algorithm is pinned by the key, never chosen by the token, so `none` and algorithm confusion are impossible
(RFC 8725, section 3.1).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry
from vetchat_protocol.errors import NO_ROLE, UNAUTHENTICATED, Closing
from vetchat_protocol.fields import canonical_uuid
from vetchat_protocol.models import UNKNOWN_NAME, Role, User
from vetchat_protocol.operations import Identity

from ..clock import Clock, system_clock
from ..ports import Credentials

MIN_SECRET = 32
"""The shortest shared secret, in bytes (RFC 7518, section 3.2)."""

MAX_EXPIRY = 2**53
"""The latest `exp` in ms: beyond it, a JSON number is not exact for every reader (RFC 8259, section 6)."""


@dataclass(frozen=True, slots=True)
class PinnedKey:
    """A key and the one algorithm that it verifies."""

    key: Key
    algorithm: str


def secret_key(secret: str) -> PinnedKey:
    """The HS256 key of a shared secret.

    Raises:
        ValueError: it is shorter than 32 bytes.
    """
    if len(secret.encode()) < MIN_SECRET:
        raise ValueError(f"The JWT secret must have at least {MIN_SECRET} bytes.")
    return PinnedKey(OctKey.import_key(secret), "HS256")


def public_keys(path: Path) -> list[PinnedKey]:
    """The keys of a JWKS file (RFC 7517) or of a PEM file with one public key.

    Raises:
        ValueError: the file cannot be read, or holds a key of another kind; in one sentence.
    """
    try:
        content = path.read_bytes()
        keys = _read_jwks(content) if content.lstrip().startswith(b"{") else [_read_pem(content)]
    except OSError as error:
        raise ValueError(f"The JWT keys cannot be read: {error.strerror}.") from error
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise ValueError("The JWT keys are neither a JWKS nor a PEM file with a public key.") from error
    return [PinnedKey(key, _algorithm(key)) for key in keys]


def _read_jwks(content: bytes) -> Sequence[Key]:
    return KeySet.import_key_set(json.loads(content)).keys


def _read_pem(content: bytes) -> Key:
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return kind.import_key(content)
        except (JoseError, ValueError, TypeError):
            continue
    raise ValueError


def _algorithm(key: Key) -> str:
    curve = key.as_dict(private=False).get("crv")
    match key, curve:
        case RSAKey(), _:
            return "RS256"
        case ECKey(), "P-256":
            return "ES256"
        case OKPKey(), "Ed25519":
            return "EdDSA"
        case _:
            raise ValueError("The JWT keys must be RSA, P-256 or Ed25519 keys.")


class JwtAuthenticator:
    """Verifies tokens with the claims `sub` (a UUID), `role`, `exp`, and optionally `name`, `picture` and `iat`.

    With `issuer` and `audience`, the claims `iss` and `aud` must match.
    """

    takes_tokens = True

    def __init__(
        self,
        keys: Sequence[PinnedKey],
        *,
        issuer: str | None = None,
        audience: str | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._options: dict[str, ClaimsOption] = {"sub": {"essential": True}, "exp": {"essential": True}}
        if issuer is not None:
            self._options["iss"] = {"essential": True, "value": issuer}
        if audience is not None:
            self._options["aud"] = {"essential": True, "value": audience}

    async def authenticate(self, credentials: Credentials) -> Identity:
        if credentials.token is None:
            raise Closing(UNAUTHENTICATED)
        claims = self._verify(credentials.token)
        try:
            user_id = canonical_uuid(claims["sub"])
            expires_at = int(claims["exp"] * 1_000)
        except (ValueError, OverflowError):
            raise Closing(UNAUTHENTICATED) from None
        if expires_at > MAX_EXPIRY:
            raise Closing(UNAUTHENTICATED)
        role = claims.get("role")
        if not isinstance(role, str) or role not in set(Role):
            raise Closing(NO_ROLE)
        user = User(user_id, Role(role), _text(claims, "name") or UNKNOWN_NAME, _text(claims, "picture"))
        return Identity(user, expires_at, _issued_at(claims))

    def _verify(self, token: str) -> Mapping[str, Any]:
        """The claims, once signature, lifetime, issuer and audience are in order."""
        registry = JWTClaimsRegistry(self._clock() // 1_000, 0, **self._options)
        for pinned in self._candidates(token):
            try:
                claims = _decode(token, pinned)
                registry.validate({name: value for name, value in claims.items() if name != "iat"})
            except (JoseError, ValueError, TypeError):
                continue
            return claims
        raise Closing(UNAUTHENTICATED)

    def _candidates(self, token: str) -> Sequence[PinnedKey]:
        """The keys that the token may be signed with: those of its `kid`, if it names one that is known."""
        if len(self._keys) == 1:
            return self._keys
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
        except (JoseError, ValueError, TypeError):
            raise Closing(UNAUTHENTICATED) from None
        return [pinned for pinned in self._keys if pinned.key.kid == kid] or self._keys


def _decode(token: str, pinned: PinnedKey) -> Mapping[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # EdDSA has a newer name (RFC 9864), which nobody uses yet
        return jwt.decode(token, pinned.key, algorithms=[pinned.algorithm]).claims


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    """A claim that is a string which can be sent; anything else counts as absent."""
    value = claims.get(name)
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def _issued_at(claims: Mapping[str, Any]) -> int | None:
    issued_at = claims.get("iat")
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float):
        return None
    try:
        return int(issued_at * 1_000)
    except (ValueError, OverflowError):
        return None


def make_token(
    key: PinnedKey,
    user: User,
    *,
    expires_at: int,
    issued_at: int,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """Signs a token for trying things out; times in ms since the epoch."""
    claims: dict[str, Any] = {"sub": user.id, "role": user.role.value, "name": user.display_name}
    claims |= {"iat": issued_at // 1_000, "exp": expires_at // 1_000}
    claims |= {name: value for name, value in (("iss", issuer), ("aud", audience)) if value is not None}
    return jwt.encode({"alg": key.algorithm}, claims, key.key, algorithms=[key.algorithm])
