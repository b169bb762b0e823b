from __future__ import annotations

from loadtest.checks import correctness, success, warnings
from loadtest.controller import verify
from loadtest.results import Result, Window
from loadtest.scenarios import SCENARIOS
from loadtest.target import is_local

MIXED = SCENARIOS["mixed"]


def result(*, delivery_ms: int = 5, messages: int = 12_000, connections: int = 1_000) -> Result:
    window = Window(1, connections=connections)
    window.counts["deliveries"] = messages
    for name, milliseconds in (("delivery", delivery_ms), ("connect", 20), ("resolution", 40)):
        window.histograms[name].record(milliseconds * 1000)
    return Result("mixed", 0.0, [window])


def missed(found: Result) -> set[str]:
    checks = [*correctness(found, MIXED), *success(found, MIXED)]
    return {check.name for check in checks if not check.met}


def test_a_run_within_every_metric_is_well() -> None:
    assert missed(result()) == set()


def test_each_metric_that_is_missed_is_named() -> None:
    assert missed(result(delivery_ms=60)) == {"delivery p99"}
    assert missed(result(messages=9_000)) == {"messages/s"}
    assert missed(result(connections=999)) == {"connections"}


def test_a_refusal_the_scenario_does_not_expect_fails_the_run() -> None:
    found = result()
    found.windows[0].refused.update(locked=3)
    assert missed(found) == set()
    found.windows[0].refused.update(internal=1)
    assert missed(found) == {"unexpected refusals"}


def test_members_that_end_apart_or_short_of_the_log_are_faults() -> None:
    found = result()
    verify(found, {"same": [7, 7, 7], "apart": [6, 7, 6], "unheard": [7, 7, 8]}, {"same": 9})
    assert sum(found.after.faults.values()) == 3
    assert missed(found) == {"faults"}


def test_a_generator_at_its_limit_says_so() -> None:
    found = result()
    assert warnings(found) == []
    found.generator_busy = 0.97
    assert "saturates" in "".join(warnings(found))
    found.generator_busy = 0.2
    found.windows[0].histograms["lag"].record(40_000)
    assert "late" in "".join(warnings(found))


def test_a_machine_that_others_use_says_so() -> None:
    found = result()
    found.stolen_share = 0.13
    assert warnings(found) == [
        "The hypervisor gave 13% of this machine's processor time to others: "
        "latencies are longer than the server's own."
    ]


def test_only_this_machine_is_local() -> None:
    assert is_local("http://127.0.0.1:8080") and is_local("http://[::1]:80") and is_local("http://localhost:1")
    assert not is_local("http://192.0.2.7:8080")
