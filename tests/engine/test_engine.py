from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
from immutables import Map

from realtime_server.core.commands import AcquireLock, CreateSession, Join, ReleaseLock, Undo
from realtime_server.core.commits import Commit, verify
from realtime_server.core.evolve import replay
from realtime_server.core.state import SessionState
from realtime_server.engine.sweeper import sweep
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import Appended, CommitLog
from tests.engine.conftest import ADMIN, SESSION, Bench, edit, preparer
from tests.support import eventually


async def test_commits_are_published_in_order_and_before_their_submitter_is_answered(bench: Bench) -> None:
    engine = bench.engine()
    await bench.create(engine)
    seen: list[tuple[int, int]] = []

    async def work(number: int) -> None:
        answer = await engine.submit(SESSION, edit(preparer(f"p{number}"), f"{number}.50", record=f"ledger:{number}"))
        seen.append((answer["seq"], bench.published[0][-1].seq))

    await asyncio.gather(*(work(number) for number in (1, 2, 3)))
    assert [commit.seq for commit in bench.published[0]] == [1, 2, 3, 4]
    assert all(published >= own for own, published in seen)


async def test_two_engines_with_fifty_writers_each_make_one_gapless_log(bench: Bench) -> None:
    engines = [bench.engine(), bench.engine()]
    await bench.create(engines[0], records=100)

    async def write(engine: int, writer: int) -> list[int]:
        person = preparer(f"p{engine}-{writer}")
        record = f"ledger:{engine * 50 + writer + 1}"
        answers = []
        for value in range(6):
            base = answers[-1] if answers else 0
            answer = await engines[engine].submit(SESSION, edit(person, f"{value}.25", base=base, record=record))
            assert answer["status"] == "applied"
            answers.append(answer["seq"])
        return answers

    answers = await asyncio.gather(*(write(engine, writer) for engine in (0, 1) for writer in range(50)))
    acknowledged = [seq for mine in answers for seq in mine]
    log = await bench.whole_log()
    assert [commit.seq for commit in log] == list(range(1, 602))
    assert sorted(acknowledged) == list(range(2, 602))
    assert verify(SESSION, log) is None
    for engine in engines:
        state = await engine.state(SESSION)
        assert (state.seq, state.hash) == (601, log[-1].hash)
    for published in bench.published:
        assert [commit.seq for commit in published] == [commit.seq for commit in log][-len(published) :]


async def test_the_same_edit_five_times_is_one_commit_and_five_equal_answers(bench: Bench) -> None:
    first, second = bench.engine(recent_commits=2), bench.engine(recent_commits=2)
    await bench.create(first)
    again = edit(preparer("ann"), "9.00", edit_id="once")
    at_once = await asyncio.gather(
        first.submit(SESSION, again), first.submit(SESSION, again), second.submit(SESSION, again)
    )
    for value in range(5):
        await second.submit(SESSION, edit(preparer("bob"), f"{value}.00", record="ledger:2"))
    # By now the field is locked by somebody else: the retry still hears what happened, not what would happen.
    lock = AcquireLock(actor=preparer("bob"), command_id="bob/l", record_id="ledger:1", duration=60_000)
    await second.submit(SESSION, lock)
    later = [await first.submit(SESSION, again), await second.submit(SESSION, again)]
    assert all(answer == at_once[0] for answer in [*at_once, *later])
    assert sum(commit.command_id == again.command_id for commit in await bench.whole_log()) == 1


async def test_of_a_hundred_writers_who_saw_the_same_version_one_wins_and_the_rest_are_candidates(bench: Bench) -> None:
    engines = [bench.engine(), bench.engine()]
    await bench.create(engines[0])
    answers = await asyncio.gather(
        *(engines[n % 2].submit(SESSION, edit(preparer(f"p{n}"), f"{n + 100}.00")) for n in range(100))
    )
    statuses = [answer["status"] for answer in answers]
    assert (statuses.count("applied"), statuses.count("conflict")) == (1, 99)
    assert len({answer["conflict_id"] for answer in answers if answer["status"] == "conflict"}) == 1
    (conflict,) = await engines[0].open_conflicts(SESSION)
    assert len(conflict.candidates) == 99


async def test_what_became_possible_through_another_instance_is_not_refused(bench: Bench) -> None:
    first, second = bench.engine(), bench.engine()
    await bench.create(first)
    ann, bob = preparer("ann"), preparer("bob")
    await second.state(SESSION)
    lock = AcquireLock(actor=ann, command_id="ann/l", record_id="ledger:1", duration=60_000)
    token = (await first.submit(SESSION, lock))["token"]
    with pytest.raises(CollaborationError) as raised:
        await second.submit(SESSION, edit(bob, "7.00"))
    assert raised.value.code is ErrorCode.LOCKED
    await first.submit(SESSION, ReleaseLock(actor=ann, command_id="ann/u", record_id="ledger:1", token=token))
    assert (await second.submit(SESSION, edit(bob, "7.00")))["status"] == "applied"
    # A version that only the other instance knows of yet, and a value that is there only until it is asked.
    version = (await second.submit(SESSION, edit(bob, "8.00", record="ledger:2")))["version"]
    assert (await first.submit(SESSION, edit(ann, "9.00", record="ledger:2", base=version)))["status"] == "applied"
    assert (await second.submit(SESSION, edit(bob, "8.00", record="ledger:2", base=1)))["status"] == "conflict"


async def test_an_idle_session_leaves_memory_and_comes_back_as_it_was(bench: Bench) -> None:
    engine = bench.engine(idle_unload=0.05, checkpoint_after=0.01)
    await bench.create(engine)
    for value in range(4):
        await engine.submit(SESSION, edit(preparer("ann"), f"{value}.50", base=value and value + 1))
    before = await engine.inspect(SESSION, lambda _: {"ledger:1"})
    await eventually(lambda: not engine.open_sessions)
    after = await engine.inspect(SESSION, lambda _: {"ledger:1"})
    assert after == before
    answer = await engine.submit(SESSION, Undo(actor=preparer("ann"), command_id="ann/u"))
    assert (await engine.inspect(SESSION, lambda _: {"ledger:1"})).records["ledger:1"].value("amount") == "2.50"
    assert answer["seq"] == before.seq + 1


async def test_a_watched_session_stays_in_memory(bench: Bench) -> None:
    engine = bench.engine(idle_unload=0.02)
    await bench.create(engine)
    engine.watch(SESSION)
    await asyncio.sleep(0.2)
    assert engine.open_sessions == 1
    engine.unwatch(SESSION)
    await eventually(lambda: not engine.open_sessions)


async def test_a_full_queue_refuses_as_overloaded_and_loses_nothing_it_took(bench: Bench) -> None:
    engine = bench.engine(queue_limit=10)
    await bench.create(engine)
    futures = [engine.submit(SESSION, edit(ADMIN, f"{n}.00", base=0)) for n in range(30)]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    refused = [item for item in outcomes if isinstance(item, CollaborationError)]
    assert len(refused) == 20
    assert {error.code for error in refused} == {ErrorCode.OVERLOADED}
    assert len(await bench.whole_log()) == 11


async def test_a_lease_that_ends_is_a_commit_that_nobody_had_to_ask_for(bench: Bench) -> None:
    engine = bench.engine()
    await bench.create(engine)
    command = AcquireLock(actor=preparer("ann"), command_id="ann/l", record_id="ledger:1", duration=50)
    await engine.submit(SESSION, command)
    await eventually(lambda: bench.published[0][-1].message_type == "lock.expired")
    assert not (await engine.state(SESSION)).locks


async def test_an_unknown_session_is_not_found_and_takes_no_memory(bench: Bench) -> None:
    engine = bench.engine()
    for attempt in (engine.state("nowhere"), engine.submit("nowhere", Join(actor=ADMIN, command_id="ada/j"))):
        with pytest.raises(CollaborationError) as raised:
            await attempt
        assert raised.value.code is ErrorCode.NOT_FOUND
    await asyncio.sleep(0.05)
    assert engine.open_sessions == 0


async def test_a_crash_loses_nothing_that_was_acknowledged(bench: Bench) -> None:
    doomed = bench.engine(checkpoint_every=7)
    await bench.create(doomed)
    version = 0
    for value in range(25):
        version = (await doomed.submit(SESSION, edit(preparer("ann"), f"{value}.75", base=version)))["seq"]
    # No close(): a process that was killed stores no last checkpoint.
    state = await bench.engine().inspect(SESSION, lambda _: {"ledger:1"})
    assert state.records["ledger:1"].value("amount") == "24.75"
    base = await bench.stores.records.load(SESSION, {"ledger:1"})
    untouched = {name: replace(item, fields=Map(), seq=0) for name, item in base.items()}
    replayed = replay(SessionState(SESSION, records=Map(untouched)), await bench.whole_log())
    assert replayed == replace(state, records=Map({"ledger:1": state.records["ledger:1"]}))


async def test_records_that_are_stored_leave_memory_and_can_still_be_edited(bench: Bench) -> None:
    engine = bench.engine(records_kept=5, checkpoint_every=5)
    await bench.create(engine, records=60)
    versions: dict[int, int] = {}
    for turn in range(2):
        for number in range(1, 61):
            command = edit(ADMIN, f"{turn}.{number:02d}", base=versions.get(number, 0), record=f"ledger:{number}")
            answer = await engine.submit(SESSION, command)
            assert answer["status"] == "applied"
            versions[number] = answer["version"]
    # When a fold ends by itself depends on the store and on the machine; here everything is stored, and one edit more.
    await engine.checkpoint(SESSION)
    await engine.submit(SESSION, edit(ADMIN, "2.00", base=versions[1]))
    assert len((await engine.state(SESSION)).records) < 60


async def test_undoing_many_edits_in_one_burst_loads_what_each_needs(bench: Bench) -> None:
    engine = bench.engine(records_kept=1, checkpoint_every=1)
    await bench.create(engine, records=30)
    ann = preparer("ann")
    for number in range(1, 31):
        await engine.submit(SESSION, edit(ann, "99.00", record=f"ledger:{number}"))
    undone = [engine.submit(SESSION, Undo(actor=ann, command_id=f"ann/u{n}")) for n in range(30)]
    await asyncio.gather(*undone)
    state = await engine.inspect(SESSION, lambda _: {f"ledger:{n}" for n in range(1, 31)})
    assert [state.records[f"ledger:{n}"].value("amount") for n in range(1, 31)] == [f"{n}.00" for n in range(1, 31)]


class TroubledLog:
    """The real log behind a connection that fails: before the write reaches it, or before the answer comes back."""

    def __init__(self, log: CommitLog) -> None:
        self._log = log
        self.before = self.after = self.reads = 0

    async def append(self, commits: Sequence[Commit]) -> Appended:
        if self.before:
            self.before -= 1
            raise CollaborationError(ErrorCode.UNAVAILABLE, "cut before the write")
        appended = await self._log.append(commits)
        if self.after:
            self.after -= 1
            raise CollaborationError(ErrorCode.UNAVAILABLE, "cut after the write")
        return appended

    async def read(self, session_id: str, after: int, limit: int) -> list[Commit]:
        if self.reads:
            self.reads -= 1
            raise CollaborationError(ErrorCode.UNAVAILABLE, "cut while reading")
        return await self._log.read(session_id, after, limit)

    async def find(self, session_id: str, command_ids: Collection[str]) -> dict[str, Commit]:
        return await self._log.find(session_id, command_ids)

    def scan(self, session_id: str, after: int = 0):  # type: ignore[no-untyped-def]
        return self._log.scan(session_id, after)


@pytest.mark.parametrize("where", ["before", "after"])
async def test_an_append_with_unknown_outcome_is_looked_up_and_answered_once(bench: Bench, where: str) -> None:
    log = TroubledLog(bench.stores.log)
    engine = bench.engine(log=log)
    await bench.create(engine)
    setattr(log, where, 1)
    answers = await asyncio.gather(
        *(engine.submit(SESSION, edit(preparer(f"p{n}"), "5.00", record=f"ledger:{n}")) for n in (1, 2, 3))
    )
    assert sorted(answer["seq"] for answer in answers) == [2, 3, 4]
    assert [commit.seq for commit in bench.published[0]] == [1, 2, 3, 4]


async def test_while_the_log_is_away_edits_fail_cleanly_and_a_retry_finds_what_was_done(bench: Bench) -> None:
    log = TroubledLog(bench.stores.log)
    engine = bench.engine(log=log)
    await bench.create(engine)
    log.after = log.reads = 1
    command = edit(preparer("ann"), "5.00", edit_id="mine")
    with pytest.raises(CollaborationError) as raised:
        await engine.submit(SESSION, command)
    assert raised.value.code is ErrorCode.UNAVAILABLE
    assert raised.value.retryable
    assert (await engine.submit(SESSION, command))["seq"] == 2
    assert [commit.seq for commit in await bench.whole_log()] == [1, 2]


async def test_a_database_that_reads_and_does_not_write_is_said_to_be_unavailable_and_holds_nobody_up(
    bench: Bench,
) -> None:
    now = [1_000_000]
    log = TroubledLog(bench.stores.log)
    engine = bench.engine(log=log, clock=lambda: now[0])
    await bench.create(engine)
    ann = preparer("ann")
    await engine.submit(SESSION, AcquireLock(actor=ann, command_id="ann/l", record_id="ledger:1", duration=60_000))
    refused = 1_000
    log.before = refused
    now[0] += 61_000  # nobody asks for the end of the lease, and it cannot be stored either
    async with asyncio.timeout(20):
        for value in ("5.00", "6.00"):
            with pytest.raises(CollaborationError) as raised:
                await engine.submit(SESSION, edit(ann, value, record="ledger:2"))
            assert raised.value.code is ErrorCode.UNAVAILABLE
    assert refused - log.before < 10
    log.before = 0
    assert (await engine.submit(SESSION, edit(ann, "7.00", record="ledger:2")))["status"] == "applied"
    assert not (await engine.state(SESSION)).locks
    # Nor does it keep a server from stopping.
    await engine.submit(SESSION, AcquireLock(actor=ann, command_id="ann/l2", record_id="ledger:1", duration=60_000))
    log.before = refused
    now[0] += 61_000
    async with asyncio.timeout(20):
        await engine.close()


async def test_what_is_refused_beside_an_edit_that_came_too_late_is_decided_anew(bench: Bench) -> None:
    here, there = bench.engine(), bench.engine()
    await bench.create(here)
    await here.inspect(SESSION, lambda _: ["ledger:1", "ledger:2"])
    eve, bob = preparer("eve"), preparer("bob")
    version = (await there.submit(SESSION, edit(eve, "5.00")))["version"]
    # Eve goes on here, where nobody has heard of it, in one batch with an edit of Bob's.
    answers = await asyncio.gather(
        here.submit(SESSION, edit(eve, "6.00", base=version)),
        here.submit(SESSION, edit(bob, "9.00", record="ledger:2")),
    )
    assert [answer["status"] for answer in answers] == ["applied", "applied"]


async def test_a_replay_is_answered_from_memory_or_the_log_and_is_bounded(bench: Bench) -> None:
    engine = bench.engine(recent_commits=3, replay_limit=8)
    await bench.create(engine)
    for value in range(11):
        await engine.submit(SESSION, edit(ADMIN, f"{value}.10", base=value and value + 1))
    assert [commit.seq for commit in (await engine.replay(SESSION, 10)).commits] == [11, 12]
    assert [commit.seq for commit in (await engine.replay(SESSION, 4)).commits] == list(range(5, 13))
    assert (await engine.replay(SESSION, 12)).commits == []
    assert (await engine.replay(SESSION, 3)).reset
    assert (await engine.replay(SESSION, 13)).reset


async def test_a_session_nobody_uses_expires_and_one_that_is_watched_does_not(bench: Bench) -> None:
    now = [1_000_000]
    engine = bench.engine(clock=lambda: now[0], checkpoint_after=0.01)
    await bench.create(engine, expires_in=60)
    await engine.state(SESSION)
    now[0] += 61_000
    engine.watch(SESSION)
    await sweep(engine, bench.stores.sessions, now[0], 30)
    assert (await engine.state(SESSION)).status == "active"
    engine.unwatch(SESSION)
    now[0] += 90_000  # for which it was kept
    await sweep(engine, bench.stores.sessions, now[0], 30)
    assert (await engine.state(SESSION)).status == "expired"
    with pytest.raises(CollaborationError) as raised:
        await engine.submit(SESSION, edit(ADMIN, "1.00"))
    assert raised.value.code is ErrorCode.SESSION_ENDED


async def test_a_session_that_is_open_at_one_process_is_not_ended_by_another(bench: Bench) -> None:
    now = [1_000_000]
    here, there = (bench.engine(clock=lambda: now[0], checkpoint_after=0.01) for _ in range(2))
    sessions = bench.stores.sessions
    await bench.create(here, expires_in=600)
    await here.checkpoint(SESSION)
    here.watch(SESSION)
    for _ in range(30):  # quarter of an hour; each process sweeps every 30 s, half of that after the other
        now[0] += 15_000
        await sweep(here, sessions, now[0], 30)
        now[0] += 15_000
        await sweep(there, sessions, now[0], 30)
    assert (await there.state(SESSION)).status == "active"
    here.unwatch(SESSION)
    now[0] += 90_000
    await sweep(there, sessions, now[0], 30)
    assert (await here.state(SESSION)).status == "expired"


async def test_a_session_that_cannot_be_opened_keeps_no_other_from_expiring(bench: Bench) -> None:
    class Damaged:
        """The real log, with one session's damaged."""

        def __getattr__(self, name: str) -> Any:
            return getattr(bench.stores.log, name)

        async def read(self, session_id: str, after: int, limit: int) -> list[Commit]:
            if session_id == "broken":
                raise CollaborationError(ErrorCode.INTERNAL, "the session's log is damaged")
            return await bench.stores.log.read(session_id, after, limit)

    names = ("broken", "a", "z")
    now = [1_000_000]
    before = bench.engine(clock=lambda: now[0])
    for number, name in enumerate(names):
        command = CreateSession(
            actor=ADMIN, command_id="ada/create", session_id=name, project_id="demo", name=name, expires_in=60 + number
        )
        await before.submit(name, command)
        await before.checkpoint(name)
    now[0] += 70_000
    await sweep(bench.engine(clock=lambda: now[0], log=Damaged()), bench.stores.sessions, now[0], 30)
    assert [(await before.inspect(name)).status for name in names] == ["active", "expired", "expired"]


async def test_records_beside_a_touched_one_are_in_memory_before_they_are_asked_for(bench: Bench) -> None:
    engine = bench.engine()
    await bench.create(engine, records=40)
    await engine.submit(SESSION, edit(preparer("p"), "1.50", record="ledger:9"))
    assert len((await engine.state(SESSION)).records) > 1
    # What came along is never older than what the session knows: an edit of it is decided on its stored value.
    state = await engine.inspect(SESSION, lambda state: [f"ledger:{number}" for number in range(1, 41)])
    assert state.records["ledger:9"].value("amount") == "1.50"
    assert {name: record.value("amount") for name, record in state.records.items() if name != "ledger:9"} == {
        f"ledger:{number}": f"{number}.00" for number in range(1, 41) if number != 9
    }


async def test_a_miss_far_from_all_others_is_loaded_too(bench: Bench) -> None:
    engine = bench.engine()
    await bench.create(engine, records=300)
    for number in (300, 150, 299, 1):
        answer = await engine.submit(SESSION, edit(preparer("p"), "0.75", record=f"ledger:{number}"))
        assert answer["status"] == "applied"
    with pytest.raises(CollaborationError) as refused:
        await engine.submit(SESSION, edit(preparer("p"), "0.75", record="ledger:301"))
    assert refused.value.code is ErrorCode.NOT_FOUND
