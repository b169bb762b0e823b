from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from realtime_server.redis_hearing import SILENCE, TICK, UNHEARD, UNREACHABLE, Asking, Hearing, RedisAway


def _ticks(hearing: Hearing, seconds: float) -> None:
    for _ in range(round(seconds / TICK)):
        hearing.tick()


def _nothing() -> None:
    pass


async def test_a_connection_that_is_silent_for_too_many_turns_of_the_loop_is_given_up() -> None:
    hearing = Hearing(_nothing)
    hearing.answered()
    _ticks(hearing, SILENCE - TICK)
    assert not hearing.silent.is_set()
    hearing.tick()
    assert hearing.silent.is_set()
    assert hearing.is_up  # until whoever has the connection closes it


async def test_an_answer_begins_the_silence_anew() -> None:
    hearing = Hearing(_nothing)
    for _ in range(3):
        hearing.answered()
        _ticks(hearing, SILENCE - TICK)
    assert hearing.is_up
    assert not hearing.silent.is_set()


@pytest.mark.parametrize(("reachable", "seconds"), [(True, UNHEARD), (False, UNREACHABLE)])
async def test_redis_is_away_when_it_has_not_been_heard_for_its_time(reachable: bool, seconds: float) -> None:
    hearing = Hearing(_nothing)
    hearing.answered()
    hearing.lost(reachable=reachable)
    _ticks(hearing, seconds - TICK)
    assert (hearing.is_up, hearing.is_away) == (False, False)
    hearing.tick()
    assert (hearing.is_up, hearing.is_away) == (False, True)
    hearing.lost(reachable=True)
    assert hearing.is_away  # that somebody takes the connection is no answer
    hearing.answered()
    assert (hearing.is_up, hearing.is_away) == (True, False)


class Redis:
    """As far as `Asking` knows it."""

    def __init__(self) -> None:
        self.up, self.away = True, False
        self.asking = Asking(lambda: self.up, lambda: self.away)
        self.asked = asyncio.Event()
        self.answers: list[Exception | str] = []

    def become(self, *, up: bool = False, away: bool = False) -> None:
        self.up, self.away = up, away
        self.asking.changed()

    async def command(self) -> str:
        self.asked.set()
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def begin(self, *, patient: bool) -> asyncio.Task[str]:
        asking = asyncio.create_task(self.asking.ask(self.command, patient=patient))
        await self.asked.wait()
        return asking


async def test_who_is_patient_asks_again_when_the_connection_is_there_again() -> None:
    redis = Redis()
    asking = await redis.begin(patient=True)
    redis.become()
    redis.answers = ["here"]
    redis.become(up=True)
    assert await asking == "here"


@pytest.mark.parametrize("patient", [True, False])
async def test_nobody_waits_for_a_redis_that_is_away(patient: bool) -> None:
    redis = Redis()
    asking = await redis.begin(patient=patient)
    redis.become(away=True)
    with pytest.raises(RedisAway):
        await asking


async def test_who_is_not_patient_asks_once() -> None:
    redis = Redis()
    redis.answers = [RedisConnectionError("gone"), "here"]
    with pytest.raises(RedisConnectionError):
        await redis.asking.ask(redis.command, patient=False)
    redis.become()
    with pytest.raises(RedisAway):
        await redis.asking.ask(redis.command, patient=False)


async def test_a_lost_connection_is_tried_again_and_a_refusal_is_not() -> None:
    redis = Redis()
    redis.answers = [RedisConnectionError("gone"), "here"]
    assert await redis.asking.ask(redis.command, patient=True) == "here"
    redis.answers = [ResponseError("OOM"), "here"]
    with pytest.raises(ResponseError):
        await redis.asking.ask(redis.command, patient=True)


async def test_asking_ends_after_a_few_tries() -> None:
    redis = Redis()
    redis.answers = [RedisConnectionError("gone")] * 10
    with pytest.raises(RedisConnectionError):
        await redis.asking.ask(redis.command, patient=True)
    assert len(redis.answers) == 7


async def test_waiting_for_redis_ends_when_it_answers_or_counts_as_away() -> None:
    for how, known in (({"up": True}, True), ({"away": True}, False)):
        redis = Redis()
        redis.become()
        waiting: Callable[[], Awaitable[bool]] = redis.asking.known
        task = asyncio.ensure_future(waiting())
        await asyncio.sleep(0)
        redis.become(**how)
        assert await task is known
