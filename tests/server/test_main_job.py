"""The main job, with nothing left out.

Two record sets are imported, three people with stock clients work on them in one session, one is cut off and catches
up, the server is killed in the middle, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from immutables import Map

from realtime_server.core.commits import envelope, verify
from realtime_server.core.evolve import replay
from realtime_server.core.state import RecordState, SessionState
from realtime_server.storage.embedded import embedded_mongod
from realtime_server.storage.mongo import open_store
from tests.server.clients import JsClient, running_driver
from tests.server.conftest import SECRET, token_of

PROJECT = "p1"
PAYMENTS = Path(os.environ.get("PAYMENTS_DIR", Path(__file__).parents[3] / "shared/data/payments"))
#: Edits of each preparer, and the records they fight over.
EDITS = 120
CONTESTED = 12


class ServerProcess:
    """``realtime-server serve`` as a process of its own, with its embedded database."""

    def __init__(self, data_dir: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "WS_HOST": "127.0.0.1",
            "WS_PORT": str(self.port),
            "DATA_DIR": str(data_dir),
            "AUTH_JWT_SECRET": SECRET.decode(),
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "realtime_server", "serve", env=self._environment
        )
        async with asyncio.timeout(60), aiohttp.ClientSession() as http:
            while not await self._ready(http):
                assert self._process.returncode is None, "the server ended"
                await asyncio.sleep(0.05)

    async def _ready(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    async def end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()

    async def command(self, *arguments: str) -> str:
        """Run another ``realtime-server`` command beside the server; its output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "realtime_server",
            *arguments,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, (arguments, out, err)
        return out.decode()


@asynccontextmanager
async def _server(data_dir: Path) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(data_dir)
    try:
        await server.start()
        yield server
    finally:
        await server.end(signal.SIGTERM)


class Person:
    """Somebody at a stock client: keeps what they are told, knows versions from it, and repeats what got no answer."""

    def __init__(self, name: str, client: JsClient, session: str) -> None:
        self.name = name
        self.session = session
        self.client = client
        self.seen: dict[int, dict[str, Any]] = {}
        self.joined_at = 0
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.unanswered: dict[str, dict[str, Any]] = {}
        self._numbers = iter(range(10_000))

    async def join(self, *, since: int | None = None) -> dict[str, Any]:
        answer = await self.client.done("join", self.session, **({} if since is None else {"since": since}))
        if since is None:
            self.joined_at = answer["seq"]
        else:
            assert answer["recovered"]
            self.note(answer["commits"])
        return answer

    def note(self, envelopes: Iterable[Mapping[str, Any]]) -> None:
        for item in envelopes:
            known = self.seen.setdefault(item["seq"], dict(item))
            assert known == item, "one seq, two contents"

    @property
    def last_seq(self) -> int:
        """How far this person's knowledge goes without a gap."""
        self.note(self.client.commits())
        seq = self.joined_at
        while seq + 1 in self.seen:
            seq += 1
        return seq

    def version(self, record_id: str, field_name: str) -> int:
        self.note(self.client.commits())
        return max((seq for seq, item in self.seen.items() if (record_id, field_name) in dict(_sets(item))), default=0)

    async def edit(self, record_id: str, field_name: str, value: Any, *, base: int | None = None) -> dict[str, Any]:
        request = {
            "edit_id": f"{self.name}-{next(self._numbers)}",
            "record_id": record_id,
            "field_name": field_name,
            "new_value": value,
            "base_version": self.version(record_id, field_name) if base is None else base,
        }
        self.unanswered[request["edit_id"]] = request
        return await self._send(request)

    async def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = await self.client.ask("edit", self.session, **request)
        del self.unanswered[request["edit_id"]]
        if answer["ok"]:
            self.acknowledged[request["edit_id"]] = answer
        return answer

    async def send_again(self) -> int:
        """What was sent and not answered, once more, under the same ids."""
        requests = list(self.unanswered.values())
        for request in requests:
            await self._send(request)
        return len(requests)

    def view(self, base: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """All records as this person sees them: what was imported, and every commit told, in order."""
        self.note(self.client.commits())
        values = {record_id: dict(fields) for record_id, fields in base.items()}
        for seq in sorted(self.seen):
            for (record_id, field_name), value in _sets(self.seen[seq]):
                values[record_id][field_name] = value
        return values


def _sets(item: Mapping[str, Any]) -> list[tuple[tuple[str, str], Any]]:
    """((record, field), value) of every field that an envelope says was set."""
    data, kind = item["data"], item["message_type"]
    if kind == "edit.batch_applied":
        return [((edit["record_id"], edit["field_name"]), edit["new_value"]) for edit in data["edits"]]
    if kind in ("edit.applied", "edit.merged", "conflict.resolved"):
        return [((data["record_id"], data["field_name"]), data["new_value"])]
    return []


async def _files(server: ServerProcess, directory: Path) -> tuple[Path, Path]:
    """The payments files where they are, else generated ones."""
    if (PAYMENTS / "ledger.csv").exists():
        return PAYMENTS / "ledger.csv", PAYMENTS / "statement.csv"
    await server.command("generate", "--out", str(directory), "--size", "2000", "--seed", "7")
    return directory / "ledger.csv", directory / "statement.csv"


async def _work(person: Person, records: list[str], seed: int, stop: asyncio.Event) -> None:
    """Edit what everybody edits, now and then from a stale view, as people do; until told that the server is gone."""
    choose = random.Random(seed)
    for number in range(EDITS):
        if stop.is_set():
            return
        record_id = choose.choice(records)
        field_name, value = choose.choice(
            [
                ("amount", f"{choose.randrange(1, 10_000)}.{choose.randrange(100):02d}"),
                ("description", f"checked by {person.name} {number}"),
                ("tags", [person.name, str(number % 5)]),
                ("notes", f"see file {number}"),
            ]
        )
        base = 0 if choose.random() < 0.05 else None
        answer = await person.edit(record_id, field_name, value, base=base)
        assert answer["ok"] or answer["error"]["code"] == "locked", answer


async def _resolve_everything(rita: Person) -> int:
    """Resolve every open conflict that a fresh look at the session shows."""
    conflicts = (await rita.join(since=rita.last_seq))["conflicts"]
    for number, conflict in enumerate(conflicts):
        choice: dict[str, Any] = {"strategy": "keep_current"}
        if number % 2:
            choice = {"strategy": "take_candidate", "edit_id": conflict["candidates"][-1]["edit_id"]}
        await rita.client.done("resolve", rita.session, conflict_id=conflict["conflict_id"], **choice)
    return len(conflicts)


async def _clash(alice: Person, bob: Person, rita: Person, record_id: str) -> None:
    """One lock, one clash, one resolution, as in the tour."""
    lock = await alice.client.done("lock", alice.session, record_id=record_id)
    refused = await bob.edit(record_id, "amount", "1.00")
    assert refused["error"]["code"] == "locked"
    assert refused["error"]["details"]["holder"]["user_id"] == "alice"
    await alice.client.done("unlock", alice.session, record_id=record_id, token=lock["token"])
    base = alice.version(record_id, "amount")
    assert (await alice.edit(record_id, "amount", "100.01", base=base))["status"] == "applied"
    clash = await bob.edit(record_id, "amount", "100.02", base=base)
    assert clash["status"] == "conflict"
    seen = await rita.client.hears("conflict.detected", conflict_id=clash["conflict_id"])
    assert seen["data"]["candidates"][0]["value"] == "100.02"
    await rita.client.done(
        "resolve",
        rita.session,
        conflict_id=clash["conflict_id"],
        strategy="take_candidate",
        edit_id=seen["data"]["candidates"][0]["edit_id"],
    )
    for person in (alice, bob):
        resolved = await person.client.hears("conflict.resolved", conflict_id=clash["conflict_id"])
        assert resolved["data"]["new_value"] == "100.02"


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("node_modules")
async def test_three_people_reconcile_two_files_through_a_crash_and_nothing_is_lost(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(_server(tmp_path / "data"))
        driver = await stack.enter_async_context(running_driver())
        ledger, statement = await _files(server, tmp_path)
        printed = await server.command(
            "import", "--project", PROJECT, "--ledger", str(ledger), "--statement", str(statement)
        )
        session = next(line.split()[1] for line in printed.splitlines() if line.startswith("session "))

        people = [Person(name, JsClient(driver, name), session) for name in ("alice", "bob", "rita")]
        alice, bob, rita = people
        for person in people:
            await person.client.connect(server.url, {"token": token_of(person.name)})
            await person.join()
        records = _some_records(ledger)
        await _clash(alice, bob, rita, records[0])

        # Alice loses her connection while Bob works on, comes back, and is told what she missed.
        stop = asyncio.Event()
        await alice.client.cut()
        await _work(bob, records, 1, stop)
        await alice.client.resume()
        await alice.join(since=alice.last_seq)
        assert alice.last_seq >= bob.acknowledged[f"bob-{EDITS}"]["seq"]

        # Everybody works; the server is killed in the middle, and started again.
        working = [asyncio.create_task(_work(person, records, seed, stop)) for seed, person in enumerate((alice, bob))]
        await bob.client.until(lambda: len(bob.acknowledged) >= EDITS + EDITS // 3)
        await server.end(signal.SIGKILL)
        stop.set()
        interrupted = await asyncio.gather(*working, return_exceptions=True)
        assert any(isinstance(item, AssertionError) for item in interrupted), interrupted
        await server.start()
        for person in people:
            await person.client.resume()
            await person.join(since=person.last_seq)
        assert sum([await person.send_again() for person in people]), "the kill left nothing unanswered"
        await asyncio.gather(
            *(_work(person, records, 10 + n, asyncio.Event()) for n, person in enumerate((alice, bob)))
        )
        while await _resolve_everything(rita):
            pass

        # Everybody knows everything: three equal views of one gapless log.
        head = (await rita.client.done("sync", session, since=rita.last_seq))["seq"]
        for person in people:
            await person.client.until(lambda person=person: person.last_seq == head)
            person.client.check()
        assert f"sound, {head} commits" in await server.command("audit", "verify", session)
        await server.end(signal.SIGTERM)
        await _compare(tmp_path / "data", people, session, head)


def _some_records(ledger: Path) -> list[str]:
    lines = ledger.read_text().splitlines()[1 : CONTESTED + 1]
    return [f"ledger:{line.partition(',')[0]}" for line in lines]


async def _compare(data_dir: Path, people: list[Person], session: str, head: int) -> None:
    """The log, its replay, MongoDB's records and every person's view say the same."""
    async with embedded_mongod(data_dir) as address, open_store(address.url, "realtime_server") as store:
        log = [commit async for commit in store.log.scan(session)]
        stored = await _all_records(store, session)
    assert [commit.seq for commit in log] == list(range(1, head + 1))
    assert verify(session, log) is None
    base = {record.record_id: record.base for record in stored}
    imported = Map(
        {item.record_id: RecordState(item.record_id, item.source, item.external_id, item.base) for item in stored}
    )
    replayed = replay(SessionState(session, records=imported), log)
    values = {record_id: record.values() for record_id, record in replayed.records.items()}
    assert {record.record_id: record.values() for record in stored} == values
    ids = [commit.command_id for commit in log]
    assert len(set(ids)) == len(ids)
    by_seq = {commit.seq: envelope(commit) for commit in log}
    for person in people:
        assert person.view(base) == values
        assert all(by_seq[seq] == item for seq, item in person.seen.items())
        for edit_id, answer in person.acknowledged.items():
            if answer["status"] != "unchanged":
                assert log[answer["seq"] - 1].command_id == f"{person.name}/{edit_id}"


async def _all_records(store: Any, session: str) -> list[RecordState]:
    records: list[RecordState] = []
    while page := await store.records.page(session, after=records[-1].record_id if records else None, limit=1000):
        records += page
    return records
