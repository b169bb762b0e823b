"""A run's result: windows of all processes put together, and what they add up to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtest.histogram import Histogram
from loadtest.machine import machine
from loadtest.recorder import MEASURES


@dataclass(slots=True)
class Window:
    """One second, all processes. ``server``: what the server's process used until then, where it is ours; ``stolen``:
    processor seconds that the hypervisor had given to others until then, where the system says so."""

    number: int
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    histograms: dict[str, Histogram] = field(default_factory=lambda: defaultdict(Histogram))
    connections: int = 0
    cpu: dict[int, float] = field(default_factory=dict)
    server: Mapping[str, float] = field(default_factory=dict)
    stolen: float | None = None
    reported: int = 0

    def add(self, worker: int, taken: Mapping[str, Any]) -> None:
        self.counts.update(taken["counts"])
        self.refused.update(taken["refused"])
        self.faults.update(taken["faults"])
        for name, sparse in taken["histograms"].items():
            self.histograms[name].add(sparse)
        self.connections += taken["connections"]
        self.cpu[worker] = taken["cpu"]
        self.reported += 1

    @property
    def messages(self) -> int:
        """Events that arrived somewhere: at the server, or at a client."""
        return self.counts["sent"] + self.counts["acks"] + self.counts["deliveries"]

    def to_json(self) -> dict[str, Any]:
        return {
            "second": self.number,
            "connections": self.connections,
            "counts": dict(self.counts),
            "refused": dict(self.refused),
            "faults": dict(self.faults),
            "messages": self.messages,
            "latency": {name: self.histograms[name].summary() for name in MEASURES if name in self.histograms},
            "server": dict(self.server),
        }


@dataclass(slots=True)
class Result:
    """All windows of a run, the ones before ``warm`` (seconds) apart from the rest. ``stolen_share``: of the machine's
    processor time, what its hypervisor gave to others."""

    scenario: str
    warm: float
    windows: list[Window] = field(default_factory=list)
    before: Window = field(default_factory=lambda: Window(0))
    after: Window = field(default_factory=lambda: Window(-1))
    options: Mapping[str, Any] = field(default_factory=dict)
    server: Mapping[str, float] = field(default_factory=dict)
    generator_busy: float = 0.0
    stolen_share: float = 0.0

    @property
    def measured(self) -> list[Window]:
        return [window for window in self.windows if window.number > self.warm]

    def histogram(self, name: str) -> Histogram:
        """Of the measured part; connecting is measured before it."""
        total = Histogram()
        for window in [self.before, *self.windows, self.after]:
            if name in window.histograms:
                total.add(window.histograms[name].sparse())
        return total

    def counter(self, name: str) -> Counter[str]:
        """``refused`` or ``faults`` of the whole run, ``counts`` of the measured part."""
        windows = self.measured if name == "counts" else [self.before, *self.windows, self.after]
        total: Counter[str] = Counter()
        for window in windows:
            total.update(getattr(window, name))
        return total

    def rate(self, name: str) -> float:
        """A count per second over the measured part; ``messages`` too."""
        windows = self.measured
        if not windows:
            return 0.0
        return sum(w.messages if name == "messages" else w.counts[name] for w in windows) / len(windows)

    @property
    def connections(self) -> int:
        """The fewest at any moment of the measured part."""
        return min((window.connections for window in self.measured), default=0)

    def to_json(self) -> dict[str, Any]:
        names = ("sent", "acks", "deliveries", "messages")
        return {
            "scenario": self.scenario,
            "machine": machine(),
            "options": dict(self.options),
            "rates": {name: round(self.rate(name), 1) for name in names},
            "connections": self.connections,
            "latency_ms": {name: self.histogram(name).summary() for name in MEASURES},
            "counts": dict(self.counter("counts")),
            "refused": dict(self.counter("refused")),
            "faults": dict(self.counter("faults")),
            "server": dict(self.server),
            "generator_busy": round(self.generator_busy, 3),
            "stolen_share": round(self.stolen_share, 3),
            "histograms_us": {name: self.histogram(name).sparse() for name in MEASURES},
            "windows": [window.to_json() for window in self.windows],
        }
