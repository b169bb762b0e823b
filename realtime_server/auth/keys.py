"""Key sets (JWKS, RFC 7517): public keys by id, fetched from a URL or read from a file, and kept.

Only public keys for RS256, ES256 and EdDSA (Ed25519) are taken. The algorithm follows the key's type and never the
token's header (RFC 8725, section 3.1), and a symmetric key in a set is left out: who can read a key set must not be
able to sign.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from realtime_server.errors import CollaborationError, ConfigurationError, ErrorCode

log = logging.getLogger(__name__)

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
MAX_DOCUMENT_BYTES = 256 * 1024
MAX_KEYS = 100
MIN_RSA_BITS = 2048
"""RFC 7518, section 3.3."""
FETCH_TIMEOUT = 5.0
REFRESH_AFTER = 600.0
"""Seconds after which a set is fetched again, so that a key the issuer has withdrawn is not believed for ever."""
MIN_FETCH_INTERVAL = 10.0
"""Seconds between two fetches at least: tokens with invented key ids must not make us a load on the issuer."""

_PUBLIC_MEMBERS = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}
_ALGORITHM_OF = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and the one algorithm it may verify."""

    kid: str | None
    algorithm: str
    key: PyJWK


def parse_key_set(document: bytes) -> tuple[VerificationKey, ...]:
    """The usable keys of a JWKS document. Keys of other kinds or uses are left out; raises `ValueError` where the
    document is no key set, or none of its keys is usable.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"longer than {MAX_DOCUMENT_BYTES} bytes")
    try:
        entries = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError('not a JSON object with "keys"') from None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise ValueError(f'"keys" is not a list of at most {MAX_KEYS}')
    keys = tuple(key for entry in entries if isinstance(entry, dict) and (key := _usable(entry)) is not None)
    if not keys:
        raise ValueError("no key for RS256, ES256 or EdDSA")
    return keys


def _usable(entry: Mapping[str, Any]) -> VerificationKey | None:
    kty, kid, operations = entry.get("kty"), entry.get("kid"), entry.get("key_ops")
    if not isinstance(kty, str) or not isinstance(kid, str | None):
        return None
    curve = None if kty == "RSA" else entry.get("crv")
    algorithm = _ALGORITHM_OF.get((kty, curve)) if isinstance(curve, str | None) else None
    if algorithm is None or entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
        return None
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return None
    try:
        key = PyJWK({name: entry[name] for name in _PUBLIC_MEMBERS[kty]}, algorithm)
    except (PyJWTError, KeyError, ValueError, TypeError):
        log.warning("a key of the key set is malformed and left out")
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < MIN_RSA_BITS:
        log.warning("an RSA key of the key set has less than %d bits and is left out", MIN_RSA_BITS)
        return None
    return VerificationKey(kid, algorithm, key)


class KeySet:
    """Keys by id, loaded when first needed, again when old, and again when an unknown id is asked for.

    Loads are one at a time and at least `MIN_FETCH_INTERVAL` apart. When a later load fails the keys of the last good
    one stay in use. ``clock`` gives monotonic seconds.
    """

    def __init__(self, load: Callable[[], Awaitable[bytes]], clock: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._clock = clock
        self._keys: tuple[VerificationKey, ...] = ()
        self._loaded_at = self._tried_at = float("-inf")
        self._loading = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    @property
    def age(self) -> float:
        """Seconds since the keys in use were loaded; 0 before the first time."""
        return self._clock() - self._loaded_at if self._keys else 0.0

    async def key(self, kid: str | None, algorithm: str) -> VerificationKey | None:
        """The key a token names; without a ``kid``, the only key of that algorithm. None where there is no such key.

        Raises `CollaborationError` ``unavailable`` while no set could be loaded at all.
        """
        if self._keys and self._clock() - self._loaded_at > REFRESH_AFTER:
            self._renew()
        found = self._find(kid, algorithm)
        if found is None:
            await self._refresh()
            found = self._find(kid, algorithm)
        if not self._keys:
            raise CollaborationError(ErrorCode.UNAVAILABLE, "The keys that verify tokens cannot be loaded now")
        return found

    async def load(self) -> int:
        """Load now; the number of keys. Raises `ConfigurationError` with the reason in one line."""
        async with self._loading:
            try:
                await self._load_keys()
            except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise ConfigurationError(f"the key set cannot be loaded: {_reason(error)}") from None
        return len(self._keys)

    async def document(self) -> bytes:
        """The set as it is published now, for somebody who looks into it. ConfigurationError as in `load`."""
        try:
            return await self._load()
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ConfigurationError(f"the key set cannot be loaded: {_reason(error)}") from None

    def _renew(self) -> None:
        # Beside the request: an issuer that is down must not make everybody wait who shows a known key.
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._refresh(), name="key-set-renewal")

    def _find(self, kid: str | None, algorithm: str) -> VerificationKey | None:
        found = [key for key in self._keys if key.algorithm == algorithm and (kid is None or key.kid == kid)]
        return found[0] if len(found) == 1 else None

    async def _refresh(self) -> None:
        async with self._loading:
            if self._clock() - self._tried_at < MIN_FETCH_INTERVAL:
                return
            try:
                await self._load_keys()
            except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
                log.warning("the key set cannot be loaded: %s", _reason(error))

    async def _load_keys(self) -> None:
        self._tried_at = self._clock()
        self._keys = parse_key_set(await self._load())
        self._loaded_at = self._clock()


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def key_set_from_url(url: str) -> KeySet:
    """A key set behind `url`: at most `MAX_DOCUMENT_BYTES`, within `FETCH_TIMEOUT` seconds, no redirects."""

    async def load() -> bytes:
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as response,
        ):
            if response.status != 200:
                raise ValueError(f"{url} answered {response.status}")
            document = bytearray()
            async for chunk in response.content.iter_chunked(65536):
                document += chunk
                if len(document) > MAX_DOCUMENT_BYTES:
                    break  # parse_key_set refuses it; the rest is not read
            return bytes(document)

    return KeySet(load)


def key_set_from_file(path: Path) -> KeySet:
    """A key set in a file, read again under the same rules, so that keys can be rotated without a restart."""

    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(MAX_DOCUMENT_BYTES + 1)

    return KeySet(lambda: asyncio.to_thread(read))
