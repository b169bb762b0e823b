"""`docs/storage.md` is true: its documents are those that are stored, its programs verify what is exported."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from immutables import Map

from realtime_server.core import limits
from realtime_server.core.commits import Commit, Draft, canonical, digest, verify
from realtime_server.core.snapshot import record_from_document, state_document, state_from_document
from realtime_server.core.state import FieldState, RecordState
from realtime_server.ports import NewRecord
from realtime_server.storage.audit_export import exported
from realtime_server.storage.documents import checkpoint_document, commit_document, commit_from_document
from realtime_server.storage.mongo import INDEXES, open_store
from tests.storage.logs import SESSION, chain, edit_of

DOCUMENT = (Path(__file__).parents[2] / "docs" / "storage.md").read_text()
NODE = shutil.which("node")


def block(name: str) -> str:
    (found,) = re.findall(rf"^```{name}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(found)


def commit_of(line: str | bytes) -> Commit:
    members: dict[str, Any] = orjson.loads(line)
    del members["timestamp"]
    return Commit(**members)


LOG = [commit_of(line) for line in block("jsonl").splitlines()]


def test_the_example_log_is_an_export_of_a_sound_chain() -> None:
    assert verify("close-2026-11", LOG) is None
    assert [orjson.dumps(exported(commit)).decode() for commit in LOG] == block("jsonl").splitlines()


def test_the_worked_example_gives_the_hash_it_says() -> None:
    text = block("json canonical").rstrip("\n").encode()
    assert text == canonical(LOG[1])
    assert f"`sha256sum` of it is `{hashlib.sha256(text).hexdigest()}`" in DOCUMENT


def test_the_example_commit_is_what_is_stored() -> None:
    document = orjson.loads(block("json commit"))
    assert document == commit_document(LOG[1])
    assert commit_from_document(document) == LOG[1]


def test_undo_stacks_of_an_older_checkpoint_are_read() -> None:
    """They were lists of the document's own; now they are text, which is written eight times as quickly."""
    document = orjson.loads(block("json session"))
    older = [{"user_id": "bob", "undo": [[2, [["ledger:4711", "amount", 2]]]], "redo": []}]
    assert state_from_document({**document, "histories": older}) == state_from_document(document)
    assert state_from_document(document).histories["bob"].undo


def test_histories_of_records_stored_earlier_are_read() -> None:
    """They were lists of the document's own, as undo stacks were."""
    document = orjson.loads(block("json record"))
    amount = document["fields"]["amount"]
    older = {**document, "fields": {"amount": {**amount, "history": orjson.loads(amount["history"])}}}
    assert record_from_document(older) == record_from_document(document)
    assert record_from_document(document).fields["amount"].history == ((0, "1250.00"),)


def test_the_example_checkpoint_is_what_is_stored() -> None:
    document = orjson.loads(block("json session"))
    checkpoint = {name: value for name, value in document.items() if name not in ("_id", "expires_at")}
    assert state_document(state_from_document(checkpoint)) == checkpoint
    assert checkpoint_document(checkpoint) == document
    assert checkpoint["hash"] == LOG[1].hash


async def test_the_example_record_is_what_is_stored(mongodb_url: str, database_name: str) -> None:
    example = orjson.loads(block("json record"))
    new = NewRecord("ledger:4711", "ledger", "4711", example["base"], "import-7/chunk-1")
    amount = FieldState("1205.00", 2, "bob", ((0, "1250.00"),))
    async with open_store(mongodb_url, database_name) as store:
        await store.records.insert("close-2026-11", [new])
        await store.records.save(
            "close-2026-11", [RecordState("ledger:4711", "ledger", "4711", {}, Map({"amount": amount}), 2)]
        )
        await store.records.mark_imported("close-2026-11", "ledger:4711", {"description": ("Rent, November", 9)})
        assert await store.database["records"].find_one({}, {"_id": 0}) == example


def test_every_index_is_in_the_document_with_its_keys() -> None:
    for indexes in INDEXES.values():
        for index in indexes:
            keys = ", ".join(index.document["key"])
            assert re.search(rf"^\| `{index.document['name']}`[a-z, ]*\| `{keys}` \|", DOCUMENT, re.MULTILINE)


TRICKY: list[Any] = [
    0, -1, limits.MAX_INTEGER, -limits.MAX_INTEGER, 0.1, -2.5, limits.MIN_FRACTION, 1.234e-5,
    123456789012345.67, 999999999999999.9, 5e-4, None, True, [], {},
    "\"\\/\b\t\n\f\r\x01\x1f\x7f\x80\u2028\u2029", "é e\u0301 漢 🧾 \ufeff",
    {"z": 1, "a": {"\U0001f9fe": 1, "\uffee": 2, "": 3, "10": 4, "9": 5}, "Z": [], "é": None, "e\u0301": 0},
]  # fmt: skip


def programs() -> list[Any]:
    node = pytest.param(("js", NODE), marks=pytest.mark.skipif(NODE is None, reason="there is no node"), id="js")
    return [node, pytest.param(("python", sys.executable), id="python")]


@pytest.fixture(params=programs())
def judge(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The document's own program, run on commits as they are exported."""
    language, interpreter = request.param
    program = tmp_path / f"verify.{language}"
    program.write_text(block(language))

    def run(commits: list[Commit]) -> str:
        target = tmp_path / "log.jsonl"
        target.write_bytes(b"".join(orjson.dumps(exported(commit)) + b"\n" for commit in commits))
        done = subprocess.run([interpreter, program, target], capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip()

    return run


def test_a_program_in_another_language_verifies_the_example(judge: Any) -> None:
    assert judge(LOG) == f"sound, 2 commits, head {LOG[1].hash}"


def test_a_program_in_another_language_computes_the_same_chain_over_any_value(judge: Any) -> None:
    commits = chain([edit_of("record-1", value) for value in TRICKY] + [Draft("session.ended", {})])
    assert verify(SESSION, commits) is None
    assert judge(commits) == f"sound, {len(commits)} commits, head {commits[-1].hash}"


@pytest.mark.parametrize("place", [0, 1])
def test_a_program_in_another_language_finds_what_was_altered(judge: Any, place: int) -> None:
    altered = [*LOG]
    altered[place] = replace(altered[place], user_id="mallory")
    assert judge(altered) == f"broken at {place + 1}"
    resealed = [replace(altered[0], hash=digest(altered[0])), altered[1]]
    assert judge(resealed) == "broken at 2"
