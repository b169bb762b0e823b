"""What happened. A commit is one ``seq``, one broadcast, and one link of a hash chain.

`seal` and `envelope` are on the hot path: 2 µs and 0.4 µs (``python -m loadtest.bench_core``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from realtime_server.core.clock import to_iso
from realtime_server.core.names import PLACES, Names, split, told

Json = Mapping[str, Any]

#: ``prev_hash`` of a session's first commit.
GENESIS: Final = "0" * 64

#: The user of commits that nobody asked for: expired leases and sessions.
SYSTEM_USER: Final = "system"


def is_reserved(user_id: str) -> bool:
    """Whether the name is the server's own: what it does by itself is in the log under it, or under what begins so."""
    return user_id.partition("/")[0] == SYSTEM_USER


@dataclass(frozen=True, slots=True)
class Draft:
    """What a decision wants to happen, before it has its place in the log."""

    message_type: str
    data: Json


@dataclass(frozen=True)
class Commit:
    """One entry of a session's log. (Without slots, so that `seal` can make one quickly.)

    ``seq``: 1, 2, 3, … per session, gapless. ``command_id``: unique per session, so that a retry is recognised.
    ``at``: milliseconds since 1970. ``data``: plain JSON, the payload of the broadcast; never changed after creation.
    ``prev_hash`` and ``hash``: 64 hexadecimal digits; see `digest`. ``names``: what the people are called whom it names
    by their ids; not hashed, and may have been erased (`names`).
    """

    session_id: str
    project_id: str
    seq: int
    command_id: str
    user_id: str
    at: int
    message_type: str
    data: Json
    prev_hash: str
    hash: str
    names: Names = ()

    @property
    def family(self) -> str:
        """The event under which clients receive it: the part of ``message_type`` before the dot."""
        return self.message_type.partition(".")[0]


def canonical(commit: Commit) -> bytes:
    """The bytes that are hashed: UTF-8 JSON, keys sorted by code point, no white space, every member but ``hash`` and
    ``names``.

    Numbers print as ECMAScript prints them (the bounds in `limits` keep floats where all writers agree), so that any
    language can recompute the chain.
    """
    return orjson.dumps(
        {
            "at": commit.at,
            "command_id": commit.command_id,
            "data": commit.data,
            "message_type": commit.message_type,
            "prev_hash": commit.prev_hash,
            "project_id": commit.project_id,
            "seq": commit.seq,
            "session_id": commit.session_id,
            "user_id": commit.user_id,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def digest(commit: Commit) -> str:
    """SHA-256 over `canonical`, in hexadecimal."""
    return hashlib.sha256(canonical(commit)).hexdigest()


def seal(
    draft: Draft,
    *,
    session_id: str,
    project_id: str,
    seq: int,
    command_id: str,
    user_id: str,
    at: int,
    prev_hash: str,
) -> Commit:
    """Give a draft its place in the log and its hash. Names of people in it come to stand beside what is hashed."""
    data: Json = draft.data
    names: Names = ()
    places = PLACES.get(draft.message_type)
    if places is not None:
        data, names = split(places, data, user_id)
    members: dict[str, Any] = {
        "session_id": session_id,
        "project_id": project_id,
        "seq": seq,
        "command_id": command_id,
        "user_id": user_id,
        "at": at,
        "message_type": draft.message_type,
        "data": data,
        "prev_hash": prev_hash,
    }
    members["hash"] = hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).hexdigest()
    members["names"] = names
    # A frozen dataclass sets its members one by one, which takes longer than the hash.
    commit = object.__new__(Commit)
    object.__setattr__(commit, "__dict__", members)
    return commit


def envelope(commit: Commit) -> dict[str, Any]:
    """The commit as clients see it, live and in a replay alike (section 4 of the contract)."""
    return {
        "message_type": commit.message_type,
        "session_id": commit.session_id,
        "project_id": commit.project_id,
        "user_id": commit.user_id,
        "timestamp": to_iso(commit.at),
        "seq": commit.seq,
        "data": named(commit),
    }


def named(commit: Commit) -> Json:
    """The commit's ``data`` with the names of the people in it, as clients see it."""
    return told(commit.message_type, commit.data, commit.user_id, commit.names)


def is_sound(commit: Commit) -> bool:
    """Whether the hash is that of the content."""
    try:
        return digest(commit) == commit.hash
    except orjson.JSONEncodeError:
        # A member that is no JSON, such as a database's own type: nothing of ours wrote that.
        return False


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The first place where a log is not what was written: which ``seq``, and what is wrong there."""

    seq: int
    problem: str


class ChainVerifier:
    """Checks a log commit by commit, in the order it is read, in constant memory."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._seq = 0
        self._hash = GENESIS

    @property
    def seq(self) -> int:
        """The last commit that was found sound."""
        return self._seq

    @property
    def head(self) -> str:
        return self._hash

    def check(self, commit: Commit) -> ChainBreak | None:
        """None while the chain holds. After a break the verifier must not be used further."""
        expected = self._seq + 1
        if commit.seq > expected:
            return ChainBreak(expected, f"commit {expected} is missing: {commit.seq} follows {self._seq}")
        if commit.seq < expected:
            return ChainBreak(commit.seq, f"commit {commit.seq} was inserted: it stands after {self._seq}")
        if commit.session_id != self._session_id:
            return ChainBreak(commit.seq, f"commit {commit.seq} belongs to another session")
        if not is_sound(commit):
            return ChainBreak(commit.seq, f"commit {commit.seq} was altered: its content does not give its hash")
        if commit.prev_hash != self._hash:
            return ChainBreak(commit.seq, f"commit {commit.seq} does not follow from commit {self._seq}")
        self._seq, self._hash = commit.seq, commit.hash
        return None


def verify(session_id: str, commits: Iterable[Commit]) -> ChainBreak | None:
    """The first break in a whole log, or None."""
    verifier = ChainVerifier(session_id)
    for commit in commits:
        problem = verifier.check(commit)
        if problem is not None:
            return problem
    return None
