"""Processes go by the database's clock, whatever their machines say."""

from __future__ import annotations

import logging
import time

import pytest
from pymongo import AsyncMongoClient

from realtime_server.storage import mongo_clock
from realtime_server.storage.mongo_clock import DatabaseClock

HOUR = 3_600_000


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_machine_whose_clock_is_an_hour_off_gets_the_time_of_the_database(
    mongodb_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hours: int
) -> None:
    def wrong() -> int:
        return time.time_ns() // 1_000_000 + hours * HOUR

    monkeypatch.setattr(mongo_clock, "_wall", wrong)
    async with AsyncMongoClient(mongodb_url) as client:
        clock = DatabaseClock(client["test"])
        assert abs(clock() - wrong()) < HOUR / 2
        with caplog.at_level(logging.WARNING):
            await clock.look(first=True)
            await clock.look()
    assert abs(clock() - time.time() * 1000) < HOUR / 2
    assert len(caplog.records) == 1
    assert f"{hours * 3600:+.0f}" in caplog.text


async def test_setting_the_machines_clock_while_the_process_runs_changes_nothing(
    mongodb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncMongoClient(mongodb_url) as client:
        clock = DatabaseClock(client["test"])
        await clock.look(first=True)
    before = clock()
    monkeypatch.setattr(mongo_clock, "_wall", lambda: 0)
    assert before <= clock() < before + HOUR / 2
