"""The matching itself, in a process of its own: its work moves nobody's edits. Runs in a pool of one worker.

The functions here are what the pool calls. The worker keeps sessions' records and results between calls, so that they
travel in small parts: pickling 100,000 records at once would hold the server's event loop for a tenth of a second. It
keeps them until whoever began the job says `forget`: the server bounds how many there are.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from realtime_server.core.matching import explain
from realtime_server.core.matching.proposals import Proposal
from realtime_server.core.matching.propose import propose, reach_of, statement_sign
from realtime_server.core.matching.rejections import Rejections
from realtime_server.core.matching.rules import DEFAULT_RULES, Rule
from realtime_server.core.matching.settled import Settled
from realtime_server.core.matching.table import Item, item_of
from realtime_server.core.matching.workspace import Workspace, prepare

#: (record_id, source, values): a record on its way to the worker. ``values`` holds `FIELDS` only.
Row = tuple[str, str, dict[str, Any]]
FIELDS: Final = ("amount", "currency", "date", "description", "reference")


class Part(NamedTuple):
    """Records of a session on their way to the worker. ``rows``: the open ones. ``rejected``: the marks of those among
    them that were rejected in a suggestion (`RecordState.rejected`). ``agreed``: how many matches of the others go by a
    statement that counts as the ledger does, and how many by one that counts the other way. ``settled``: the others,
    and ``pairs``: what is confirmed among them, one record of each side."""

    rows: Sequence[Row]
    rejected: Mapping[str, tuple[str, ...]]
    agreed: tuple[int, int]
    settled: Sequence[Row]
    pairs: Sequence[tuple[str, str]]


#: Below the server's own priority (POSIX nice).
_NICENESS: Final = 10


@dataclass(slots=True)
class _Job:
    ledger: list[Item] = field(default_factory=list)
    statement: list[Item] = field(default_factory=list)
    settled: tuple[list[Item], list[Item]] = field(default_factory=lambda: ([], []))
    pairs: list[tuple[str, str]] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    rejected: dict[str, tuple[str, ...]] = field(default_factory=dict)
    agreed: tuple[int, int] = (0, 0)
    sign: int = 1
    work: Workspace | None = None

    def known(self) -> Settled:
        """By what the open records are judged."""
        return Settled(*self.settled, self.pairs)


_JOBS: dict[str, _Job] = {}


class Forgotten(Exception):
    """There is no such job: the process that had it is gone."""


def start() -> None:
    """Called once in a new worker."""
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    threading.Thread(target=_end_with_the_server, name="waits for the server's end", daemon=True).start()


def _end_with_the_server() -> None:
    """A server that is killed ends nobody: its worker would wait for work for ever, with its records in memory."""
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(0)


def begin(job_id: str) -> None:
    """A new job, empty. The functions below raise `Forgotten` where there is no such job."""
    _JOBS[job_id] = _Job()


def forget(job_id: str) -> None:
    _JOBS.pop(job_id, None)


def _known(job_id: str) -> _Job:
    job = _JOBS.get(job_id)
    if job is None:
        raise Forgotten(job_id)
    return job


def add(job_id: str, part: Part) -> int:
    """Records of the job; how many of them can be matched."""
    job = _known(job_id)
    before = len(job.ledger) + len(job.statement)
    job.pairs.extend(part.pairs)
    job.rejected.update(part.rejected)
    job.agreed = job.agreed[0] + part.agreed[0], job.agreed[1] + part.agreed[1]
    for rows, sides in ((part.rows, (job.ledger, job.statement)), (part.settled, job.settled)):
        for record_id, source, values in rows:
            item = item_of(record_id, values)
            if item is not None:
                sides[source != "ledger"].append(item)
    return len(job.ledger) + len(job.statement) - before


def match(job_id: str, rules: Sequence[Rule]) -> tuple[int, int]:
    """Find the matches; (how many, the statement's sign). `results` gives them."""
    job = _known(job_id)
    job.sign = statement_sign(job.ledger, job.statement, job.agreed)
    rejections = Rejections(job.rejected)
    job.proposals = propose(job.ledger, job.statement, rules, sign=job.sign, rejections=rejections, settled=job.known())
    return len(job.proposals), job.sign


def results(job_id: str, first: int, count: int) -> list[Proposal]:
    return _known(job_id).proposals[first : first + count]


def summary(job_id: str, count: int) -> dict[str, Any]:
    """What a run would do: matches by rule, and the first ones of each."""
    job = _known(job_id)
    by_rule: Counter[str] = Counter(item.rule_id for item in job.proposals)
    confirmed: Counter[str] = Counter(item.rule_id for item in job.proposals if item.confirmed)
    shown: Counter[str] = Counter()
    examples: list[Proposal] = []
    for item in job.proposals:
        shown[item.rule_id] += 1
        if shown[item.rule_id] <= count:
            examples.append(item)
    records = sum(len(item.records) for item in job.proposals)
    return {
        "records": len(job.ledger) + len(job.statement),
        "records_matched": records,
        "matches": len(job.proposals),
        "by_rule": {rule: {"matches": by_rule[rule], "confirmed": confirmed[rule]} for rule in by_rule},
        "examples": examples,
    }


def candidates(job_id: str, record_id: str, limit: int) -> list[dict[str, Any]]:
    """Who could belong to a record, the likeliest first: ``record_id``, ``score``, ``reasons``. Empty when nobody."""
    job = _known(job_id)
    if job.work is None:
        job.sign = statement_sign(job.ledger, job.statement, job.agreed)
        reach = reach_of(DEFAULT_RULES)
        job.work = prepare(job.ledger, job.statement, reach, sign=job.sign, chained=False, settled=job.known())
    work = job.work
    for side, table in enumerate(work.tables):
        row = next((place for place, item in enumerate(table.items) if item.record_id == record_id), None)
        if row is not None:
            return _candidates(work, side, row, limit)
    return []


def _candidates(work: Workspace, side: int, row: int, limit: int) -> list[dict[str, Any]]:
    mine, theirs = (work.pairs.left, work.pairs.right) if side == 0 else (work.pairs.right, work.pairs.left)
    places = np.flatnonzero(mine == row)
    ordered = places[np.lexsort((theirs[places], -work.scored.bits[places]))][:limit]
    found: list[dict[str, Any]] = []
    for place in ordered.tolist():
        left, right = int(work.pairs.left[place]), int(work.pairs.right[place])
        ahead = float(work.scored.bits[place] - work.rivals[place])
        found.append(
            {
                "record_id": work.tables[1 - side].items[int(theirs[place])].record_id,
                "score": round(float(work.scored.sure[place]), 6),
                "reasons": list(explain.pair(work.ledger, work.statement, left, right, work.compared, place, ahead)),
            }
        )
    return found
