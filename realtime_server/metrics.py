"""What operators see of the application at `/metrics`; the transport brings its own counts beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

#: Upper bounds in seconds: an edit with its journaled write takes a few milliseconds, and a second is an incident.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

#: The same for requests over HTTP, among them imports, which take as long as their files.
_REQUEST_BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

#: Seconds between two looks at the event loop.
_LOOK: Final = 0.25


class EventMetrics:
    """Answered events, by name and outcome. Labels come from fixed lists, never from a client."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answered = Counter(
            "collaboration_events", "Events answered, by outcome.", ["event", "outcome"], registry=registry
        )
        self._seconds = Histogram(
            "collaboration_event_seconds", "From an event's arrival to its answer.", ["event"], registry=registry,
            buckets=_BUCKETS,
        )  # fmt: skip
        # Finding a labelled child costs more than counting in it.
        self._counters: dict[tuple[str, str], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def observe(self, event: str, outcome: str, seconds: float) -> None:
        counter = self._counters.get((event, outcome))
        if counter is None:
            counter = self._counters[event, outcome] = self._answered.labels(event, outcome)
        counter.inc()
        histogram = self._histograms.get(event)
        if histogram is None:
            histogram = self._histograms[event] = self._seconds.labels(event)
        histogram.observe(seconds)


class RequestMetrics:
    """Requests over HTTP, by operation. Labels come from fixed lists: never a path, nor a method that a client made up.

    ``status``: ``2xx`` to ``5xx``.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answered = Counter(
            "collaboration_requests",
            "Requests over HTTP answered, by operation, method and class of status.",
            ["operation", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "collaboration_request_seconds", "From a request's head to the head of its answer.", ["operation"],
            registry=registry, buckets=_REQUEST_BUCKETS,
        )  # fmt: skip

    def observe(self, operation: str, method: str, status: int, seconds: float) -> None:
        self._answered.labels(operation, method if method in _METHODS else "other", f"{status // 100}xx").inc()
        self._seconds.labels(operation).observe(seconds)


def process_metrics(registry: CollectorRegistry) -> None:
    """Processor time, memory and file descriptors of this process, on Linux."""
    ProcessCollector(registry=registry)


async def watch_loop(lag: Callable[[float], None]) -> None:
    """Observe for ever how much later than asked the event loop comes to its work."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LOOK
        await asyncio.sleep(_LOOK)
        lag(max(0.0, loop.time() - due))


def gauge(registry: CollectorRegistry, name: str, text: str, read: Callable[[], float]) -> None:
    """A number that is read when somebody asks."""
    Gauge(name, text, registry=registry).set_function(read)


def counter(registry: CollectorRegistry, name: str, text: str, read: Callable[[], float]) -> None:
    """A count that somebody keeps elsewhere, read when somebody asks. ``name`` without ``_total``."""
    registry.register(_Count(name, text, read))


class _Count(Collector):
    def __init__(self, name: str, text: str, read: Callable[[], float]) -> None:
        self._name, self._text, self._read = name, text, read

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily(self._name, self._text, value=self._read())


class Timing(Protocol):
    """A histogram as the hot path keeps it: ``counts`` has one more place than ``bounds`` (seconds)."""

    @property
    def bounds(self) -> Sequence[float]: ...
    @property
    def counts(self) -> Sequence[int]: ...
    @property
    def seconds(self) -> float: ...


def timings(registry: CollectorRegistry, name: str, text: str, label: str, parts: Mapping[str, Timing]) -> None:
    """Histograms that somebody keeps elsewhere, one for each value of the label, read when somebody asks."""
    registry.register(_Timings(name, text, label, parts))


class _Timings(Collector):
    def __init__(self, name: str, text: str, label: str, parts: Mapping[str, Timing]) -> None:
        self._name, self._text, self._label, self._parts = name, text, label, parts

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._text, labels=[self._label])
        for value, timing in self._parts.items():
            running, buckets = 0, []
            for bound, count in zip((*map(str, timing.bounds), "+Inf"), timing.counts, strict=True):
                running += count
                buckets.append((bound, float(running)))
            family.add_metric([value], buckets, sum_value=timing.seconds)
        yield family
