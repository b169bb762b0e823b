"""The whole server in this process, on a real mongod and a real port, and real clients."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from realtime_server.app import DRAINING, SERVICES, Draining, Services
from realtime_server.auth.issue import issue_token
from realtime_server.core.commands import SYSTEM, CreateSession
from realtime_server.core.roles import Role
from realtime_server.ports import NewRecord
from realtime_server.serving import running
from realtime_server.settings import Settings
from tests.server.clients import JS, Client, JsClient, PythonClient, running_driver

SECRET = b"a secret of the tests, long enough for HS256"
PEOPLE = {
    "alice": Role.PREPARER,
    "bob": Role.PREPARER,
    "rita": Role.REVIEWER,
    "paul": Role.APPROVER,
    "audrey": Role.AUDITOR,
    "adam": Role.ADMIN,
}


def token_of(user: str, role: Role | None = None, *, project: str = "p1", ttl: int = 3600, name: str = "") -> str:
    role = role or PEOPLE.get(user, Role.PREPARER)
    return issue_token(SECRET, user, name or user.title(), {project: role}, ttl)


class Server:
    """A running server, and shortcuts to what a test needs of it."""

    def __init__(self, services: Services, draining: Draining, url: str, stack: AsyncExitStack) -> None:
        self.services = services
        self.draining = draining
        self.url = url
        assert draining.collaboration is not None
        self.collaboration = draining.collaboration
        self._stack = stack
        self._clients: list[Client] = []

    async def create_session(
        self,
        session_id: str = "s1",
        *,
        project: str = "p1",
        records: int = 3,
        field_policies: Mapping[str, str] | None = None,
    ) -> None:
        """A session with records ``r1``, ``r2``, … of 10.00 EUR."""
        command = CreateSession(
            actor=SYSTEM,
            command_id=f"system/{uuid4().hex}",
            session_id=session_id,
            project_id=project,
            name="October",
            expires_in=3600,
            field_policies=field_policies or {},
        )
        await self.services.engine.submit(session_id, command)
        values = {
            "amount": "10.00",
            "currency": "EUR",
            "date": "2026-11-22",
            "description": "paid by the customer in May",
            "status": "unmatched",
        }
        names = [f"r{number}" for number in range(1, records + 1)]
        stored = [NewRecord(name, "ledger", name, values, "import-1") for name in names]
        await self.services.store.records.insert(session_id, stored)

    async def client(self, user: str = "alice", *, token: str | None = None, **auth: Any) -> PythonClient:
        """A connected client."""
        client = PythonClient()
        await client.connect(self.url, {"token": token or token_of(user), **auth})
        self.keep(client)
        return client

    async def member(self, user: str = "alice", session_id: str = "s1", **auth: Any) -> PythonClient:
        """A connected client that has joined."""
        client = await self.client(user, **auth)
        await client.done("join", session_id)
        return client

    def keep(self, client: Client) -> None:
        """Check and close a client at the end of the test."""
        self._clients.append(client)
        self._stack.push_async_callback(client.close)

    def check(self) -> None:
        for client in self._clients:
            client.check()


StartServer = Callable[..., Awaitable[Server]]


@asynccontextmanager
async def _servers(mongodb_url: str, database_name: str, data_dir: Path) -> AsyncIterator[StartServer]:
    async with AsyncExitStack() as stack:
        started: list[Server] = []

        async def start(**environment: str) -> Server:
            settings = Settings.from_environment(
                {
                    "WS_HOST": "127.0.0.1",
                    "WS_PORT": "0",
                    "MONGODB_URL": mongodb_url,
                    "MONGODB_DATABASE": database_name,
                    "AUTH_JWT_SECRET": SECRET.decode(),
                    "DATA_DIR": str(data_dir),
                    **environment,
                }
            )
            app, port = await stack.enter_async_context(running(settings))
            server = Server(app[SERVICES], app[DRAINING], f"http://127.0.0.1:{port}", stack)
            started.append(server)
            return server

        yield start
        for server in started:
            server.check()


@pytest.fixture
async def start_server(mongodb_url: str, database_name: str, tmp_path: Path) -> AsyncIterator[StartServer]:
    """Start a server with these settings (environment variables); it ends with the test."""
    async with _servers(mongodb_url, database_name, tmp_path) as start:
        yield start


@pytest.fixture
async def server(start_server: StartServer) -> Server:
    """A server with the default settings and a session ``s1`` of three records."""
    server = await start_server()
    await server.create_session()
    return server


@pytest.fixture(scope="session")
def node_modules() -> None:
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    if not (JS / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=JS, check=True, capture_output=True)


JsConnect = Callable[..., Awaitable[JsClient]]


@pytest.fixture
async def js_client(server: Server, node_modules: None) -> AsyncIterator[JsConnect]:
    """Connect a stock JavaScript client to `server`."""
    async with running_driver() as driver:
        clients: list[JsClient] = []

        async def connect(user: str = "alice", *, options: Mapping[str, Any] | None = None, **auth: Any) -> JsClient:
            client = JsClient(driver, f"{user}-{len(clients)}")
            await client.connect(server.url, {"token": token_of(user), **auth}, **(options or {}))
            clients.append(client)
            return client

        yield connect
        for client in clients:
            client.check()


def record_edit(
    edit_id: str, value: Any, *, record: str = "r1", field: str = "description", base: int = 0, **more: Any
) -> dict[str, Any]:
    return {
        "edit_id": edit_id,
        "record_id": record,
        "field_name": field,
        "new_value": value,
        "base_version": base,
        **more,
    }


def ordered(seqs: Sequence[int]) -> bool:
    return all(later == earlier + 1 for earlier, later in pairwise(seqs))
