"""A log in a real mongod, open to tampering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pymongo import MongoClient
from pymongo.database import Database

from realtime_server.core.commits import Commit
from realtime_server.storage.commands import audit_command
from realtime_server.storage.documents import checkpoint_document, commit_document
from tests.storage.logs import checkpoint_of


@dataclass(frozen=True, slots=True)
class Archive:
    """What an intruder with the database's password can do, and the auditor's answer."""

    database: Database[dict[str, Any]]

    @property
    def commits(self) -> Any:
        return self.database["commits"]

    def store(self, commits: Sequence[Commit]) -> None:
        self.commits.insert_many([commit_document(commit) for commit in commits])

    def checkpoint(self, head: Commit) -> None:
        document = checkpoint_document(checkpoint_of(head))
        self.database["sessions"].replace_one({"_id": head.session_id}, document, upsert=True)

    def audit(self, *arguments: str) -> Result:
        return CliRunner().invoke(audit_command, list(arguments))


@pytest.fixture
def archive(mongodb_url: str, database_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.setenv("MONGODB_URL", mongodb_url)
    monkeypatch.setenv("MONGODB_DATABASE", database_name)
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        yield Archive(client[database_name])
