"""Tokens: the good ones of every kind are believed, each known attack is refused, and nothing is said about content."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from realtime_server.auth.identity import MAX_PROJECTS, Identity
from realtime_server.auth.issue import issue_token
from realtime_server.auth.keys import KeySet, parse_key_set
from realtime_server.auth.tokens import LEEWAY, MAX_TOKEN_BYTES, TokenVerifier
from realtime_server.core.roles import Role
from realtime_server.errors import CollaborationError, ConfigurationError, ErrorCode

SECRET = b"a secret of more than thirty-two bytes"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
RSA_JWK = {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "rsa", "use": "sig"}
EC_JWK = {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec"}
ED_JWK = {**OKPAlgorithm.to_jwk(ED_KEY.public_key(), as_dict=True), "kid": "ed"}
KEY_SET = json.dumps({"keys": [RSA_JWK, EC_JWK, ED_JWK]}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims with changes; a change to ... removes the claim."""
    good = {"sub": "alice", "name": "Alice", "exp": int(time.time()) + 600, "projects": {"demo": "preparer"}}
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def signed(**changes: Any) -> str:
    return jwt.encode(claims(**changes), SECRET, algorithm="HS256")


def segment(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: object, payload: object, key: bytes = b"") -> str:
    """A token put together by hand, with an HMAC by `key`, as an attacker would: no library refuses to make it."""
    head = f"{segment(header)}.{segment(payload)}"
    return f"{head}.{segment(hmac.new(key, head.encode(), hashlib.sha256).digest()) if key else ''}"


def key_set(document: bytes = KEY_SET) -> KeySet:
    async def load() -> bytes:
        return document

    return KeySet(load)


async def refusal(verifier: TokenVerifier, token: object) -> CollaborationError:
    with pytest.raises(CollaborationError) as caught:
        await verifier.verify(token)
    assert caught.value.__cause__ is None
    return caught.value


async def assert_unauthenticated(verifier: TokenVerifier, token: object) -> None:
    assert (await refusal(verifier, token)).code is ErrorCode.UNAUTHENTICATED


@pytest.fixture
def by_secret() -> TokenVerifier:
    return TokenVerifier(secret=SECRET)


@pytest.fixture
def by_keys() -> TokenVerifier:
    return TokenVerifier(keys=key_set())


@pytest.fixture
def by_both() -> TokenVerifier:
    return TokenVerifier(secret=SECRET, keys=key_set())


async def test_a_good_token_gives_who_it_stands_for(by_secret: TokenVerifier) -> None:
    exp = int(time.time()) + 600
    identity = await by_secret.verify(signed(exp=exp, projects={"demo": "preparer", "audit": "auditor"}))
    assert identity == Identity("alice", "Alice", {"demo": Role.PREPARER, "audit": Role.AUDITOR}, exp)
    assert all(isinstance(role, Role) for role in identity.roles.values())


async def test_the_name_is_the_user_id_where_there_is_none_and_no_project_means_no_role(
    by_secret: TokenVerifier,
) -> None:
    identity = await by_secret.verify(signed(name=..., projects=...))
    assert (identity.name, dict(identity.roles)) == ("alice", {})


async def test_roles_cannot_be_changed_after_the_check(by_secret: TokenVerifier) -> None:
    identity = await by_secret.verify(signed())
    with pytest.raises(TypeError):
        identity.roles["demo"] = Role.ADMIN  # type: ignore[index]  # that is what is tested


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec"), (ED_KEY, "EdDSA", "ed")]
)
@pytest.mark.parametrize("named", [True, False], ids=["by_kid", "without_kid"])
async def test_each_kind_of_key_verifies_its_tokens(
    by_keys: TokenVerifier, key: Any, algorithm: str, kid: str, named: bool
) -> None:
    token = jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": kid} if named else None)
    assert (await by_keys.verify(token)).user_id == "alice"


async def test_a_secret_and_a_key_set_can_be_used_together(by_both: TokenVerifier) -> None:
    assert (await by_both.verify(signed())).user_id == "alice"
    assert (await by_both.verify(jwt.encode(claims(), EC_KEY, algorithm="ES256"))).user_id == "alice"


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", None, ["HS256"], {"a": 1}, 5, "HS384", "PS256"]
)
async def test_no_other_algorithm_is_taken_signed_or_not(by_both: TokenVerifier, algorithm: object) -> None:
    header = {"alg": algorithm, "typ": "JWT"}
    await assert_unauthenticated(by_both, forged(header, claims()))
    await assert_unauthenticated(by_both, forged(header, claims(), SECRET))


@pytest.mark.parametrize("verifier_name", ["by_keys", "by_both"])
@pytest.mark.parametrize(
    "encode",
    [
        lambda key: key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        lambda key: key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        lambda key: json.dumps(RSA_JWK).encode(),
        lambda key: KEY_SET,
    ],
    ids=["pem", "der", "jwk", "key_set"],
)
async def test_a_public_key_is_not_taken_for_a_secret(
    request: pytest.FixtureRequest, verifier_name: str, encode: Callable[[Any], bytes]
) -> None:
    verifier = request.getfixturevalue(verifier_name)
    for kid in ("rsa", None):
        header = {"alg": "HS256", "typ": "JWT", **({"kid": kid} if kid else {})}
        await assert_unauthenticated(verifier, forged(header, claims(), encode(RSA_KEY.public_key())))


async def test_a_key_of_one_type_does_not_serve_another_algorithm(by_keys: TokenVerifier) -> None:
    await assert_unauthenticated(by_keys, jwt.encode(claims(), RSA_KEY, algorithm="RS256", headers={"kid": "ec"}))
    await assert_unauthenticated(by_keys, jwt.encode(claims(), EC_KEY, algorithm="ES256", headers={"kid": "rsa"}))


async def test_a_symmetric_key_in_a_key_set_signs_nothing() -> None:
    shared = {"kty": "oct", "k": segment(SECRET), "kid": "shared", "alg": "HS256"}
    verifier = TokenVerifier(keys=key_set(json.dumps({"keys": [shared, EC_JWK]}).encode()))
    await assert_unauthenticated(verifier, jwt.encode(claims(), SECRET, algorithm="HS256", headers={"kid": "shared"}))


async def test_a_signature_by_another_key_is_refused(by_secret: TokenVerifier, by_keys: TokenVerifier) -> None:
    other = jwt.encode(claims(), b"another secret of thirty-two bytes and more", algorithm="HS256")
    await assert_unauthenticated(by_secret, other)
    await assert_unauthenticated(
        by_keys, jwt.encode(claims(), OTHER_RSA_KEY, algorithm="RS256", headers={"kid": "rsa"})
    )


async def test_changed_claims_are_refused(by_secret: TokenVerifier) -> None:
    head, _, signature = signed().split(".")
    await assert_unauthenticated(by_secret, f"{head}.{segment(claims(projects={'demo': 'admin'}))}.{signature}")


@pytest.mark.parametrize("kid", ["unknown", "", "../../dev/null", "rsa' OR 1=1", "x" * 2000])
async def test_an_unknown_key_id_is_refused(by_keys: TokenVerifier, kid: str) -> None:
    await assert_unauthenticated(by_keys, jwt.encode(claims(), RSA_KEY, algorithm="RS256", headers={"kid": kid}))


async def test_keys_that_come_with_the_token_are_not_used(by_keys: TokenVerifier) -> None:
    own = RSAAlgorithm.to_jwk(OTHER_RSA_KEY.public_key(), as_dict=True)
    headers = {"jwk": own, "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/x"}
    for extra in ({}, {"kid": "rsa"}):
        token = jwt.encode(claims(), OTHER_RSA_KEY, algorithm="RS256", headers={**headers, **extra})
        await assert_unauthenticated(by_keys, token)


async def test_a_critical_extension_nobody_knows_is_refused(by_secret: TokenVerifier) -> None:
    header = {"alg": "HS256", "typ": "JWT", "crit": ["exotic"], "exotic": 1}
    await assert_unauthenticated(by_secret, forged(header, claims(), SECRET))


async def test_an_expired_token_is_told_apart_from_a_bad_one(by_secret: TokenVerifier) -> None:
    past = int(time.time()) - LEEWAY - 1
    assert (await refusal(by_secret, signed(exp=past))).code is ErrorCode.TOKEN_EXPIRED
    forged_and_expired = jwt.encode(claims(exp=past), b"another secret of thirty-two bytes and more", algorithm="HS256")
    await assert_unauthenticated(by_secret, forged_and_expired)


async def test_a_token_that_is_not_valid_yet_is_refused(by_secret: TokenVerifier) -> None:
    await assert_unauthenticated(by_secret, signed(nbf=int(time.time()) + 600))
    await assert_unauthenticated(by_secret, signed(iat=int(time.time()) + 600))


@pytest.mark.parametrize("expiry", [..., None, "soon", "", True, [], {}, float("inf"), float("nan"), -1e400, "1e9"])
async def test_a_token_without_a_proper_expiry_is_refused(by_secret: TokenVerifier, expiry: object) -> None:
    assert (await refusal(by_secret, signed(exp=expiry))).code in (ErrorCode.UNAUTHENTICATED, ErrorCode.TOKEN_EXPIRED)


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"iss": "books", "aud": "live"}, True),
        ({"iss": "books", "aud": ["other", "live"]}, True),
        ({"iss": "evil", "aud": "live"}, False),
        ({"iss": "books", "aud": "other"}, False),
        ({"iss": "books", "aud": []}, False),
        ({"iss": ["books"], "aud": "live"}, False),
        ({"iss": "books"}, False),
        ({"aud": "live"}, False),
        ({}, False),
    ],
)
async def test_issuer_and_audience_must_be_the_configured_ones(changes: dict[str, Any], accepted: bool) -> None:
    verifier = TokenVerifier(secret=SECRET, issuer="books", audience="live")
    if accepted:
        assert (await verifier.verify(signed(**changes))).user_id == "alice"
    else:
        await assert_unauthenticated(verifier, forged({"alg": "HS256", "typ": "JWT"}, claims(**changes), SECRET))


async def test_issuer_and_audience_do_not_matter_where_none_is_configured(by_secret: TokenVerifier) -> None:
    assert (await by_secret.verify(signed(iss="anybody", aud="anything"))).user_id == "alice"


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": ...}, {"sub": None}, {"sub": ""}, {"sub": " "}, {"sub": " alice"}, {"sub": 7}, {"sub": ["alice"]},
        {"sub": "system"}, {"sub": "system/import"},
        {"sub": "x" * 129}, {"sub": "a\x00b"}, {"sub": "a\nb"}, {"sub": "a\u202eb"}, {"sub": "\ud800"},
        {"name": ""}, {"name": 7}, {"name": "x" * 129}, {"name": "a\tb"}, {"name": {}},
        {"projects": []}, {"projects": "demo"}, {"projects": {"demo": "owner"}}, {"projects": {"demo": None}},
        {"projects": {"demo": ["admin"]}}, {"projects": {"demo": {}}}, {"projects": {"": "admin"}},
        {"projects": {"x" * 129: "admin"}}, {"projects": {"a\x00": "admin"}}, {"projects": {"demo": "ADMIN"}},
    ],
)  # fmt: skip
async def test_malformed_claims_are_refused_under_a_good_signature(
    by_secret: TokenVerifier, changes: dict[str, Any]
) -> None:
    await assert_unauthenticated(by_secret, signed(**changes))


async def test_the_longest_names_and_all_roles_are_accepted(by_secret: TokenVerifier) -> None:
    projects = {role.value * 10: role.value for role in Role}
    identity = await by_secret.verify(signed(sub="é" * 128, name="名" * 128, projects=projects))
    assert set(identity.roles.values()) == set(Role)


async def test_more_projects_than_the_bound_are_refused() -> None:
    from realtime_server.auth.identity import identity_from_claims

    many = {str(number): "auditor" for number in range(MAX_PROJECTS)}
    assert len(identity_from_claims(claims(projects=many)).roles) == MAX_PROJECTS
    with pytest.raises(CollaborationError, match="at most 1000"):
        identity_from_claims(claims(projects={**many, "one more": "auditor"}))


async def test_a_token_longer_than_the_bound_is_refused_before_it_is_read(by_secret: TokenVerifier) -> None:
    padding = MAX_TOKEN_BYTES - len(signed(padding=""))
    fits, too_long = signed(padding="x" * (padding * 3 // 4 - 8)), signed(padding="x" * padding)
    assert len(fits) <= MAX_TOKEN_BYTES < len(too_long)
    assert (await by_secret.verify(fits)).user_id == "alice"
    assert "longer than" in (await refusal(by_secret, too_long)).message


@pytest.mark.parametrize(
    "token",
    [
        None, 7, b"bytes", [], {}, "", " ", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "Bearer x", "é.é.é",
        forged([], claims(), SECRET), forged("HS256", claims(), SECRET), forged({}, claims(), SECRET),
        forged(b"{", claims(), SECRET), forged({"alg": "HS256"}, [], SECRET), forged({"alg": "HS256"}, b"{", SECRET),
        forged({"alg": "HS256"}, b"\xff\xfe", SECRET), forged({"alg": "HS256"}, b"[" * 5000, SECRET),
        forged(b"[" * 5000, claims(), SECRET), forged({"alg": "HS256", "kid": 7}, claims(), SECRET),
        forged({"alg": "HS256", "kid": {}}, claims(), SECRET),
        forged({"alg": "HS256", "b64": False, "crit": ["b64"]}, claims(), SECRET),
    ],
)  # fmt: skip
async def test_what_is_no_token_is_refused(by_both: TokenVerifier, token: object) -> None:
    await assert_unauthenticated(by_both, token)


async def test_no_message_and_no_log_line_holds_token_text(
    by_both: TokenVerifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bad = [
        signed(sub="canary\n"), signed(name="canary\t"), signed(projects={"canary": "canary"}),
        signed(iss="canary", exp="canary"), signed() + "canary", "canary",
        jwt.encode(claims(sub="canary"), RSA_KEY, algorithm="RS256", headers={"kid": "canary"}),
        forged({"alg": "canary"}, claims()),
    ]  # fmt: skip
    for token in bad:
        error = await refusal(by_both, token)
        assert "canary" not in str(error.to_wire())
        assert token not in str(error.to_wire())
    assert "canary" not in caplog.text


def test_a_verifier_without_any_key_or_with_a_short_secret_is_not_made() -> None:
    with pytest.raises(ConfigurationError, match="AUTH_JWT_SECRET"):
        TokenVerifier()
    with pytest.raises(ConfigurationError, match="at least 32 bytes"):
        TokenVerifier(secret=b"x" * 31)


async def test_an_issued_token_is_good_for_its_time(by_secret: TokenVerifier) -> None:
    before = int(time.time())
    identity = await by_secret.verify(issue_token(SECRET, "bob", None, {"demo": Role.ADMIN}, ttl=60))
    assert (identity.user_id, identity.name, dict(identity.roles)) == ("bob", "bob", {"demo": Role.ADMIN})
    assert before + 60 <= identity.expires_at <= int(time.time()) + 60


def test_a_private_key_in_a_key_set_is_reduced_to_its_public_half() -> None:
    private = {name: value for name, value in RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True).items() if name != "key_ops"}
    assert "d" in private
    (key,) = parse_key_set(json.dumps({"keys": [private]}).encode())
    assert not hasattr(key.key.key, "private_bytes")
