"""One person at several instances: told, sent away and shut out wherever their connections are."""

from __future__ import annotations

from dataclasses import replace

import aiohttp
import orjson
import pytest

from realtime_server.app import create_rest_app
from realtime_server.core.notifications import Notice
from realtime_server.core.roles import Role
from realtime_server.serving import running
from tests.faults.conftest import Instances
from tests.redis_server import RedisServer
from tests.server.conftest import token_of
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
        b'{"do": "notify"}',
        orjson.dumps({"do": "notify", "envelope": {"message_type": "edit.applied", "session_id": "s1",
                                                   "project_id": "p1"}, "roles": [], "excepted": []}),
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


async def test_a_notification_reaches_a_persons_connections_once_in_the_session_or_not(instances: Instances) -> None:
    here, there = await instances(2)
    alice = await here.member("alice")
    inside = [await server.member("bob") for server in (here, there)]
    outside = [await server.client("bob") for server in (here, there)]
    strangers = [await there.client("carol"), await there.client(token=token_of("bob", project="p9"))]
    bus = there.services.bus
    assert bus is not None
    assert await bus.subscribed("user:bob")
    for number in range(3):
        await alice.done("comment", text=f"look {number}", mentions=["bob"], request_id=f"q{number}")
    for tab in (*inside, *outside):
        found = await tab.hears("notification.mentioned", text="look 2")
        assert (found["session_id"], found["project_id"], found["user_id"]) == ("s1", "p1", "alice")
    # Another one goes the same ways: whatever was told twice has come before it.
    await alice.done("comment", text="the last", mentions=["bob"], request_id="last")
    for tab in (*inside, *outside):
        await tab.hears("notification.mentioned", text="the last")
        told = [item["data"]["text"] for item in tab.envelopes("notification.mentioned")]
        assert told == ["look 0", "look 1", "look 2", "the last"]
    assert not any(tab.envelopes("notification.mentioned") for tab in strangers)


async def test_who_is_notified_by_role_hears_of_it_at_every_instance_without_having_joined(
    instances: Instances,
) -> None:
    here, there = await instances(2)
    rita, also_rita = await here.client("rita"), await there.client("rita")
    alice, elsewhere = await there.client("alice"), await there.client(token=token_of("rita", project="p9"))
    excepted = await there.client(token=token_of("raul", Role.REVIEWER))
    assert there.services.bus is not None
    assert await there.services.bus.subscribed("all")
    notice = Notice(
        "s1.9.signoff_wanted.signers", "signoff_wanted", "s1", "Close", "p1", 9, 1, "bob", "Bob", None,
        roles=("approver", "reviewer"), excepted=frozenset({"raul"}),
    )  # fmt: skip
    here.collaboration.notices.tell([notice], {notice.notice_id})
    for tab in (rita, also_rita):
        found = await tab.hears("notification.signoff_wanted")
        assert found["data"]["notification_id"] == notice.notice_id
    here.collaboration.notices.tell([notice], frozenset())  # another process was the first, and says it
    for user_id, tab in (("alice", alice), ("rita", elsewhere), ("raul", excepted)):
        there.collaboration.people.tell(user_id, "token_expiring", {"expires_at": FIRST})
        await tab.hears("notification.token_expiring")
        assert not tab.envelopes("notification.signoff_wanted")
    assert len(rita.envelopes("notification.signoff_wanted")) == 1


async def test_what_comes_over_http_beside_the_servers_is_told_to_who_is_connected_to_them(
    instances: Instances, mongodb_url: str, database_name: str, redis: RedisServer
) -> None:
    (there,) = await instances(1)
    bob = await there.client("bob")
    bus = there.services.bus
    assert bus is not None
    assert await bus.subscribed("user:bob")
    settings = replace(there.services.settings, ws_port=0)
    async with running(settings, create_rest_app) as (_, port), aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{port}/api/collaboration/sessions/s1/comments"
        body = {"text": "look", "mentions": ["bob"]}
        async with http.post(url, json=body, headers={"Authorization": f"Bearer {token_of('alice')}"}) as answer:
            assert answer.status == 201, await answer.text()
        await bob.hears("notification.mentioned", text="look")


async def test_a_person_who_is_not_at_an_instance_costs_it_nothing(instances: Instances) -> None:
    (there,) = await instances(1)
    ann = await there.member("ann")
    bus = there.services.bus
    assert bus is not None
    assert await bus.subscribed("user:ann")
    await ann.close()
    await eventually(lambda: "user:ann" not in bus._listeners)
    assert "ann" not in there.collaboration._of_user
