"""The Socket.IO Admin UI: what its page asks for, with its own protocol, for whoever has the password."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import socketio
from socketio.exceptions import ConnectionError as ConnectFailed

from realtime_server import admin_ui
from realtime_server.app import SERVICES
from realtime_server.client import connect
from realtime_server.core.roles import Role
from realtime_server.errors import ConfigurationError
from realtime_server.serving import running
from realtime_server.settings import Settings
from tests.rest.conftest import Server, environment, token

USER, PASSWORD = "operator", "correct horse battery"


@pytest.fixture
def given(mongodb_url: str, database_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(admin_ui, "INTERVAL", 0.05)
    monkeypatch.setattr(admin_ui, "_PENALTY", 0.0)
    return environment(mongodb_url, database_name, tmp_path)


@asynccontextmanager
async def serving(given: dict[str, str]) -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack, running(Settings.from_environment(given)) as (app, port):
        yield Server(app[SERVICES], port, stack)
        await stack.aclose()


@asynccontextmanager
async def looking(server: Server, auth: Any) -> AsyncIterator[asyncio.Queue[tuple[str, Any]]]:
    """The stock client, as the UI's page uses it."""
    heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    client = socketio.AsyncClient(reconnection=False)
    for event in ("config", "server_stats", "session"):
        client.on(event, lambda data, event=event: heard.put_nowait((event, data)), namespace="/admin")
    try:
        await client.connect(server.url, namespaces=["/admin"], auth=auth, transports=["websocket"])
        yield heard
    finally:
        await client.disconnect()


async def test_who_has_the_password_sees_the_server_and_its_clients(given: dict[str, str]) -> None:
    auth = {"username": USER, "password": PASSWORD}
    async with serving({**given, "WS_ADMIN_USER": USER, "WS_ADMIN_PASSWORD": PASSWORD}) as server:
        session_id = await server.session(await server.person("pat", Role.PREPARER))
        async with (
            looking(server, auth) as heard,
            connect(server.url, token("pat", Role.PREPARER)) as client,
            client.join(session_id),
            asyncio.timeout(10),
        ):
            assert await heard.get() == ("config", {"supportedFeatures": ["AGGREGATED_EVENTS"]})
            while True:
                event, stats = await heard.get()
                assert event == "server_stats"
                if {"name": "/collaboration", "socketsCount": 1} in stats["namespaces"]:
                    break
            assert (stats["clientsCount"], stats["pollingClientsCount"]) == (2, 0)
            assert {"name": "/admin", "socketsCount": 1} in stats["namespaces"]
            assert {"serverId", "hostname", "pid", "uptime", "aggregatedEvents"} <= stats.keys()
            assert all(item["count"] > 0 for item in stats["aggregatedEvents"])


@pytest.mark.parametrize(
    "auth",
    [None, {}, [], "operator", {"username": USER}, {"username": USER, "password": "wrong"},
     {"username": "other", "password": PASSWORD}, {"username": USER, "password": ["x"]},
     {"username": USER, "password": PASSWORD + "\x00"}],
)  # fmt: skip
async def test_who_has_not_is_refused(given: dict[str, str], auth: Any) -> None:
    async with serving({**given, "WS_ADMIN_USER": USER, "WS_ADMIN_PASSWORD": PASSWORD}) as server:
        with pytest.raises(ConnectFailed):
            async with looking(server, auth):
                pass


async def test_it_is_off_where_nobody_set_a_password(given: dict[str, str]) -> None:
    async with serving(given) as server:
        with pytest.raises(ConnectFailed):
            async with looking(server, {"username": USER, "password": PASSWORD}):
                pass


@pytest.mark.parametrize(
    "half",
    [{"WS_ADMIN_USER": USER}, {"WS_ADMIN_PASSWORD": PASSWORD}, {"WS_ADMIN_USER": USER, "WS_ADMIN_PASSWORD": "short"}],
)
def test_half_of_the_credentials_or_a_short_password_stops_the_start(half: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="WS_ADMIN"):
        Settings.from_environment(half)
