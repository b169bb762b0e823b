"""The README's tour, as it is written: its commands, typed into the example client by three people."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.server.clients import JS
from tests.server.conftest import Server, token_of

ROOT = Path(__file__).parents[2]
TOUR = (ROOT / "README.md").read_text().partition("## Five minutes")[2].partition("\n## ")[0]


class Terminal:
    """The example client with somebody at it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def shows(self, pattern: str) -> re.Match[str]:
        """The next line in which this stands."""
        assert self._process.stdout is not None
        seen: list[str] = []
        try:
            async with asyncio.timeout(15):
                while line := (await self._process.stdout.readline()).decode():
                    seen.append(line)
                    if match := re.search(pattern, line):
                        return match
        except TimeoutError:
            pass
        raise AssertionError(f"{pattern} was not shown, but {seen}")

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")


@asynccontextmanager
async def _terminal(script: Path, url: str, token: str) -> AsyncIterator[Terminal]:
    process = await asyncio.create_subprocess_exec(
        "node", str(script), url, "s1", token, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Terminal(process)
    finally:
        await asyncio.wait_for(process.communicate(b""), 15)


def _command(begins: str, **known: str) -> str:
    """The tour's command that begins so, with what it leaves open (``record…``) filled in."""
    found = re.search(rf"`({re.escape(begins)}[^`]*)`", TOUR)
    assert found is not None, begins
    return re.sub(r"(ledger:|conflict-)…", lambda match: known[match[1]], found[1])


@pytest.mark.usefixtures("node_modules")
async def test_the_tour_of_the_readme_goes_as_it_says(server: Server, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(JS / "node_modules")
    script = Path(shutil.copy(ROOT / "examples" / "client.mjs", tmp_path))
    async with AsyncExitStack() as stack:
        terminals: list[Terminal] = []
        for person in ("alice", "bob", "rita"):
            terminal = await stack.enter_async_context(_terminal(script, server.url, token_of(person)))
            await terminal.shows(r"^Commands: ")
            for earlier in terminals:
                await earlier.shows(rf"presence\.joined by {person}")
            terminals.append(terminal)
        alice, bob, carol = terminals
        record = {"ledger:": "r1"}
        alice.type(_command("lock ledger:", **record))
        await bob.shows(r"lock\.acquired by alice")
        alice.type(_command("edit ledger:", **record))
        await bob.shows(r'edit\.applied by alice .*"100\.00"')
        bob.type("edit r1 amount 1.00")
        refused = await bob.shows(r'"code":"locked".*"name":"Alice"')
        assert "expires_at" in refused.string
        alice.type(_command("unlock ledger:", **record))
        await bob.shows(r"lock\.released by alice")
        bob.type(_command('send edit {"edit_id":"x1"', **record))
        shown = await bob.shows(r'^\{.*"status":"conflict".*"conflict_id":"(conflict-\d+)"')
        assert json.loads(shown.string)["ok"]
        detected = await alice.shows(r'conflict\.detected by bob .*"value":"99\.00"')
        assert '"value":"100.00"' in detected.string
        carol.type(_command("send resolve", **{"conflict-": shown[1]}))
        for terminal in (alice, bob):
            await terminal.shows(r'conflict\.resolved by rita .*"new_value":"99\.00"')
