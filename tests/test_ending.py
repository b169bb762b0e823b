from __future__ import annotations

import asyncio

from realtime_server.ending import end_tasks


async def test_a_task_that_loses_a_cancellation_is_ended_all_the_same() -> None:
    lost = 0

    async def go_on() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    async def fail() -> None:
        raise ValueError("before it was ended")

    tasks = [asyncio.create_task(go_on()), asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end_tasks(*tasks)
    assert lost == 1
    assert all(task.done() for task in tasks)


async def test_nothing_to_end_is_no_fault() -> None:
    await end_tasks()
