"""The command `serve`, as a process: it starts, says what to do next, and ends with everything it started."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from realtime_server.storage.embedded import running_mongod
from tests.server.clients import JS, PythonClient
from tests.server.conftest import Server, StartServer, record_edit

ROOT = Path(__file__).parent.parent.parent


def _environment(**settings: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "WS_HOST": "127.0.0.1", "WS_PORT": "0", **settings}


async def _start(*arguments: str, **settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "realtime_server", "serve", *arguments, env=_environment(**settings),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@asynccontextmanager
async def _demo(data_dir: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server with the demonstration on an embedded mongod, and what it printed at its start."""
    process = await _start("--demo", DATA_DIR=str(data_dir))
    try:
        assert process.stdout is not None
        lines: list[str] = []
        async with asyncio.timeout(60):
            while not (lines and lines[-1].lstrip().startswith("edit ")):
                line = await process.stdout.readline()
                assert line, (await process.communicate())[1].decode()
                lines.append(line.decode())
        yield process, "".join(lines)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.communicate()


@pytest.mark.usefixtures("node_modules")
async def test_the_demonstration_can_be_used_is_kept_and_ends_cleanly(tmp_path: Path) -> None:
    async with _demo(tmp_path) as (process, text):
        url = re.search(r"http://127\.0\.0\.1:\d+", text)
        tokens = re.findall(r"^  (ey\S+)$", text, re.MULTILINE)
        record = re.search(r"lock (\S+)", text)
        assert url is not None
        assert record is not None
        assert len(tokens) == 4
        commands = f"lock {record[1]}\nedit {record[1]} description Rent\n"
        first = await _terminal_client(tmp_path / "client", url[0], tokens[0], commands)
        assert "as preparer" in first
        assert '"status":"applied"' in first
        process.send_signal(signal.SIGTERM)
        output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        assert b"stopped" in output
    assert running_mongod(tmp_path) is None
    async with _demo(tmp_path) as (_, text):
        url = re.search(r"http://127\.0\.0\.1:\d+", text)
        assert url is not None
        client = PythonClient()
        await client.connect(url[0], {"token": tokens[1]})
        picture = await client.done("join", "demo", since=0)
        kinds = [item["message_type"] for item in picture["commits"]]
        assert kinds[:3] == ["session.created", "record.imported", "record.imported"]
        assert {"lock.acquired", "edit.applied"} <= set(kinds)
        await client.close()
        client.check()
    assert running_mongod(tmp_path) is None


def _example_client(directory: Path) -> Path:
    """The example, with the packages that the tests have."""
    directory.mkdir()
    (directory / "node_modules").symlink_to(JS / "node_modules")
    return Path(shutil.copy(ROOT / "examples" / "client.mjs", directory))


async def _terminal_client(directory: Path, url: str, token: str, commands: str) -> str:
    """Run the example client as a user does."""
    script = _example_client(directory)
    client = await asyncio.create_subprocess_exec(
        "node", str(script), url, "demo", token,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(20):
        output, _ = await client.communicate(commands.encode())
    return output.decode()


async def test_a_busy_port_stops_the_start_with_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        process = await _start(WS_PORT=port, DATA_DIR=str(tmp_path))
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.decode().count("\n") == 1
    assert f"port {port} is in use" in errors.decode()
    assert "WS_PORT" in errors.decode()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"WS_PORT": "many"}, "WS_PORT"),
        ({"WS_HOST": "256.1.1.1"}, "WS_HOST"),
        ({"MONGODB_URL": "mongodb://127.0.0.1:1/?timeoutMS=200"}, "MongoDB"),
        ({"AUTH_JWT_SECRET": "short"}, "AUTH_JWT_SECRET"),
        ({"AUTH_JWKS_FILE": "/nowhere/keys.json"}, "AUTH_JWKS_FILE"),
        ({"AUTH_JWKS_FILE": __file__}, "AUTH_JWKS_FILE"),
    ],
)
async def test_a_bad_setting_stops_the_start_with_one_line(
    tmp_path: Path, mongodb_url: str, database_name: str, settings: dict[str, str], named: str
) -> None:
    process = await _start(
        **{"DATA_DIR": str(tmp_path), "MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database_name, **settings}
    )
    _, errors = await process.communicate()
    assert process.returncode == 2, errors.decode()
    assert errors.decode().count("\n") == 1
    assert len(errors) < 250
    assert named in errors.decode()


async def test_health_readiness_and_metrics_are_served(server: Server) -> None:
    alice = await server.member("alice")
    await alice.done("edit", **record_edit("e1", "rent"))
    await alice.refused("edit", **record_edit("e2", "rent", base=99))
    async with aiohttp.ClientSession(server.url) as http:
        for path in ("/healthz", "/readyz"):
            async with http.get(path) as answer:
                assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        async with http.get("/metrics") as answer:
            text = await answer.text()
    assert 'collaboration_events_total{event="edit",outcome="ok"} 1.0' in text
    assert 'collaboration_events_total{event="edit",outcome="version_unknown"} 1.0' in text
    assert "collaboration_clients 1.0" in text
    assert "transport_connections" in text


async def test_pages_of_other_origins_connect_only_where_that_is_allowed(start_server: StartServer) -> None:
    closed, opened = await start_server(), await start_server(CORS_ALLOWED_ORIGINS="https://books.example.com")
    headers = {"Origin": "https://books.example.com"}
    query = "/socket.io/?EIO=4&transport=polling"
    async with aiohttp.ClientSession() as http:
        async with http.get(closed.url + query, headers=headers) as answer:
            assert answer.status == 403
        async with http.get(opened.url + query, headers=headers) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == "https://books.example.com"
