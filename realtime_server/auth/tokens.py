"""The only place where a token is believed.

Threats and answers, after RFC 8725 (JWT best practices): ``none`` and every algorithm but four are refused before a key
is looked at; HS256 is checked with the configured secret, or the one before it, the others with a key of their own
type, so a public key is never taken for a secret; ``jku``, ``jwk`` and ``x5u`` in a header are never followed; issuer
and audience are compared where they are set; a token without ``exp`` is refused. No message and no log line holds token
text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from realtime_server.auth.identity import Identity, identity_from_claims
from realtime_server.auth.issue import load_or_create_secret
from realtime_server.auth.keys import ALGORITHMS, KeySet, key_set_from_file, key_set_from_url
from realtime_server.errors import CollaborationError, ConfigurationError, ErrorCode
from realtime_server.settings import MIN_SECRET_BYTES, Settings

MAX_TOKEN_BYTES = 8 * 1024
LEEWAY = 5
"""Seconds by which the issuer's clock and ours may differ."""


class TokenVerifier:
    """Turns tokens into identities: HS256 by a secret, RS256, ES256 and EdDSA by a key set; at least one of both."""

    def __init__(
        self,
        *,
        secret: bytes | None = None,
        previous_secret: bytes | None = None,
        keys: KeySet | None = None,
        issuer: str | None = None,
        audience: str | None = None,
    ) -> None:
        if secret is None and keys is None:
            raise ConfigurationError("tokens cannot be verified: set AUTH_JWT_SECRET, AUTH_JWKS_URL or AUTH_JWKS_FILE")
        if secret is not None and len(secret) < MIN_SECRET_BYTES:
            raise ConfigurationError(f"the secret for HS256 must have at least {MIN_SECRET_BYTES} bytes")
        self._secret = secret
        self._previous = previous_secret
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    @property
    def key_set_age(self) -> float | None:
        """Seconds since the key set was loaded, 0 before it was; None without one."""
        return None if self._keys is None else self._keys.age

    async def verify(self, token: object) -> Identity:
        """The identity `token` stands for.

        Raises `CollaborationError`: ``token_expired`` for a genuine token that is past, ``unavailable`` while no key
        set could be loaded, ``unauthenticated`` for everything else.
        """
        if not isinstance(token, str) or not token:
            raise _refused("A token is needed")
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise _refused(f"The token is longer than {MAX_TOKEN_BYTES} bytes or not ASCII")
        key, algorithm = await self._key_for(_header(token))
        if algorithm == "HS256" and self._previous is not None and not _signed_with(token, key):
            key = self._previous
        return identity_from_claims(self._claims(token, key, algorithm))

    async def _key_for(self, header: Mapping[str, Any]) -> tuple[bytes | jwt.PyJWK, str]:
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm == "HS256" and self._secret is not None:
            return self._secret, "HS256"
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or self._keys is None:
            raise _refused("The token is signed in a way this server does not accept")
        key = await self._keys.key(kid, algorithm)
        if key is None:
            raise _refused("The token is signed with a key this server does not know")
        return key.key, key.algorithm

    def _claims(self, token: str, key: bytes | jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={
                    "require": ["exp", "sub"],
                    "verify_iss": self._issuer is not None,
                    "verify_aud": self._audience is not None,
                },
            )
        except ExpiredSignatureError:
            raise CollaborationError(ErrorCode.TOKEN_EXPIRED, "The token has expired") from None
        except PyJWTError as error:
            raise _refused(
                _REASONS.get(type(error).__name__, "The token is malformed or its signature wrong")
            ) from None
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise _refused("The token is malformed") from None


# The library's own messages quote claims; ours say which rule was broken and no more.
_REASONS = {
    "InvalidIssuerError": "The token is from another issuer",
    "InvalidAudienceError": "The token is for another audience",
    "MissingRequiredClaimError": "The token lacks a claim that is needed",
    "ImmatureSignatureError": "The token is not valid yet",
}


def _signed_with(token: str, key: Any) -> bool:
    """Whether the signature is this key's; what the token says is judged elsewhere."""
    try:
        jwt.decode_complete(token, key, algorithms=["HS256"], options=_SIGNATURE_ALONE)
    except (PyJWTError, ValueError, TypeError, RecursionError):
        return False
    return True


_SIGNATURE_ALONE: Any = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


def _refused(message: str) -> CollaborationError:
    return CollaborationError(ErrorCode.UNAUTHENTICATED, message)


def _header(token: str) -> dict[str, Any]:
    try:
        return jwt.get_unverified_header(token)
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise _refused("The token is malformed") from None


def key_set_of(settings: Settings) -> KeySet | None:
    """The configured key set, not loaded yet; None where there is none."""
    if settings.auth_jwks_url is not None:
        return key_set_from_url(settings.auth_jwks_url)
    if settings.auth_jwks_file is not None:
        return key_set_from_file(settings.auth_jwks_file)
    return None


async def check_key_file(settings: Settings) -> None:
    """For a server that starts: `ConfigurationError` where ``AUTH_JWKS_FILE`` is set and has no usable key set.

    Behind ``AUTH_JWKS_URL`` is another service, which may come up later: it is asked when the first token comes.
    """
    if settings.auth_jwks_file is not None:
        try:
            await key_set_from_file(settings.auth_jwks_file).load()
        except ConfigurationError as error:
            raise ConfigurationError(f"AUTH_JWKS_FILE={str(settings.auth_jwks_file)!r}: {error}") from None


def verifier_of(settings: Settings) -> TokenVerifier:
    """The verifier the settings ask for. Where they name neither a secret nor a key set, the secret under ``DATA_DIR``
    is used, and made if need be (`load_or_create_secret` logs that).
    """
    keys = key_set_of(settings)
    secret = settings.auth_jwt_secret
    if secret is None and keys is None:
        secret = load_or_create_secret(settings.data_dir)
    return TokenVerifier(
        secret=secret,
        previous_secret=settings.auth_jwt_secret_previous,
        keys=keys,
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
    )
