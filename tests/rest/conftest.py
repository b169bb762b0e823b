"""The whole server on a port of its own, with the real mongod behind it, and HTTP clients of several people."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from realtime_server.app import SERVICES, Services
from realtime_server.auth.issue import issue_token
from realtime_server.core.roles import Role
from realtime_server.ports import NewRecord
from realtime_server.serving import running
from realtime_server.settings import Settings

SECRET = secrets.token_hex(24).encode()
PROJECT = "demo"


def token(user: str, role: Role | None, *, project: str = PROJECT, ttl: int = 3600) -> str:
    return issue_token(SECRET, user, user.title(), {} if role is None else {project: role}, ttl)


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        return str(self.body["code"])


@dataclass
class Person:
    """Somebody with a token who speaks HTTP. Paths begin after ``/api/collaboration``."""

    http: aiohttp.ClientSession
    base: str
    token: str | None

    async def ask(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Reply:
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None:
            options["json"] = body
        async with self.http.request(method, f"{self.base}{path}", headers=sent, **options) as response:
            raw = await response.read()
            is_json = response.content_type.endswith("json") and raw
            return Reply(response.status, await response.json(content_type=None) if is_json else raw, response.headers)

    async def get(self, path: str, **params: Any) -> Reply:
        return await self.ask("GET", path, params=params)

    async def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        return await self.ask(
            "POST", path, body, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )

    async def all(self, path: str, **params: Any) -> list[Any]:
        """The items of all pages."""
        items: list[Any] = []
        while True:
            reply = await self.get(path, **params)
            assert reply.status == 200, reply.body
            items += reply.body["items"]
            if reply.body["next_cursor"] is None:
                return items
            params["cursor"] = reply.body["next_cursor"]


@dataclass
class Server:
    services: Services
    port: int
    stack: AsyncExitStack
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def person(self, user: str, role: Role | None, *, project: str = PROJECT, ttl: int = 3600) -> Person:
        return await self.bearer(token(user, role, project=project, ttl=ttl))

    async def bearer(self, text: str | None) -> Person:
        http = await self.stack.enter_async_context(aiohttp.ClientSession())
        return Person(http, f"{self.url}/api/collaboration", text)

    async def session(self, person: Person, *, records: int = 3, **more: Any) -> str:
        """A new session with records ``ledger-000001``, …; its id."""
        reply = await person.post("/sessions", {"project_id": PROJECT, **more})
        assert reply.status == 201, reply.body
        session_id: str = reply.body["session_id"]
        await self.services.store.records.insert(session_id, [record(number) for number in range(1, records + 1)])
        return session_id


def record(number: int, **values: Any) -> NewRecord:
    side = "ledger"
    everything = {
        "amount": f"{number}.00",
        "currency": "GBP",
        "date": "2026-11-01",
        "description": f"Payment {number}",
        "status": "unmatched",
        **values,
    }
    return NewRecord(f"{side}-{number:06}", side, f"INV-{number}", everything, "chunk-1")


def environment(mongodb_url: str, database_name: str, directory: Path) -> dict[str, str]:
    return {
        "WS_HOST": "127.0.0.1",
        "WS_PORT": "0",
        "MONGODB_URL": mongodb_url,
        "MONGODB_DATABASE": database_name,
        "AUTH_JWT_SECRET": SECRET.decode(),
        "DATA_DIR": str(directory),
        "COLLABORATION_USER_RATE": "0",
        "COLLABORATION_SESSION_RATE": "0",
    }


@pytest.fixture
def settings(mongodb_url: str, database_name: str, tmp_path: Path) -> Settings:
    return Settings.from_environment(environment(mongodb_url, database_name, tmp_path))


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack, running(settings) as (app, port):
        yield Server(app[SERVICES], port, stack)
        await stack.aclose()


@pytest.fixture
async def ada(server: Server) -> Person:
    return await server.person("ada", Role.ADMIN)


@pytest.fixture
async def pat(server: Server) -> Person:
    return await server.person("pat", Role.PREPARER)


@pytest.fixture
async def rae(server: Server) -> Person:
    return await server.person("rae", Role.REVIEWER)
