"""Retries: whenever and in whatever order they come, they change nothing and hear what the first was told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_server.core import commands as c
from realtime_server.core.commits import Commit, verify
from realtime_server.core.decide import answer
from realtime_server.engine.batch import Batch, Waiting, decide_batch
from realtime_server.errors import CollaborationError, ErrorCode
from tests.core.session_log import ALICE, BOB, LEASE, SESSION, START, create, empty, record
from tests.engine.conftest import SESSION as LIVE
from tests.engine.conftest import Bench, edit, preparer

VALUES = {"amount": ["11.00", "12.00"], "tags": [["a"], ["b"]], "description": ["Card payment", "to the baker"]}


def _edits(number: int, actor: c.Actor, name: str, choice: int, base: int) -> c.Command:
    part = c.FieldEdit(record_id="r1", field_name=name, new_value=VALUES[name][choice], base_version=base)
    edit_id = f"e{number}"
    return c.Edit(actor=actor, command_id=c.command_id_of(actor.user_id, edit_id), edit_id=edit_id, edit=part)


@st.composite
def commands(draw: st.DrawFn) -> list[c.Command]:
    """What two people send: clashing edits, locks, undos, comments, each under an id of its own."""
    sent: list[c.Command] = []
    for number in range(draw(st.integers(2, 12))):
        actor = draw(st.sampled_from([ALICE, BOB]))
        mine: dict[str, Any] = {"actor": actor, "command_id": f"{actor.user_id}/r{number}"}
        sent.append(
            draw(
                st.one_of(
                    st.builds(
                        _edits,
                        st.just(number),
                        st.just(actor),
                        st.sampled_from(sorted(VALUES)),
                        st.integers(0, 1),
                        st.integers(0, 4),
                    ),
                    st.just(c.AcquireLock(**mine, record_id="r1", duration=LEASE)),
                    st.just(c.ReleaseLock(**mine, record_id="r1", token=draw(st.integers(2, 6)))),
                    st.just(c.Undo(**mine)),
                    st.just(c.AddComment(**mine, text="hello")),
                )
            )
        )
    return sent


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[c.Command], list[int], list[int]]:
    """(commands, the order in which they arrive, each once at least, and the sizes of the batches they arrive in)."""
    sent = draw(commands())
    again = draw(st.lists(st.integers(0, len(sent) - 1), max_size=2 * len(sent)))
    order = draw(st.permutations([*range(len(sent)), *again]))
    return sent, list(order), draw(st.lists(st.integers(1, 5), min_size=1, max_size=8))


class _Session:
    """What an actor does with batches, and nothing around it."""

    def __init__(self) -> None:
        self.log: list[Commit] = []
        self.state = empty(record("r1"))
        self.deliver([create()])

    def deliver(self, batch: list[c.Command]) -> list[Any]:
        known = {commit.command_id: commit for commit in self.log}
        decided: Batch = decide_batch(self.state, [Waiting(item, None) for item in batch], known.get, (), START)
        self.log += decided.commits
        self.state = decided.state
        return [item.outcome for item in decided.decided]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(deliveries())
def test_in_whatever_order_retries_arrive_each_command_is_done_once_and_told_the_same(
    delivery: tuple[list[c.Command], list[int], list[int]],
) -> None:
    sent, order, sizes = delivery
    session, once = _Session(), _Session()
    told: dict[int, Mapping[str, Any]] = {}
    position = turn = 0
    while position < len(order):
        arriving = order[position : position + sizes[turn % len(sizes)]]
        position, turn = position + len(arriving), turn + 1
        for number, outcome in zip(arriving, session.deliver([sent[number] for number in arriving]), strict=True):
            if isinstance(outcome, Commit):
                assert told.setdefault(number, answer(outcome)) == answer(outcome)
            else:
                assert number not in told, "a retry of what was done heard something else"
    ids = [commit.command_id for commit in session.log]
    assert len(set(ids)) == len(ids)
    assert verify(SESSION, session.log) is None
    # Without every repetition of what was done the log is the same, to the last hash.
    done: set[int] = set()
    for number in order:
        if number not in done and isinstance(once.deliver([sent[number]])[0], Commit):
            done.add(number)
    assert once.log == session.log


async def test_another_command_under_a_used_id_is_refused_by_every_instance(bench: Bench) -> None:
    first, second = bench.engine(recent_commits=2), bench.engine(recent_commits=2)
    await bench.create(first)
    ann = preparer("ann")
    mine = edit(ann, "9.00", edit_id="used")
    others: list[c.Command] = [
        edit(ann, "9.50", edit_id="used", base=2),
        edit(ann, "9.00", edit_id="used", record="ledger:2"),
        c.AcquireLock(actor=ann, command_id=mine.command_id, record_id="ledger:1", duration=60_000),
        c.Undo(actor=ann, command_id=mine.command_id),
        # This one would be refused anyway, and for another reason.
        edit(ann, "9.00", edit_id="used", record="nowhere"),
    ]

    async def refused_by(engine: Any) -> None:
        for other in others:
            with pytest.raises(CollaborationError) as raised:
                await engine.submit(LIVE, other)
            assert raised.value.code is ErrorCode.INVALID
            assert raised.value.details["seq"] == 2

    at_once = await asyncio.gather(first.submit(LIVE, mine), first.submit(LIVE, others[0]), return_exceptions=True)
    assert at_once[0]["seq"] == 2
    assert isinstance(at_once[1], CollaborationError)
    await refused_by(first)
    await refused_by(second)
    for value in range(5):
        await second.submit(LIVE, edit(preparer("bob"), f"{value}.00", record="ledger:2"))
    # Now only the log remembers it.
    await refused_by(first)
    await refused_by(second)
    assert await first.submit(LIVE, mine) == await second.submit(LIVE, mine) == at_once[0]
    assert len(await bench.whole_log()) == 7
