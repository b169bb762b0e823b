"""A whole server with a bystander: somebody at work in a session of their own project while it is attacked."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.server.clients import PythonClient
from tests.server.conftest import Server, record_edit, server, start_server, token_of

__all__ = ["server", "start_server"]

BYSTANDERS = ("carol", "dave")


class Bystanders:
    """Two people of another project, who edit and hear each other; `served` proves that they still can."""

    def __init__(self, server: Server, carol: PythonClient, dave: PythonClient) -> None:
        self._server = server
        self._carol, self._dave = carol, dave
        self._edits = 0

    async def served(self) -> None:
        """One edit is applied, acknowledged and told; nobody of theirs was closed, and nothing else was told."""
        self._edits += 1
        edit = record_edit(f"bystander-{self._edits}", f"value {self._edits}", field="note")
        ack = await self._carol.done("edit", "quiet", **{**edit, "base_version": self._carol_seq()})
        assert ack["status"] == "applied"
        await self._dave.hears_seq(ack["seq"])
        for client in (self._carol, self._dave):
            assert client.ended is None
            strangers = {item["user_id"] for item in client.envelopes()} - {*BYSTANDERS, "system"}
            assert not strangers, strangers

    def _carol_seq(self) -> int:
        edits = [item["seq"] for item in self._carol.envelopes("edit.applied")]
        return max(edits, default=0)


@pytest.fixture
async def bystanders(server: Server) -> AsyncIterator[Bystanders]:
    """They are served at the end of the test as at its beginning; the test may ask in between."""
    found = await bystanders_of(server)
    await found.served()
    yield found
    await found.served()


async def bystanders_of(server: Server) -> Bystanders:
    await server.create_session("quiet", project="p9")
    carol, dave = [await server.client(name, token=token_of(name, project="p9")) for name in BYSTANDERS]
    for client in (carol, dave):
        await client.done("join", "quiet")
    return Bystanders(server, carol, dave)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
