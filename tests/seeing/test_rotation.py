"""Keys are changed while the server runs: two are good for a time, then one, and nobody is refused in between."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import jwt
import pytest

from realtime_server.app import SERVICES
from realtime_server.auth import keys as keys_module
from realtime_server.auth.issue import issue_token
from realtime_server.client import CollaborationError, ErrorCode, connect
from realtime_server.core.roles import Role
from realtime_server.errors import ConfigurationError
from realtime_server.serving import running
from realtime_server.settings import Settings
from tests.auth.test_key_sets import Issuer, issuer
from tests.rest.conftest import PROJECT, Server, environment

__all__ = ["issuer"]


@pytest.fixture
async def keyed(
    issuer: Issuer, mongodb_url: str, database_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Server]:
    """A server that takes its keys from the issuer, and may ask it as often as it likes."""
    monkeypatch.setattr(keys_module, "MIN_FETCH_INTERVAL", 0.0)
    given = environment(mongodb_url, database_name, tmp_path) | {"AUTH_JWKS_URL": issuer.url}
    del given["AUTH_JWT_SECRET"]
    async with AsyncExitStack() as stack, running(Settings.from_environment(given)) as (app, port):
        yield Server(app[SERVICES], port, stack)
        await stack.aclose()


def signed(issuer: Issuer, kid: str) -> str:
    claims = {"sub": "pat", "exp": int(time.time()) + 600, "projects": {PROJECT: "preparer"}}
    return jwt.encode(claims, issuer.private[kid], algorithm="ES256", headers={"kid": kid})


async def status(server: Server, token: str) -> int:
    return (await (await server.bearer(token)).get("/sessions")).status


async def test_a_key_of_the_issuer_is_rotated_without_a_refusal_or_a_restart(
    issuer: Issuer, keyed: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.rotate("old")
    old = signed(issuer, "old")
    async with connect(keyed.url, old) as at_work:
        assert await status(keyed, old) == 200
        issuer.rotate("old", "new")
        new = signed(issuer, "new")
        assert [await status(keyed, token) for token in (new, old, new)] == [200, 200, 200]
        async with connect(keyed.url, new) as newcomer:
            assert newcomer.connected
            assert at_work.connected

        issuer.rotate("new")  # the old one is withdrawn, and the set is fetched again when it is old
        monkeypatch.setattr(keys_module, "REFRESH_AFTER", 0.0)
        async with asyncio.timeout(20):
            while await status(keyed, old) != 401:
                pass
        assert await status(keyed, new) == 200
        with pytest.raises(CollaborationError) as refused:
            async with connect(keyed.url, old):
                pass
        assert refused.value.code is ErrorCode.UNAUTHENTICATED
        assert at_work.connected, "who was let in stays until the token expires"


async def test_a_secret_is_changed_while_tokens_of_the_one_before_are_good(
    mongodb_url: str, database_name: str, tmp_path: Path
) -> None:
    first, second, third = (secrets.token_urlsafe(48) for _ in range(3))
    given = environment(mongodb_url, database_name, tmp_path)

    def token(secret: str, ttl: int = 600) -> str:
        return issue_token(secret.encode(), "pat", None, {PROJECT: Role.PREPARER}, ttl)

    async def answers(settings: dict[str, str], *tokens: str) -> list[int]:
        async with AsyncExitStack() as stack, running(Settings.from_environment(given | settings)) as (app, port):
            server = Server(app[SERVICES], port, stack)
            found = [await status(server, text) for text in tokens]
            await stack.aclose()
            return found

    tokens = token(first), token(second), token(third), token(first, -600)
    changing = {"AUTH_JWT_SECRET": second, "AUTH_JWT_SECRET_PREVIOUS": first}
    assert await answers({"AUTH_JWT_SECRET": first}, *tokens) == [200, 401, 401, 401]
    assert await answers(changing, *tokens) == [200, 200, 401, 401]
    assert await answers({"AUTH_JWT_SECRET": second}, *tokens) == [401, 200, 401, 401]


def test_a_former_secret_is_nothing_without_the_one_in_use() -> None:
    with pytest.raises(ConfigurationError, match="AUTH_JWT_SECRET_PREVIOUS"):
        Settings.from_environment({"AUTH_JWT_SECRET_PREVIOUS": "x" * 40})


