"""The success metrics that ``--check`` holds a run to, and what makes any run a failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from loadtest.controller import BUSY, LATE_MS
from loadtest.results import Result
from loadtest.scenarios import Scenario

#: Share of the machine's processor time beyond which what a hypervisor takes is said.
STOLEN: Final = 0.02


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement. ``value`` and ``bound`` as they are shown."""

    name: str
    value: str
    bound: str
    met: bool


def correctness(result: Result, scenario: Scenario) -> list[Check]:
    """Holds for every run: nothing wrong was seen, nothing was refused that the scenario does not expect."""
    faults = result.counter("faults")
    unexpected = {code: count for code, count in result.counter("refused").items() if code not in scenario.expected}
    return [
        Check("faults", _counts(dict(faults)), "none", not faults),
        Check("unexpected refusals", _counts(unexpected), "none", not unexpected),
    ]


def success(result: Result, scenario: Scenario) -> Iterator[Check]:
    """The product's metrics, as far as the scenario measures them; latencies at the 99th percentile."""
    yield Check("connections", f"{result.connections:,}", ">= 1,000", result.connections >= 1_000)
    rate = result.rate("messages")
    yield Check("messages/s", f"{rate:,.0f}", "> 10,000", rate > 10_000)
    for name, bound in (("connect", 100.0), ("delivery", 50.0), ("resolution", 5_000.0)):
        if name in scenario.measures:
            p99 = result.histogram(name).quantile(0.99)
            shown = "not measured" if p99 is None else f"{p99:,.1f} ms"
            yield Check(f"{name} p99", shown, f"< {bound:,.0f} ms", p99 is not None and p99 < bound)


def warnings(result: Result) -> list[str]:
    """Sentences on what else than the server may have limited the run: the generator, the machine's other guests."""
    found = []
    late = result.histogram("lag").quantile(0.99) or 0.0
    if result.generator_busy > BUSY:
        busy = f"{result.generator_busy:.0%} of a core"
        found.append(f"The generator saturates: a process used {busy}. Use more --processes.")
    elif late > LATE_MS:
        found.append(f"The generator was late: 1 % of what was due went out more than {late:,.0f} ms after its moment.")
    if result.stolen_share > STOLEN:
        found.append(
            f"The hypervisor gave {result.stolen_share:.0%} of this machine's processor time to others: "
            "latencies are longer than the server's own."
        )
    return found


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(found.items())) or "none"
