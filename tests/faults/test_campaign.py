"""The short form of the campaign (``make faults`` is the long one): every fault that is quick, once, under load."""

from __future__ import annotations

import pytest

from tests.faults.campaign import campaign
from tests.faults.cluster import has_faketime
from tests.faults.faults import FAULTS

SHORT = [fault for fault in FAULTS.values() if fault.short]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("members", "length"), [(1, 0.1), (3, 0.3)], ids=["one mongod", "replica set"])
async def test_a_team_loses_nothing_and_agrees_on_everything_while_all_faults_are_caused(
    members: int, length: float
) -> None:
    names = [fault.name for fault in SHORT if fault.members == members and fault.skipped() is None]
    [outcome] = await campaign(names, seed=1, times=1, length=length, together=True)
    assert outcome.violations == []
    assert outcome.times == len(names)
    assert outcome.kinds["ok"] > 10


@pytest.mark.skipif(not has_faketime(), reason="needs libfaketime (Debian's package faketime)")
def test_wrong_clocks_are_among_the_faults() -> None:
    assert {name for name in FAULTS if "clock" in name and FAULTS[name].skipped() is None} == {
        "instance-clock-ahead", "instance-clock-behind", "redis-clock-ahead", "redis-clock-behind",
    }  # fmt: skip
