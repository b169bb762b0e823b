"""Whom a commit concerns: notifications follow from the log alone, and each has an id that follows from its commit.

So deriving them again, after a crash or on another instance, gives the same ones, and storing them twice changes
nothing. Nobody is notified of what they did themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from realtime_server.core.clock import to_iso
from realtime_server.core.commits import Commit, is_reserved, named
from realtime_server.core.permissions import REVIEWERS, SIGNERS_ABOVE
from realtime_server.core.state import SessionState

#: Records that one notification names (`schemas.notifications`), and characters of a text that it quotes.
MAX_NAMED: Final = 20
MAX_EXCERPT: Final = 300
#: People whom one commit notifies by name: mentions are bounded by the same number.
MAX_PEOPLE: Final = 50


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom something in a project concerns: the person ``recipient``, or everybody in one of ``roles`` but some."""

    project_id: str
    recipient: str | None
    roles: tuple[str, ...] = ()
    excepted: frozenset[str] = frozenset()

    def has(self, user_id: str, role: str) -> bool:
        """Whether this person, who has this role in the project, is among them."""
        if self.recipient is not None:
            return user_id == self.recipient
        return role in self.roles and user_id not in self.excepted


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification. It is for the person ``recipient``, or for everybody in one of ``roles`` who is not excepted.

    ``user_id``, ``name``: who did it. ``at``: milliseconds since 1970. ``about``: the members of the message that its
    kind has (`schemas.notifications`).
    """

    notice_id: str
    kind: str
    session_id: str
    session_name: str
    project_id: str
    seq: int
    at: int
    user_id: str
    name: str
    recipient: str | None
    roles: tuple[str, ...] = ()
    excepted: frozenset[str] = frozenset()
    about: Mapping[str, Any] = field(default_factory=dict)

    def concerns(self, user_id: str, role: str) -> bool:
        """Whether it is for this person, who has this role in its project."""
        return self.audience.has(user_id, role)

    @property
    def audience(self) -> Audience:
        return Audience(self.project_id, self.recipient, self.roles, self.excepted)


def notice_view(notice: Notice, *, read: bool) -> dict[str, Any]:
    """The notification as clients see it."""
    return {
        "notification_id": notice.notice_id,
        "kind": notice.kind,
        "session_id": notice.session_id,
        "session_name": notice.session_name,
        "project_id": notice.project_id,
        "seq": notice.seq,
        "user_id": notice.user_id,
        "name": notice.name,
        "at": to_iso(notice.at),
        "read": read,
        "record_ids": [],
        "records": 0,
        **notice.about,
    }


#: (whom it concerns, the kind, what it is about)
_Found = tuple[Iterable[str | None], str, Mapping[str, Any]]
_Finder = Callable[[SessionState, Commit], _Found]


def notices_of(state: SessionState, commit: Commit) -> list[Notice]:
    """Whom a commit concerns. ``state``: of that commit, or of a later one."""
    finder = _FINDERS.get(commit.message_type)
    if finder is not None:
        people, kind, about = finder(state, commit)
        concerned = dict.fromkeys(user_id for user_id in people if user_id is not None and _is_other(user_id, commit))
        return [_notice(state, commit, kind, about, recipient=user_id) for user_id in list(concerned)[:MAX_PEOPLE]]
    if commit.message_type in _FOR_SIGNERS:
        # To whoever signs in this project, people too who have never been in the session.
        roles = _FOR_SIGNERS[commit.message_type]
        workflow = state.reconciliation.workflow
        may_not = {commit.user_id, *workflow.prepared_by, *(item.user_id for item in workflow.standing)}
        about = _said(commit, "comment")
        return [
            _notice(state, commit, "signoff_wanted", about, roles=tuple(sorted(roles)), excepted=frozenset(may_not))
        ]
    return []


def _is_other(user_id: str, commit: Commit) -> bool:
    return user_id != commit.user_id and not is_reserved(user_id)


def _notice(
    state: SessionState,
    commit: Commit,
    kind: str,
    about: Mapping[str, Any],
    *,
    recipient: str | None = None,
    roles: tuple[str, ...] = (),
    excepted: frozenset[str] = frozenset(),
) -> Notice:
    # People's ids may hold anything; twelve bytes of a hash tell 50 people apart.
    whom = "signers" if recipient is None else hashlib.sha256(recipient.encode()).hexdigest()[:24]
    known = state.participants.get(commit.user_id)
    return Notice(
        notice_id=f"{commit.session_id}.{commit.seq}.{kind}.{whom}",
        kind=kind,
        session_id=commit.session_id,
        session_name=state.name,
        project_id=commit.project_id,
        seq=commit.seq,
        at=commit.at,
        user_id=commit.user_id,
        name=named(commit).get("name") or (known.name if known is not None else ""),
        recipient=recipient,
        roles=roles,
        excepted=excepted,
        about=about,
    )


def _records(record_ids: list[str]) -> dict[str, Any]:
    return {"record_ids": record_ids[:MAX_NAMED], "records": len(record_ids)}


def _said(commit: Commit, member: str) -> dict[str, Any]:
    text = commit.data.get(member)
    return {"text": text[:MAX_EXCERPT]} if text else {}


def _assigned(state: SessionState, commit: Commit) -> _Found:
    return [commit.data["assignee"]], "assigned", _records(commit.data["record_ids"])


def _mentioned(state: SessionState, commit: Commit) -> _Found:
    record_id = commit.data["record_id"]
    about = {**_records([record_id] if record_id is not None else []), "comment_id": commit.data["comment_id"]}
    return commit.data["mentions"], "mentioned", {**about, **_said(commit, "text")}


def _field(commit: Commit) -> dict[str, Any]:
    data = commit.data
    return {
        **_records([data["record_id"]]),
        "field_name": data["field_name"],
        "conflict_id": data["conflict_id"],
    }


def _disputed(state: SessionState, commit: Commit) -> _Found:
    # Whose value stands. The author of the candidate has been answered so.
    return [commit.data["current"]["user_id"]], "conflict", _field(commit)


def _resolved(state: SessionState, commit: Commit) -> _Found:
    # Commits of earlier releases do not name the authors.
    return commit.data.get("authors", ()), "conflict_resolved", {**_field(commit), **_said(commit, "reason")}


def _taken_over(state: SessionState, commit: Commit) -> _Found:
    about = {**_records([commit.data["record_id"]]), **_said(commit, "reason")}
    return [commit.data["previous"]["user_id"]], "lock_taken_over", about


def _judged(kind: str, member: str) -> _Finder:
    """To whoever submitted, and to everybody else whose work it was."""

    def find(state: SessionState, commit: Commit) -> _Found:
        workflow = state.reconciliation.workflow
        return [workflow.submitted_by, *sorted(workflow.prepared_by)], kind, _said(commit, member)

    return find


def _run_ended(state: SessionState, commit: Commit) -> _Found:
    run = state.reconciliation.run
    mine = run is not None and run.run_id == commit.data["run_id"]
    about: dict[str, Any] = {"run_id": commit.data["run_id"], "status": commit.message_type.partition(".")[2]}
    about |= _said(commit, "message" if "message" in commit.data else "reason")
    return [run.started_by if run is not None and mine else None], "run_finished", about


_FINDERS: Final[Mapping[str, _Finder]] = {
    "record.assigned": _assigned,
    "comment.added": _mentioned,
    "conflict.detected": _disputed,
    "conflict.extended": _disputed,
    "conflict.resolved": _resolved,
    "lock.taken_over": _taken_over,
    "reconciliation.approved": _judged("approved", "comment"),
    "reconciliation.rejected": _judged("rejected", "reason"),
    "reconciliation.reopened": _judged("reopened", "reason"),
    **dict.fromkeys(
        (f"reconciliation.{status}" for status in ("completed", "failed", "cancelled")),
        _run_ended,
    ),
}

#: Who is asked to sign: after the submission, and after the first of two signatures.
_FOR_SIGNERS: Final = {
    "reconciliation.submitted": frozenset(role.value for role in REVIEWERS),
    "reconciliation.reviewed": frozenset(role.value for role in SIGNERS_ABOVE),
}

#: The commits that concern anybody: for all others nothing has to be found out.
NOTIFYING: Final = frozenset({*_FINDERS, *_FOR_SIGNERS})
