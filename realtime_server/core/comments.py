"""Comments on the session or on a record, with replies and mentions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_server.core import limits
from realtime_server.core.commands import AddComment, ResolveComment
from realtime_server.core.commits import Commit, Draft
from realtime_server.core.conflicts import forget_oldest
from realtime_server.core.nameless import name_of
from realtime_server.core.outcomes import NoChange, Outcome, reject
from realtime_server.core.state import Changes, SessionState
from realtime_server.core.values import check_text
from realtime_server.errors import ErrorCode, Rejection


def decide_comment(state: SessionState, command: AddComment, now: int) -> Outcome:
    record_id = command.record_id
    if command.parent_id is not None:
        parent = state.comments.get(command.parent_id)
        if parent is None:
            return reject(ErrorCode.NOT_FOUND, f"there is no comment {command.parent_id}", parent_id=command.parent_id)
        if record_id is not None and record_id != parent[0]:
            return reject(ErrorCode.INVALID, "a reply belongs to its parent's record", parent_id=command.parent_id)
        record_id = parent[0]
    if record_id is not None and record_id not in state.records:
        return reject(ErrorCode.NOT_FOUND, f"there is no record {record_id}", record_id=record_id)
    problem = _check_content(command)
    if problem is not None:
        return problem
    data: dict[str, Any] = {
        "comment_id": f"comment-{state.seq + 1}",
        "record_id": record_id,
        "parent_id": command.parent_id,
        "text": command.text,
        "mentions": list(command.mentions),
        "name": name_of(state, command.actor),
    }
    return Draft("comment.added", data)


def _check_content(command: AddComment) -> Rejection | None:
    member = "text"
    try:
        if not check_text(command.text, limits.MAX_COMMENT_TEXT).strip():
            raise ValueError("a comment says something")
        member = "mentions"
        if len(command.mentions) > limits.MAX_MENTIONS:
            raise ValueError(f"a comment mentions at most {limits.MAX_MENTIONS} people")
        for user_id in command.mentions:
            check_text(user_id, limits.MAX_NAME)
    except ValueError as error:
        return reject(ErrorCode.INVALID, str(error), fields={member: [str(error)]})
    return None


def decide_resolve_comment(state: SessionState, command: ResolveComment, now: int) -> Outcome:
    comment = state.comments.get(command.comment_id)
    if comment is None:
        return reject(ErrorCode.NOT_FOUND, f"there is no comment {command.comment_id}", comment_id=command.comment_id)
    if comment[1]:
        return NoChange({"seq": state.seq, "comment_id": command.comment_id})
    return Draft("comment.resolved", {"comment_id": command.comment_id, "record_id": comment[0]})


def evolve_comment(state: SessionState, commit: Commit) -> Changes:
    data = commit.data
    resolved = commit.message_type == "comment.resolved"
    comments = state.comments.set(data["comment_id"], (data["record_id"], resolved))
    return Changes(comments=forget_oldest(comments, limits.MAX_COMMENTS))


def comment_answer(commit: Commit) -> Mapping[str, Any]:
    return {"seq": commit.seq, "comment_id": commit.data["comment_id"]}
