"""How long a long session takes to open: ``python -m loadtest.bench_open [RECORDS] [COMMITS]``.

Makes a session in a database of its own on an embedded mongod, in a process that then kills itself in the middle of its
work, and times the first join: the very first after the crash, then several more, in the engine alone and as a client
sees it, from its `join` to the acknowledgement, on a server that has just started. Prints milliseconds, how many
commits the crash left without a checkpoint, and the memory that the open session takes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import socketio

from realtime_server.auth.issue import issue_token
from realtime_server.collaboration import NAMESPACE
from realtime_server.core.commands import Actor, CreateSession, Edit, FieldEdit, Join
from realtime_server.core.commits import Commit
from realtime_server.core.roles import Role
from realtime_server.engine.config import EngineConfig
from realtime_server.engine.engine import Engine
from realtime_server.ports import NewRecord
from realtime_server.serving import running
from realtime_server.settings import Settings
from realtime_server.storage.embedded import embedded_mongod
from realtime_server.storage.mongo import open_store

SESSION = "long"
DATABASE = "bench_open"
SECRET = "a secret of this benchmark, of 32 bytes and more"
ADA = Actor("ada", "Ada", Role.ADMIN)
_WAITING = 500


def _ignore(commits: Sequence[Commit]) -> None:
    pass


def _record(number: int) -> NewRecord:
    values = {"amount": f"{number}.00", "currency": "GBP", "date": "2026-11-01", "description": f"payment {number}"}
    return NewRecord(f"ledger:{number}", "ledger", str(number), values, "chunk")


async def _fill(store: Any, records: int, commits: int) -> None:
    engine = Engine(store.log, store.sessions, store.records, publish=_ignore, config=EngineConfig())
    create = CreateSession(
        actor=ADA, command_id="ada/create", session_id=SESSION, project_id="p", name="Long", expires_in=86_400
    )
    await engine.submit(SESSION, create)
    for start in range(0, records, 5_000):
        await store.records.insert(SESSION, [_record(number) for number in range(start, min(start + 5_000, records))])
    seq = 1
    while seq <= commits:
        edits = [_edit(seq + n, records) for n in range(min(_WAITING, commits + 1 - seq))]
        await asyncio.gather(*(engine.submit(SESSION, command) for command in edits))
        seq += len(edits)


async def _fill_and_crash(url: str, records: int, commits: int) -> None:
    """In a process of its own: what it leaves behind is what is timed."""
    async with open_store(url, DATABASE) as store:
        await _fill(store, records, commits)
        os.kill(os.getpid(), signal.SIGKILL)


def _edit(number: int, records: int) -> Edit:
    edit = FieldEdit(
        record_id=f"ledger:{number * 7919 % records}",
        field_name="note",
        new_value=f"note {number}",
        base_version=number,
    )
    return Edit(actor=ADA, command_id=f"ada/{number}", edit_id=str(number), edit=edit)


async def _open(store: Any) -> tuple[float, int]:
    """(milliseconds to the first join, bytes that are traced then)."""
    began = perf_counter()
    engine = Engine(store.log, store.sessions, store.records, publish=_ignore, config=EngineConfig())
    await engine.submit(SESSION, Join(actor=ADA, command_id=f"ada/~{began}"))
    await engine.replay(SESSION, 0)
    took = (perf_counter() - began) * 1000
    memory, _ = tracemalloc.get_traced_memory()
    await engine.close()
    return took, memory


async def _join(url: str, data_dir: Path) -> float:
    """A server that knows nothing yet, and a client's first join: milliseconds to the acknowledgement."""
    environment = {"WS_HOST": "127.0.0.1", "WS_PORT": "0", "MONGODB_URL": url, "MONGODB_DATABASE": DATABASE,
                   "AUTH_JWT_SECRET": SECRET, "DATA_DIR": str(data_dir)}  # fmt: skip
    async with running(Settings.from_environment(environment)) as (_, port):
        token = issue_token(SECRET.encode(), ADA.user_id, ADA.name, {"p": Role.ADMIN}, 600)
        async with socketio.AsyncSimpleClient() as client:
            await client.connect(
                f"http://127.0.0.1:{port}", auth={"token": token}, namespace=NAMESPACE, transports=["websocket"]
            )
            began = perf_counter()
            answer = await client.call("join", {"session_id": SESSION})
            took = (perf_counter() - began) * 1000
        assert answer["ok"], answer
    return took


async def figures(records: int, commits: int) -> dict[str, float]:
    """For `growth`: the first join after a crash, medians of later ones and of an edit (ms), and the memory (MB)."""
    with tempfile.TemporaryDirectory() as directory:
        async with embedded_mongod(Path(directory)) as address, open_store(address.url, DATABASE) as store:
            await _fill(store, records, commits)
            joins = [(await _open(store))[0] for _ in range(5)]
            tracemalloc.start()
            _, memory = await _open(store)
            tracemalloc.stop()
            return {
                "join_after_crash_ms": round(joins[0], 2),
                "first_join_ms": round(statistics.median(joins[1:]), 2),
                "edit_ms": round(await _edits(store, records), 2),
                "memory_mb": round(memory / 1e6, 2),
            }


async def _edits(store: Any, records: int) -> float:
    """Milliseconds of one edit at a time, the median of fifty, each of another record."""
    engine = Engine(store.log, store.sessions, store.records, publish=_ignore, config=EngineConfig())
    state = await engine.state(SESSION)
    took = []
    for number in range(50):
        began = perf_counter()
        await engine.submit(SESSION, _edit(state.seq + number, records))
        took.append((perf_counter() - began) * 1000)
    await engine.close()
    return statistics.median(took)


async def main(records: int, commits: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with embedded_mongod(Path(directory)) as address, open_store(address.url, DATABASE) as store:
            began = perf_counter()
            filling = [sys.executable, "-m", "loadtest.bench_open", str(records), str(commits), address.url]
            await (await asyncio.create_subprocess_exec(*filling)).wait()
            rate = commits / (perf_counter() - began)
            print(f"{records} records, {commits} commits ({rate:.0f} a second with the import)")
            checkpoint = await store.sessions.load(SESSION)
            assert checkpoint is not None
            first, _ = await _open(store)
            tail = commits + 1 - checkpoint["seq"]
            print(f"first join after the crash, engine: {first:.1f} ms, with {tail} commits to replay")
            times = [(await _open(store))[0] for _ in range(7)]
            print(f"first join, engine: median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms")
            acks = [await _join(address.url, Path(directory)) for _ in range(7)]
            print(f"first join, client: median {statistics.median(acks):.1f} ms, worst {max(acks):.1f} ms")
            tracemalloc.start()
            _, memory = await _open(store)
            print(f"memory of the open session: {memory / 1e6:.1f} MB")


if __name__ == "__main__":
    counts = (int(argument) for argument in sys.argv[1:3] or ("100000", "50000"))
    asyncio.run(_fill_and_crash(sys.argv[3], *counts) if len(sys.argv) > 3 else main(*counts))
