"""State and records as plain documents (text, integers, lists, mappings), for checkpoints, and back.

A checkpoint holds everything but the records, which are stored one by one. Its size follows what is open or was done
lately (locks, open conflicts, undo stacks, people), not the length of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from immutables import Map

from realtime_server.core.history import history_of
from realtime_server.core.reconciling_documents import (
    match_document,
    match_from,
    reconciliation_document,
    reconciliation_from,
)
from realtime_server.core.roles import Role
from realtime_server.core.state import (
    Candidate,
    Conflict,
    FieldState,
    Lock,
    Participant,
    RecordState,
    SessionState,
    SessionStatus,
    UndoEntry,
    UserHistory,
)

_PLAIN = (
    "session_id", "project_id", "name", "created_by", "created_at", "expires_in", "last_activity", "at", "seq", "hash",
)  # fmt: skip


def state_document(state: SessionState) -> dict[str, Any]:
    """The state without its records. Keys that people choose stand in lists, so that any store can hold them."""
    return {
        **{name: getattr(state, name) for name in _PLAIN},
        "status": state.status.value,
        "field_policies": sorted([name, policy] for name, policy in state.field_policies.items()),
        "participants": [{**asdict(item), "role": item.role.value} for item in state.participants.values()],
        "nameless": [list(item) for item in state.nameless.items()],
        "locks": [asdict(lock) for lock in state.locks.values()],
        "conflicts": [[conflict_id, *place] for conflict_id, place in state.conflicts.items()],
        "resolved": [list(item) for item in state.resolved.items()],
        "precedents": [[*pair, *counts] for pair, counts in state.precedents.items()],
        "comments": [[comment_id, *comment] for comment_id, comment in state.comments.items()],
        "histories": _histories(state.histories),
        "reconciliation": reconciliation_document(state.reconciliation),
    }


def found_by(state: SessionState) -> tuple[str, SessionStatus, int, bool]:
    """What searches over all sessions read of checkpoints: (name, status, expires_in, is a matching run under way).

    A checkpoint in which one of these is not as it was before is due at once, however little else has happened: until
    it is stored, nobody takes up the run of an instance that died, and lists show a session that was ended.
    """
    run = state.reconciliation.run
    return state.name, state.status, state.expires_in, run is not None and run.active


def _histories(histories: Mapping[str, UserHistory]) -> str:
    """``[[user_id, undo, redo], …]`` as JSON, an entry as ``[seq, [[record_id, field_name], …], versions]``.

    There may be 20,000 entries, and nobody else's turn comes before the last is written: as text that takes 2 ms, as a
    document's own lists 11 ms here and 5 ms more in the driver.
    """
    return orjson.dumps(
        [(user_id, _entries(item.undo), _entries(item.redo)) for user_id, item in histories.items()]
    ).decode()


def _entries(entries: tuple[UndoEntry, ...]) -> list[tuple[Any, ...]]:
    return [(entry.seq, entry.fields, entry.versions) for entry in entries]


def _histories_from(found: str | list[Any]) -> Map[str, UserHistory]:
    """Of older checkpoints too, which have lists."""
    if isinstance(found, str):
        return Map(
            {
                user_id: history_of(_entries_from(undo), _entries_from(redo))
                for user_id, undo, redo in orjson.loads(found)
            }
        )
    return Map(
        {
            item["user_id"]: history_of(_older_entries_from(item["undo"]), _older_entries_from(item["redo"]))
            for item in found
        }
    )


def _entries_from(items: list[Any]) -> tuple[UndoEntry, ...]:
    return tuple(
        UndoEntry(seq, tuple((record_id, name) for record_id, name in fields), tuple(versions))
        for seq, fields, versions in items
    )


def _older_entries_from(items: list[Any]) -> tuple[UndoEntry, ...]:
    return tuple(
        UndoEntry(seq, tuple((item[0], item[1]) for item in fields), tuple(item[2] for item in fields))
        for seq, fields in items
    )


def state_from_document(document: Mapping[str, Any]) -> SessionState:
    """The inverse of `state_document`; the records are loaded when they are needed."""
    people = (Participant(**{**item, "role": Role(item["role"])}) for item in document["participants"])
    locks = (Lock(**item) for item in document["locks"])
    return SessionState(
        **{name: document[name] for name in _PLAIN},
        status=SessionStatus(document["status"]),
        field_policies=dict(document["field_policies"]),
        participants=Map({item.user_id: item for item in people}),
        nameless=Map({item[0]: item[1] for item in document.get("nameless", ())}),
        locks=Map({lock.record_id: lock for lock in locks}),
        conflicts=Map({item[0]: (item[1], item[2]) for item in document["conflicts"]}),
        resolved=Map({item[0]: item[1] for item in document["resolved"]}),
        precedents=Map({tuple(item[:3]): tuple(item[3:]) for item in document.get("precedents", ())}),
        comments=Map({item[0]: (item[1], item[2]) for item in document["comments"]}),
        histories=_histories_from(document["histories"]),
        reconciliation=reconciliation_from(document.get("reconciliation")),
    )


def record_document(record: RecordState) -> dict[str, Any]:
    """``{record_id, source, external_id, base, fields: {name: {value, version, user_id, history, conflict?}}, seq,
    match?, disposition?, rejected?}``; ``history`` is ``[[version, value], …]`` as JSON.

    Field names are safe as keys (`values.check_field_name`). A history is only ever read as a whole, with its record:
    as text it takes an encoder less time, and the database less time and room, than as a list of lists.
    """
    document: dict[str, Any] = {
        "record_id": record.record_id,
        "source": record.source,
        "external_id": record.external_id,
        "base": dict(record.base),
        "fields": {name: _field_document(item) for name, item in record.fields.items()},
        "seq": record.seq,
    }
    if record.match is not None:
        document["match"] = match_document(record.match)
    if record.disposition is not None:
        document["disposition"] = record.disposition
    if record.rejected:
        document["rejected"] = list(record.rejected)
    return document


def _field_document(item: FieldState) -> dict[str, Any]:
    document: dict[str, Any] = {
        "value": item.value,
        "version": item.version,
        "user_id": item.user_id,
        "history": orjson.dumps(item.history).decode(),
    }
    if item.conflict is not None:
        document["conflict"] = asdict(item.conflict)
    return document


def record_from_document(document: Mapping[str, Any]) -> RecordState:
    """The inverse of `record_document`."""
    return RecordState(
        record_id=document["record_id"],
        source=document["source"],
        external_id=document["external_id"],
        base=document["base"],
        fields=Map({name: _field_from(item) for name, item in document["fields"].items()}),
        seq=document["seq"],
        match=match_from(document.get("match")),
        disposition=document.get("disposition"),
        rejected=tuple(document.get("rejected") or ()),
    )


def _field_from(item: Mapping[str, Any]) -> FieldState:
    conflict, history = item.get("conflict"), item["history"]
    if isinstance(history, str):  # else a list, as older versions stored it
        history = orjson.loads(history)
    return FieldState(
        value=item["value"],
        version=item["version"],
        user_id=item["user_id"],
        history=tuple((version, value) for version, value in history),
        conflict=None if conflict is None else conflict_from_document(conflict),
    )


def conflict_from_document(document: Mapping[str, Any]) -> Conflict:
    candidates = tuple(Candidate(**item) for item in document["candidates"])
    return Conflict(**{**document, "candidates": candidates})
