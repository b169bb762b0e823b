"""Faults under load: ``python -m tests.faults.campaign``.

A team of six works in a session of two servers while faults are caused; then its history is judged (`checker`). With
the same seed the same things are tried in the same order; the machine decides how far each one gets. Exit codes: 0 all
invariants held, 1 some did not (the histories and the servers' logs are kept and named), 2 wrongly called.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tests.faults.cluster import Cluster, running_cluster
from tests.faults.faults import FAULTS, Fault
from tests.faults.stage import Outcome, perform


def chosen(names: list[str]) -> Iterator[tuple[tuple[int, bool], list[Fault]]]:
    """The faults that can be caused here, by the cluster that they need: (members, on a disk of its own)."""

    def needs(fault: Fault) -> tuple[int, bool]:
        return fault.members, fault.on_disk

    possible = [FAULTS[name] for name in names if FAULTS[name].skipped() is None]
    for key, faults in groupby(sorted(possible, key=needs), key=needs):
        yield key, list(faults)


async def campaign(names: list[str], *, seed: int, times: int | None, length: float, together: bool) -> list[Outcome]:
    """Cause faults, each in a session of its own, or all ``together`` in one; what came of it, as it comes printed."""
    outcomes: list[Outcome] = []
    for (members, on_disk), faults in chosen(names):
        async with running_cluster(members=members, on_disk=on_disk, seed=seed) as cluster:
            parts = [("all together", faults)] if together else [(fault.name, [fault]) for fault in faults]
            for name, part in parts:
                causes = [(fault.cause, times or fault.times) for fault in part]
                outcome = await perform(cluster, name, causes, seed=seed, length=length)
                outcomes.append(outcome)
                print(outcome.row(), flush=True)
                print(f"{'':22} refusals {dict(outcome.codes)} {dict(outcome.notes)}", flush=True)
                if outcome.violations:
                    _keep(cluster, outcome)
    return outcomes


def _keep(cluster: Cluster, outcome: Outcome) -> None:
    directory = Path(tempfile.mkdtemp(prefix=f"faults-{outcome.name}-"))
    outcome.history.save(directory / "history.jsonl")
    for log in cluster.directory.glob("*.log"):
        shutil.copy(log, directory)
    for violation in outcome.violations[:20]:
        print(f"  {str(violation)[:400]}")
    print(f"  kept in {directory}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaign", description="Faults under load.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault", default="all", choices=["all", *FAULTS])
    parser.add_argument("--times", type=int, help="how often each is caused; without it, as often as it is worth")
    parser.add_argument("--length", type=float, default=1.0, help="how long each one lasts, as a part of the default")
    parser.add_argument("--together", action="store_true", help="all in one session, one after another")
    options = parser.parse_args()
    names = list(FAULTS) if options.fault == "all" else [options.fault]
    for name in names:
        if (reason := FAULTS[name].skipped()) is not None:
            print(f"{name} is left out: {reason}")
    outcomes = asyncio.run(
        campaign(names, seed=options.seed, times=options.times, length=options.length, together=options.together)
    )
    return 1 if any(outcome.violations for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
