"""The embedded mongod's cache and its threads fit the machine it is on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from realtime_server.storage.embedded import default_cache_gb, embedded_mongod
from realtime_server.storage.mongod_process import eviction_threads


@pytest.mark.parametrize(("memory_gb", "cache_gb"), [(1, 0.25), (4, 0.25), (8, 0.5), (24, 1.5), (32, 2.0), (256, 2.0)])
def test_it_is_a_sixteenth_of_the_memory_within_bounds(
    memory_gb: int, cache_gb: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": memory_gb * 2**30 // 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    assert default_cache_gb() == pytest.approx(cache_gb)


@pytest.mark.parametrize(("cores", "threads"), [(None, 1), (1, 1), (2, 1), (4, 2), (8, 4), (64, 4)])
def test_pages_are_written_by_half_of_the_cores_at_most(
    cores: int | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert eviction_threads() == threads


async def test_a_mongod_that_runs_has_small_pages_and_few_threads(tmp_path: Path) -> None:
    async with embedded_mongod(tmp_path) as address, AsyncMongoClient[dict[str, object]](address.url) as client:
        await client.test.edits.insert_one({"_id": 1})
        stats = await client.test.command("collStats", "edits", indexDetails=True)
        assert "memory_page_max=1m" in stats["wiredTiger"]["creationString"]
        assert "memory_page_max=1m" in stats["indexDetails"]["_id_"]["creationString"]
        told = (await client.admin.command("getCmdLineOpts"))["parsed"]["storage"]["wiredTiger"]["engineConfig"]
        assert told["configString"] == f"eviction=(threads_min=1,threads_max={eviction_threads()})"
