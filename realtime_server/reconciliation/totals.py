"""What sessions' records come to, kept up: added up once, and from then on changed by what the log says has changed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from realtime_server.core.commits import Commit
from realtime_server.core.state import SessionState
from realtime_server.engine.engine import Engine
from realtime_server.ports import RecordStore
from realtime_server.reconciliation.loading import Totals, count_totals

#: Sessions whose totals are kept.
_KEPT: Final = 32
#: How often records are added up anew because amounts changed meanwhile; while an import runs they always do.
_ATTEMPTS: Final = 3
#: Seconds for which a sum that was overtaken while it was added up is good enough to be shown.
_SHOWN: Final = 2.0

_AMOUNT: Final = ("amount", "currency")


@dataclass(slots=True)
class _Sum:
    """``totals`` as of ``totals.seq``; ``changed``: `Reconciliation.amounts_seq` then. ``exact``: nothing changed while
    it was added up. ``counted_at``: by the loop's clock."""

    totals: Totals
    changed: int
    exact: bool
    counted_at: float


@dataclass(slots=True)
class _Session:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    sum: _Sum | None = None


class SessionTotals:
    """Several may ask for one session at a time: it is added up once."""

    def __init__(self, engine: Engine, records: RecordStore) -> None:
        self._engine, self._records = engine, records
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    async def of(self, state: SessionState, *, shown: bool = False) -> Totals:
        """The totals as of ``state`` or of a later one, which ``seq`` says.

        ``shown``: for somebody who looks on. While an import runs they may be a few seconds old.
        """
        session = self._sessions.setdefault(state.session_id, _Session())
        self._sessions.move_to_end(state.session_id)
        while len(self._sessions) > _KEPT:
            self._sessions.popitem(last=False)
        async with session.turn:
            kept = session.sum
            if kept is not None and kept.exact and kept.changed == state.reconciliation.amounts_seq:
                return replace(kept.totals, seq=max(kept.totals.seq, state.seq))
            now = asyncio.get_running_loop().time()
            if shown and kept is not None and not kept.exact and now - kept.counted_at < _SHOWN:
                return kept.totals
            session.sum = await self._followed(state.session_id, kept) or await self._counted(state.session_id)
            return session.sum.totals

    async def _counted(self, session_id: str) -> _Sum:
        """Everything added up. What changes meanwhile may be in it or not, so the log is looked at again afterwards."""
        state = await self._engine.inspect(session_id)
        exact = False
        for _ in range(_ATTEMPTS):
            before, totals = state, await count_totals(self._records, state)
            state = await self._engine.inspect(session_id)
            exact = state.reconciliation.amounts_seq == before.reconciliation.amounts_seq
            if exact:
                totals.seq = state.seq
                break
        return _Sum(totals, before.reconciliation.amounts_seq, exact, asyncio.get_running_loop().time())

    async def _followed(self, session_id: str, kept: _Sum | None) -> _Sum | None:
        """The sum brought up to date by the log; None where that cannot be: records came, or too much has happened."""
        if kept is None or not kept.exact:
            return None
        for _ in range(_ATTEMPTS):
            replay = await self._engine.replay(session_id, kept.totals.seq)
            if replay.reset or any(commit.message_type == "record.imported" for commit in replay.commits):
                return None
            before = _values_before(replay.commits)
            state = await self._engine.inspect(session_id, partial(_named, frozenset(before)), refresh=False)
            if state.seq == replay.seq:
                return _moved(kept.totals, state, before)
        return None


def _named(record_ids: frozenset[str], state: SessionState) -> frozenset[str]:
    return record_ids


def _values_before(commits: Iterable[Commit]) -> dict[str, dict[str, Any]]:
    """record_id -> amount and currency before the first of these commits, of the records in which they changed."""
    found: dict[str, dict[str, Any]] = {}
    for commit in commits:
        data: Mapping[str, Any] = commit.data
        for item in data.get("edits", (data,)):
            if item.get("field_name") in _AMOUNT and "old_value" in item:
                found.setdefault(item["record_id"], {}).setdefault(item["field_name"], item["old_value"])
    return found


def _moved(totals: Totals, state: SessionState, before: Mapping[str, Mapping[str, Any]]) -> _Sum:
    after = replace(totals, seq=state.seq, sums=dict(totals.sums))
    for record_id, old in before.items():
        record = state.records[record_id]
        after.take(record, -1, old)
        after.take(record, 1)
    changed = state.reconciliation.amounts_seq
    return _Sum(after, changed, True, asyncio.get_running_loop().time())
