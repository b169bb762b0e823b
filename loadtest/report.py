"""An HTML page of one run: its figures and its course, in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from loadtest.checks import Check
from loadtest.machine import machine
from loadtest.plots import Line, chart
from loadtest.recorder import MEASURES
from loadtest.results import Result, Window

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#1d2430;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse}
td,th{padding:.25rem .75rem;text-align:right;border-bottom:1px solid #dde2ea}
td:first-child,th:first-child{text-align:left}
.ok{color:#17703b}.failed{color:#b3261e;font-weight:600}.note{background:#fff4d6;padding:.5rem 1rem}
svg{width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#e6e9ef;background:#14181f}td,th{border-color:#333b48}.note{background:#4a3b10}
.ok{color:#6fd08c}.failed{color:#ff8a80}}
"""


def write_report(path: Path, result: Result, checks: Sequence[Check], warnings: Sequence[str]) -> None:
    """Write the page."""
    where = machine()
    parts = [
        f"<h1>Load test: {escape(result.scenario)}</h1>",
        f"<p>{len(result.measured)} s measured after {result.warm:g} s of warming up,"
        f" {result.connections:,} connections."
        f" {escape(str(where['processor']))}, {where['cores']} cores, {escape(str(where['system']))},"
        f" Python {where['python']}.</p>",
    ]
    parts += [f'<p class="note">{escape(warning)}</p>' for warning in warnings]
    parts += ["<h2>Checks</h2>", _checks(checks), "<h2>Rates, per second</h2>", _rates(result)]
    parts += ["<h2>Latency, ms</h2>", _latency(result), "<h2>Its course</h2>", *_charts(result)]
    parts += ["<h2>Refused, by code</h2>", _counts(result.counter("refused"))]
    body = "\n".join(parts)
    title = f"Load test: {escape(result.scenario)}"
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><body>{body}</body></html>",
        encoding="utf-8",
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{lines}</table>"


def _checks(checks: Sequence[Check]) -> str:
    rows = [
        (escape(c.name), escape(c.value), escape(c.bound),
         f'<span class="{"ok" if c.met else "failed"}">{"met" if c.met else "missed"}</span>')
        for c in checks
    ]  # fmt: skip
    return _table(("", "measured", "required", ""), rows)


def _rates(result: Result) -> str:
    names = ("sent", "acks", "deliveries", "messages")
    return _table(names, [[f"{result.rate(name):,.0f}" for name in names]])


def _latency(result: Result) -> str:
    rows = []
    for name in MEASURES:
        summary = result.histogram(name).summary()
        if summary["count"]:
            cells = [f"{summary[key]:,.2f}" for key in ("p50", "p90", "p99", "p999", "max")]
            rows.append([name, *cells, f"{summary['count']:,}"])
    return _table(("", "p50", "p90", "p99", "p99.9", "longest", "count"), rows)


def _counts(found: dict[str, int]) -> str:
    return _table(("code", "count"), [(escape(code), f"{count:,}") for code, count in sorted(found.items())])


def _charts(result: Result) -> list[str]:
    def series(name: str, read: Callable[[Window], float | None]) -> Line:
        points = [(float(w.number), value) for w in result.windows if (value := read(w)) is not None]
        return Line(name, points)

    def quantile(measure: str, share: float) -> Callable[[Window], float | None]:
        return lambda w: w.histograms[measure].quantile(share) if measure in w.histograms else None

    return [
        chart("deliveries and acknowledgements per second", "s", "1/s", [
            series("deliveries", lambda w: w.counts["deliveries"]), series("acks", lambda w: w.counts["acks"]),
        ]),
        chart("delivery", "s", "ms", [
            series("p50", quantile("delivery", 0.5)), series("p99", quantile("delivery", 0.99)),
        ]),
        chart("acknowledgement", "s", "ms", [
            series("p50", quantile("ack", 0.5)), series("p99", quantile("ack", 0.99)),
        ]),
        chart("connections", "s", "", [series("connections", lambda w: w.connections)]),
    ]  # fmt: skip
