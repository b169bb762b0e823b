"""Commands of ``realtime-server`` in processes of their own, as an operator calls them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(**settings: str) -> dict[str, str]:
    """None of ours but these: what the machine of a test has set does not matter."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **settings}


async def command(
    settings: Mapping[str, str], *arguments: str, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run, [sys.executable, *options, "-m", "realtime_server", *arguments],
        capture_output=True, text=True, env=environment(**settings), check=False, timeout=60,
    )  # fmt: skip
