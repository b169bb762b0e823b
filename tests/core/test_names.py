"""People's names stand beside the chain: they are told as ever, and can be erased without breaking it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from immutables import Map

from realtime_server.core import commands as c
from realtime_server.core import reconciliation_commands as r
from realtime_server.core.commits import Commit, digest, envelope, verify
from realtime_server.core.evolve import replay
from realtime_server.core.limits import MAX_NAMELESS
from realtime_server.core.nameless import LEEWAY, with_nameless
from realtime_server.core.names import without
from realtime_server.core.roles import Role
from realtime_server.core.sessions import NAME_ERASED
from realtime_server.core.snapshot import state_document
from realtime_server.core.suggestions import suggestion_view
from realtime_server.errors import ErrorCode
from tests.core.reconciled import Books, entry
from tests.core.session_log import (
    ADA,
    ALICE,
    BOB,
    LEASE,
    RITA,
    SESSION,
    Log,
    committed,
    named_in,
    record,
    refused,
    texts_in,
    unchanged,
)


def nameless(commits: list[Commit], user_id: str) -> list[Commit]:
    return [replace(commit, names=without(commit.names, user_id)) for commit in commits]


def in_use() -> Log:
    """Alice is named in every way in which the session itself names people."""
    log = Log()
    committed(log.ask(c.Join, ALICE))
    committed(log.lock(ALICE, "r1"))
    committed(log.lock(ALICE, "r1"), "lock.renewed")
    committed(log.ask(c.TakeOverLock, RITA, record_id="r1", duration=LEASE, reason="she went home"))
    committed(log.lock(ALICE, "r2"))
    committed(log.ask(c.AddComment, ALICE, text="is this paid?"))
    return log


def test_clients_are_told_names_though_they_are_not_hashed() -> None:
    log = in_use()
    told = [envelope(commit)["data"] for commit in log.commits]
    assert told[0]["created_by"] == {"user_id": "ada", "name": "Ada"}
    assert told[1] == {"change": "participant_added", "user_id": "alice", "name": "Alice", "role": "preparer"}
    assert told[2]["holder"] == told[3]["holder"] == {"user_id": "alice", "name": "Alice"}
    assert (told[4]["holder"]["name"], told[4]["previous"]["name"]) == ("Rita", "Alice")
    assert told[6]["name"] == "Alice"
    assert all(digest(replace(commit, names=())) == commit.hash for commit in log.commits)


def test_an_erased_name_is_nowhere_and_the_chain_still_holds() -> None:
    log = in_use()
    committed(log.ask(c.EraseName, ADA, user_id="alice"), NAME_ERASED)
    assert "Alice" not in set(texts_in(state_document(log.state)))
    commits = nameless(log.commits, "alice")
    assert verify(SESSION, commits) is None
    told = [envelope(commit)["data"] for commit in commits]
    assert "Alice" not in set(texts_in(told))
    assert told[2]["holder"] == {"user_id": "alice", "name": "alice"}
    assert told[4]["holder"]["name"] == "Rita"


def test_a_log_without_the_name_gives_the_state_that_erasing_it_gave() -> None:
    log = in_use()
    committed(log.ask(c.EraseName, ADA, user_id="alice"))
    assert state_document(replay(log.first, nameless(log.commits, "alice"))) == state_document(log.state)


def test_a_signature_goes_on_under_the_signers_id() -> None:
    books = Books(entry("l1"), entry("s1"), run=False)
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",))
    books.submit()
    committed(books.ask(r.Approve, RITA))
    committed(books.ask(c.EraseName, ADA, user_id="rita"))
    signed = books.state.reconciliation.workflow.signoffs
    assert [(item.user_id, item.name) for item in signed] == [("rita", "rita")]


def test_a_name_is_erased_from_a_session_that_has_ended() -> None:
    log = Log()
    committed(log.ask(c.Join, ALICE))
    committed(log.ask(c.EndSession, ADA))
    committed(log.ask(c.EraseName, ADA, user_id="alice"))
    assert log.state.participants["alice"].name == "alice"
    refused(log.edit(ALICE, "r1", "notes", "late"), ErrorCode.SESSION_ENDED)


def later(person: c.Actor, log: Log, seconds: float) -> c.Actor:
    """The person with a token that was issued so long after now."""
    return replace(person, issued_at=int(log.now / 1000 + seconds))


def test_who_comes_back_with_a_newer_token_is_named_again_and_others_never_lost_theirs() -> None:
    log = in_use()
    committed(log.ask(c.Join, BOB))
    committed(log.ask(c.EraseName, ADA, user_id="alice"))
    assert log.state.participants["bob"].name == "Bob"
    for seconds in (-60, 0, LEEWAY):
        unchanged(log.ask(c.Join, later(ALICE, log, seconds)))
    committed(log.ask(c.Join, later(ALICE, log, LEEWAY + 1)))
    assert log.state.participants["alice"].name == "Alice"


def test_what_somebody_does_under_an_older_token_names_them_nowhere() -> None:
    """Whatever they do: join in another role, lock, take over, comment, run, submit, sign."""
    books = Books(entry("l1"), entry("s1"), run=False)
    books.ask(r.MakeMatch, ALICE, ledger=("l1",), statement=("s1",))
    for person in (RITA, ADA):
        committed(books.ask(c.EraseName, ADA, user_id=person.user_id))
    erased = books.state.seq
    rita, ada = later(RITA, books, 0), later(ADA, books, -3600)
    committed(books.ask(c.Join, rita))
    committed(books.ask(c.Join, replace(rita, role=Role.APPROVER)))
    committed(books.ask(c.AcquireLock, rita, record_id="l1", duration=LEASE))
    committed(books.ask(c.TakeOverLock, ada, record_id="l1", reason="late", duration=LEASE))
    committed(books.ask(c.AddComment, rita, text="is it so?"))
    committed(books.ask(r.StartRun, ada, run_id="run-1"))
    committed(books.ask(r.CancelRun, ada))
    books.submit()
    committed(books.ask(r.RejectSubmission, rita, reason="no"))
    books.submit()
    committed(books.ask(r.Approve, rita))
    committed(books.ask(r.Reopen, ada, reason="so"))
    said = [(commit.names, envelope(commit)["data"]) for commit in books.commits[erased:]]
    assert not {"Rita", "Ada"} & {name for item in said for name in texts_in(item)}
    assert not {"Rita", "Ada"} & set(texts_in(state_document(books.state)))
    assert books.commits[-1].names == ()


def test_a_session_keeps_so_many_names_out_and_forgets_the_longest_past() -> None:
    kept: Map[str, int] = Map()
    for number in range(MAX_NAMELESS + 3):
        kept = with_nameless(kept, f"u{number}", number)
    assert len(kept) == MAX_NAMELESS
    assert set(kept) == {f"u{number}" for number in range(3, MAX_NAMELESS + 3)}
    assert with_nameless(kept, "u3", MAX_NAMELESS + 9)["u3"] == MAX_NAMELESS + 9


def test_an_id_that_is_none_is_refused() -> None:
    for user_id in ("", "x" * 1_000, "\ud800"):
        refused(Log().ask(c.EraseName, ADA, user_id=user_id), ErrorCode.INVALID)


def test_what_a_suggestion_says_of_people_is_told_by_their_names_and_hashed_without() -> None:
    log = Log(record("r1"))
    for person in (ALICE, BOB, RITA, ADA):
        log.ask(c.Join, person)
    seen = log.state.seq
    committed(log.edit(ALICE, "r1", "amount", "21.00", base=seen))
    committed(log.edit(BOB, "r1", "amount", "12.00", base=seen), "conflict.detected")
    committed(log.edit(ADA, "r1", "amount", "12.00", base=seen, reason="invoice"), "conflict.extended")
    extended = log.commits[-1]
    suggestion = envelope(extended)["data"]["suggestion"]
    assert suggestion["reason"] == "Bob and Ada set the same, each by themselves."
    assert "Ada gave a reason: invoice" in {item["reason"] for item in suggestion["evidence"]}
    conflict = log.state.open_conflict(extended.data["conflict_id"])
    assert conflict is not None
    assert suggestion == suggestion_view(log.state, conflict)
    assert not named_in(extended.data)
    committed(log.ask(c.EraseName, ADA, user_id="bob"))
    commits = nameless(log.commits, "bob")
    assert verify(SESSION, commits) is None
    assert envelope(commits[-2])["data"]["suggestion"]["reason"] == "bob and Ada set the same, each by themselves."
    conflict = log.state.open_conflict(extended.data["conflict_id"])
    assert conflict is not None
    assert "Bob" not in named_in(suggestion_view(log.state, conflict))


def test_a_log_that_was_written_with_names_inside_is_told_as_it_was() -> None:
    log = Log()
    first = log.commits[0]
    data: dict[str, Any] = {**first.data, "created_by": {"user_id": "ada", "name": "Ada Lovelace"}}
    old = replace(first, data=data, names=())
    old = replace(old, hash=digest(old))
    assert verify(SESSION, [old]) is None
    assert envelope(old)["data"] == data
    assert replay(log.first, [old]).created_by == "ada"
