"""How tasks are ended."""

from __future__ import annotations

import asyncio
from typing import Any, Final

#: Seconds after which a task that goes on is cancelled again.
_AGAIN: Final = 0.5


async def end_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and return when all have ended, well or not.

    Once is not always enough: `asyncio.wait_for` of Python 3.11, which redis-py and MongoDB's driver use, loses a
    cancellation that comes just as what it waits for is done (bpo-42130, mended in 3.12): a loop goes on then.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)
