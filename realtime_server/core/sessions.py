"""The session itself: created, joined, imported into, ended, expired."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from immutables import Map

from realtime_server.core import limits
from realtime_server.core.commands import CreateSession, EndSession, EraseName, ExpireSession, Join, RecordImport
from realtime_server.core.commits import SYSTEM_USER, Commit, Draft
from realtime_server.core.matching.rules import Rule, RuleSet, check_all, document, from_document
from realtime_server.core.merging import check_policies
from realtime_server.core.nameless import name_of, with_nameless
from realtime_server.core.outcomes import NoChange, Outcome, reject
from realtime_server.core.roles import Role
from realtime_server.core.state import Changes, Participant, SessionState, SessionStatus
from realtime_server.core.values import check_text
from realtime_server.errors import ErrorCode, Rejection

#: The commit by which a person's name is forgotten.
NAME_ERASED: Final = "session.name_erased"
#: The commits by which a session is over.
ENDS: Final = frozenset({"session.ended", "session.expired"})


def admit(present: Collection[str], user_id: str, maximum: int) -> Rejection | None:
    """Whether a person may enter. Somebody who is there already always may: a second tab takes no second place."""
    if user_id in present or len(present) < maximum:
        return None
    return session_full(maximum)


def session_full(maximum: int) -> Rejection:
    return reject(ErrorCode.SESSION_FULL, f"the session has its {maximum} people already", maximum=maximum)


def decide_create(state: SessionState, command: CreateSession, now: int) -> Outcome:
    if state.seq:
        return reject(ErrorCode.INVALID, f"session {command.session_id} exists already")
    member = "session_name"
    rules: tuple[Rule, ...] = ()
    try:
        check_text(command.name, limits.MAX_NAME)
        member = "expires_in"
        if not 0 <= command.expires_in <= limits.MAX_LEASE // 1000:
            raise ValueError("a session expires after some seconds without activity, at most a year's; 0: never")
        member = "field_policies"
        check_policies(command.field_policies)
        member = "rules"
        if command.rules is not None:
            rules = check_all(command.rules[1])
    except ValueError as error:
        return reject(ErrorCode.INVALID, str(error), fields={member: [str(error)]})
    data: dict[str, Any] = {
        "name": command.name,
        "expires_in": command.expires_in,
        "field_policies": dict(command.field_policies),
        "created_by": {"user_id": command.actor.user_id, "name": command.actor.name},
    }
    if command.rules is not None:
        # A copy: what becomes of the project's rules later changes nothing here.
        data["rules"] = {"project_version": command.rules[0], "rules": [document(rule) for rule in rules]}
    return Draft("session.created", data)


def decide_join(state: SessionState, command: Join, now: int) -> Outcome:
    """The log keeps who was let in, in which role; coming and going is presence, and not kept.

    Who looks at a session that has ended leaves no trace: nothing follows the end in the log.
    """
    actor = command.actor
    known, name = state.participants.get(actor.user_id), name_of(state, actor)
    if known is not None and (known.name, known.role) == (name, actor.role):
        return NoChange({"status": "unchanged", "seq": state.seq})
    if state.status is not SessionStatus.ACTIVE:
        return NoChange({"status": "unchanged", "seq": state.seq})
    if known is None and len(state.participants) >= limits.MAX_PARTICIPANTS:
        return reject(ErrorCode.SESSION_FULL, f"{limits.MAX_PARTICIPANTS} people took part in this session already")
    change = "participant_added" if known is None else "participant_changed"
    data = {"change": change, "user_id": actor.user_id, "name": name, "role": actor.role.value}
    return Draft("session.updated", data)


def decide_import(state: SessionState, command: RecordImport, now: int) -> Outcome:
    data: dict[str, Any] = {
        "import_id": command.import_id,
        "source": command.source,
        "counts": dict(command.counts),
        "digest": command.digest,
    }
    return Draft("record.imported", data)


def decide_erase(state: SessionState, command: EraseName, now: int) -> Outcome:
    """That a name was erased, and by whom, is history too; what it was is not."""
    try:
        check_text(command.user_id, limits.MAX_NAME)
        if not command.user_id:
            raise ValueError("says whose name")
    except ValueError as error:
        return reject(ErrorCode.INVALID, str(error), fields={"user_id": [str(error)]})
    return Draft(NAME_ERASED, {"user_id": command.user_id})


def decide_end(state: SessionState, command: EndSession, now: int) -> Outcome:
    return Draft("session.ended", {} if command.reason is None else {"reason": command.reason})


def decide_expire_session(state: SessionState, command: ExpireSession, now: int) -> Outcome:
    if state.expires_at is None or now < state.expires_at:
        return NoChange({"seq": state.seq})
    return Draft("session.expired", {"expires_in": state.expires_in})


def evolve_session(state: SessionState, commit: Commit) -> Changes:
    data = commit.data
    if commit.message_type == "session.created":
        return Changes(
            reconciliation=replace(state.reconciliation, rules=_first_rules(commit)),
            project_id=commit.project_id,
            name=data["name"],
            created_by=data["created_by"]["user_id"],
            created_at=commit.at,
            expires_in=data["expires_in"],
            field_policies=dict(data["field_policies"]),
        )
    if commit.message_type == NAME_ERASED:
        return _without_name(state, data["user_id"], commit.at)
    if commit.message_type == "session.updated":
        person = Participant(data["user_id"], data["name"], Role(data["role"]), commit.at)
        return Changes(participants=state.participants.set(person.user_id, person))
    ended = commit.message_type == "session.ended"
    # The locks go with the session: otherwise their leases would be due for ever.
    return Changes(status=SessionStatus.ENDED if ended else SessionStatus.EXPIRED, locks=Map())


def _without_name(state: SessionState, user_id: str, at: int) -> Changes:
    """The person goes on under their id, wherever the state knows a name, and whatever older tokens say."""
    workflow = state.reconciliation.workflow
    signoffs = tuple(replace(item, name=user_id) if item.user_id == user_id else item for item in workflow.signoffs)
    locks = {lock.record_id: replace(lock, name=user_id) for lock in state.locks.values() if lock.user_id == user_id}
    changes = Changes(
        nameless=with_nameless(state.nameless, user_id, at),
        locks=state.locks.update(locks),
        reconciliation=replace(state.reconciliation, workflow=replace(workflow, signoffs=signoffs)),
    )
    known = state.participants.get(user_id)
    if known is not None:
        changes["participants"] = state.participants.set(user_id, replace(known, name=user_id))
    return changes


def _first_rules(commit: Commit) -> RuleSet:
    given = commit.data.get("rules")
    if given is None:
        return RuleSet()
    return RuleSet(tuple(from_document(item) for item in given["rules"]), commit.seq, given["project_version"])


def touch(state: SessionState, commit: Commit) -> int:
    """The instant of the last thing a person did: what the system does by itself keeps no session alive."""
    return state.last_activity if commit.user_id == SYSTEM_USER else max(state.last_activity, commit.at)


def plain_answer(commit: Commit) -> Mapping[str, Any]:
    return {"seq": commit.seq}
