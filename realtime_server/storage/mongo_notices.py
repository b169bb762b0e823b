"""Notifications in MongoDB."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from realtime_server.core.notifications import Notice
from realtime_server.ports import Place, Reader
from realtime_server.storage.documents import Document
from realtime_server.storage.mongo_failures import DUPLICATE_KEY, bounded, unavailable

#: How long one is kept where nobody says otherwise, and how many of one person, or one role, in one project.
KEPT_DAYS: Final = 90
KEPT: Final = 500

WHO_DID_IT: Final = "who_did_it"
NOTICE_INDEXES: Final = (
    IndexModel(
        [("project_id", ASCENDING), ("whom", ASCENDING), ("at", DESCENDING), ("_id", DESCENDING)], name="whose_newest"
    ),
    # Who is named in which session, for the erasure of a name.
    IndexModel([("session_id", ASCENDING), ("user_id", ASCENDING)], name=WHO_DID_IT),
    # MongoDB deletes what is past its time by itself, within a minute.
    IndexModel([("expires_at", ASCENDING)], name="too_old", expireAfterSeconds=0),
)


class MongoNoticeStore:
    """`ports.NoticeStore` over the collection ``notifications``; ``_id`` follows from the commit and the recipient.

    ``whom`` says in one list who may see it: ``user:<id>``, or ``role:<role>`` for each role.
    """

    def __init__(
        self, collection: AsyncCollection[Document], *, kept: int = KEPT, days: int = KEPT_DAYS
    ) -> None:
        self._notices = collection
        self._kept, self._days = kept, days

    async def add(self, notices: Sequence[Notice]) -> set[str]:
        documents = {notice.notice_id: _document(notice, self._days) for notice in notices}
        if not documents:
            return set()
        refused: set[str] = set()
        with bounded():
            try:
                await self._notices.insert_many(list(documents.values()), ordered=False)
            except BulkWriteError as error:
                details = error.details
                failures = details["writeErrors"]
                if details["writeConcernErrors"] or any(item["code"] != DUPLICATE_KEY for item in failures):
                    raise unavailable(error) from error
                refused = {item["op"]["_id"] for item in failures}
        added = documents.keys() - refused
        for project_id, whom in {(documents[name]["project_id"], documents[name]["whom"][0]) for name in added}:
            await self._forget_oldest(project_id, whom)
        return set(added)

    async def _forget_oldest(self, project_id: str, whom: str) -> None:
        mine: Document = {"project_id": project_id, "whom": whom}
        order = [("at", DESCENDING), ("_id", DESCENDING)]
        with bounded():
            first = await self._notices.find(mine, {"at": 1}).sort(order).skip(self._kept).limit(1).to_list()
            for item in first:
                await self._notices.delete_many({**mine, **_not_before(item["at"], item["_id"])})

    async def page(
        self, reader: Reader, *, after: Place | None = None, limit: int = 100, unread: bool = False
    ) -> list[tuple[Notice, bool]]:
        found: list[tuple[Notice, bool]] = []
        for read in (False,) if unread else (False, True):
            if after is not None and after.read and not read:
                continue
            beyond = after if after is not None and after.read == read else None
            wanted = limit - len(found)
            if wanted > 0:
                found += [(notice, read) for notice in await self._newest(reader, read, beyond, wanted)]
        return found

    async def _newest(self, reader: Reader, read: bool, after: Place | None, limit: int) -> list[Notice]:
        query = _of(reader, read=read)
        if query is None:
            return []
        if after is not None:
            query["$and"] = [_not_before(after.at, after.notice_id), {"_id": {"$ne": after.notice_id}}]
        order = [("at", DESCENDING), ("_id", DESCENDING)]
        with bounded():
            documents = await self._notices.find(query).sort(order).limit(limit).to_list()
        return [_notice(document) for document in documents]

    async def count_unread(self, reader: Reader, limit: int = 1_000) -> int:
        query = _of(reader, read=False)
        if query is None:
            return 0
        with bounded():
            return await self._notices.count_documents(query, limit=limit)

    async def mark_read(
        self, reader: Reader, notice_ids: Collection[str] | None = None, *, until: int | None = None
    ) -> int:
        query = _of(reader, read=False)
        if query is None:
            return 0
        if notice_ids is not None:
            query["_id"] = {"$in": list(notice_ids)}
        if until is not None:
            query["at"] = {"$lte": until}
        with bounded():
            result = await self._notices.update_many(query, {"$addToSet": {"read_by": reader.user_id}})
        return result.modified_count

    async def erase_name(self, session_id: str, user_id: str) -> int:
        query = {"session_id": session_id, "user_id": user_id, "name": {"$ne": user_id}}
        with bounded():
            result = await self._notices.update_many(query, {"$set": {"name": user_id}}, hint=WHO_DID_IT)
        return result.modified_count


def _of(reader: Reader, *, read: bool) -> Document | None:
    """What is for this reader, and read or not; None where nothing can be."""
    by_role: dict[str, list[str]] = {}
    for project_id, role in reader.roles.items():
        by_role.setdefault(role.value, []).append(project_id)
    if not by_role:
        return None
    mine = f"user:{reader.user_id}"
    return {
        "$or": [
            {"project_id": {"$in": projects}, "whom": {"$in": [mine, f"role:{role}"]}}
            for role, projects in by_role.items()
        ],
        "excepted": {"$ne": reader.user_id},
        "read_by": reader.user_id if read else {"$ne": reader.user_id},
    }


def _not_before(at: int, notice_id: str) -> Document:
    """That place in the list, newest first, and what comes after it."""
    return {"$or": [{"at": {"$lt": at}}, {"at": at, "_id": {"$lte": notice_id}}]}


_PLAIN: Final = ("kind", "session_id", "session_name", "project_id", "seq", "at", "user_id", "name", "recipient")


def _document(notice: Notice, days: int) -> Document:
    at = datetime.fromtimestamp(notice.at / 1000, UTC)
    return {
        "_id": notice.notice_id,
        **{name: getattr(notice, name) for name in _PLAIN},
        "whom": _whom(notice.recipient, notice.roles),
        "excepted": sorted(notice.excepted),
        "about": dict(notice.about),
        "read_by": [],
        "expires_at": at + timedelta(days=days),
    }


def _whom(recipient: str | None, roles: Iterable[str]) -> list[str]:
    return [f"role:{role}" for role in roles] if recipient is None else [f"user:{recipient}"]


def _notice(document: Document) -> Notice:
    members: dict[str, Any] = {name: document[name] for name in _PLAIN}
    roles = () if members["recipient"] is not None else tuple(item.partition(":")[2] for item in document["whom"])
    return Notice(
        notice_id=document["_id"],
        **members,
        roles=roles,
        excepted=frozenset(document["excepted"]),
        about=document["about"],
    )
