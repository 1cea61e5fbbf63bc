"""Who the kit may be: the users behind the tokens that it was given, or, in open mode, anybody."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, cast
from uuid import uuid4

from .shapes import JSON, is_uuid
from .verdicts import LeftOut

__all__ = ["Cast", "Identity", "OpenCast", "Role", "State", "TokenCast", "from_file", "from_token"]

Role = Literal["client", "provider"]
State = Literal["good", "expiring", "revoked"]
"""What is with a token: it holds, it runs out during the run (R1.9), or its operator has revoked it (V1.6)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A user in a role. `token` is `None` in open mode (R1.3), where the user asks for its id instead.

    `expires_at` is when a JWT runs out, in seconds since the Unix epoch, or `None` where nobody says it.
    """

    user_id: str
    role: Role
    token: str | None = None
    name: str | None = None
    state: State = "good"
    expires_at: int | None = None


class Cast(Protocol):
    """Who plays in a scene. `fresh` says that nobody in it was ever seen before."""

    @property
    def fresh(self) -> bool: ...

    def one(self, role: Role, number: int) -> Identity:
        """The first, second … user of a role, each with another id.

        Raises:
            LeftOut: there are not so many.
        """
        ...

    def both(self) -> tuple[Identity, Identity]:
        """One id, as a client and as a provider.

        Raises:
            LeftOut: there is none.
        """
        ...

    def bearer(self, state: State) -> Identity:
        """Whoever has a token in this state.

        Raises:
            LeftOut: nobody has.
        """
        ...


class OpenCast:
    """New users for every scene, as open mode allows (R1.3)."""

    fresh = True

    def __init__(self) -> None:
        self._seen: dict[tuple[Role, int], Identity] = {}

    def one(self, role: Role, number: int) -> Identity:
        name = f"{'Owner' if role == 'client' else 'Vet'} {number}"
        return self._seen.setdefault((role, number), Identity(str(uuid4()), role, name=name))

    def both(self) -> tuple[Identity, Identity]:
        user_id = str(uuid4())
        return Identity(user_id, "client"), Identity(user_id, "provider")

    def bearer(self, state: State) -> Identity:
        raise LeftOut("It needs tokens, which open mode has not.")


class TokenCast:
    """The users behind these tokens; an id with both roles plays only where both are needed, and a token that does not
    hold only where that is the point.

    Raises:
        ValueError: a user has a token that holds and one that does not; their checks would disturb each other.
    """

    fresh = False

    def __init__(self, identities: Sequence[Identity]) -> None:
        self.good: list[Identity] = [one for one in identities if one.state == "good"]
        self._others = {one.state: one for one in reversed(identities) if one.state != "good"}
        self._users: dict[Role, dict[str, Identity]] = {"client": {}, "provider": {}}
        for identity in self.good:
            self._users[identity.role].setdefault(identity.user_id, identity)
        if {one.user_id for one in self.good} & {one.user_id for one in self._others.values()}:
            raise ValueError("A token that runs out or was revoked must be that of a user who has no other one here.")
        self._double = [user_id for user_id in self._users["client"] if user_id in self._users["provider"]]

    def one(self, role: Role, number: int) -> Identity:
        users = [one for one in self._users[role].values() if one.user_id not in self._double]
        if number > len(users):
            raise LeftOut(f"It needs the token of {_WHO[role][number - 1]}.")
        return users[number - 1]

    def both(self) -> tuple[Identity, Identity]:
        if not self._double:
            raise LeftOut("It needs two tokens of one id, as a client and as a provider.")
        return self._users["client"][self._double[0]], self._users["provider"][self._double[0]]

    def bearer(self, state: State) -> Identity:
        if state not in self._others:
            raise LeftOut(_LACKING[state])
        return self._others[state]


_WHO: Final[Mapping[Role, tuple[str, ...]]] = {
    "client": ("an owner", "a second owner"),
    "provider": ("a vet", "a second vet"),
}
_LACKING: Final[Mapping[State, str]] = {
    "expiring": "It needs a token that runs out during the run: --expiring-token.",
    "revoked": "It needs a token that the operator has revoked: --revoked-token.",
}


def from_token(token: str, state: State = "good") -> Identity:
    """Learns from a JWT, which is not verified, whose it is.

    Raises:
        ValueError: it is not a JWT with a `sub` and a `role`.
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return _identity(claims["sub"], claims["role"], token, state, claims.get("exp"))
    except (IndexError, KeyError, TypeError, binascii.Error, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("A token is not a JWT with a sub and a role; put it in a file with --tokens.") from None


def from_file(text: str) -> list[Identity]:
    """Reads a JSON array of `{"user_id", "role", "token"}`, for tokens that are not JWTs; each may have a `"state"`.

    Raises:
        ValueError: it is something else.
    """
    try:
        entries = cast("Iterable[dict[str, JSON]]", json.loads(text))
        return [
            _identity(entry["user_id"], entry["role"], entry["token"], entry.get("state", "good")) for entry in entries
        ]
    except (KeyError, TypeError, json.JSONDecodeError):
        raise ValueError('The file must hold a JSON array of {"user_id": …, "role": …, "token": …}.') from None


def _identity(user_id: str, role: str, token: str, state: str, expires_at: JSON = None) -> Identity:
    if role not in ("client", "provider"):
        raise ValueError(f"A token's role is client or provider, not {role!r}.")
    if state not in ("good", "expiring", "revoked"):
        raise ValueError(f"A token's state is good, expiring or revoked, not {state!r}.")
    if not is_uuid(user_id.lower()):
        raise ValueError(f"A token's user id is a UUID of 36 characters, not {user_id!r}.")
    expires = int(expires_at) if isinstance(expires_at, int | float) else None
    return Identity(user_id.lower(), role, token, state=state, expires_at=expires)
