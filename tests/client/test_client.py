"""The Python client against the real server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime_server.auth.issue import issue_token
from realtime_server.client import CollaborationError, Envelope, ErrorCode, Reset, Session, connect
from realtime_server.core.roles import Role
from tests.client.conftest import Cable
from tests.rest.conftest import PROJECT, SECRET, Person, Server, token
from tests.support import eventually

RECORD = "ledger-000001"


async def commits(session: Session, count: int) -> list[Envelope]:
    """The next commits that are told; presence is left out."""
    found: list[Envelope] = []
    async with asyncio.timeout(20):
        async for envelope in session.envelopes():
            assert isinstance(envelope, Envelope)
            if envelope.seq is not None:
                found.append(envelope)
            if len(found) == count:
                break
    return found


async def test_what_one_does_all_see_in_order(server: Server, pat: Person, ada: Person) -> None:
    session_id = await server.session(pat)
    async with (
        connect(server.url, pat.token or "") as hers,
        hers.join(session_id) as mine,
        connect(server.url, ada.token or "") as his,
        his.join(session_id) as theirs,
    ):
        assert (mine.role, theirs.role) == ("preparer", "admin")
        edited = await mine.edit(RECORD, "amount", "5", base_version=0, reason="invoice")
        assert (edited.status, edited.value) == ("applied", "5.00")
        clash = await theirs.edit(RECORD, "amount", "6", base_version=0)
        assert clash.status == "conflict"
        assert await mine.edit_batch(
            [{"record_id": RECORD, "field_name": "notes", "new_value": "x", "base_version": 0}]
        )
        comment = await mine.comment("why?", record_id=RECORD)
        told = await commits(theirs, 4)
        assert [envelope.message_type for envelope in told] == [
            "edit.applied",
            "conflict.detected",
            "edit.batch_applied",
            "comment.added",
        ]
        assert [envelope.seq for envelope in await commits(mine, 5)] == list(range(told[0].seq - 1, told[0].seq + 4))
        assert comment.startswith("comment-")


async def test_a_refusal_is_an_error_with_its_code(server: Server, pat: Person) -> None:
    session_id = await server.session(pat)
    async with connect(server.url, pat.token or "") as client, client.join(session_id) as session:
        with pytest.raises(CollaborationError) as refused:
            await session.edit("nothing", "amount", "5", base_version=0)
        assert refused.value.code is ErrorCode.NOT_FOUND
        with pytest.raises(CollaborationError) as refused:
            await session.edit(RECORD, "amount", {"an": "object"}, base_version=0)
        assert set(refused.value.details["fields"]) == {"new_value"}
        with pytest.raises(CollaborationError) as refused:
            async with client.join("nowhere"):
                pass
        assert refused.value.code is ErrorCode.NOT_FOUND


async def test_a_bad_token_is_refused_with_its_code(server: Server) -> None:
    for text, code in (("nonsense", ErrorCode.UNAUTHENTICATED), (token("pat", None, ttl=-60), ErrorCode.TOKEN_EXPIRED)):
        with pytest.raises(CollaborationError) as refused:
            async with connect(server.url, text):
                pass
        assert refused.value.code is code


async def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(CollaborationError) as refused:
        async with connect("http://127.0.0.1:9", "x", timeout=5):
            pass
    assert refused.value.code is ErrorCode.UNAVAILABLE


async def test_a_lock_is_renewed_while_it_is_needed_and_given_back(server: Server, pat: Person, ada: Person) -> None:
    session_id = await server.session(pat)
    async with connect(server.url, pat.token or "") as client, client.join(session_id) as session:
        async with session.lock(RECORD, ttl=0.6) as lock:
            first = lock.expires_at
            await eventually(lambda: lock.expires_at > first)
            assert (await session.edit(RECORD, "amount", "5", base_version=0, lock=lock)).status == "applied"
            locked = await ada.post(f"/sessions/{session_id}/records/{RECORD}/lock")
            assert locked.code == "locked"
        assert (await ada.post(f"/sessions/{session_id}/records/{RECORD}/lock")).status == 200


async def test_a_lock_that_was_taken_over_is_known_to_be_lost(server: Server, pat: Person, rae: Person) -> None:
    session_id = await server.session(pat)
    async with (
        connect(server.url, pat.token or "") as client,
        client.join(session_id) as session,
        session.lock(RECORD, ttl=0.6) as lock,
    ):
        taken = await rae.post(f"/sessions/{session_id}/records/{RECORD}/takeover", {"reason": "urgent"})
        assert taken.status == 200
        await eventually(lambda: lock.lost)
        with pytest.raises(CollaborationError) as refused:
            await session.edit(RECORD, "amount", "5", base_version=0, lock=lock)
        assert refused.value.code is ErrorCode.LOCK_LOST


async def test_what_happened_while_the_connection_was_away_is_told_once_and_in_order(
    server: Server, cable: Cable, pat: Person, ada: Person
) -> None:
    session_id = await server.session(pat)
    async with connect(cable.url, pat.token or "") as client, client.join(session_id) as session:
        start = session.seq
        await session.edit(RECORD, "notes", "0", base_version=0)
        cable.cut()
        await eventually(lambda: not client.connected)
        for number in range(1, 6):
            reply = await ada.post(f"/sessions/{session_id}/comments", {"text": str(number)})
            assert reply.status == 201
        late = asyncio.create_task(session.edit("ledger-000002", "notes", "late", base_version=0))
        cable.whole = True
        assert (await late).status == "applied"
        told = await commits(session, 7)
        assert [envelope.seq for envelope in told] == list(range(start + 1, start + 8))
        assert told[-1].data["new_value"] == "late"


async def test_an_edit_that_lost_its_answer_is_done_once(server: Server, cable: Cable, pat: Person) -> None:
    session_id = await server.session(pat)
    async with connect(cable.url, pat.token or "") as client, client.join(session_id) as session:
        for number in range(5):
            edit = asyncio.create_task(session.edit(RECORD, "notes", str(number), base_version=session.seq))
            await asyncio.sleep(0)
            cable.cut()
            await eventually(lambda: not client.connected)
            cable.whole = True
            assert (await edit).status == "applied"
    history = [item async for item in server.services.store.log.scan(session_id)]
    edits = [item.data["new_value"] for item in history if item.message_type == "edit.applied"]
    assert edits == [str(number) for number in range(5)]


async def test_a_reader_who_falls_behind_loses_nothing(server: Server, pat: Person) -> None:
    session_id = await server.session(pat)
    async with connect(server.url, pat.token or "") as client, client.join(session_id) as session:
        start = session.seq
        texts = [str(number) for number in range(1_200)]
        for first in range(0, len(texts), 200):
            await asyncio.gather(*(session.comment(text) for text in texts[first : first + 200]))
        told = await commits(session, len(texts))
        assert [envelope.seq for envelope in told] == list(range(start + 1, start + 1_201))
        assert sorted(envelope.data["text"] for envelope in told) == sorted(texts)


async def test_whoever_missed_more_than_is_replayed_is_told_to_load_anew(server: Server, pat: Person) -> None:
    session_id = await server.session(pat)
    async with connect(server.url, pat.token or "") as client:
        async with client.join(session_id) as session:
            for _ in range(6):
                await asyncio.gather(*(session.comment("x") for _ in range(200)))
        async with client.join(session_id, since=1) as session:
            async for item in session.envelopes():
                assert isinstance(item, Reset)
                assert item.seq == session.seq > 1_200
                break


async def test_a_token_is_renewed_on_the_open_connection(server: Server, pat: Person) -> None:
    session_id = await server.session(pat)
    made: list[str] = []

    def fresh() -> str:
        # Less than the warning before its end: the first one is about to expire as soon as it is used.
        made.append(token("pat", Role.PREPARER, ttl=30 if not made else 3_600))
        return made[-1]

    async with connect(server.url, fresh) as client, client.join(session_id) as session:
        await eventually(lambda: len(made) == 2)
        assert (await session.edit(RECORD, "notes", "x", base_version=0)).status == "applied"
    assert len(made) == 2


async def test_a_session_that_may_not_be_entered_any_more_is_over_and_the_others_go_on(
    server: Server, cable: Cable, pat: Person
) -> None:
    stays = await server.session(pat)
    gone = await server.session(await server.person("pat", Role.PREPARER, project="other"), project_id="other")
    both = issue_token(SECRET, "pat", "Pat", {PROJECT: Role.PREPARER, "other": Role.PREPARER}, 3_600)
    tokens = [both]
    async with (
        connect(cable.url, lambda: tokens[-1]) as client,
        client.join(stays) as session,
        client.join(gone) as lost,
    ):
        assert lost.error is None
        tokens.append(token("pat", Role.PREPARER))
        cable.cut()
        await eventually(lambda: not client.connected)
        cable.whole = True
        assert (await session.edit(RECORD, "notes", "x", base_version=0)).status == "applied"
        for attempt in (commits(lost, 1), lost.comment("x")):
            with pytest.raises(CollaborationError) as refused:
                await attempt
            assert refused.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("code", [ErrorCode.SESSION_FULL, ErrorCode.INTERNAL, ErrorCode.OVERLOADED])
async def test_a_session_that_cannot_be_entered_for_a_while_is_joined_later_and_the_others_go_on(
    server: Server, cable: Cable, pat: Person, ada: Person, monkeypatch: pytest.MonkeyPatch, code: ErrorCode
) -> None:
    goes_on, shut = await server.session(pat), await server.session(pat)
    presence = server.services.presence
    enter = presence.enter

    async def enter_if_open(session_id: str, *arguments: Any) -> None:
        if session_id == shut:
            raise CollaborationError(code, "not now")
        await enter(session_id, *arguments)

    async with (
        connect(cable.url, pat.token or "") as client,
        client.join(shut) as waits,
        client.join(goes_on) as session,
    ):
        monkeypatch.setattr(presence, "enter", enter_if_open)
        cable.cut()
        await eventually(lambda: not client.connected)
        cable.whole = True
        assert (await session.edit(RECORD, "notes", "x", base_version=0)).status == "applied"
        assert (await ada.post(f"/sessions/{shut}/comments", {"text": "missed"})).status == 201
        asked = asyncio.create_task(waits.comment("asked"))
        if code is not ErrorCode.OVERLOADED:  # that is over in a moment, and waited for
            with pytest.raises(CollaborationError) as refused:
                await asked
            assert refused.value.code is code
        monkeypatch.undo()
        assert [envelope.data["text"] for envelope in await commits(waits, 1)] == ["missed"]
        assert await (asked if code is ErrorCode.OVERLOADED else waits.comment("back"))
        assert waits.error is None


async def test_whoever_has_no_token_for_a_moment_comes_back_when_they_have_one(
    server: Server, cable: Cable, pat: Person
) -> None:
    session_id = await server.session(pat)
    made: list[str] = []

    async def fresh() -> str:
        made.append(token("pat", Role.PREPARER))
        if len(made) in (2, 3):
            raise OSError("the identity provider does not answer")
        return made[-1]

    async with connect(cable.url, fresh) as client, client.join(session_id) as session:
        cable.cut()
        await eventually(lambda: not client.connected)
        cable.whole = True
        assert (await session.edit(RECORD, "notes", "x", base_version=0)).status == "applied"
    assert len(made) == 4


async def test_closing_tells_whoever_waits(server: Server, cable: Cable, pat: Person) -> None:
    session_id = await server.session(pat)
    async with connect(cable.url, pat.token or "") as client, client.join(session_id) as session:
        cable.cut()
        await eventually(lambda: not client.connected)
        waiting = asyncio.create_task(session.comment("x"))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(CollaborationError) as refused:
            await waiting
        assert refused.value.code is ErrorCode.UNAVAILABLE


async def test_a_suggestion_is_followed_as_it_stands(server: Server, pat: Person, ada: Person, rae: Person) -> None:
    session_id = await server.session(pat)
    # Each was imported with its number as the amount: whoever says so has the document behind them.
    amounts = {RECORD: ("91.00", "1.00"), "ledger-000002": ("2.00", "92.00"), "ledger-000003": ("8.00", "9.00")}
    async with (
        connect(server.url, pat.token or "") as hers,
        hers.join(session_id) as mine,
        connect(server.url, ada.token or "") as his,
        his.join(session_id) as theirs,
    ):
        for record, (first, second) in amounts.items():
            seen = 0
            if first == f"{record[-1]}.00":  # to set what stands already would change nothing
                seen = (await mine.edit(record, "amount", "77.00", base_version=0)).version
            await mine.edit(record, "amount", first, base_version=seen)
            assert (await theirs.edit(record, "amount", second, base_version=seen)).status == "conflict"
    async with connect(server.url, rae.token or "") as client, client.join(session_id) as session:
        take, keep, other = (item for item in session.state["conflicts"])
        assert (take["suggestion"]["strategy"], take["suggestion"]["value"]) == ("take_candidate", "1.00")
        assert (keep["suggestion"]["strategy"], keep["suggestion"]["value"]) == ("keep_current", "2.00")
        custom = {"conflict_id": other["conflict_id"], "suggestion": {"strategy": "custom", "value": "3.00"}}
        for conflict in (take, keep, custom):
            version = await session.follow(conflict, reason="as suggested")
            (told,) = await commits(session, 1)
            assert (told.message_type, told.seq) == ("conflict.resolved", version)
            assert told.data["strategy"] == conflict["suggestion"]["strategy"]
            assert told.data["new_value"] == conflict["suggestion"]["value"]
            assert told.data["reason"] == "as suggested"
            assert told.data["followed_suggestion"] is (conflict is not custom)
        with pytest.raises(CollaborationError) as refused:
            await session.follow(take)
        assert refused.value.code is ErrorCode.ALREADY_RESOLVED
        with pytest.raises(ValueError, match="nothing is suggested for conflict-7"):
            await session.follow({"conflict_id": "conflict-7", "suggestion": None})
