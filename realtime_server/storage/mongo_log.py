"""The log of commits in MongoDB."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.asynchronous.collection import AsyncCollection

from realtime_server.core.commits import Commit
from realtime_server.core.sessions import ENDS
from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.ports import Appended, Ended
from realtime_server.storage.documents import (
    FORGIVING_CODEC,
    Document,
    commit_document,
    commit_from_document,
    suspect_commit,
    touched_records,
)
from realtime_server.storage.mongo_append import CombinedAppends
from realtime_server.storage.mongo_failures import bounded

log = logging.getLogger(__name__)

#: Names of indexes: the one that puts a session's commits in order, and those of its histories.
LOG_ORDER: Final = "log_order"
RECORD_HISTORY: Final = "record_history"
USER_HISTORY: Final = "user_history"
#: Name of the index over who is named in which session.
NAMED: Final = "named"
SESSION_NAMES: Final = "session_names"
#: Name of the index over when sessions ended, and what is in it.
SESSION_ENDS: Final = "session_ends"
IS_AN_END: Final = {"message_type": {"$in": sorted(ENDS)}}
_SCAN_BATCH: Final = 1_000


class MongoCommitLog:
    """`ports.CommitLog` over the collection ``commits``."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._commits = collection
        self._appends = CombinedAppends(collection)

    async def append(self, commits: Sequence[Commit]) -> Appended:
        if not commits:
            return Appended(0)
        return await self._appends.append([commit_document(commit) for commit in commits])

    async def read(self, session_id: str, after: int, limit: int) -> list[Commit]:
        if limit <= 0:
            return []
        with bounded():
            documents = await (
                self._commits.find({"session_id": session_id, "seq": {"$gt": after}})
                .sort("seq", ASCENDING)
                .limit(limit)
                .hint(LOG_ORDER)
                .to_list()
            )
        commits = [commit_from_document(document) for document in documents]
        if commits and commits[-1].seq != after + len(commits):
            # Nobody writes a gap; somebody took a commit out. Going on would build on a history that never was.
            log.critical("the log of session %s has a gap after commit %d; run `audit verify`", session_id, after)
            raise CollaborationError(ErrorCode.INTERNAL, "the session's log is damaged")
        return commits

    async def heads(self, session_ids: Collection[str]) -> dict[str, int]:
        if not session_ids:
            return {}
        # Sorted and grouped just so, MongoDB steps from session to session in the index and reads one key of each.
        pipeline: list[Document] = [
            {"$match": {"session_id": {"$in": list(session_ids)}}},
            {"$sort": {"session_id": -1, "seq": -1}},
            {"$group": {"_id": "$session_id", "seq": {"$first": "$seq"}}},
        ]
        with bounded():
            found = await (await self._commits.aggregate(pipeline, hint=LOG_ORDER)).to_list()
        return {document["_id"]: document["seq"] for document in found}

    async def find(self, session_id: str, command_ids: Collection[str]) -> dict[str, Commit]:
        if not command_ids:
            return {}
        query = {"session_id": session_id, "command_id": {"$in": list(command_ids)}}
        with bounded():
            documents = await self._commits.find(query).to_list()
        return {document["command_id"]: commit_from_document(document) for document in documents}

    async def scan(self, session_id: str, after: int = 0) -> AsyncIterator[Commit]:
        async for commit, _ in self.entries(session_id, after):
            yield commit

    async def entries(self, session_id: str, after: int | None = None) -> AsyncIterator[tuple[Commit, bool]]:
        """As `scan`, and whether each entry is filed under just the records that it touches.

        Without ``after`` entries whose ``seq`` is no number come too: somebody's own.
        """
        query: Document = {"session_id": session_id}
        if after is not None:
            query["seq"] = {"$gt": after}
        commits = self._commits.with_options(codec_options=FORGIVING_CODEC)
        with bounded():
            async for document in commits.find(query, batch_size=_SCAN_BATCH).sort("seq", ASCENDING):
                yield suspect_commit(document), _well_filed(document)

    async def history(
        self,
        session_id: str,
        after: int,
        limit: int,
        *,
        record_ids: Collection[str] | None = None,
        user_id: str | None = None,
    ) -> list[Commit]:
        if limit <= 0 or (record_ids is not None and not record_ids):
            return []
        # Named, because the planner takes a walk through the whole log for as good while it knows little.
        index = LOG_ORDER
        query: dict[str, Any] = {"session_id": session_id, "seq": {"$gt": after}}
        if user_id is not None:
            query["user_id"] = user_id
            index = USER_HISTORY
        if record_ids is not None:
            query["records"] = {"$in": list(record_ids)}
            index = RECORD_HISTORY
        with bounded():
            documents = await self._commits.find(query).sort("seq", ASCENDING).limit(limit).hint(index).to_list()
        return [commit_from_document(document) for document in documents]

    async def erase_name(self, session_id: str, user_id: str) -> int:
        query = {"names.user_id": user_id, "session_id": session_id}
        with bounded():
            done = await self._commits.update_many(query, {"$pull": {"names": {"user_id": user_id}}}, hint=NAMED)
        return done.modified_count

    async def naming(self, user_id: str, after: str | None, limit: int) -> list[str]:
        if limit <= 0:
            return []
        match: Document = {"names.user_id": user_id}
        if after is not None:
            match["session_id"] = {"$gt": after}
        steps: list[Document] = [
            {"$match": match}, {"$group": {"_id": "$session_id"}}, {"$sort": {"_id": 1}}, {"$limit": limit},
        ]  # fmt: skip
        with bounded():
            found = await (await self._commits.aggregate(steps, hint=NAMED)).to_list()
        return [document["_id"] for document in found]

    async def ended(self, until: int, after: Ended | None, limit: int) -> list[Ended]:
        if limit <= 0:
            return []
        query: Document = {**IS_AN_END, "at": {"$lte": until}}
        if after is not None:
            later = {"at": {"$gt": after.at}}
            query["$or"] = [later, {"at": after.at, "session_id": {"$gt": after.session_id}}]
            query["at"]["$gte"] = after.at
        order = [("at", ASCENDING), ("session_id", ASCENDING)]
        with bounded():
            found = await self._commits.find(query, _END).sort(order).limit(limit).hint(SESSION_ENDS).to_list()
        return [Ended(document["at"], document["session_id"]) for document in found]

    async def still_named(self, session_ids: Collection[str]) -> list[str]:
        found: list[str] = []
        left = sorted(session_ids)
        # From one that has names to the next: each step reads one key of the index, however many names there are.
        while left:
            query = {**_NAMES_SOMEBODY, "session_id": {"$in": left}}
            order = [("session_id", ASCENDING)]
            with bounded():
                document = await self._commits.find_one(query, {"session_id": 1}, sort=order, hint=SESSION_NAMES)
            if document is None:
                break
            found.append(document["session_id"])
            left = [session_id for session_id in left if session_id > found[-1]]
        return found

    async def people_named(self, session_id: str) -> list[str]:
        steps: list[Document] = [
            {"$match": {**_NAMES_SOMEBODY, "session_id": session_id}},
            {"$unwind": "$names"},
            {"$group": {"_id": "$names.user_id"}},
            {"$sort": {"_id": 1}},
        ]
        with bounded():
            found = await (await self._commits.aggregate(steps, hint=SESSION_NAMES)).to_list()
        return [document["_id"] for document in found]


_END: Final = {"_id": 0, "at": 1, "session_id": 1}
_NAMES_SOMEBODY: Final = {"names.user_id": {"$exists": True}}


def _well_filed(document: Document) -> bool:
    try:
        return bool(document.get("records", []) == touched_records(document["data"]))
    except (KeyError, TypeError, AttributeError):
        return False
