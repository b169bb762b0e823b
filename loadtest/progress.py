"""What the terminal shows while a run goes on, and at its end."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from loadtest.checks import Check
from loadtest.recorder import MEASURES
from loadtest.results import Result

_BARS = "▁▂▃▄▅▆▇█"


def live(result: Result, seconds: float) -> RenderableType:
    """The last second, and the way there."""
    if not result.windows:
        return Text(f"{result.scenario}: people arrive …")
    window = result.windows[-1]
    head = Text(f"{result.scenario}  {window.number}/{seconds:.0f} s", style="bold")
    if window.number <= result.warm:
        head.append("  warming up", style="dim")
    table = Table(box=None, pad_edge=False)
    for name in ("connections", "sent/s", "acks/s", "deliveries/s", "refused/s"):
        table.add_column(name, justify="right")
    counts = window.counts
    numbers = (window.connections, counts["sent"], counts["acks"], counts["deliveries"], sum(window.refused.values()))
    table.add_row(*(f"{number:,}" for number in numbers))
    recent = [w.messages for w in result.windows[-60:]]
    top = max(recent) or 1
    bars = "".join(_BARS[min(7, number * 8 // (top + 1))] for number in recent)
    parts: list[RenderableType] = [head, table, Text(f"messages/s {bars} {recent[-1]:,}"), _latency(window.histograms)]
    faults = result.counter("faults")
    if faults:
        shown = ", ".join(f"{name} {count}" for name, count in faults.items())
        parts.append(Text(f"faults: {shown}", style="bold red"))
    return Group(*parts)


def _latency(histograms: object) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("ms")
    for name in ("p50", "p90", "p99", "p99.9", "max", "count"):
        table.add_column(name, justify="right")
    for name in MEASURES:
        found = histograms.get(name) if isinstance(histograms, dict) else None
        if found is None or not found.total:
            continue
        summary = found.summary()
        cells = [f"{summary[key]:,.1f}" for key in ("p50", "p90", "p99", "p999", "max")]
        table.add_row(name, *cells, f"{summary['count']:,}")
    return table


def final(console: Console, result: Result, checks: Iterable[Check], warnings: Iterable[str]) -> None:
    """The whole run."""
    console.print(Text(f"{result.scenario}: {len(result.measured)} s measured", style="bold"))
    rates = ", ".join(f"{result.rate(name):,.0f} {name}/s" for name in ("sent", "acks", "deliveries", "messages"))
    console.print(f"{result.connections:,} connections; {rates}")
    console.print(_latency({name: result.histogram(name) for name in MEASURES}))
    if result.server:
        console.print(
            f"server: {result.server['cpu_share']:.0%} of a core, {result.server['cpu_us_per_edit']:,.0f} µs per edit "
            f"with its fan-out, {result.server['rss'] / 2**20:,.0f} MiB; "
            f"generator: {result.generator_busy:.0%} of a core"
        )
    refused = result.counter("refused")
    if refused:
        console.print("refused: " + ", ".join(f"{code} {count:,}" for code, count in sorted(refused.items())))
    for check in checks:
        style = "green" if check.met else "bold red"
        console.print(Text(f"{'ok    ' if check.met else 'FAILED'} {check.name}: {check.value} ({check.bound})", style))
    for warning in warnings:
        console.print(Text(warning, style="bold yellow"))
