"""A server that is made to fail in many ways says none of its secrets: in logs, answers, metrics or reports."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
import socketio
from socketio.exceptions import ConnectionError as ConnectFailed

from realtime_server.auth.issue import issue_token
from realtime_server.core.roles import Role
from tests.faults.processes import answers
from tests.redis_server import PASSWORD, free_port, running_redis
from tests.seeing.commands import command, environment

SECRET = "canary-jwt-secret-0123456789abcdefghij"
PREVIOUS = "canary-old-secret-0123456789abcdefghij"
ADMIN = "canary-admin-password-1"
MONGO = "canary-mongo-password"
CANARIES = (SECRET, PREVIOUS, ADMIN, MONGO, PASSWORD, PASSWORD.replace(" ", "%20"))


def token(ttl: int = 600, secret: str = SECRET) -> str:
    return issue_token(secret.encode(), "pat", "Pat", {"demo": Role.PREPARER}, ttl)


def assert_silent(said: str, *more: str) -> None:
    for canary in (*CANARIES, *more):
        assert canary not in said, f"{canary!r} was said"


@pytest.mark.parametrize(
    "broken",
    [
        {"MONGODB_URL": f"mongodb://app:{MONGO}@127.0.0.1:1/?serverSelectionTimeoutMS=200"},
        {"MONGODB_URL": f"mongodb://app:{MONGO}@[broken/"},
        {"MONGODB_URL": f"mongo://app:{MONGO}@db/"},
        {"MONGODB_URL": f"mongodb://app:{MONGO}@db/?nonsense={MONGO}&w=x"},
        {"REDIS_URL": f"http://:{MONGO}@cache/"},
        {"AUTH_JWT_SECRET": "canary"},
        {"WS_ADMIN_USER": "operator", "WS_ADMIN_PASSWORD": "canary"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": f"ftp://u:{MONGO}@collector/"},
        {"WS_ADMIN_PASSWORD": ADMIN},
    ],
    ids=lambda broken: "-".join(broken),
)  # fmt: skip
@pytest.mark.parametrize("name", ["serve", "doctor"])
async def test_a_start_that_fails_says_why_and_no_secret(name: str, broken: dict[str, str], tmp_path: Path) -> None:
    given = {"AUTH_JWT_SECRET": SECRET, "DATA_DIR": str(tmp_path), "WS_PORT": "0", "WS_HOST": "127.0.0.1", **broken}
    done = await command(given, name)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert said.strip()
    assert_silent(said, "canary")


async def test_a_running_server_says_none_of_its_secrets_whatever_happens(
    mongodb_url: str, database_name: str, tmp_path: Path
) -> None:
    good, expired, forged = token(), token(-600), token(secret="x" * 40)
    tokens = (good, expired, forged, good[:-4] + "AAAA")
    port, log = free_port(), tmp_path / "log"
    said: list[str] = []
    async with running_redis() as redis:
        given = {
            "AUTH_JWT_SECRET": SECRET, "AUTH_JWT_SECRET_PREVIOUS": PREVIOUS, "DATA_DIR": str(tmp_path),
            "WS_HOST": "127.0.0.1", "WS_PORT": str(port), "MONGODB_URL": mongodb_url, "LOG_LEVEL": "debug",
            "MONGODB_DATABASE": database_name, "REDIS_URL": redis.url, "WS_ADMIN_USER": "operator",
            "WS_ADMIN_PASSWORD": ADMIN, "LOG_FORMAT": "json",
        }  # fmt: skip
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "realtime_server", "serve", env=environment(**given), stdout=output, stderr=output
            )
        url = f"http://127.0.0.1:{port}"
        try:
            await answers(f"{url}/readyz")
            async with aiohttp.ClientSession() as http:
                for text in tokens:
                    header = {"Authorization": f"Bearer {text}"}
                    for path in ("/api/collaboration/sessions", "/api/nothing", "/metrics", "/socket.io/?EIO=3"):
                        async with http.get(f"{url}{path}", headers=header) as answer:
                            said.append(await answer.text())
                    async with http.post(f"{url}/api/collaboration/sessions", data=b"{" + text.encode()) as answer:
                        said.append(await answer.text())
                    for auth in ({"token": text}, {"token": [text]}, {"username": "operator", "password": text}):
                        said.extend([await refusal(url, name, auth) for name in ("/collaboration", "/admin")])
                    if text is good:
                        await redis.kill()
                async with http.get(f"{url}/metrics") as answer:
                    said.append(await answer.text())
        finally:
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    written = log.read_text()
    assert "Redis" in written, "the loss of Redis was logged"
    assert_silent(written + "".join(said), *tokens, good.rpartition(".")[2])


async def refusal(url: str, namespace: str, auth: object) -> str:
    """What the stock client is told."""
    client = socketio.AsyncClient(reconnection=False)
    told: list[str] = []
    client.on("connect_error", lambda data: told.append(str(data)), namespace=namespace)
    try:
        await client.connect(url, namespaces=[namespace], auth=auth, transports=["websocket"], wait_timeout=5)
    except ConnectFailed as error:
        told.append(str(error))
    finally:
        await client.disconnect()
    return "".join(told)


def test_the_canaries_are_not_in_the_environment_of_the_tests() -> None:
    assert not any(canary in value for canary in CANARIES for value in os.environ.values())
