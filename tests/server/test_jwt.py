"""Tokens: who is let in, as whom, and until when; everything else is turned away (R1.3 to R1.9, V1.6)."""

import base64
import hashlib
import hmac
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey
from vetchat_protocol.errors import NO_ROLE, UNAUTHENTICATED, Closing
from vetchat_protocol.models import NIL, UNKNOWN_NAME, Role, User
from vetchat_protocol.operations import Identity
from vetchat_server import Credentials, JwtAuthenticator, public_keys, secret_key
from vetchat_server.backends.jwt import make_token

pytestmark = pytest.mark.anyio

NOW = 1_764_064_800
"""The time at which everything here happens, in seconds as in a token."""

SECRET = "a secret for tests that is longer than 32 bytes"
SUB = "b81d4f92-6c37-4e5a-9d20-74f0c3a1e802"
CLAIMS: dict[str, Any] = {"sub": SUB, "role": "client", "exp": NOW + 60, "iat": NOW - 5}

RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
ED = OKPKey.generate_key("Ed25519")
PUBLIC: list[tuple[Key, str]] = [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")]
ALGORITHMS = ["RS256", "ES256", "EdDSA"]


def authenticator(*, now: float = NOW, **options: Any) -> JwtAuthenticator:
    """One that knows the shared secret."""
    return JwtAuthenticator([secret_key(SECRET)], clock=lambda: int(now * 1_000), **options)


def sign(key: Key, algorithm: str, header: dict[str, Any] | None = None, **claims: Any) -> str:
    with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # EdDSA is called Ed25519 by now
        return jwt.encode({"alg": algorithm, **(header or {})}, CLAIMS | claims, key, algorithms=[algorithm])


def token(**claims: Any) -> str:
    """A good token, but for the claims given; None leaves one out."""
    kept = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return jwt.encode({"alg": "HS256"}, kept, OctKey.import_key(SECRET), algorithms=["HS256"])


def by_hand(header: dict[str, Any], payload: str, *, secret: str = SECRET) -> str:
    """A token whose payload is any text at all, signed properly."""
    return jws.serialize_compact(header, payload, OctKey.import_key(secret), algorithms=["HS256"])


async def identify(server: JwtAuthenticator, text: str | None) -> Identity:
    return await server.authenticate(Credentials(text))


async def refusal(server: JwtAuthenticator, text: str | None) -> object:
    """The close code with which a token is turned away."""
    with pytest.raises(Closing) as closing:
        await identify(server, text)
    return closing.value.close


# -- who it is ---------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R1.3", "R1.6", "R1.9", "V1.6")
async def test_a_token_says_who_it_is_in_which_role_and_until_when() -> None:
    text = token(role="provider", name="Dr Bell", picture="https://clinic.example/bell.png")
    user = User(SUB, Role.PROVIDER, "Dr Bell", "https://clinic.example/bell.png")
    assert await identify(authenticator(), text) == Identity(user, (NOW + 60) * 1_000, (NOW - 5) * 1_000)


@pytest.mark.clause("R2.8")
async def test_the_user_id_is_lower_cased() -> None:
    assert (await identify(authenticator(), token(sub=SUB.upper()))).user.id == SUB


@pytest.mark.clause("R5.4")
@pytest.mark.parametrize("name", [None, "", 7, ["Dr Bell"], {}, True, "\ud800"])
async def test_a_name_or_picture_that_is_no_text_counts_as_absent(name: Any) -> None:
    claims = json.dumps(CLAIMS | {"name": name, "picture": name})
    user = (await identify(authenticator(), by_hand({"alg": "HS256"}, claims))).user
    assert (user.display_name, user.profile_image_url or None) == (UNKNOWN_NAME, None)


@pytest.mark.clause("V1.6")
@pytest.mark.parametrize(
    ("issued_at", "ms"),
    [(None, None), ("yesterday", None), (True, None), (NOW + 9, (NOW + 9) * 1_000), (NOW + 0.5, NOW * 1_000 + 500)],
)
async def test_the_time_of_issue_may_be_anything_and_counts_if_it_is_a_time(issued_at: Any, ms: int | None) -> None:
    assert (await identify(authenticator(), token(iat=issued_at))).issued_at == ms


async def test_unknown_claims_and_headers_are_ignored() -> None:
    text = sign(OctKey.import_key(SECRET), "HS256", {"typ": "at+jwt", "kid": "7"}, scope="chat", jti="1", nbf=NOW)
    assert (await identify(authenticator(), text)).user.id == SUB


# -- who it is not -----------------------------------------------------------------------------------------------------


@pytest.mark.clause("R1.7")
async def test_no_token_is_turned_away() -> None:
    assert await refusal(authenticator(), None) is UNAUTHENTICATED


@pytest.mark.clause("R1.7", "R1.8")
@pytest.mark.parametrize(
    "sub",
    [None, "", NIL, "7", "ann", SUB.replace("-", ""), f"{{{SUB}}}", f"urn:uuid:{SUB}", f"{SUB} ", 7, True, [SUB], {}],
)
async def test_a_subject_that_is_no_uuid_is_turned_away(sub: Any) -> None:
    assert await refusal(authenticator(), token(sub=sub)) is UNAUTHENTICATED


@pytest.mark.clause("R1.7", "V1.3")
@pytest.mark.parametrize("role", [None, "", "admin", "Client", "client ", 1, True, ["client"], {"client": True}])
async def test_a_good_token_without_a_usable_role_is_told_so(role: Any) -> None:
    assert await refusal(authenticator(), token(role=role)) is NO_ROLE


@pytest.mark.clause("R1.7")
async def test_a_bad_token_without_a_usable_role_is_a_bad_token() -> None:
    assert await refusal(authenticator(), token(role="admin", exp=NOW - 1)) is UNAUTHENTICATED


# -- until when --------------------------------------------------------------------------------------------------------


@pytest.mark.clause("R1.9")
@pytest.mark.parametrize("before", [60, 1, 0.001])
async def test_a_token_holds_until_its_very_last_moment(before: float) -> None:
    assert (await identify(authenticator(now=NOW + 60 - before), token())).user.id == SUB


@pytest.mark.clause("R1.9", "R1.7")
@pytest.mark.parametrize("after", [0, 0.001, 0.999, 1, 3_600])
async def test_a_token_has_expired_at_its_second_without_leeway(after: float) -> None:
    assert await refusal(authenticator(now=NOW + 60 + after), token()) is UNAUTHENTICATED


@pytest.mark.clause("R1.9", "R1.7")
@pytest.mark.parametrize("exp", [None, "soon", str(NOW + 60), True, False, [], {}, 0, -1, NOW - 1])
async def test_a_token_without_a_lifetime_ahead_is_turned_away(exp: Any) -> None:
    assert await refusal(authenticator(), token(exp=exp)) is UNAUTHENTICATED


@pytest.mark.clause("R1.9", "R1.7")
@pytest.mark.parametrize("exp", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e300", "9" * 400, "9" * 5_000])
async def test_a_lifetime_beyond_all_measure_is_turned_away(exp: str) -> None:
    payload = json.dumps(CLAIMS | {"exp": 0}).replace('"exp": 0', f'"exp": {exp}')
    assert await refusal(authenticator(), by_hand({"alg": "HS256"}, payload)) is UNAUTHENTICATED


@pytest.mark.clause("R1.7")
async def test_a_token_that_does_not_hold_yet_is_turned_away() -> None:
    assert await refusal(authenticator(), token(nbf=NOW + 1)) is UNAUTHENTICATED


# -- issuer and audience -----------------------------------------------------------------------------------------------


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize("audience", ["chat", ["other", "chat"]])
async def test_the_issuer_and_the_audience_asked_for_are_let_in(audience: Any) -> None:
    server = authenticator(issuer="https://login.example", audience="chat")
    assert (await identify(server, token(iss="https://login.example", aud=audience))).user.id == SUB


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "chat"},
        {"iss": "https://login.example"},
        {"iss": "https://evil.example", "aud": "chat"},
        {"iss": "https://login.example", "aud": "other"},
        {"iss": "https://login.example", "aud": ["other"]},
        {"iss": "https://login.example", "aud": []},
        {"iss": ["https://login.example"], "aud": "chat"},
        {"iss": "https://login.example/", "aud": "chat"},
    ],
)
async def test_another_issuer_or_audience_is_turned_away(claims: dict[str, Any]) -> None:
    server = authenticator(issuer="https://login.example", audience="chat")
    assert await refusal(server, token(**claims)) is UNAUTHENTICATED


# -- signatures --------------------------------------------------------------------------------------------------------


def pem(key: Key, folder: Path) -> Path:
    path = folder / "key.pem"
    assert isinstance(key, RSAKey | ECKey | OKPKey)
    path.write_bytes(key.as_pem(private=False))
    return path


def jwks(folder: Path, *keys: dict[str, Any]) -> Path:
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": list(keys)}))
    return path


def all_public(folder: Path) -> JwtAuthenticator:
    """One that knows all three public keys, by the names of their algorithms."""
    named = [dict(key.as_dict(private=False)) | {"kid": algorithm} for key, algorithm in PUBLIC]
    return JwtAuthenticator(public_keys(jwks(folder, *named)), clock=lambda: NOW * 1_000)


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize(("key", "algorithm"), PUBLIC, ids=ALGORITHMS)
async def test_a_pem_file_with_a_public_key_verifies_its_tokens(tmp_path: Path, key: Key, algorithm: str) -> None:
    server = JwtAuthenticator(public_keys(pem(key, tmp_path)), clock=lambda: NOW * 1_000)
    assert (await identify(server, sign(key, algorithm))).user.id == SUB
    for other, its in PUBLIC:
        if other is not key:
            assert await refusal(server, sign(other, its)) is UNAUTHENTICATED


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize(("key", "algorithm"), PUBLIC, ids=ALGORITHMS)
async def test_a_key_set_verifies_by_the_key_that_is_named_or_by_any(tmp_path: Path, key: Key, algorithm: str) -> None:
    server = all_public(tmp_path)
    for header in ({"kid": algorithm}, {}, {"kid": "unknown"}):
        assert (await identify(server, sign(key, algorithm, header))).user.id == SUB


@pytest.mark.clause("R1.7")
async def test_a_token_that_names_another_key_than_it_was_signed_with_is_turned_away(tmp_path: Path) -> None:
    server = all_public(tmp_path)
    for key, algorithm in PUBLIC:
        for kid in {*ALGORITHMS} - {algorithm}:
            assert await refusal(server, sign(key, algorithm, {"kid": kid})) is UNAUTHENTICATED


@pytest.mark.clause("R1.7")
async def test_a_token_of_another_key_of_the_same_kind_is_turned_away(tmp_path: Path) -> None:
    server = all_public(tmp_path)
    for stranger, algorithm in ((RSAKey.generate_key(2048), "RS256"), (ECKey.generate_key("P-256"), "ES256")):
        for header in ({}, {"kid": algorithm}):
            assert await refusal(server, sign(stranger, algorithm, header)) is UNAUTHENTICATED
    other = jwt.encode({"alg": "HS256"}, CLAIMS, OctKey.import_key("x" * 64), algorithms=["HS256"])
    assert await refusal(authenticator(), other) is UNAUTHENTICATED


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
async def test_a_token_without_a_signature_is_turned_away(tmp_path: Path, algorithm: str) -> None:
    header, payload, _ = token().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).decode().rstrip("=")
    for server in (authenticator(), all_public(tmp_path)):
        assert await refusal(server, f"{header}.{payload}.") is UNAUTHENTICATED
        assert await refusal(server, f"{header}.{payload}") is UNAUTHENTICATED


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize(("key", "algorithm"), PUBLIC, ids=ALGORITHMS)
async def test_a_public_key_is_never_taken_for_a_shared_secret(tmp_path: Path, key: Key, algorithm: str) -> None:
    path = pem(key, tmp_path)
    servers = JwtAuthenticator(public_keys(path), clock=lambda: NOW * 1_000), all_public(tmp_path)
    for secret in (path.read_bytes(), path.read_bytes().strip(), json.dumps(key.as_dict(private=False)).encode()):
        header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": algorithm}).encode()).rstrip(b"=")
        payload = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=")
        signature = base64.urlsafe_b64encode(_hmac_sha256(secret, header + b"." + payload)).rstrip(b"=")
        for server in servers:
            assert await refusal(server, b".".join([header, payload, signature]).decode()) is UNAUTHENTICATED


def _hmac_sha256(secret: bytes, text: bytes) -> bytes:
    return hmac.new(secret, text, hashlib.sha256).digest()


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
async def test_the_key_decides_on_the_algorithm_and_not_the_token(algorithm: str) -> None:
    assert await refusal(authenticator(), sign(OctKey.import_key(SECRET), algorithm)) is UNAUTHENTICATED


@pytest.mark.clause("R1.7")
async def test_a_token_that_was_changed_is_turned_away() -> None:
    header, payload, signature = token().split(".")
    forged = base64.urlsafe_b64encode(json.dumps(CLAIMS | {"role": "provider"}).encode()).decode().rstrip("=")
    for text in (f"{header}.{forged}.{signature}", f"{header}.{payload}.{signature[::-1]}", f"{header}.{payload}."):
        assert await refusal(authenticator(), text) is UNAUTHENTICATED


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize(
    "payload", ["", "{", "[]", "7", "null", '"text"', '{"sub"}', "\x00", "é", '{"sub": "a", "sub": 7}']
)
async def test_a_payload_that_is_no_object_is_turned_away(payload: str) -> None:
    assert await refusal(authenticator(), by_hand({"alg": "HS256"}, payload)) is UNAUTHENTICATED


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize("header", [{"alg": "HS256", "crit": ["b64"], "b64": False}, {"alg": "HS256", "crit": ["exp"]}])
async def test_a_header_that_must_be_understood_and_is_not_is_turned_away(header: dict[str, Any]) -> None:
    encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
    payload = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=")
    signature = base64.urlsafe_b64encode(_hmac_sha256(SECRET.encode(), encoded + b"." + payload)).rstrip(b"=")
    assert await refusal(authenticator(), b".".join([encoded, payload, signature]).decode()) is UNAUTHENTICATED


TOKENISH = st.one_of(
    st.text(max_size=200),
    st.lists(st.text(st.sampled_from("eyJ-_AZaz09="), max_size=20), max_size=6).map(".".join),
    st.lists(st.binary(max_size=60), min_size=1, max_size=5).map(
        lambda parts: ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    ),
)


@pytest.mark.clause("R1.7", "R1.5")
@given(text=TOKENISH)
async def test_whatever_is_no_token_is_turned_away_quietly(text: str) -> None:
    servers = authenticator(), JwtAuthenticator([secret_key(SECRET), secret_key(SECRET[::-1])])
    for server in servers:
        assert await refusal(server, text) is UNAUTHENTICATED


# -- keys --------------------------------------------------------------------------------------------------------------


def test_a_secret_of_fewer_than_32_bytes_is_refused_without_being_shown() -> None:
    assert secret_key("é" * 16).algorithm == "HS256"
    with pytest.raises(ValueError, match="at least 32 bytes") as refused:
        secret_key("x" * 31)
    assert "xxx" not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b'{"keys": []}',
        b'{"keys": 7}',
        b'{"keys": [7]}',
        b'{"keys": [{"kty": "?"}]}',
        b"[]",
        b"\xff\xfe",
        b"-----BEGIN PUBLIC KEY-----",
    ],
)
def test_a_file_that_holds_no_keys_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^The JWT keys .*\.$"):
        public_keys(path)


def test_keys_that_cannot_be_read_are_refused_in_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(ValueError, match=r"^The JWT keys cannot be read: .*\.$"):
            public_keys(path)


@pytest.mark.clause("R1.7")
@pytest.mark.parametrize(
    "key",
    [
        OctKey.import_key(SECRET),
        ECKey.generate_key("P-384"),
        ECKey.generate_key("secp256k1"),
        OKPKey.generate_key("X25519"),
    ],
    ids=["a shared secret", "P-384", "secp256k1", "X25519"],
)
def test_a_key_that_pins_no_algorithm_known_here_is_refused(tmp_path: Path, key: Key) -> None:
    with pytest.raises(ValueError, match=r"^The JWT keys .*\.$"):
        public_keys(jwks(tmp_path, dict(RSA.as_dict(private=False)), dict(key.as_dict())))


def test_a_key_set_as_a_login_service_publishes_it_is_understood(tmp_path: Path) -> None:
    keys = KeySet([RSA, EC]).as_dict(private=False)["keys"]
    for key, algorithm in zip(keys, ("RS256", "ES256"), strict=True):
        key.update(alg=algorithm, use="sig")
    assert [pinned.algorithm for pinned in public_keys(jwks(tmp_path, *map(dict, keys)))] == ["RS256", "ES256"]


async def test_a_token_made_for_trying_out_is_let_in() -> None:
    user = User(SUB, Role.PROVIDER, "Dr Bell")
    text = make_token(
        secret_key(SECRET), user, issued_at=NOW * 1_000, expires_at=(NOW + 60) * 1_000, issuer="me", audience="chat"
    )
    server = authenticator(issuer="me", audience="chat")
    assert await identify(server, text) == Identity(user, (NOW + 60) * 1_000, NOW * 1_000)
