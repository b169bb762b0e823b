"""What other processes have appended is applied here: by their hints, or by looking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest

from realtime_server.core.commits import Commit, verify
from realtime_server.engine.engine import Engine
from tests.engine.conftest import SESSION, Bench, edit, preparer
from tests.support import eventually

ANN = preparer("ann")


class CountingLog:
    """The log of the bench, and how often which method was called."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._log, name)

        async def counted(*arguments: Any) -> Any:
            self.calls.append(name)
            return await method(*arguments)

        return counted


class Telling:
    """Hints that somebody is told at once."""

    def __init__(self, tell: Callable[[str, int, Sequence[Commit]], None]) -> None:
        self.tell = tell

    def follow(self, session_id: str) -> None:
        """Everybody is told everything here."""

    unfollow = follow


async def _pair(bench: Bench, **config: Any) -> tuple[Engine, Engine, list[Commit], CountingLog]:
    """An engine that writes, one that follows, what the follower published, and its log."""
    log = CountingLog(bench.stores.log)
    writer, follower = bench.engine(), bench.engine(log=log, **config)
    await bench.create(writer)
    follower.watch(SESSION)
    await follower.inspect(SESSION, lambda state: {"ledger:1", "ledger:2", "ledger:3"})
    log.calls.clear()
    return writer, follower, bench.published[1], log


async def _edits(bench: Bench, writer: Engine, count: int) -> list[Commit]:
    """So many edits of record 1, as commits."""
    state = await writer.state(SESSION)
    for number in range(count):
        await writer.submit(SESSION, edit(ANN, f"text {number} of many", base=0, name=f"note_{state.seq + number}"))
    return (await bench.whole_log())[-count:]


async def test_commits_that_come_with_a_hint_are_told_without_reading_the_log(bench: Bench) -> None:
    writer, follower, published, log = await _pair(bench)
    commits = await _edits(bench, writer, 3)
    follower.hint(SESSION, commits[1].seq, commits[:2])
    follower.hint(SESSION, commits[2].seq, commits[2:])
    await eventually(lambda: published == commits)
    assert log.calls == []


async def test_a_gap_between_hints_is_read_from_the_log(bench: Bench) -> None:
    writer, follower, published, log = await _pair(bench)
    commits = await _edits(bench, writer, 5)
    follower.hint(SESSION, commits[4].seq, commits[3:])
    await eventually(lambda: published == commits)
    assert "read" in log.calls


async def test_hints_that_are_late_doubled_or_out_of_order_change_nothing(bench: Bench) -> None:
    writer, follower, published, _ = await _pair(bench)
    commits = await _edits(bench, writer, 20)
    for commit in [*reversed(commits), *commits, *reversed(commits)]:
        follower.hint(SESSION, commit.seq, [commit])
        await asyncio.sleep(0)
    await eventually(lambda: len(published) >= len(commits))
    assert (await follower.state(SESSION)).seq == commits[-1].seq
    assert published == commits


@pytest.mark.parametrize("change", ["content", "previous"])
async def test_a_commit_whose_hash_does_not_hold_is_not_told(bench: Bench, change: str) -> None:
    writer, follower, published, _ = await _pair(bench)
    commits = await _edits(bench, writer, 1)
    forged = replace(commits[0], user_id="mallory") if change == "content" else replace(commits[0], prev_hash="f" * 64)
    follower.hint(SESSION, forged.seq, [forged])
    await eventually(lambda: published)
    assert published == commits


async def test_a_hint_of_what_never_happened_is_looked_after_once(bench: Bench) -> None:
    _, follower, published, log = await _pair(bench)
    follower.hint(SESSION, 1_000_000)
    await eventually(lambda: log.calls)
    for _ in range(50):
        await asyncio.sleep(0)
    assert log.calls == ["read"]
    assert published == []


async def test_a_writer_tells_what_is_durable_and_nothing_that_others_wrote(bench: Bench) -> None:
    told: list[tuple[int, list[Commit]]] = []
    other = bench.engine()
    await bench.create(other)
    mine = bench.engine(hints=Telling(lambda session_id, seq, commits: told.append((seq, list(commits)))))
    await mine.state(SESSION)
    await _edits(bench, other, 3)
    await mine.submit(SESSION, edit(ANN, "a note of mine", name="mine"))
    log = await bench.whole_log()
    assert told == [(log[-1].seq, log[-1:])]


async def test_watched_sessions_are_looked_at_with_one_query_however_many_they_are(bench: Bench) -> None:
    log = CountingLog(bench.stores.log)
    follower = bench.engine(log=log, poll_interval=0.01)
    for number in range(30):
        follower.watch(f"session {number}")
    asked: list[Collection[str]] = []
    heads = log.heads

    async def noted(session_ids: Collection[str]) -> dict[str, int]:
        asked.append(session_ids)
        found: dict[str, int] = await heads(session_ids)
        return found

    log.heads = noted  # type: ignore[attr-defined]  # the one instance
    await eventually(lambda: len(asked) > 1)
    assert {len(names) for names in asked} == {30}


async def test_a_watched_session_shows_what_others_wrote_though_nobody_tells(bench: Bench) -> None:
    writer, _, published, _ = await _pair(bench, poll_interval=0.01)
    commits = await _edits(bench, writer, 4)
    await eventually(lambda: published == commits)


async def test_two_engines_that_hint_each_other_write_one_gapless_log_and_publish_it_whole(bench: Bench) -> None:
    engines: list[Engine] = []
    engines += [bench.engine(hints=Telling(lambda *hint: engines[1].hint(*hint)))]
    engines += [bench.engine(hints=Telling(lambda *hint: engines[0].hint(*hint)))]
    await bench.create(engines[0], records=60)
    for engine in engines:
        engine.watch(SESSION)
        await engine.state(SESSION)

    async def write(engine: Engine, writer: int) -> None:
        for value in range(10):
            note = edit(preparer(f"p{writer}"), f"text {value}", record=f"ledger:{writer + 1}", name=f"note_{value}")
            await engine.submit(SESSION, note)

    await asyncio.gather(*(write(engines[writer % 2], writer) for writer in range(60)))
    log = await bench.whole_log()
    assert verify(SESSION, log) is None
    assert len(log) == 601
    for published in bench.published:
        await eventually(lambda: published and published[-1].seq == 601)  # noqa: B023 - awaited here
        assert [commit.seq for commit in published] == list(range(602 - len(published), 602))
