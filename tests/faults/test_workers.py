"""Several processes behind one port: one server to its clients."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from realtime_server import workers
from tests.faults.processes import ROOT, team
from tests.server.clients import PythonClient
from tests.server.conftest import SECRET, record_edit, token_of
from tests.support import eventually


@asynccontextmanager
async def _workers(data_dir: Path, count: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server with so many workers on an embedded mongod and an embedded redis; its URL."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    own = {
        "PYTHONPATH": str(ROOT),
        "WS_HOST": "127.0.0.1",
        "WS_PORT": "0",
        "DATA_DIR": str(data_dir),
        "AUTH_JWT_SECRET": SECRET.decode(),
        "WS_DRAIN_TIME": "0.5",
        "LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "realtime_server", "serve", "--workers", str(count), env={**kept, **own},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        text = ""
        async with asyncio.timeout(60):
            while (found := re.search(r"http://127\.0\.0\.1:\d+", text)) is None:
                line = await process.stdout.readline()
                assert line, "it did not start"
                text += line.decode()
        yield process, found[0]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 30)


async def _make_session(url: str) -> str:
    """A session with records ``ledger:1``, ``ledger:2``, …; its id."""
    api = f"{url}/api/collaboration/sessions"
    lines = [
        {"source": "ledger", "external_id": str(number), "amount": "1.00", "currency": "EUR", "date": "2026-11-01"}
        for number in range(1, 21)
    ]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token_of('adam')}"}) as http:
        created = await http.post(api, json={"project_id": "p1", "session_name": "October"})
        session_id: str = (await created.json())["session_id"]
        body = "\n".join(json.dumps(line) for line in lines)
        imported = await http.post(
            f"{api}/{session_id}/records?source=ledger", data=body, headers={"Content-Type": "application/x-ndjson"}
        )
        assert imported.status == 200, await imported.text()
    return session_id


def _a_worker_of(process: asyncio.subprocess.Process) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return next(int(pid) for pid in children if b"--worker" in Path(f"/proc/{pid}/cmdline").read_bytes())


@pytest.mark.usefixtures("node_modules")
async def test_workers_are_one_server_for_long_polling_too_and_end_in_order(tmp_path: Path) -> None:
    async with _workers(tmp_path, 2) as (process, url):
        session_id = await _make_session(url)
        clients = [PythonClient() for _ in range(6)]
        for number, client in enumerate(clients):
            transports = ["polling"] if number % 2 else ["polling", "websocket"]
            await client.connect(url, {"token": token_of(f"p{number}")}, transports=transports)
            await client.done("join", session_id)
        last = 0
        for number, client in enumerate([*clients, *clients]):
            # One after another: python-engineio's client takes no more than 16 packets in one long-polling answer.
            edit = record_edit(f"edit-{number}", "rent", record="ledger:1", field=f"note_{number}")
            last = (await client.done("edit", session_id, **edit))["seq"]
        for client in clients:
            await client.hears_seq(last)
            client.check()
            own = client.seqs()
            assert own == list(range(own[0], last + 1))
        assert {client.socket_id[:2] for client in clients} == {"w0", "w1"}
        for client in clients:
            await client.close()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0


@pytest.mark.usefixtures("node_modules")
async def test_a_worker_that_is_killed_is_started_again_and_its_people_are_back(tmp_path: Path) -> None:
    async with _workers(tmp_path, 2) as (process, url):
        session_id = await _make_session(url)
        async with team(url, 4, session=session_id, records="ledger:", reconnectionDelay=100) as people:
            os.kill(_a_worker_of(process), signal.SIGKILL)
            results = await people.result()
        assert all(result["acknowledged"] for result in results)
        for result in results:
            assert result["seqs"] == list(range(result["seqs"][0], result["seqs"][-1] + 1))


#: Up at once, and ends when the file ``die`` is there.
_GOOD = f"""#!{sys.executable}
import pathlib, socket, sys, time
control = socket.socket(fileno=int(sys.argv[-1]))
control.send(b"r")
while not pathlib.Path(__file__).with_name("die").exists():
    time.sleep(0.01)
"""
_BAD = "#!/bin/sh\nexit 1\n"


class _Program:
    """What is executed as a worker."""

    def __init__(self, folder: Path) -> None:
        self.path, self._die = folder / "worker", folder / "die"
        self.write(_GOOD)

    def write(self, text: str, mode: int = 0o700) -> None:
        self.path.write_text(text)
        self.path.chmod(mode)

    def die(self) -> None:
        self._die.touch()

    def may_live(self) -> None:
        self._die.unlink()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Program:
    program = _Program(tmp_path)
    monkeypatch.setattr(sys, "executable", str(program.path))
    monkeypatch.setattr(workers, "_RESTART_PAUSE", 0.1)
    return program


@pytest.fixture
async def kept(program: _Program) -> AsyncIterator[tuple[workers.Worker, asyncio.Task[None]]]:
    """A worker that is up, and what keeps it so."""
    worker = workers.Worker(0, dict(os.environ))
    await worker.start()
    keeping = asyncio.create_task(worker.keep_running())
    yield worker, keeping
    await worker.stop(signal.SIGKILL)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


@pytest.mark.parametrize(("text", "mode"), [(_BAD, 0o700), (_GOOD, 0o600)], ids=["it ends", "it cannot be executed"])
async def test_a_worker_that_cannot_be_started_again_at_once_is_back_when_it_can(
    text: str,
    mode: int,
    program: _Program,
    kept: tuple[workers.Worker, asyncio.Task[None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker, _ = kept
    program.write(text, mode)
    program.die()
    await eventually(lambda: caplog.text.count("is not back") >= 2)
    program.may_live()
    program.write(_GOOD)
    one, other = socket.socketpair()
    with one, other:
        await eventually(lambda: worker.take(one))


async def test_a_worker_that_is_stopped_before_it_is_back_stays_away(
    program: _Program, kept: tuple[workers.Worker, asyncio.Task[None]], caplog: pytest.LogCaptureFixture
) -> None:
    worker, keeping = kept
    program.die()
    await eventually(lambda: "ended by itself" in caplog.text)
    program.may_live()
    await worker.stop(signal.SIGTERM)
    await asyncio.wait_for(keeping, 5)
