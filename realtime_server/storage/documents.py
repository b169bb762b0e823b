"""What lies in the database: commits, checkpoints and records as BSON documents, and back.

Reading gives exactly what was written, in plain Python types: the hash chain is computed over JSON, where 1 and 1.0
differ, and the rules compare values together with their type. The append path builds documents directly; measured in
``docs/storage.md``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from operator import itemgetter
from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion, TypeDecoder, TypeRegistry
from bson.int64 import Int64

from realtime_server.core.commits import Commit
from realtime_server.core.names import Names
from realtime_server.core.snapshot import record_from_document
from realtime_server.core.state import RecordState
from realtime_server.ports import ImportedRecord, NewRecord, SessionSummary

Document = dict[str, Any]


class _PlainInteger(TypeDecoder):
    """BSON's 64-bit integers come as ``Int64``, which is not the same type as the ``int`` that was written."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


CODEC: Final[CodecOptions[Document]] = CodecOptions(type_registry=TypeRegistry([_PlainInteger()]))
#: For looking at what may be damaged: nothing that a document can hold keeps it from being read.
FORGIVING_CODEC: Final[CodecOptions[Document]] = CODEC.with_options(
    unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_MS
)

_COMMIT_MEMBERS: Final = tuple(field.name for field in fields(Commit) if field.name != "names")
_commit_members = itemgetter(*_COMMIT_MEMBERS)


def touched_records(data: Mapping[str, Any]) -> list[str]:
    """The records a commit's ``data`` speaks of, each once, in the order it names them.

    They are ``record_id``, ``record_ids``, and the ``record_id`` of each of the ``edits``.
    """
    if "edits" in data:
        return list(dict.fromkeys(edit["record_id"] for edit in data["edits"]))
    if "record_ids" in data:
        return list(dict.fromkeys(data["record_ids"]))
    record_id = data.get("record_id")
    return [] if record_id is None else [record_id]


def commit_document(commit: Commit) -> Document:
    """The members of the commit, and ``records``: what it touches, for the history of one record; absent when none.

    ``names``: list of ``{user_id, name}``, absent when the commit names nobody.
    """
    document: Document = {
        "session_id": commit.session_id,
        "seq": commit.seq,
        "command_id": commit.command_id,
        "project_id": commit.project_id,
        "user_id": commit.user_id,
        "at": commit.at,
        "message_type": commit.message_type,
        "data": commit.data,
        "prev_hash": commit.prev_hash,
        "hash": commit.hash,
    }
    records = touched_records(commit.data)
    if records:
        document["records"] = records
    if commit.names:
        document["names"] = [{"user_id": user_id, "name": name} for user_id, name in commit.names]
    return document


def commit_from_document(document: Mapping[str, Any]) -> Commit:
    """The inverse of `commit_document`. KeyError for a document that lacks a member."""
    commit = Commit(*_commit_members(document))
    names = document.get("names")
    return replace(commit, names=_names(names)) if names else commit


def _names(names: Iterable[Mapping[str, Any]]) -> Names:
    return tuple((item["user_id"], item["name"]) for item in names)


def suspect_commit(document: Mapping[str, Any]) -> Commit:
    """For checking: a commit of whatever stands there. A missing member is None, a foreign type its description."""
    try:
        names = _names(document.get("names", ()))
    except (TypeError, KeyError):  # somebody's own; the chain has nothing to say of it
        names = ()
    members = {name: _described(document.get(name)) for name in _COMMIT_MEMBERS}
    return Commit(**members, names=names)


_JSON_SCALARS: Final = (str, int, bool, type(None))


def _described(value: Any) -> Any:
    kind = type(value)
    if kind in _JSON_SCALARS:
        return value
    if kind is dict:
        return {name: _described(item) for name, item in value.items()}
    if kind is list:
        return [_described(item) for item in value]
    if kind is float and math.isfinite(value):
        return value
    # A date or a decimal would print like the text it replaced, and not-a-number like null.
    return f"<{kind.__name__} {value!r}>"


#: Beside a checkpoint, in milliseconds: somebody has the session open. The next checkpoint is without it: what made
#: one necessary has put the session's end off.
KEPT_UNTIL: Final = "kept_until"


def checkpoint_document(checkpoint: Mapping[str, Any]) -> Document:
    """A checkpoint (`core.snapshot.state_document`) with ``_id``, and ``expires_at`` for the search of expired ones."""
    expires_in = checkpoint["expires_in"]
    expires_at = checkpoint["last_activity"] + expires_in * 1000 if expires_in else None
    return {"_id": checkpoint["session_id"], **checkpoint, "expires_at": expires_at}


def checkpoint_from_document(document: Mapping[str, Any]) -> Document:
    """The checkpoint as it was saved."""
    return {name: value for name, value in document.items() if name not in ("_id", "expires_at", KEPT_UNTIL)}


_SUMMARY_MEMBERS: Final = tuple(field.name for field in fields(SessionSummary))
SUMMARY_PROJECTION: Final = dict.fromkeys(_SUMMARY_MEMBERS, 1)


def summary_from_document(document: Mapping[str, Any]) -> SessionSummary:
    return SessionSummary(*(document[name] for name in _SUMMARY_MEMBERS))


_AS_IMPORTED: Final = ("_id", "session_id", "record_id", "source", "external_id", "base", "chunk_id")


def as_imported(document: Mapping[str, Any]) -> Document:
    """The document of a record as it was when `new_record_document` made it."""
    return {**{name: document[name] for name in _AS_IMPORTED}, "fields": {}, "seq": 0}


def new_record_document(session_id: str, record: NewRecord) -> Document:
    return {
        "session_id": session_id,
        "record_id": record.record_id,
        "source": record.source,
        "external_id": record.external_id,
        "base": dict(record.values),
        "fields": {},
        "seq": 0,
        "chunk_id": record.chunk_id,
    }


RECORD_PROJECTION: Final = {"_id": 0, "session_id": 0, "imports": 0, "chunk_id": 0}
IMPORT_PROJECTION: Final = {"_id": 0, "record_id": 1, "chunk_id": 1, "base": 1, "imports": 1}


def stored_record(document: Mapping[str, Any]) -> RecordState:
    return record_from_document(document)


def imported_from_document(document: Mapping[str, Any]) -> ImportedRecord:
    """``base`` is version 0; ``imports`` (field -> {value, version}) is what later imports said instead."""
    values: dict[str, tuple[Any, int]] = {name: (value, 0) for name, value in document["base"].items()}
    for name, said in document.get("imports", {}).items():
        values[name] = (said["value"], said["version"])
    return ImportedRecord(document["record_id"], document["chunk_id"], values)
