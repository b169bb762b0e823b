"""The projects' rules of matching in MongoDB."""

from __future__ import annotations

from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from realtime_server.core.matching.rules import document as rule_document
from realtime_server.core.matching.rules import from_document
from realtime_server.ports import SavedRules
from realtime_server.storage.documents import Document
from realtime_server.storage.mongo_failures import bounded

#: Versions that are kept of one project.
KEPT: Final = 100

RULE_INDEXES: Final = (
    # Of two people who save the same version one is refused; and the newest one is found.
    IndexModel([("project_id", ASCENDING), ("version", DESCENDING)], name="one_version", unique=True),
)


class MongoRuleStore:
    """`ports.RuleStore` over the collection ``project_rules``: one document is one version."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._rules = collection

    async def load(self, project_id: str, version: int | None = None) -> SavedRules | None:
        query: Document = {"project_id": project_id}
        if version is not None:
            query["version"] = version
        with bounded():
            found = await self._rules.find(query).sort("version", DESCENDING).limit(1).to_list()
        return _saved(found[0]) if found else None

    async def save(self, rules: SavedRules) -> bool:
        newest = await self.load(rules.project_id)
        if rules.version != (0 if newest is None else newest.version) + 1:
            return False
        document: Document = {
            "project_id": rules.project_id,
            "version": rules.version,
            "rules": [rule_document(rule) for rule in rules.rules],
            "saved_by": rules.saved_by,
            "saved_at": rules.saved_at,
            "comment": rules.comment,
        }
        with bounded():
            try:
                await self._rules.insert_one(document)
            except DuplicateKeyError:
                return False
            old = {"project_id": rules.project_id, "version": {"$lte": rules.version - KEPT}}
            await self._rules.delete_many(old)
        return True

    async def versions(self, project_id: str) -> list[SavedRules]:
        with bounded():
            found = await self._rules.find({"project_id": project_id}).sort("version", DESCENDING).limit(KEPT).to_list()
        return [_saved(document) for document in found]


def _saved(document: Document) -> SavedRules:
    return SavedRules(
        project_id=document["project_id"],
        version=document["version"],
        rules=tuple(from_document(rule) for rule in document["rules"]),
        saved_by=document["saved_by"],
        saved_at=document["saved_at"],
        comment=document["comment"],
    )
