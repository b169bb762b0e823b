"""Whatever happened in a session, its past is what the rules made of its log until then."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from immutables import Map

from realtime_server.core import commands as c
from realtime_server.core.commits import Commit
from realtime_server.core.evolve import replay
from realtime_server.core.locks import held_by
from realtime_server.core.reconciliation_commands import AssignRecords, MakeMatch, RemoveMatches, SetRecordStatus
from realtime_server.core.state import RecordState, SessionState
from realtime_server.ports import NewRecord
from realtime_server.reconciliation.past import RecordsAsOf, session_as_of
from realtime_server.rest.tally import Durations, Tally
from realtime_server.rest.views import record_view
from realtime_server.storage.memory import MemoryStore
from tests.core.session_log import ADA, ALICE, BASE, BOB, RITA, SESSION, Log

RECORDS = [
    RecordState(f"{side}{number}", source, f"{side}{number}", {**BASE, "amount": amount})
    for side, source, amount in (("l", "ledger", "10.50"), ("s", "statement", "10.50"))
    for number in (1, 2)
]

steps = st.lists(
    st.tuples(st.sampled_from(range(13)), st.sampled_from(["l1", "l2", "s1", "s2"]), st.integers(0, 4)), max_size=40
)


def act(log: Log, what: int, record_id: str, value: int) -> None:
    """One thing that somebody tries. Most of it succeeds; a refusal changes nothing."""
    who = (ALICE, BOB, ADA)[value % 3]
    seen = max(0, log.state.seq - value)
    log.now += 1_000 * value
    match what:
        case 0 | 1:
            log.edit(who, record_id, "amount", f"{value}.00", base=seen)
        case 2:
            log.edit(who, record_id, "description", f"Card payment {value} to the baker", base=seen)
        case 3:
            log.batch(who, log.part(record_id, "notes", str(value)), log.part("l2", "category", str(value)))
        case 4:
            log.lock(who, record_id)
        case 5:
            for lock in held_by(log.state, who.user_id):
                log.ask(c.ReleaseLock, who, record_id=lock.record_id, token=lock.token)
        case 6:
            for conflict_id in list(log.state.conflicts)[:value]:
                log.resolve(RITA, conflict_id, "keep_current")
        case 7:
            log.undo(who)
        case 8:
            log.ask(c.AddComment, who, text=str(value), record_id=record_id)
        case 9:
            log.ask(c.TakeOverLock, RITA, record_id=record_id, reason="late", duration=60_000)
        case 10:
            log.ask(SetRecordStatus, who, record_ids=(record_id,), status="excluded", reason="twice")
        case 11:
            log.ask(MakeMatch, who, ledger=(f"l{1 + value % 2}",), statement=(f"s{1 + value % 2}",), reason="by hand")
        case 12:
            matches = {item.match.match_id for item in log.state.records.values() if item.match is not None}
            if matches and value % 2:
                log.ask(RemoveMatches, who, match_ids=tuple(matches))
            else:
                log.ask(AssignRecords, who, record_ids=(record_id,), assignee=str(value))


async def stored(log: Log) -> MemoryStore:
    store = MemoryStore()
    new = [NewRecord(item.record_id, item.source, item.external_id, item.base, "none") for item in RECORDS]
    await store.records.insert(SESSION, new)
    await store.log.append(log.commits)
    await store.records.save(SESSION, list(log.state.records.values()))
    return store


def session_part(state: SessionState) -> dict[str, Any]:
    return {
        "status": state.status,
        "participants": dict(state.participants),
        "locks": dict(state.locks),
        "conflicts": dict(state.conflicts),
        "hash": state.hash,
        "seq": state.seq,
        "at": state.at,
    }


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps, st.booleans())
@example([(0, "l1", 0), (0, "l1", 1), (6, "l1", 1), (3, "l1", 2)], False)
def test_the_past_is_what_the_log_says(work: list[tuple[int, str, int]], in_memory: bool) -> None:
    log = Log(*RECORDS)
    for step in work:
        act(log, *step)

    async def compare() -> None:
        store = await stored(log)
        records = await store.records.page(SESSION, limit=10)
        # What storage does not have yet stands in memory; what it has need not.
        now = log.state if in_memory else log.state.changed(records=Map())
        for seq in range(1, log.state.seq + 1):
            then = replay(log.first, log.commits[:seq])
            found = await RecordsAsOf(store.log, store.records, now, seq).of(records)
            assert [record_view(item) for item in found] == [
                record_view(then.records[item.record_id]) for item in records
            ]
            assert found == [then.records[item.record_id] for item in records]
            assert session_part(await session_as_of(store.log, now, seq)) == session_part(then)

    asyncio.run(compare())


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(1, 50))
def test_a_tally_is_the_same_however_the_log_is_cut(work: list[tuple[int, str, int]], size: int) -> None:
    log = Log(*RECORDS)
    for step in work:
        act(log, *step)
    whole, parts = Tally(), Tally()
    whole.add(log.commits)
    for first in range(0, len(log.commits), size):
        parts.add(log.commits[first : first + size])
    assert whole.view() == parts.view()
    view = whole.view()
    assert view["as_of"] == log.state.seq
    assert view["conflicts"]["open"] == len(log.state.conflicts)
    assert sum(item["commits"] for item in view["by_user"].values()) == len(log.commits)
    assert sum(item["commits"] for item in view["by_day"].values()) == len(log.commits)
    assert view["edits"]["total"] == sum(item["edits"] for item in view["by_user"].values())


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=300))
def test_durations_are_told_within_two_percent(durations: list[int]) -> None:
    measured = Durations()
    for duration in durations:
        measured.add(duration)
    view, exact = measured.view(), sorted(durations)
    for name, rank in (("median", -(-len(exact) // 2)), ("p95", -(-len(exact) * 95 // 100))):
        right = exact[rank - 1] / 1000
        assert abs(view[name] - right) <= 0.021 * right + 0.001
    assert view["longest"] == exact[-1] / 1000
    assert view["count"] == len(exact)


def test_nothing_measured_has_no_duration() -> None:
    assert Durations().view() == {"count": 0, "median": None, "p95": None, "longest": None}


def test_commits_of_every_family_were_in_the_random_logs() -> None:
    log = Log(*RECORDS)
    for what in range(13):
        for value in (0, 1, 2, 3):
            act(log, what, "l1", value)
    kinds: set[str] = {commit.family for commit in log.commits if isinstance(commit, Commit)}
    assert kinds >= {"session", "edit", "lock", "conflict", "comment", "record", "match"}
