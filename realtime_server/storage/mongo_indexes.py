"""The indexes of every collection: made by whoever opens the database, looked for by `doctor`."""

from __future__ import annotations

from typing import Final

from pymongo import ASCENDING, IndexModel

from realtime_server.storage.mongo_imports import IMPORT_INDEXES
from realtime_server.storage.mongo_log import (
    IS_AN_END,
    LOG_ORDER,
    NAMED,
    RECORD_HISTORY,
    SESSION_ENDS,
    SESSION_NAMES,
    USER_HISTORY,
)
from realtime_server.storage.mongo_notices import NOTICE_INDEXES
from realtime_server.storage.mongo_records import RECORD_ORDER
from realtime_server.storage.mongo_rules import RULE_INDEXES

INDEXES: Final = {
    "commits": (
        # The two that are the whole concurrency control: one order, and no command twice.
        IndexModel([("session_id", ASCENDING), ("seq", ASCENDING)], name=LOG_ORDER, unique=True),
        IndexModel([("session_id", ASCENDING), ("command_id", ASCENDING)], name="command_once", unique=True),
        # The history of one record, or of one person. Commits that touch no record are not in the first.
        IndexModel(
            [("session_id", ASCENDING), ("records", ASCENDING), ("seq", ASCENDING)],
            name=RECORD_HISTORY,
            partialFilterExpression={"records": {"$exists": True}},
        ),
        IndexModel([("session_id", ASCENDING), ("user_id", ASCENDING), ("seq", ASCENDING)], name=USER_HISTORY),
        # Who is named where, for the erasure of a name. Most commits, edits above all, name nobody.
        IndexModel(
            [("names.user_id", ASCENDING), ("session_id", ASCENDING)],
            name=NAMED,
            partialFilterExpression={"names.user_id": {"$exists": True}},
        ),
        # Which sessions still name anybody, and whom.
        IndexModel(
            [("session_id", ASCENDING), ("names.user_id", ASCENDING)],
            name=SESSION_NAMES,
            partialFilterExpression={"names.user_id": {"$exists": True}},
        ),
        # When sessions ended: one key for each.
        IndexModel(
            [("at", ASCENDING), ("session_id", ASCENDING)], name=SESSION_ENDS, partialFilterExpression=IS_AN_END
        ),
    ),
    "sessions": (
        IndexModel([("project_id", ASCENDING), ("_id", ASCENDING)], name="project_sessions"),
        IndexModel(
            [("reconciliation.run.active", ASCENDING)],
            name="runs_under_way",
            partialFilterExpression={"reconciliation.run.active": True},
        ),
        IndexModel([("status", ASCENDING), ("expires_at", ASCENDING)], name="expiry"),
    ),
    "records": (IndexModel([("session_id", ASCENDING), ("record_id", ASCENDING)], name=RECORD_ORDER, unique=True),),
    "revocations": (
        IndexModel([("changed_at", ASCENDING)], name="news"),
        IndexModel([("_id.project_id", ASCENDING)], name="project_revocations"),
    ),
    "notifications": NOTICE_INDEXES,
    "project_rules": RULE_INDEXES,
    "import_progress": IMPORT_INDEXES,
}
