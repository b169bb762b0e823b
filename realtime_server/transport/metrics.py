"""What the transport counts, as plain integers on the hot path and as prometheus-client metrics for a scrape.

A prometheus counter takes a lock and most of a microsecond per increment; at hundreds of thousands of frames per second
that is a core. So the transport counts in attributes of `TransportStats`, and `TransportCollector` turns them into
metrics when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

HANDLER_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds, seconds, of the handler-time histogram."""
WRITE_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""The same of how long output waits to be written."""


class WriteTiming:
    """A histogram of write turns. ``counts`` has one more place than ``bounds``, for what is beyond."""

    __slots__ = ("bounds", "counts", "seconds")

    def __init__(self) -> None:
        self.bounds = WRITE_BUCKETS
        self.counts = [0] * (len(WRITE_BUCKETS) + 1)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(WRITE_BUCKETS, seconds)] += 1
        self.seconds += seconds


class TransportStats:
    """Counts since the server was made. Read them freely; only the transport writes them."""

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "connections_closed",
        "connections_opened",
        "frames_received",
        "frames_sent",
        "handler_buckets",
        "handler_count",
        "handler_errors",
        "handler_seconds",
        "refused",
        "slow_consumers",
        "upgrades",
        "volatile_dropped",
        "writes",
    )

    def __init__(self) -> None:
        self.connections_opened: Counter[str] = Counter()
        self.connections_closed: Counter[str] = Counter()
        self.frames_received = 0
        self.frames_sent = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self.upgrades = 0
        self.slow_consumers = 0
        self.volatile_dropped = 0
        self.refused: Counter[str] = Counter()
        self.handler_errors = 0
        self.writes = WriteTiming()
        """Of each write turn: from the first output queued for it to the last byte handed to the kernel."""
        self.handler_count = 0
        self.handler_seconds = 0.0
        self.handler_buckets = [0] * (len(HANDLER_BUCKETS) + 1)

    def handled(self, seconds: float) -> None:
        """One handler ran for `seconds`."""
        self.handler_count += 1
        self.handler_seconds += seconds
        self.handler_buckets[bisect_left(HANDLER_BUCKETS, seconds)] += 1


class TransportCollector(Collector):
    """A prometheus-client collector over one server's counts.

    Register it with the application's registry: `registry.register(server.collector())`.
    """

    def __init__(
        self,
        stats: TransportStats,
        open_connections: Callable[[], dict[str, int]],
        pending_output: Callable[[], tuple[int, int]],
        prefix: str = "transport",
    ) -> None:
        """`open_connections` answers per transport name; `pending_output` the bytes of all clients and of the worst."""
        self._stats = stats
        self._open_connections = open_connections
        self._pending_output = pending_output
        self._prefix = prefix

    def collect(self) -> Iterator[Metric]:
        stats, name = self._stats, self._prefix
        open_now = GaugeMetricFamily(f"{name}_connections", "Open connections.", labels=["transport"])
        for transport, count in self._open_connections().items():
            open_now.add_metric([transport], count)
        yield open_now
        yield self._labelled("connections_opened", "Connections opened.", "transport", stats.connections_opened)
        yield self._labelled("connections_closed", "Connections closed.", "reason", stats.connections_closed)
        yield self._labelled("refused", "Input refused.", "reason", stats.refused)
        for key, text, value in (
            ("frames_received", "Engine.IO packets received.", stats.frames_received),
            ("frames_sent", "Engine.IO messages written.", stats.frames_sent),
            ("bytes_received", "Bytes of those packets.", stats.bytes_received),
            ("bytes_sent", "Bytes of those messages.", stats.bytes_sent),
            ("upgrades", "Connections upgraded from long-polling to WebSocket.", stats.upgrades),
            ("slow_consumers", "Connections aborted because they did not read.", stats.slow_consumers),
            ("volatile_dropped", "Volatile events dropped for busy clients.", stats.volatile_dropped),
            ("handler_errors", "Handlers that raised.", stats.handler_errors),
        ):
            yield CounterMetricFamily(f"{name}_{key}", text, value=value)
        total, worst = self._pending_output()
        yield GaugeMetricFamily(f"{name}_pending_output_bytes", "Bytes waiting for clients.", value=total)
        yield GaugeMetricFamily(f"{name}_pending_output_worst_bytes", "Bytes waiting for the slowest.", value=worst)
        yield self._handler_time()

    def _labelled(self, key: str, text: str, label: str, counts: Counter[str]) -> Metric:
        family = CounterMetricFamily(f"{self._prefix}_{key}", text, labels=[label])
        for value, count in counts.items():
            family.add_metric([value], count)
        return family

    def _handler_time(self) -> Metric:
        family = HistogramMetricFamily(f"{self._prefix}_handler_seconds", "Time in event handlers.")
        running = 0
        buckets = []
        for bound, count in zip((*map(str, HANDLER_BUCKETS), "+Inf"), self._stats.handler_buckets, strict=True):
            running += count
            buckets.append((bound, float(running)))
        family.add_metric([], buckets, sum_value=self._stats.handler_seconds)
        return family
