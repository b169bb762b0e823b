"""The command itself, in a process of its own, as a user calls it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from loadtest.__main__ import main


async def run(*arguments: str, **environment: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtest", *arguments,
        env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.parametrize("told", [[], ["--remote"]])
def test_a_host_that_is_not_local_is_not_loaded_unless_told_twice(
    told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", "http://192.0.2.1:8080", *told]) == 2
    assert "--remote --remote" in capsys.readouterr().err


@pytest.mark.parametrize("plain", ["0", "1"])
async def test_a_mixed_run_in_two_processes_is_correct_and_leaves_its_result(tmp_path: Path, plain: str) -> None:
    code, output = await run(
        "mixed", "--clients", "12", "--sessions", "2", "--seconds", "3", "--warm", "1", "--scale", "0.2",
        "--processes", "2", "--json", str(tmp_path / "run.json"), "--html", str(tmp_path / "run.html"),
        LOADTEST_NO_EXTENSIONS=plain,
    )  # fmt: skip
    assert code == 0, output
    found = json.loads((tmp_path / "run.json").read_text())
    assert found["faults"] == {}
    assert found["latency_ms"]["delivery"]["count"] >= found["counts"]["applied"] > 0
    assert "<svg" in (tmp_path / "run.html").read_text()


async def test_connections_that_break_come_back_to_a_gapless_log() -> None:
    code, output = await run(
        "reconnect-storm", "--clients", "12", "--sessions", "2", "--seconds", "4", "--warm", "1", "--scale", "0.2",
    )  # fmt: skip
    assert code == 0, output
    assert "reconnect" in output


async def test_a_metric_that_is_missed_fails_a_checked_run() -> None:
    code, output = await run("steady", "--clients", "4", "--sessions", "1", "--seconds", "2", "--warm", "1", "--check")
    assert code == 1
    assert "FAILED connections: 4" in output
