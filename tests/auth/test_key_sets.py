"""Key sets: over real HTTP and from real files, with rotation, failures and hostile content."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from realtime_server.auth import keys as keys_module
from realtime_server.auth.keys import (
    MAX_DOCUMENT_BYTES,
    MAX_KEYS,
    MIN_FETCH_INTERVAL,
    REFRESH_AFTER,
    KeySet,
    key_set_from_file,
    key_set_from_url,
    parse_key_set,
)
from realtime_server.auth.tokens import TokenVerifier, key_set_of, verifier_of
from realtime_server.errors import CollaborationError, ConfigurationError, ErrorCode
from realtime_server.settings import Settings


class Issuer:
    """An issuer of tokens with its key set behind a real HTTP server."""

    def __init__(self) -> None:
        self.private: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.fetches = 0
        self.status = 200
        self.body: bytes | None = None
        self.released = asyncio.Event()
        self.released.set()
        self.url = ""

    def rotate(self, *kids: str) -> None:
        self.private = {kid: self.private.get(kid) or ec.generate_private_key(ec.SECP256R1()) for kid in kids}

    def document(self) -> bytes:
        entries = [
            {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid} for kid, key in self.private.items()
        ]
        return json.dumps({"keys": entries}).encode()

    def token(self, kid: str) -> str:
        claims = {"sub": "alice", "exp": int(time.time()) + 600}
        return jwt.encode(claims, self.private[kid], algorithm="ES256", headers={"kid": kid})

    async def handle(self, request: web.Request) -> web.Response:
        self.fetches += 1
        await self.released.wait()
        if self.status in (301, 302):
            return web.Response(status=self.status, headers={"Location": "/elsewhere"})
        return web.Response(status=self.status, body=self.body or self.document())


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    issuer.rotate("first")
    app = web.Application()
    app.router.add_get("/{any:.*}", issuer.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks.json"
    yield issuer
    issuer.released.set()
    await runner.cleanup()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def with_clock(keys: KeySet) -> Clock:
    clock = keys._clock = Clock()
    return clock


async def code_of(verifier: TokenVerifier, token: str) -> ErrorCode:
    with pytest.raises(CollaborationError) as caught:
        await verifier.verify(token)
    return caught.value.code


async def test_a_token_is_verified_with_keys_fetched_once(issuer: Issuer) -> None:
    verifier = TokenVerifier(keys=key_set_from_url(issuer.url))
    identities = await asyncio.gather(*(verifier.verify(issuer.token("first")) for _ in range(20)))
    assert {identity.user_id for identity in identities} == {"alice"}
    assert issuer.fetches == 1


async def test_a_new_key_is_found_when_a_token_names_it(issuer: Issuer) -> None:
    keys = key_set_from_url(issuer.url)
    clock = with_clock(keys)
    verifier = TokenVerifier(keys=keys)
    await verifier.verify(issuer.token("first"))
    issuer.rotate("first", "second")
    clock.now += MIN_FETCH_INTERVAL
    assert (await verifier.verify(issuer.token("second"))).user_id == "alice"
    assert issuer.fetches == 2


async def test_invented_key_ids_do_not_make_us_a_load_on_the_issuer(issuer: Issuer) -> None:
    keys = key_set_from_url(issuer.url)
    clock = with_clock(keys)
    verifier = TokenVerifier(keys=keys)
    good = issuer.token("first")
    await verifier.verify(good)
    issuer.rotate("first", *map(str, range(50)))
    codes = await asyncio.gather(*(code_of(verifier, issuer.token(str(number))) for number in range(50)))
    assert set(codes) == {ErrorCode.UNAUTHENTICATED}
    assert issuer.fetches == 1
    clock.now += MIN_FETCH_INTERVAL
    await asyncio.gather(*(verifier.verify(issuer.token(str(number))) for number in range(50)))
    assert issuer.fetches == 2


async def test_a_withdrawn_key_is_not_believed_for_ever(issuer: Issuer) -> None:
    keys = key_set_from_url(issuer.url)
    clock = with_clock(keys)
    verifier = TokenVerifier(keys=keys)
    old = issuer.token("first")
    await verifier.verify(old)
    issuer.rotate("second")
    clock.now += REFRESH_AFTER + 1
    await verifier.verify(old)  # answered with what is known, and the set is fetched beside it
    assert keys._renewal is not None
    await keys._renewal
    assert await code_of(verifier, old) is ErrorCode.UNAUTHENTICATED


async def test_an_issuer_that_is_down_makes_nobody_wait_who_has_a_known_key(issuer: Issuer) -> None:
    keys = key_set_from_url(issuer.url)
    clock = with_clock(keys)
    verifier = TokenVerifier(keys=keys)
    token = issuer.token("first")
    await verifier.verify(token)
    issuer.released.clear()
    clock.now += REFRESH_AFTER + 1
    for _ in range(3):
        await verifier.verify(token)  # would hang here
    issuer.status = 503
    issuer.released.set()
    assert keys._renewal is not None
    await keys._renewal
    assert (await verifier.verify(token)).user_id == "alice"


@pytest.mark.parametrize("status", [404, 500, 302, 204])
async def test_while_no_set_could_be_loaded_the_answer_is_unavailable(issuer: Issuer, status: int) -> None:
    issuer.status = status
    verifier = TokenVerifier(keys=key_set_from_url(issuer.url))
    assert await code_of(verifier, issuer.token("first")) is ErrorCode.UNAVAILABLE
    assert await code_of(verifier, issuer.token("first")) is ErrorCode.UNAVAILABLE
    assert issuer.fetches == 1


async def test_an_unreachable_issuer_is_unavailable_too() -> None:
    issuer = Issuer()
    issuer.rotate("first")
    verifier = TokenVerifier(keys=key_set_from_url("http://127.0.0.1:1/jwks.json"))
    assert await code_of(verifier, issuer.token("first")) is ErrorCode.UNAVAILABLE


async def test_a_silent_issuer_is_given_up(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "FETCH_TIMEOUT", 0.05)
    issuer.released.clear()
    verifier = TokenVerifier(keys=key_set_from_url(issuer.url))
    assert await code_of(verifier, issuer.token("first")) is ErrorCode.UNAVAILABLE


async def test_a_set_past_the_size_bound_is_not_read_on(issuer: Issuer) -> None:
    issuer.body = issuer.document() + b" " * (4 * MAX_DOCUMENT_BYTES)
    with pytest.raises(ConfigurationError, match="longer than"):
        await key_set_from_url(issuer.url).load()


async def test_a_file_is_read_again_when_its_keys_change(tmp_path: Path) -> None:
    issuer, path = Issuer(), tmp_path / "keys.json"
    issuer.rotate("first")
    path.write_bytes(issuer.document())
    keys = key_set_from_file(path)
    clock = with_clock(keys)
    verifier = TokenVerifier(keys=keys)
    await verifier.verify(issuer.token("first"))
    issuer.rotate("second")
    path.write_bytes(issuer.document())
    clock.now += MIN_FETCH_INTERVAL
    assert (await verifier.verify(issuer.token("second"))).user_id == "alice"


async def test_a_missing_file_is_named_when_it_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"key set cannot be loaded: .*nowhere\.json"):
        await key_set_from_file(tmp_path / "nowhere.json").load()


async def test_the_settings_choose_where_keys_come_from(tmp_path: Path, issuer: Issuer) -> None:
    (tmp_path / "keys.json").write_bytes(issuer.document())
    for environment in ({"AUTH_JWKS_URL": issuer.url}, {"AUTH_JWKS_FILE": str(tmp_path / "keys.json")}):
        settings = Settings.from_environment({**environment, "DATA_DIR": str(tmp_path)})
        assert (await verifier_of(settings).verify(issuer.token("first"))).user_id == "alice"
    assert key_set_of(Settings.from_environment({})) is None
    assert not (tmp_path / "jwt-secret").exists()


def rsa_entry(bits: int, **members: Any) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    return {**RSAAlgorithm.to_jwk(key, as_dict=True), "kid": "k", **members}


def ec_entry(curve: ec.EllipticCurve, **members: Any) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(ec.generate_private_key(curve).public_key(), as_dict=True), "kid": "k", **members}


@pytest.mark.parametrize(
    "entry",
    [
        rsa_entry(1024),
        rsa_entry(2048, use="enc"),
        rsa_entry(2048, alg="RS512"),
        rsa_entry(2048, alg="HS256"),
        rsa_entry(2048, key_ops=["encrypt"]),
        rsa_entry(2048, key_ops="verify"),
        rsa_entry(2048, kid=7),
        rsa_entry(2048, n=5),
        rsa_entry(2048, n="!"),
        ec_entry(ec.SECP384R1()),
        ec_entry(ec.SECP256R1(), x="AA"),
        ec_entry(ec.SECP256R1(), crv=["P-256"]),
        ec_entry(ec.SECP256R1(), kty=["EC"]),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k"},
        {"kty": "EC", "crv": "P-256"},
        {},
        "text",
        None,
    ],
)
def test_a_key_of_another_kind_is_left_out_and_the_others_stay(entry: Any) -> None:
    good = ec_entry(ec.SECP256R1(), kid="good")
    assert [key.kid for key in parse_key_set(json.dumps({"keys": [entry, good]}).encode())] == ["good"]
    with pytest.raises(ValueError, match="no key"):
        parse_key_set(json.dumps({"keys": [entry]}).encode())


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"[]", b"null", b"5", b'{"keys": {}}', b'{"keys": []}', b"[" * 100_000, b"\xff",
     json.dumps({"keys": [{}] * (MAX_KEYS + 1)}).encode()],
    ids=lambda document: repr(document[:20]),
)  # fmt: skip
def test_what_is_no_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError):
        parse_key_set(document)


async def test_two_keys_of_one_name_are_ambiguous_and_neither_is_used() -> None:
    entries = [ec_entry(ec.SECP256R1(), kid="same"), ec_entry(ec.SECP256R1(), kid="same")]

    async def load() -> bytes:
        return json.dumps({"keys": entries}).encode()

    assert await KeySet(load).key("same", "ES256") is None
