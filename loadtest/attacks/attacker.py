"""The attacks. Each is tried as hard as one process can, until it is ended; what it got goes to standard output."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from loadtest.attacks.bystander import FIELD
from loadtest.attacks.wire import SOCKET, Connection, Refused

#: Why something failed is counted, and the attack goes on.
_FAILURES: Final = (aiohttp.ClientError, ConnectionError, TimeoutError, Refused, asyncio.CancelledError, OSError)


@dataclass(slots=True)
class Ground:
    """``tokens``: of fifty members of the session's project. ``count``: what was done, and how it was answered.

    ``local``: where connections are from.
    """

    url: str
    tokens: list[str]
    session_id: str
    http: aiohttp.ClientSession
    local: tuple[str, int] | None = None
    count: Counter[str] = field(default_factory=Counter)

    async def members(self, number: int, *, listen: bool = True, each: int = 1) -> list[Connection]:
        """Connections of people who have joined; ``each``: of one person."""
        found = []
        for place in range(number):
            connection = await Connection.open(self.http, self.url, self.tokens[place // each])
            connection.listen()
            await connection.ask("join", session_id=self.session_id)
            if not listen and connection._reading is not None:
                connection._reading.cancel()
            found.append(connection)
        return found


async def _forever(ground: Ground, width: int, once: Callable[[int], Awaitable[object]]) -> None:
    """``once``, by so many at a time, again and again; failures are counted."""

    async def one(place: int) -> None:
        while True:
            try:
                await once(place)
                ground.count["done"] += 1
            except asyncio.CancelledError:
                raise
            except _FAILURES as error:
                ground.count[type(error).__name__] += 1
                await asyncio.sleep(0)

    print("begun", flush=True)
    await asyncio.gather(*(one(place) for place in range(width)))


async def connections(ground: Ground) -> None:
    """Good tokens, connected and closed again, fifty at a time."""

    async def once(place: int) -> None:
        connection = await Connection.open(ground.http, ground.url, ground.tokens[place])
        await connection.close()

    await _forever(ground, 50, once)


async def forged_tokens(ground: Ground) -> None:
    """Tokens with a wrong signature, fifty at a time."""

    async def once(place: int) -> None:
        with suppress(Refused):
            await Connection.open(ground.http, ground.url, ground.tokens[place][:-4] + "AAAA")

    await _forever(ground, 50, once)


async def handshakes(ground: Ground) -> None:
    """Long-polling handshakes that nobody follows up."""

    async def once(place: int) -> None:
        async with ground.http.get(f"{ground.url}/socket.io/?EIO=4&transport=polling") as response:
            ground.count[str(response.status)] += 1
            await response.read()

    await _forever(ground, 50, once)


async def joins(ground: Ground) -> None:
    """Ten people who enter and leave a session, and ask for one that is not there."""
    people = await ground.members(10)

    async def once(place: int) -> None:
        person = people[place]
        await person.ask("leave", session_id=ground.session_id)
        await person.ask("join", session_id=ground.session_id, since=0)
        await person.ask("join", session_id=f"guess-{random.getrandbits(40)}")

    await _forever(ground, 10, once)


async def messages(ground: Ground) -> None:
    """One session at full throttle: fifty people who edit as fast as the server takes it, and never slow down."""
    people = await ground.members(50)
    numbers = itertools.count()

    async def once(place: int) -> None:
        number = next(numbers)
        for offset in range(20):
            await people[place].send(
                "edit", session_id=ground.session_id, edit_id=f"a{number}-{offset}", record_id=f"ledger:{place:06d}",
                field_name=FIELD, new_value=f"{number} {offset}", base_version=0,
            )  # fmt: skip
        await asyncio.sleep(0)

    try:
        await _forever(ground, 50, once)
    finally:
        for person in people:
            ground.count.update(person.answers)


async def batches(ground: Ground) -> None:
    """Ten people who send batches of a hundred edits, one after another."""
    people = await ground.members(10)
    numbers = itertools.count()

    async def once(place: int) -> None:
        number = next(numbers)
        edits = [
            {"record_id": f"ledger:{record:06d}", "field_name": FIELD, "new_value": f"{number}", "base_version": 0}
            for record in range(100)
        ]
        answer = await people[place].ask(
            "edit_batch", session_id=ground.session_id, edit_id=f"b{number}", edits=edits
        )
        ground.count["ok" if answer["ok"] else answer["error"]["code"]] += 1

    await _forever(ground, 10, once)


async def replays(ground: Ground) -> None:
    """Ten people who ask for the whole log, again and again."""
    people = await ground.members(10)

    async def once(place: int) -> None:
        answer = await people[place].ask("sync", session_id=ground.session_id, since=0)
        ground.count["ok" if answer["ok"] else answer["error"]["code"]] += 1

    await _forever(ground, 10, once)


GARBAGE: Final = (
    "nonsense", "42", "4", "9", "42[", '42/collaboration,["edit"', '42["connect"]', '453-["edit"]',
    "40/collaboration,{", '42/collaboration,["edit",' + "[" * 1_000, "4" * 60_000, '42/collaboration,[{"__proto__":1}]',
)  # fmt: skip


async def malformed(ground: Ground) -> None:
    """Packets that are none, on one connection after another."""

    async def once(place: int) -> None:
        connection = await Connection.open(ground.http, ground.url, ground.tokens[place])
        await connection.socket.send_str(random.choice(GARBAGE))
        with suppress(Exception):
            async with asyncio.timeout(1):
                while not (await connection.socket.receive()).type.name.startswith("CLOS"):
                    pass
        await connection.close()

    await _forever(ground, 30, once)


async def giants(ground: Ground) -> None:
    """Messages of nearly the largest size, deep and wide, that lead to nothing."""
    people = await ground.members(10)
    wide = {f"field-{number}": "x" * 40 for number in range(1_000)}
    deep: Any = "x"
    for _ in range(50):
        deep = [deep]

    async def once(place: int) -> None:
        await people[place].ask("edit", **wide)
        await people[place].ask("edit", session_id=ground.session_id, new_value=deep)

    await _forever(ground, 10, once)


async def slow_readers(ground: Ground) -> None:
    """Forty members who never read, and five who make it much."""
    deaf = await ground.members(40, listen=False)
    for person in deaf:
        person.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    people = await ground.members(5)
    numbers = itertools.count()

    async def once(place: int) -> None:
        number = next(numbers)
        await people[place].ask(
            "edit", session_id=ground.session_id, edit_id=f"s{number}", record_id=f"ledger:{place:06d}",
            field_name=FIELD, new_value=f"{number} " * 2_000, base_version=0,
        )  # fmt: skip

    await _forever(ground, 5, once)


async def slow_writers(ground: Ground) -> None:
    """Five hundred connections that send one byte a second: of a head, of a body, of a frame."""
    address = urlsplit(ground.url)
    starts = (
        b"GET /" + b"x",
        b"POST /api/collaboration/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        f"GET {SOCKET} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode(),
    )

    async def once(place: int) -> None:
        _, writer = await asyncio.open_connection(address.hostname, address.port, local_addr=ground.local)
        try:
            writer.write(starts[place % len(starts)])
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(1)
        finally:
            writer.close()

    await _forever(ground, 500, once)


async def pages(ground: Ground) -> None:
    """One person who reads the largest pages over HTTP, twenty at a time."""
    url = f"{ground.url}/api/collaboration/sessions/{ground.session_id}/records?limit=1000"
    headers = {"Authorization": f"Bearer {ground.tokens[0]}"}

    async def once(place: int) -> None:
        async with ground.http.get(url, headers=headers) as response:
            await response.read()
            ground.count[str(response.status)] += 1

    await _forever(ground, 20, once)


async def requests(ground: Ground) -> None:
    """HTTP requests with bad tokens, bad paths and bad bodies, twenty at a time."""
    sessions = f"{ground.url}/api/collaboration/sessions"

    async def once(place: int) -> None:
        token = ground.tokens[place] if place % 2 else "nonsense"
        body = orjson.dumps({"$where": "1", "__proto__": {"x": 1}, "n": "x" * 10_000})
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with ground.http.post(sessions, data=body, headers=headers) as response:
            await response.read()
            ground.count[str(response.status)] += 1

    await _forever(ground, 20, once)


ATTACKS: Final[Mapping[str, Callable[[Ground], Awaitable[None]]]] = {
    attack.__name__.replace("_", " "): attack
    for attack in (
        messages, batches, replays, joins, connections, forged_tokens, handshakes, malformed, giants, slow_readers,
        slow_writers, pages, requests,
    )
}  # fmt: skip
