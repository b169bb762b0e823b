"""The embedded mongod's cache fits the machine it is on."""

from __future__ import annotations

import os

import pytest

from realtime_server.storage.embedded import default_cache_gb


@pytest.mark.parametrize(("memory_gb", "cache_gb"), [(1, 0.25), (4, 0.25), (8, 0.5), (24, 1.5), (32, 2.0), (256, 2.0)])
def test_it_is_a_sixteenth_of_the_memory_within_bounds(
    memory_gb: int, cache_gb: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": memory_gb * 2**30 // 4096}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)
    assert default_cache_gb() == pytest.approx(cache_gb)
