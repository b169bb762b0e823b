"""One person at several instances: told, sent away and shut out wherever their connections are."""

from __future__ import annotations

import orjson
import pytest

from tests.faults.conftest import Instances
from tests.support import eventually

FIRST, SECOND = "2026-11-22T10:00:00.000Z", "2026-11-22T11:00:00.000Z"


async def test_a_revoked_token_is_believed_at_no_instance_and_its_connections_are_closed(instances: Instances) -> None:
    here, there = await instances(2, AUTH_REVOCATION_INTERVAL="30")
    tabs = [await server.member("mallory") for server in (here, there)]
    bob = await there.member("bob")
    await here.services.revocations.revoke("mallory", None, "adam")
    for tab in tabs:
        await tab.hears("notification.access_revoked")
        await tab.until(lambda tab=tab: tab.ended)
    await bob.hears("presence.left", user_id="mallory")
    assert bob.ended is None


async def test_somebody_is_sent_away_from_every_instance_and_may_come_back(instances: Instances) -> None:
    here, there = await instances(2)
    tabs = [await server.member("mallory") for server in (here, there, there)]
    bob = await there.member("bob")
    here.collaboration.people.disconnect("mallory")
    for tab in tabs:
        await tab.until(lambda tab=tab: tab.ended)
    await bob.hears("presence.left", user_id="mallory")
    assert await there.member("mallory")


async def test_a_person_and_one_of_their_connections_is_told_wherever_they_are(instances: Instances) -> None:
    here, there = await instances(2)
    ann, also_ann, bob = await here.member("ann"), await there.member("ann"), await there.member("bob")
    here.collaboration.people.tell("ann", "token_expiring", {"expires_at": FIRST})
    for tab in (ann, also_ann):
        found = await tab.hears("notification.token_expiring")
        assert found["data"] == {"expires_at": FIRST}
    sid = next(iter(there.collaboration._of_user["ann"])).sid
    here.collaboration.people.tell("ann", "token_expiring", {"expires_at": SECOND}, sid=sid)
    await also_ann.until(lambda: len(also_ann.envelopes("notification.token_expiring")) == 2)
    ack = await bob.done("comment", text="hello", request_id="q1")
    await ann.hears_seq(ack["seq"])
    assert len(ann.envelopes("notification.token_expiring")) == 1
    assert not bob.envelopes("notification.token_expiring")


@pytest.mark.parametrize(
    "body",
    [
        b"\x80\x04K*.",
        b"[]",
        b'{"do": "everything"}',
        orjson.dumps({"do": "tell", "sid": None, "envelope": {"message_type": "edit.applied", "user_id": "ann"}}),
        orjson.dumps({"do": "tell", "sid": None, "envelope": {"message_type": "notification.x", "user_id": "bob"}}),
        orjson.dumps({"do": "tell", "sid": 1, "envelope": {"message_type": "notification.x", "user_id": "ann"}}),
    ],
)
async def test_what_is_no_message_about_a_person_is_ignored_and_counted(instances: Instances, body: bytes) -> None:
    here, there = await instances(2)
    ann = await there.member("ann")
    buses = [server.services.bus for server in (here, there)]
    assert buses[0] is not None
    assert buses[1] is not None
    assert await buses[1].subscribed("user:ann")
    buses[0].publish("user:ann", b"u", body)
    buses[0].publish("all", b"r", b'{"user_id": 1, "project_id": null, "before": 2}')
    await eventually(lambda: buses[1].counts["ignored"] == 2)  # type: ignore[union-attr]
    here.collaboration.people.tell("ann", "token_expiring", {"expires_at": FIRST})
    await ann.hears("notification.token_expiring")


async def test_a_person_who_is_not_at_an_instance_costs_it_nothing(instances: Instances) -> None:
    (there,) = await instances(1)
    ann = await there.member("ann")
    bus = there.services.bus
    assert bus is not None
    assert await bus.subscribed("user:ann")
    await ann.close()
    await eventually(lambda: "user:ann" not in bus._listeners)
    assert "ann" not in there.collaboration._of_user
