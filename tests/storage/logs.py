"""Logs as a session would write them, for the tests of everything that stores or checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from realtime_server.core.commits import GENESIS, Commit, Draft, seal
from realtime_server.core.snapshot import state_document
from realtime_server.core.state import SessionState

SESSION = "session-1"
PROJECT = "project-1"
BEGAN = 1_795_341_600_123


def edit_of(record_id: str, value: Any, *, field_name: str = "description") -> Draft:
    data = {
        "edit_id": "e",
        "record_id": record_id,
        "field_name": field_name,
        "old_value": None,
        "new_value": value,
        "base_version": 0,
        "version": 1,
    }
    return Draft("edit.applied", data)


def chain(
    drafts: Sequence[Draft],
    *,
    after: Commit | None = None,
    session_id: str = SESSION,
    user_id: str = "alice",
    command: str = "c",
) -> list[Commit]:
    """The drafts as consecutive commits, following ``after`` or beginning a log; commands are ``<command>-<seq>``."""
    commits: list[Commit] = []
    seq, prev_hash = (0, GENESIS) if after is None else (after.seq, after.hash)
    for draft in drafts:
        seq += 1
        commit = seal(
            draft,
            session_id=session_id,
            project_id=PROJECT,
            seq=seq,
            command_id=f"{command}-{seq}",
            user_id=user_id,
            at=BEGAN + seq,
            prev_hash=prev_hash,
        )
        prev_hash = commit.hash
        commits.append(commit)
    return commits


def edits(count: int, **options: Any) -> list[Commit]:
    """A chain of so many edits, of ten records in turn."""
    return chain([edit_of(f"record-{number % 10}", f"value {number}") for number in range(count)], **options)


def checkpoint_of(head: Commit, **members: Any) -> Mapping[str, Any]:
    """A checkpoint that stands at a commit."""
    state = SessionState(
        session_id=head.session_id,
        project_id=head.project_id,
        seq=head.seq,
        hash=head.hash,
        at=head.at,
        last_activity=head.at,
        **members,
    )
    return state_document(state)
