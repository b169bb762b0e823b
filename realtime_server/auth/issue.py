"""Tokens for development, and the secret of a server that was given none."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import jwt

from realtime_server.core.roles import Role
from realtime_server.errors import ConfigurationError
from realtime_server.settings import MIN_SECRET_BYTES, Settings

log = logging.getLogger(__name__)

SECRET_FILE = "jwt-secret"


def issue_token(
    secret: bytes,
    user: str,
    name: str | None,
    projects: Mapping[str, Role],
    ttl: int,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """An HS256 token for `user` that is good for `ttl` seconds from now."""
    now = int(time.time())
    claims = {
        "sub": user,
        "name": name or user,
        "projects": {project_id: role.value for project_id, role in projects.items()},
        "iat": now,
        "exp": now + ttl,
        "iss": issuer,
        "aud": audience,
    }
    return jwt.encode({key: value for key, value in claims.items() if value is not None}, secret, algorithm="HS256")


def signing_secret(settings: Settings) -> bytes:
    """The secret with which tokens for this server are signed: ``AUTH_JWT_SECRET``, else the one under ``DATA_DIR``.

    Raises `ConfigurationError` where the server takes its keys from a key set: only their issuer can sign then.
    """
    if settings.auth_jwt_secret is not None:
        return settings.auth_jwt_secret
    if settings.auth_jwks_url is not None or settings.auth_jwks_file is not None:
        raise ConfigurationError("tokens come from the issuer of the key set; to make some here, set AUTH_JWT_SECRET")
    return load_or_create_secret(settings.data_dir)


def load_or_create_secret(data_dir: Path) -> bytes:
    """The secret kept in ``data_dir/jwt-secret`` (mode 0600); made, and said so in the log, where there is none.

    Processes that start at the same moment get the same secret. Raises `ConfigurationError` where it cannot be read
    or written, others may read it, or it is too short.
    """
    path = data_dir / SECRET_FILE
    try:
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(f"{path} can be read by other users: chmod 600 it, or remove it to get a new one")
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be used: {error.strerror}; or set AUTH_JWT_SECRET") from None
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigurationError(f"{path} holds less than {MIN_SECRET_BYTES} bytes: remove it to get a new one")
    return secret


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=SECRET_FILE)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link never replaces: of several processes the first wins, and a half-written secret is never seen.
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
            log.warning("no AUTH_JWT_SECRET and no key set: made a secret and kept it in %s", path)
    finally:
        os.unlink(name)
