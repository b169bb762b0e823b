"""People at work in a session of their own, in another project than the attacker's."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from loadtest.attacks.wire import Connection
from loadtest.target import Target
from realtime_server.auth.issue import issue_token
from realtime_server.core.roles import Role

PEOPLE: Final = 10
RATE: Final = 40.0
PROJECT: Final = "bystanders"
#: The field that is edited here and by the attackers, in sessions where the last writer wins: every edit is applied.
FIELD: Final = "note"
POLICIES: Final = {FIELD: "last_writer_wins"}


#: Seconds between two looks at how late this process itself is.
_LOOK: Final = 0.002


@dataclass(slots=True)
class Work:
    """Seconds, sorted. ``told``: from due to told, of every delivery. ``late``: how late this process itself was."""

    told: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)


class Bystanders:
    """Edits at a steady rate, each timed from the moment when it was due until every one of the others was told."""

    def __init__(self, target: Target, session_id: str) -> None:
        self._target, self._session_id = target, session_id
        self._http = aiohttp.ClientSession()
        self._connections: list[Connection] = []
        self._due: dict[str, float] = {}
        self._sent = 0
        self._work = Work()

    async def __aenter__(self) -> Self:
        assert self._target.secret is not None
        for number in range(PEOPLE):
            name = f"bystander-{number}"
            token = issue_token(self._target.secret, name, None, {PROJECT: Role.PREPARER}, 3600)
            connection = await Connection.open(self._http, self._target.url, token)
            connection.listen(self._heard)
            answer = await connection.ask("join", session_id=self._session_id)
            assert answer["ok"], answer
            self._connections.append(connection)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for connection in self._connections:
            await connection.close()
        await self._http.close()

    def _heard(self, event: str, envelope: Any) -> None:
        if event != "edit":
            return
        due = self._due.get(envelope["data"]["edit_id"])
        if due is not None:
            self._work.told.append(time.perf_counter() - due)

    async def work(self, seconds: float) -> Work:
        """Work for so long. An edit that was not told to all within 10 s raises."""
        self._work = Work()
        looking = asyncio.create_task(self._look())
        try:
            await self._edit_steadily(seconds)
        finally:
            looking.cancel()
        self._work.told.sort()
        self._work.late.sort()
        return self._work

    async def _look(self) -> None:
        while True:
            due = time.perf_counter() + _LOOK
            await asyncio.sleep(_LOOK)
            self._work.late.append(time.perf_counter() - due)

    async def _edit_steadily(self, seconds: float) -> None:
        began = time.perf_counter()
        count = int(RATE * seconds)
        waiting = []
        for number in range(count):
            due = began + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._work.late.append(time.perf_counter() - due)
            waiting.append(await self._edit(due))
        async with asyncio.timeout(10):
            for ack in await asyncio.gather(*waiting):
                assert ack["ok"], ack
            while len(self._work.told) < count * PEOPLE:  # noqa: ASYNC110 - told by ten readers
                await asyncio.sleep(0.01)

    async def _edit(self, due: float) -> asyncio.Future[dict[str, Any]]:
        self._sent += 1
        person = self._sent % PEOPLE
        edit_id = f"e{self._sent}"
        self._due[edit_id] = due
        return await self._connections[person].send(
            "edit", session_id=self._session_id, edit_id=edit_id, record_id=f"ledger:{person:06d}", field_name=FIELD,
            new_value=f"value {self._sent}", base_version=0,
        )  # fmt: skip
