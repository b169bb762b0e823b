"""How good suggestions for conflicts are, and what warnings avoid, in simulated days with known truth.

``python -m loadtest.simulate_conflicts [--days N] [--threshold PERCENT] [--json FILE]`` measures; the same numbers come
on every machine. ``--fit`` prints weights for `core.suggestions` fitted on other days: seeds below 1,000 are for
fitting, those from 1,000 on for measuring.

It is a simulation: what `loadtest.conflict_world` assumes of people is assumed, and what comes out holds so far as that
does. It shows that the parts work together, whether confidence means what it says in worlds like these, and how much
that shifts where people are more hasty or more careful than the ones fitted on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from loadtest.conflict_world import WORLDS, Case, Day, Simulation, World
from realtime_server.core.evidence import CODES, clues
from realtime_server.core.suggestions import WEIGHTS, case_of, suggest
from realtime_server.core.values import field_type

FIRST_MEASURED: Final = 1_000
BANDS: Final = (0, 50, 60, 70, 80, 90, 95, 98, 100)
#: Shares of the warnings that are heeded: somebody who is told waits for the other, or leaves the field.
HEEDED: Final = (0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True)
class Band:
    """Suggestions of ``low`` to below ``high`` percent: how many, their mean confidence, how many were right."""

    low: int
    high: int
    count: int
    confidence: float
    right: int


@dataclass(frozen=True, slots=True)
class Figures:
    """``taken``: conflicts whose suggestion reaches the threshold; ``taken_right`` of them are right."""

    world: str
    conflicts: int
    suggested: int
    suggested_right: int
    taken: int
    taken_right: int
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True)
class Avoided:
    """Conflicts of the same days without warnings, and with so many of them heeded."""

    world: str
    heeded: float
    edits: int
    conflicts_before: int
    conflicts_after: int
    warnings: int


def days(world: World, seeds: Iterable[int], heed: float | None = None) -> list[Day]:
    return [Simulation(world, seed, heed=heed).run() for seed in seeds]


def judge(world: str, cases: Sequence[Case], threshold: int) -> Figures:
    """Every conflict's suggestion, as it stood when its decision came, against the truth."""
    found = [(suggest(case.state, case.conflict), case.right) for case in cases]
    judged = [(item.confidence, right(item.option.value)) for item, right in found if item is not None]
    bands = []
    for low, high in pairwise(BANDS):
        inside = [(sure, good) for sure, good in judged if low <= sure < high]
        mean = sum(sure for sure, _ in inside) / len(inside) if inside else 0.0
        bands.append(Band(low, high, len(inside), round(mean, 1), sum(good for _, good in inside)))
    taken = [good for sure, good in judged if sure >= threshold]
    right = sum(good for _, good in judged)
    return Figures(world, len(cases), len(judged), right, len(taken), sum(taken), tuple(bands))


def avoided(world: World, seeds: Sequence[int], before: Sequence[Day]) -> list[Avoided]:
    conflicts = sum(day.conflicts for day in before)
    results = []
    for heed in HEEDED:
        after = days(world, seeds, heed)
        counts = (sum(day.conflicts for day in after), sum(day.warned for day in after))
        results.append(Avoided(world.name, heed, sum(day.edits for day in before), conflicts, *counts))
    return results


# -- fitting -----------------------------------------------------------------------------------------------------------


def fit(cases: Sequence[Case], *, strength: float = 2.0, rounds: int = 3_000) -> dict[str, float]:
    """The weights under which the right options are likeliest, held near 0 by a normal prior of this deviation.

    By gradient ascent on the log-likelihood, which is concave but for cases with several right options.
    """
    names = [*sorted(CODES), *(name for name in sorted(WEIGHTS) if ":" in name), "stands", "unproposed", "none"]
    table = {name: index for index, name in enumerate(names)}
    worth, is_right, there = _vectors(cases, table)
    weights: npt.NDArray[np.float64] = np.zeros(len(names))
    for _ in range(rounds):
        scores = np.where(there, worth @ weights, -np.inf)
        shares = _softmax(scores)
        likely = _softmax(np.where(is_right, scores, -np.inf))
        gradient = np.einsum("no,nof->f", likely - shares, worth) - weights / strength**2
        weights += gradient * (2.0 / len(cases))
    return {name: round(float(weights[table[name]]), 2) for name in names}


def _vectors(cases: Sequence[Case], table: Mapping[str, int]) -> tuple[Any, Any, Any]:
    """(clues of each option, which options are right, which exist); the last option is "none of them"."""
    most = 14
    worth = np.zeros((len(cases), most, len(table)))
    is_right = np.zeros((len(cases), most), dtype=bool)
    there = np.zeros((len(cases), most), dtype=bool)
    for row, item in enumerate(cases):
        case = case_of(item.state, item.conflict)
        kind = field_type(case.name)
        for column, (option, found) in enumerate(zip(case.options, clues(case), strict=True)):
            there[row, column], is_right[row, column] = True, item.right(option.value)
            for clue in found:
                worth[row, column, table.get(f"{clue.code}:{kind}", table[clue.code])] += clue.strength
            bias = {"keep_current": "stands", "custom": "unproposed"}.get(option.strategy)
            if bias is not None:
                worth[row, column, table[bias]] = 1.0
        worth[row, most - 1, table["none"]] = 1.0
        there[row, most - 1], is_right[row, most - 1] = True, not is_right[row].any()
    return worth, is_right, there


def _softmax(scores: Any) -> Any:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


# -- the command -------------------------------------------------------------------------------------------------------


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:5.1f} %" if whole else "      –"


def _show(figures: Figures, threshold: int) -> None:
    print(f"\n{figures.world}: {figures.conflicts} conflicts")
    print(f"  with a suggestion       {_share(figures.suggested, figures.conflicts)}", end="")
    print(f", right {_share(figures.suggested_right, figures.suggested)}")
    print(f"  of {threshold} % and more       {_share(figures.taken, figures.conflicts)}", end="")
    print(f", right {_share(figures.taken_right, figures.taken)}")
    for band in figures.bands:
        if band.count:
            place = f"{band.low:3d} to {band.high:3d} %: {band.count:5d}"
            print(f"    {place}, said {band.confidence:5.1f} %, right {_share(band.right, band.count)}")


def _show_avoided(found: Iterable[Avoided]) -> None:
    for item in found:
        part = _share(item.conflicts_before - item.conflicts_after, item.conflicts_before)
        counts = f"{item.conflicts_before} → {item.conflicts_after} conflicts, {item.warnings} warnings"
        print(f"  {item.world}: {item.heeded:.0%} of warnings heeded: avoided {part} ({counts}, {item.edits} edits)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=8, help="days of each world")
    parser.add_argument("--threshold", type=int, default=95, help="percent from which a suggestion is taken unasked")
    parser.add_argument("--fit", action="store_true", help="fit weights instead of measuring")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    asked = parser.parse_args()
    if asked.fit:
        cases = [case for world in WORLDS for day in days(world, range(asked.days)) for case in day.cases]
        print(f"fitted on {len(cases)} conflicts of {asked.days} days of each world")
        print(json.dumps(fit(cases), indent=2))
        return
    seeds = range(FIRST_MEASURED, FIRST_MEASURED + asked.days)
    figures, warnings = [], []
    for world in WORLDS:
        played = days(world, seeds)
        figures.append(judge(world.name, [case for day in played for case in day.cases], asked.threshold))
        _show(figures[-1], asked.threshold)
        warnings += avoided(world, seeds, played)
    print("\nwarnings, where so many of those who are told wait or leave it:")
    _show_avoided(warnings)
    if asked.json is not None:
        found = {"figures": [asdict(item) for item in figures], "avoided": [asdict(item) for item in warnings]}
        asked.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
