"""What tests of every folder share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], object], *, within: float = 10.0) -> None:
    """Return as soon as the condition holds; fail when it still does not after ``within`` seconds.

    For what a system does by itself and announces to nobody (memory given back, a checkpoint stored).
    """
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)
