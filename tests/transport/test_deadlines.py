"""Many timeouts with one timer."""

from __future__ import annotations

import asyncio

import pytest

from realtime_server.transport.deadlines import Deadlines


async def test_items_expire_in_the_order_they_were_set() -> None:
    expired: list[int] = []
    deadlines: Deadlines[int] = Deadlines(asyncio.get_running_loop(), 0.02, expired.append)
    for item in range(5):
        deadlines.set(item)
    deadlines.cancel(2)
    deadlines.set(0)
    await asyncio.sleep(0.05)
    assert expired == [1, 3, 4, 0]
    assert len(deadlines) == 0


async def test_an_item_that_is_set_again_in_time_does_not_expire() -> None:
    expired: list[str] = []
    deadlines: Deadlines[str] = Deadlines(asyncio.get_running_loop(), 0.1, expired.append)
    deadlines.set("kept")
    deadlines.set("left")
    await asyncio.sleep(0.06)
    deadlines.set("kept")
    await asyncio.sleep(0.06)
    assert expired == ["left"]
    deadlines.stop()


async def test_a_callback_may_set_and_cancel_items() -> None:
    loop = asyncio.get_running_loop()
    expired: list[str] = []
    done = asyncio.Event()

    def expire(item: str) -> None:
        expired.append(item)
        if item == "first":
            deadlines.cancel("second")
            deadlines.set("third")
        else:
            done.set()

    deadlines: Deadlines[str] = Deadlines(loop, 0.01, expire)
    deadlines.set("first")
    deadlines.set("second")
    await done.wait()
    assert expired == ["first", "third"]


async def test_a_callback_that_raises_does_not_stop_the_others() -> None:
    loop = asyncio.get_running_loop()
    problems: list[object] = []
    loop.set_exception_handler(lambda _, context: problems.append(context["exception"]))
    done = asyncio.Event()

    def expire(item: int) -> None:
        if item == 1:
            raise RuntimeError("on purpose")
        done.set()

    deadlines: Deadlines[int] = Deadlines(loop, 0.01, expire)
    deadlines.set(1)
    deadlines.set(2)
    await done.wait()
    assert [str(problem) for problem in problems] == ["on purpose"]


@pytest.mark.parametrize("items", [1, 1000])
async def test_one_timer_serves_any_number(items: int) -> None:
    loop = asyncio.get_running_loop()
    made = 0
    call_at = loop.call_at

    class Counting:
        time = staticmethod(loop.time)

        def call_at(self, when: float, callback: object, *args: object) -> object:
            nonlocal made
            made += 1
            return call_at(when, callback, *args)  # type: ignore[arg-type]

    deadlines: Deadlines[int] = Deadlines(Counting(), 60, lambda item: None)  # type: ignore[arg-type]
    for item in range(items):
        deadlines.set(item)
    assert made == 1
    deadlines.stop()
