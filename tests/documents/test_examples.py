"""Every documented example runs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from realtime_server.core.roles import Role
from tests.rest.conftest import Person, Server, ada, pat, server, settings, token

__all__ = ["ada", "pat", "server", "settings"]

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "rest.md").read_text()
RECORD = "ledger-000001"

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


async def run(*command: str, cwd: Path, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


@needs_curl
async def test_the_guides_curl_examples_run(server: Server, pat: Person, tmp_path: Path) -> None:
    session = await server.session(pat)
    script = "set -euo pipefail\n" + "\n".join(blocks("sh"))
    await run("bash", "-c", script, cwd=tmp_path, URL=server.url, TOKEN=pat.token or "", SESSION=session, RECORD=RECORD)
    history = [item["message_type"] for item in await pat.all(f"/sessions/{session}/history")]
    assert history == ["session.created", "lock.acquired", "edit.applied", "lock.released"]


async def test_the_guides_python_example_runs(server: Server, pat: Person) -> None:
    session = await server.session(pat)
    namespace: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(block, "docs/rest.md", "exec"), namespace)
    async with asyncio.timeout(20):
        assert await namespace["mark_as_checked"](server.url, pat.token, session, RECORD) == "checked"


@needs_curl
async def test_the_curl_script_can_be_run_twice(server: Server, pat: Person, tmp_path: Path) -> None:
    script = str(ROOT / "examples" / "rest.sh")
    first, second = [await run("bash", script, cwd=tmp_path, URL=server.url, TOKEN=pat.token or "") for _ in range(2)]
    assert first.splitlines()[0] == second.splitlines()[0]
    assert '"new":2' in first
    assert '"unchanged":2' in second
    assert "edit.applied" in first


async def test_the_python_example_locks_edits_and_shows_it(server: Server, pat: Person, tmp_path: Path) -> None:
    session = await server.session(pat)
    script = str(ROOT / "examples" / "edit_with_lock.py")
    arguments = (server.url, session, RECORD, "--token", pat.token or "", "--text", "seen")
    output = await run(sys.executable, script, *arguments, cwd=tmp_path)
    assert "joined as preparer" in output
    assert "applied" in output
    assert "lock.released" in output.splitlines()[-1]


async def test_the_python_example_ends_with_one_line_where_it_may_not(
    server: Server, pat: Person, tmp_path: Path
) -> None:
    session = await server.session(pat)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples" / "edit_with_lock.py"),
        server.url,
        session,
        RECORD,
        "--token",
        token("olive", Role.AUDITOR),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    error = (await process.communicate())[1].decode()
    assert process.returncode == 1
    assert error.startswith("forbidden: ")
    assert "Traceback" not in error


def test_every_path_of_the_interface_is_in_the_guide_or_the_documents() -> None:
    for word in ("records", "conflicts", "history", "state", "analytics", "users", "edits", "comments", "takeover"):
        assert word in GUIDE
