"""A matching run in the HTTP interface's own process, beside a server at which people are at work."""

from __future__ import annotations

import asyncio

from realtime_server.app import SERVICES, create_rest_app
from realtime_server.core.commands import Actor
from realtime_server.core.roles import Role
from realtime_server.presence.ports import Presence
from realtime_server.serving import running
from tests.faults.conftest import Instances
from tests.server.test_reconciliation import SESSION, fill

ALICE = Actor("alice", "Alice", Role.PREPARER)


async def focused(presence: Presence, record_id: str) -> None:
    async with asyncio.timeout(10):
        while not any(  # noqa: ASYNC110 - announced to nobody here
            member.focus and member.focus["record_id"] == record_id for member in await presence.members(SESSION)
        ):
            await asyncio.sleep(0.01)


async def test_a_run_beside_the_server_leaves_alone_the_fields_in_which_people_stand(instances: Instances) -> None:
    (server,) = await instances(1)
    pairs = await fill(server)
    held = pairs[0][0]
    await server.services.runs.close()  # the run is the other process's
    bob = await server.member("bob")
    await bob.done("presence", focus={"record_id": held, "field_name": "amount"})
    async with running(server.services.settings, create_rest_app) as (app, _):
        services = app[SERVICES]
        await focused(services.presence, held)
        await services.runs.start(SESSION, ALICE, "alice/start")
        await bob.hears("reconciliation.progress", processed=318)  # all but the pair
        assert not [item for item in bob.envelopes("match.suggested") if held in item["data"]["record_ids"]]
        await bob.done("presence", focus=None)
        done = await bob.hears("reconciliation.completed")
    assert done["data"]["left_out"] == 0
    assert [item for item in bob.envelopes("match.suggested") if held in item["data"]["record_ids"]]
