"""Several people at work on one session, in any order, on clocks that also run backwards: what must always hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from immutables import Map

from realtime_server.core import commands as c
from realtime_server.core import locks
from realtime_server.core.clock import from_iso
from realtime_server.core.commits import Commit, verify
from realtime_server.core.decide import answer, decide
from realtime_server.core.evolve import evolve, replay
from realtime_server.core.outcomes import NoChange
from realtime_server.core.permissions import allowed
from realtime_server.core.repeats import refuse_used_id
from realtime_server.core.roles import Role
from realtime_server.core.snapshot import record_document, record_from_document, state_document, state_from_document
from realtime_server.core.state import SessionState, SessionStatus
from realtime_server.errors import ErrorCode, Rejection
from tests.core.session_log import ADA, ALICE, BOB, LEASE, PEOPLE, RITA, SESSION, Log, Outcome, create
from tests.core.strategies import FIELD_NAMES, FITTING, JSON_VALUES, VERSIONS

# Mostly people who may do something, so that something happens.
ACTORS = st.sampled_from([ALICE, BOB, ALICE, BOB, RITA, ADA, *PEOPLE])
EDITORS = st.sampled_from([ALICE, BOB, ADA])
RECORD_IDS = st.sampled_from(["r1", "r1", "r1", "r1", "r2", "r2", "r3", "r9"])
FITTING_EDIT = st.sampled_from(sorted(FITTING)).flatmap(lambda name: st.tuples(st.just(name), FITTING[name]))
TOKENS = st.sampled_from(["none", "none", "none", "none", "held", "newest"])
STRATEGIES = st.sampled_from(["keep_current", "take_candidate", "merge", "custom", "other"])
# How far behind (or ahead of) the log the author of an edit was.
BEHIND = st.sampled_from([0, 0, 1, 2, 4, 8, -1])
POLICIES = st.sampled_from(
    [
        {},
        {"amount": "last_writer_wins", "notes": "first_writer_wins"},
        {"free": "three_way", "description": "manual"},
        {"free": "union", "tags": "manual"},
    ]
)


def plain(document: Any) -> Any:
    """A document after a journey through a store."""
    return orjson.loads(orjson.dumps(document))


def picture(state: SessionState) -> bytes:
    """All of a state, to see whether somebody has touched it."""
    records = [record_document(item) for _, item in sorted(state.records.items())]
    return orjson.dumps([state_document(state), records])


@dataclass
class Grant:
    """A lease as the commits tell it, kept apart from the state."""

    user_id: str
    token: int
    until: int


class SessionMachine(RuleBasedStateMachine):
    @initialize(policies=POLICIES)
    def begin(self, policies: dict[str, str]) -> None:
        self.log = Log(created=False)
        self.first_answers: dict[str, tuple[Commit, Mapping[str, Any]]] = {}
        self.checkpoints: list[Any] = []
        self.stored: list[tuple[int, Any]] = []
        self.values: dict[tuple[str, str], tuple[Any, int]] = {}
        self.grants: dict[str, Grant] = {}
        self.newest_token = 0
        self.send(create(policies, expires_in=100_000))
        self.checkpoint()

    # ---- one command, and what must hold of every outcome

    def send(self, command: c.Command) -> Outcome:
        log = self.log
        before, seen = log.state, picture(log.state)
        outcome = log.send(command)
        assert decide(before, command, log.now) == outcome, "the same arguments gave another answer"
        assert picture(before) == seen, "deciding touched the state it was given"
        if isinstance(outcome, Commit):
            self._check_commit(before, command, outcome)
        else:
            assert log.state is before
            assert isinstance(outcome, NoChange) or outcome.code in ErrorCode
        if isinstance(outcome, Rejection) and outcome.code is ErrorCode.LOCKED:
            grant = self.grants[outcome.details["record_id"]]
            assert grant.user_id == outcome.details["holder"]["user_id"] != command.actor.user_id
            assert grant.until > max(log.now, before.at)
        if not allowed(command.actor.role, type(command)):
            assert isinstance(outcome, Rejection)
            assert outcome.code is ErrorCode.FORBIDDEN
        return outcome

    def _check_commit(self, before: SessionState, command: c.Command, commit: Commit) -> None:
        assert allowed(command.actor.role, type(command))
        assert (commit.seq, commit.prev_hash) == (before.seq + 1, before.hash)
        assert commit.at >= before.at
        assert plain(commit.data) == commit.data
        assert command.command_id not in self.first_answers
        assert refuse_used_id(command, commit) is None, "a retry would not be recognised as what it is"
        self.first_answers[command.command_id] = (commit, answer(commit))
        getattr(self, f"_see_{commit.family}", lambda commit: None)(commit)

    def _see_edit(self, commit: Commit) -> None:
        data = commit.data
        items = data["edits"] if commit.message_type == "edit.batch_applied" else [data]
        for item in items:
            self._see_value(commit, item)

    def _see_conflict(self, commit: Commit) -> None:
        data = commit.data
        self._check_holder(commit, data["record_id"])
        field = self.log.field(data["record_id"], data["field_name"])
        if commit.message_type == "conflict.resolved":
            assert field.conflict is None
            self._see_value(commit, data)
            return
        candidate = data["candidates"][0] if commit.message_type == "conflict.detected" else data["candidate"]
        assert field.conflict is not None
        kept = field.conflict.candidates[-1]
        assert (kept.edit_id, kept.user_id, kept.value) == (candidate["edit_id"], commit.user_id, candidate["value"])

    def _see_value(self, commit: Commit, item: Mapping[str, Any]) -> None:
        place = (item["record_id"], item["field_name"])
        self._check_holder(commit, item["record_id"])
        base = self.log.first.records[place[0]].value(place[1])
        assert item["old_value"] == self.values.get(place, (base, 0))[0]
        self.values[place] = (item["new_value"], commit.seq)

    def _check_holder(self, commit: Commit, record_id: str) -> None:
        grant = self.grants.get(record_id)
        assert grant is None or grant.user_id == commit.user_id or grant.until <= commit.at

    def _see_lock(self, commit: Commit) -> None:
        data, kind = commit.data, commit.message_type
        grant = self.grants.get(data["record_id"])
        if kind in ("lock.acquired", "lock.taken_over"):
            assert data["token"] == commit.seq > self.newest_token
            held = grant is not None and grant.until > commit.at
            assert held is (kind == "lock.taken_over")
            self.newest_token = commit.seq
            holder = data["holder"]["user_id"]
            self.grants[data["record_id"]] = Grant(holder, commit.seq, from_iso(data["expires_at"]))
            return
        assert grant is not None
        assert grant.token == data["token"]
        if kind == "lock.renewed":
            assert grant.until > commit.at
            assert grant.user_id == commit.user_id
            grant.until = from_iso(data["expires_at"])
        else:
            assert kind == "lock.released" or grant.until <= commit.at
            del self.grants[data["record_id"]]

    # ---- what people do

    @rule(milliseconds=st.sampled_from([1, 1_000, LEASE // 2, LEASE, -1, -5_000, -LEASE]))
    def time_passes_or_a_clock_is_set_back(self, milliseconds: int) -> None:
        self.log.now += milliseconds

    def token_of(self, record_id: str, which: str) -> int | None:
        grant = self.grants.get(record_id)
        return {"none": None, "newest": self.newest_token, "held": grant.token if grant else 1}[which]

    @rule(edits=st.lists(st.tuples(ACTORS, RECORD_IDS, FITTING_EDIT, BEHIND, TOKENS), min_size=1, max_size=6))
    def people_edit(self, edits: list[tuple[c.Actor, str, tuple[str, Any], int, str]]) -> None:
        for actor, record_id, edit, behind, token in edits:
            self.edit(actor, record_id, edit, self.log.state.seq - behind, self.token_of(record_id, token))

    @rule(data=st.data(), record_id=st.sampled_from(["r1", "r2"]), name=st.sampled_from(sorted(FITTING)))
    def people_edit_one_field_at_once(self, data: st.DataObject, record_id: str, name: str) -> None:
        seen = self.log.state.seq
        for value in data.draw(st.lists(FITTING[name], min_size=2, max_size=4)):
            self.edit(data.draw(EDITORS), record_id, (name, value), seen)
        if data.draw(st.booleans()) and self.log.state.conflicts:
            self.resolve(data, data.draw(st.sampled_from([RITA, ADA])), data.draw(STRATEGIES))

    def edit(self, actor: c.Actor, record_id: str, edit: tuple[str, Any], base: int, token: int | None = None) -> None:
        """An edit is applied, merged, unchanged, kept as a candidate, or refused with a code."""
        log, before = self.log, self.log.state
        base = max(0, base)
        outcome = self.send(log.edit_command(actor, record_id, *edit, base=base, token=token))
        if isinstance(outcome, Commit):
            assert outcome.message_type in ("edit.applied", "edit.merged", "conflict.detected", "conflict.extended")
            assert base <= before.seq
            if outcome.family == "edit":
                assert log.field(record_id, edit[0]).version == outcome.seq
        elif isinstance(outcome, NoChange):
            assert outcome.answer["status"] == "unchanged"

    @rule(actor=EDITORS, name=FIELD_NAMES, value=JSON_VALUES, base=VERSIONS)
    def somebody_sends_anything(self, actor: c.Actor, name: Any, value: Any, base: Any) -> None:
        command = self.log.edit_command(actor, "r2", name, value, base=0)
        object.__setattr__(command.edit, "base_version", base)
        self.send(command)

    @rule(actor=EDITORS, edits=st.lists(st.tuples(RECORD_IDS, FITTING_EDIT, BEHIND), min_size=1, max_size=4))
    def somebody_edits_several_fields(self, actor: c.Actor, edits: list[tuple[str, tuple[str, Any], int]]) -> None:
        log = self.log
        parts = tuple(
            log.part(record_id, *edit, base=max(0, log.state.seq - behind)) for record_id, edit, behind in edits
        )
        edit_id = log.next_id()
        outcome = self.send(
            c.EditBatch(actor=actor, command_id=f"{actor.user_id}/{edit_id}", edit_id=edit_id, edits=parts)
        )
        if not isinstance(outcome, Rejection):
            versions = (answer(outcome) if isinstance(outcome, Commit) else outcome.answer)["versions"]
            assert versions == [log.field(part.record_id, part.field_name).version for part in parts]

    def ask(self, kind: Any, actor: c.Actor, **members: Any) -> Outcome:
        return self.send(kind(actor=actor, command_id=f"{actor.user_id}/{self.log.next_id()}", **members))

    @rule(actor=ACTORS, record_id=RECORD_IDS, duration=st.sampled_from([1, LEASE, LEASE, 2 * LEASE, 0, -1]))
    def somebody_locks(self, actor: c.Actor, record_id: str, duration: int) -> None:
        self.ask(c.AcquireLock, actor, record_id=record_id, duration=duration)

    @rule(
        actor=ACTORS, record_id=RECORD_IDS, which=st.sampled_from(["held", "held", "newest"]), give_back=st.booleans()
    )
    def somebody_renews_or_unlocks(self, actor: c.Actor, record_id: str, which: str, give_back: bool) -> None:
        token = self.token_of(record_id, which)
        if give_back:
            self.ask(c.ReleaseLock, actor, record_id=record_id, token=token)
        else:
            self.ask(c.RenewLock, actor, record_id=record_id, token=token, duration=LEASE)

    @rule(
        actor=ACTORS,
        record_id=RECORD_IDS,
        reason=st.sampled_from(["needed", "needed", "", "\ud800"]),
        locked=st.booleans(),
    )
    def somebody_takes_over(self, actor: c.Actor, record_id: str, reason: str, locked: bool) -> None:
        if locked:
            self.ask(c.AcquireLock, ALICE, record_id=record_id, duration=LEASE)
        self.ask(c.TakeOverLock, actor, record_id=record_id, duration=LEASE, reason=reason)

    @rule(record_id=RECORD_IDS, end=st.sampled_from(["lease_ended", "holder_gone"]), later=st.integers(0, 2 * LEASE))
    def leases_are_ended(self, record_id: str, end: str, later: int) -> None:
        self.log.now += later
        lock = self.log.state.locks.get(record_id)
        if lock is not None and end == "holder_gone":
            self.ask(c.ExpireLock, c.SYSTEM, record_id=record_id, token=lock.token, holder_gone=True)
        for command in list(locks.due(self.log.state, self.log.now)):
            assert isinstance(self.send(command), Commit) is (self.log.state.status is SessionStatus.ACTIVE)

    @precondition(lambda self: self.log.state.conflicts or self.log.state.resolved)
    @rule(data=st.data(), actor=st.sampled_from([RITA, RITA, ADA, ALICE]), strategy=STRATEGIES)
    def somebody_resolves(self, data: st.DataObject, actor: c.Actor, strategy: str) -> None:
        self.resolve(data, actor, strategy)

    def resolve(self, data: st.DataObject, actor: c.Actor, strategy: str) -> None:
        state = self.log.state
        conflict_id = data.draw(st.sampled_from(sorted([*state.conflicts, *state.resolved])))
        conflict = state.open_conflict(conflict_id)
        name = conflict.field_name if conflict else "amount"
        edit_ids = [item.edit_id for item in conflict.candidates] if conflict else []
        outcome = self.ask(
            c.Resolve,
            actor,
            conflict_id=conflict_id,
            strategy=strategy,
            edit_id=data.draw(st.sampled_from([None, "nobody's", *edit_ids])),
            value=data.draw(FITTING.get(name, JSON_VALUES)),
        )
        if conflict is None and actor is not ALICE and state.status is SessionStatus.ACTIVE:
            assert isinstance(outcome, Rejection)
            assert outcome.code is ErrorCode.ALREADY_RESOLVED

    @rule(actor=EDITORS, kind=st.sampled_from([c.Undo, c.Undo, c.Redo]), seq=st.none() | st.integers(1, 40))
    def somebody_undoes_or_redoes(self, actor: c.Actor, kind: Any, seq: int | None) -> None:
        self.ask(kind, actor, seq=seq)

    @rule(actor=EDITORS, name=st.sampled_from(["p", "q"]), values=st.lists(st.integers(), min_size=1, max_size=4))
    def edits_of_one_field_are_undone_one_after_the_other(self, actor: c.Actor, name: str, values: list[int]) -> None:
        before = self.log.value("r3", name)
        outcomes = [self.send(self.log.edit_command(actor, "r3", name, value)) for value in values]
        for _ in filter(lambda outcome: isinstance(outcome, Commit), outcomes):
            assert isinstance(self.ask(c.Undo, actor), Commit)
        assert self.log.value("r3", name) == before

    @rule(actor=EDITORS, steps=st.integers(1, 3))
    def undos_followed_by_as_many_redos_restore_all_values(self, actor: c.Actor, steps: int) -> None:
        before = dict(self.values)
        done = 0
        while done < steps and isinstance(self.ask(c.Undo, actor), Commit):
            done += 1
        for _ in range(done):
            outcome = self.ask(c.Redo, actor)
            assert isinstance(outcome, Commit), outcome
        after = {place: value for place, (value, _) in self.values.items()}
        assert after == {place: value for place, (value, _) in before.items()}

    @rule(actor=ACTORS, text=st.sampled_from(["hello", "", "\x00"]), record_id=st.none() | RECORD_IDS)
    def somebody_comments(self, actor: c.Actor, text: str, record_id: str | None) -> None:
        outcome = self.ask(c.AddComment, actor, text=text, record_id=record_id)
        if isinstance(outcome, Commit):
            comment_id = outcome.data["comment_id"]
            self.ask(c.AddComment, actor, text="reply", parent_id=comment_id)
            self.ask(c.ResolveComment, actor, comment_id=comment_id)

    @rule(actor=ACTORS, role=st.sampled_from(Role))
    def somebody_joins_and_records_are_imported(self, actor: c.Actor, role: Role) -> None:
        self.ask(c.Join, c.Actor(actor.user_id, actor.name, role))
        self.ask(c.RecordImport, actor, import_id="i", source="ledger", counts={"new": 1}, digest="0" * 64)

    @precondition(lambda self: self.log.state.seq > 25)
    @rule(actor=st.sampled_from([*PEOPLE, c.SYSTEM]), kind=st.sampled_from([c.ExpireSession, c.EndSession]))
    def somebody_ends_the_session(self, actor: c.Actor, kind: Any) -> None:
        if isinstance(self.ask(kind, actor), Commit):
            self.grants.clear()

    # ---- retries, checkpoints

    @precondition(lambda self: self.first_answers)
    @rule(data=st.data())
    def a_command_comes_again_and_is_answered_as_the_first_time(self, data: st.DataObject) -> None:
        commit, first = self.first_answers[data.draw(st.sampled_from(sorted(self.first_answers)))]
        assert answer(commit) == first
        # The engine that answers the retry has read the commit from the log.
        assert plain(answer(Commit(**plain(asdict(commit))))) == plain(first)

    @rule()
    def checkpoint(self) -> None:
        self.checkpoints.append(plain(state_document(self.log.state)))
        self.store("all")

    @rule(record_id=st.sampled_from(["r1", "r2", "r3", "all"]))
    def store(self, record_id: str) -> None:
        """The materialiser saves what it wants whenever it wants; a checkpoint only once all its records are saved."""
        for item in self.log.state.records.values():
            if record_id in ("all", item.record_id):
                self.stored.append((self.log.state.seq, plain(record_document(item))))

    # ---- what must always hold

    @invariant()
    def the_open_conflicts_are_those_of_the_fields(self) -> None:
        state = self.log.state
        in_fields = {
            field.conflict.conflict_id: (record.record_id, name)
            for record in state.records.values()
            for name, field in record.fields.items()
            if field.conflict is not None
        }
        assert dict(state.conflicts.items()) == in_fields
        assert not set(state.resolved) & set(state.conflicts)

    @invariant()
    def the_state_is_what_the_commits_said(self) -> None:
        state = self.log.state
        assert state.seq == len(self.log.commits)
        for (record_id, name), (value, version) in self.values.items():
            field = self.log.field(record_id, name)
            assert (field.value, field.version) == (value, version)
        held = {record_id: (lock.user_id, lock.token, lock.expires_at) for record_id, lock in state.locks.items()}
        assert held == {record_id: (item.user_id, item.token, item.until) for record_id, item in self.grants.items()}

    def teardown(self) -> None:
        if not hasattr(self, "log"):
            return
        log = self.log
        assert verify(SESSION, log.commits) is None
        assert replay(log.first, log.commits) == log.state
        newest = {item["record_id"]: item for _, item in self.stored}
        for document in self.checkpoints:
            seq = document["seq"]
            oldest: dict[str, Any] = {}
            for at, item in self.stored:
                if at >= seq:
                    oldest.setdefault(item["record_id"], item)
            # Every mixture of them is possible; the extremes stand for all.
            for records in (oldest, newest, {**newest, "r1": oldest["r1"]}):
                start = state_from_document(document)
                loaded = Map({name: record_from_document(item) for name, item in records.items()})
                assert replay(start.changed(records=loaded), log.commits[seq:]) == log.state


TestSession = SessionMachine.TestCase
# A session needs some length before people get into each other's way.
TestSession.settings = settings(max_examples=3 * settings().max_examples)


def test_a_commit_that_leaves_a_gap_is_not_applied() -> None:
    log = Log()
    for commit in (log.commits[0], Commit(**{**asdict(log.commits[0]), "seq": 3})):
        try:
            evolve(log.state, commit)
        except ValueError:
            continue
        raise AssertionError(f"commit {commit.seq} was applied after {log.state.seq}")
