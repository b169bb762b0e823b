"""One session on several instances: the same order for everybody, and nothing lost while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from realtime_server.core.commits import envelope
from tests.faults.conftest import Instances
from tests.redis_server import RedisServer
from tests.server.clients import Client, PythonClient
from tests.server.conftest import Server, record_edit
from tests.support import eventually


async def _members(servers: Sequence[Server]) -> list[PythonClient]:
    """Two people on each instance; what they heard while they came in is forgotten."""
    clients = [await server.member(f"{name}{number}") for number, server in enumerate(servers) for name in ("a", "b")]
    last = (await clients[-1].done("sync", since=0))["seq"]
    for client in clients[:-1]:
        await client.until(lambda client=client: client.seqs()[-1:] == [last])
    for client in clients:
        client.told.clear()
    return clients


async def _edits(client: Client, name: str, count: int, *, field: str) -> list[int]:
    """So many edits, all at once; their numbers in the log."""
    edits = [
        record_edit(f"{name}-{number}", f"{name} says {number}", record=f"r{number % 20 + 1}", field=f"{field}{number}")
        for number in range(count)
    ]
    acks = await asyncio.gather(*(client.done("edit", **edit) for edit in edits))
    return [ack["seq"] for ack in acks]


async def _check_all_heard(servers: Sequence[Server], clients: Sequence[Client], acknowledged: Sequence[int]) -> None:
    """Everybody hears every commit of the log once, in its order."""
    last = max(acknowledged)
    for client in clients:
        await client.until(lambda client=client: client.seqs()[-1:] >= [last])
    log = {commit.seq: envelope(commit) async for commit in servers[0].services.store.log.scan("s1")}
    for client in clients:
        seqs = client.seqs()
        assert seqs == list(range(seqs[0], last + 1))
        assert set(acknowledged) <= set(seqs)
        assert client.commits() == [log[seq] for seq in seqs]


async def test_six_hundred_edits_from_two_instances_are_the_same_to_everybody(instances: Instances) -> None:
    servers = await instances(2)
    clients = await _members(servers)
    rounds = [_edits(client, f"c{number}", 150, field=f"note_{number}_") for number, client in enumerate(clients)]
    acknowledged = [seq for mine in await asyncio.gather(*rounds) for seq in mine]
    assert len(set(acknowledged)) == 600
    await _check_all_heard(servers, clients, acknowledged)
    for server in servers:
        assert server.services.bus is not None
        assert server.services.bus.counts["received"] > 0


@pytest.mark.parametrize("fault", ["killed", "paused", "flushed"])
async def test_people_go_on_together_while_redis_is_away_and_nothing_is_missing(
    instances: Instances, redis: RedisServer, fault: str
) -> None:
    servers = await instances(2)
    clients = await _members(servers)
    buses = [server.services.bus for server in servers]

    async def round_of(name: str) -> list[int]:
        edits = [_edits(client, f"{name}{i}", 15, field=f"{name}_{i}_") for i, client in enumerate(clients)]
        return [seq for mine in await asyncio.gather(*edits) for seq in mine]

    under_load = asyncio.create_task(round_of("during"))
    if fault == "killed":
        await redis.kill()
    elif fault == "paused":
        redis.pause()
    else:
        await redis.command("FLUSHALL")
    acknowledged = await under_load
    await _check_all_heard(servers, clients, acknowledged)
    if fault != "flushed":
        await eventually(lambda: not any(bus is not None and bus.is_up for bus in buses))
    acknowledged += await round_of("away")
    await _check_all_heard(servers, clients, acknowledged)
    if fault == "killed":
        await redis.start()
    elif fault == "paused":
        redis.resume()
    await eventually(lambda: all(bus is not None and bus.is_up for bus in buses))
    heard = [bus.counts["received"] for bus in buses if bus is not None]
    acknowledged += await round_of("again")
    await _check_all_heard(servers, clients, acknowledged)
    await eventually(lambda: all(bus.counts["received"] > n for bus, n in zip(buses, heard, strict=True) if bus))


async def test_servers_start_without_their_redis_and_find_it_later(instances: Instances, redis: RedisServer) -> None:
    await redis.kill()
    servers = await instances(2)
    clients = await _members(servers)
    acknowledged = await _edits(clients[0], "early", 10, field="early_")
    await _check_all_heard(servers, clients, acknowledged)
    await redis.start()
    await eventually(lambda: all(server.services.bus is not None and server.services.bus.is_up for server in servers))


async def test_processes_without_redis_on_one_database_see_each_other(start_server: Instances) -> None:
    servers: list[Server] = [await start_server(), await start_server()]  # type: ignore[list-item]  # one at a time
    await servers[0].create_session(records=20)
    clients = await _members(servers)
    acknowledged = [
        *await _edits(clients[0], "here", 20, field="here_"),
        *await _edits(clients[3], "there", 20, field="there_"),
    ]
    await _check_all_heard(servers, clients, acknowledged)
