"""Line charts as SVG text, for the report and the documentation; light and dark alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

#: Told apart by people who do not see all colours (Okabe and Ito), on white and on black.
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 720, 260, 64, 36, 34


@dataclass(frozen=True, slots=True)
class Line:
    """A named row of (x, y)."""

    name: str
    points: Sequence[tuple[float, float]]


def _ticks(top: float, *, logarithmic: bool, bottom: float = 0.0) -> list[float]:
    if logarithmic:
        return [10.0**power for power in range(math.floor(math.log10(bottom)), math.ceil(math.log10(top)) + 1)]
    step = 10 ** math.floor(math.log10(top or 1))
    step = next(step * part for part in (0.1, 0.2, 0.25, 0.5, 1, 2) if top / (step * part) <= 6)
    return [step * number for number in range(math.ceil(top / step) + 1)]


def _label(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:.3g}"


def chart(
    title: str, x_name: str, y_name: str, lines: Sequence[Line], *, log_x: bool = False, log_y: bool = False
) -> str:
    """One chart. Logarithmic axes leave out what is not above zero."""
    lines = [
        Line(line.name, [(x, y) for x, y in line.points if (x > 0 or not log_x) and (y > 0 or not log_y)])
        for line in lines
    ]
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    if not xs:
        return ""
    x_ticks = _ticks(max(xs), logarithmic=log_x, bottom=min(xs))
    y_ticks = _ticks(max(ys) or 1.0, logarithmic=log_y, bottom=min(ys))

    def place(value: float, ticks: Sequence[float], logarithmic: bool, low: float, high: float) -> float:
        first, last = ticks[0], ticks[-1]
        if logarithmic:
            value, first, last = math.log10(value), math.log10(first), math.log10(last)
        return low + (value - first) / ((last - first) or 1) * (high - low)

    def at(x: float, y: float) -> str:
        left = place(x, x_ticks, log_x, _LEFT, _WIDTH - 16)
        return f"{left:.1f},{place(y, y_ticks, log_y, _HEIGHT - _BOTTOM, _TOP):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        f' aria-label="{escape(title)}"'
        ' font-family="system-ui,sans-serif" font-size="12">',
        "<style>text{fill:#3b4454}.g{stroke:#8884}@media(prefers-color-scheme:dark){text{fill:#c8ced8}}</style>",
        f'<text x="{_LEFT}" y="14" font-weight="600">{escape(title)}{f" ({escape(y_name)})" if y_name else ""}</text>',
    ]
    for tick in y_ticks:
        y = place(tick, y_ticks, log_y, _HEIGHT - _BOTTOM, _TOP)
        parts.append(f'<line class="g" x1="{_LEFT}" x2="{_WIDTH - 16}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_label(tick)}</text>')
    for tick in x_ticks:
        x = place(tick, x_ticks, log_x, _LEFT, _WIDTH - 16)
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 20}" text-anchor="middle">{_label(tick)}</text>')
    parts.append(f'<text x="{_WIDTH - 16}" y="{_HEIGHT - 4}" text-anchor="end">{escape(x_name)}</text>')
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(at(x, y) for x, y in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if log_x or len(line.points) < 12:
            places = [place.split(",") for place in path.split()]
            parts += [f'<circle cx="{left}" cy="{top}" r="3" fill="{colour}"/>' for left, top in places]
        left = _WIDTH - 16 - 110 * (len(lines) - number)
        parts.append(f'<rect x="{left}" y="6" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{left + 18}" y="14">{escape(line.name)}</text>')
    return "".join([*parts, "</svg>"])
