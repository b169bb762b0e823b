"""A client that is told something wrong says so. Its connection is not there: it is fed what a server would send."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from loadtest.client import Client
from loadtest.messages import read_ack, stamp_in
from loadtest.recorder import now
from loadtest.spec import WorkerSpec
from loadtest.worker import Worker


def tell(client: Client, seq: int, kind: str = "edit.applied", **data: Any) -> None:
    envelope = {"message_type": kind, "seq": seq, "data": {"edit_id": f"1-1.{now()}", **data}}
    payload = b'42/collaboration,["edit",' + orjson.dumps(envelope) + b"]"
    client.worker.readings.take(client, payload, now())


@pytest.fixture
async def client() -> Client:
    worker = Worker(WorkerSpec(url="ws://127.0.0.1:1", sessions=["s"], tokens=["t"], rates={}, seats=1))
    client = Client(worker, 0, "s", 1, "t")
    client.joined, client.seq = True, 4
    return client


def faults(client: Client) -> dict[str, int]:
    return dict(client.worker.recorder.faults)


async def test_commits_in_order_are_no_fault(client: Client) -> None:
    for seq in (5, 6, 7):
        tell(client, seq)
    assert (client.seq, faults(client)) == (7, {})
    deliveries, delivery, _ = client.worker.readings.counted()
    assert deliveries == sum(delivery.values()) == 3


@pytest.mark.parametrize(("seq", "fault"), [(6, "gap in seq"), (4, "seq seen twice"), (3, "seq seen twice")])
async def test_a_commit_out_of_order_is_a_fault(client: Client, seq: int, fault: str) -> None:
    tell(client, seq)
    assert faults(client) == {fault: 1}


async def test_what_comes_before_the_answer_to_a_join_is_put_in_its_place(client: Client) -> None:
    client.joined = False
    for seq in (9, 10, 11):
        tell(client, seq)
    client._entered({"ok": True, "seq": 10, "recovered": False}, now())
    assert (client.seq, faults(client)) == (11, {})


async def test_a_replay_that_leaves_something_out_is_a_fault(client: Client) -> None:
    client.joined = False
    client._entered({"ok": True, "seq": 7, "recovered": True, "commits": [{"seq": 5}, {"seq": 7}]}, now())
    assert faults(client) == {"gap in seq": 1}


async def test_an_answer_nobody_asked_for_is_a_fault(client: Client) -> None:
    client._acknowledged(b'43/collaboration,9[{"ok":true}]', now())
    assert faults(client) == {"acknowledged twice, or never asked": 1}


async def test_an_answer_that_never_comes_is_a_fault_at_the_end(client: Client) -> None:
    client._waiting[1] = (now(), None)
    client.worker.clients = [client]
    assert client.worker._verdict()["sessions"] == {"s": [4, 4, 0]}
    assert faults(client) == {"acknowledgement lost": 1}


def test_the_moment_of_an_edit_is_read_from_its_id() -> None:
    assert [stamp_in(text) for text in ("12-3.1234567890", "12-3", "", "a.b")] == [1_234_567_890, 0, 0, 0]


def test_an_acknowledgement_is_its_id_and_its_argument() -> None:
    assert read_ack(b'43/collaboration,17[{"ok":true,"seq":3}]') == (17, {"ok": True, "seq": 3})


async def test_the_moment_between_a_conflict_and_its_resolution_is_measured_by_the_reviewer(client: Client) -> None:
    client.attends, client.seat = True, 0
    candidates = [{"edit_id": "1-1.5"}, {"edit_id": "2-1.6"}]
    tell(client, 5, "conflict.detected", conflict_id="c", candidates=candidates)
    tell(client, 6, "conflict.resolved", conflict_id="c")
    assert client.worker.recorder.histograms["resolution"].total == 1
    assert client.worker.recorder.counts["skipped"] == 1  # it resolves what it is told of, and has no connection
