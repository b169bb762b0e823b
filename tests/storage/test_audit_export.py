"""`audit export`: the whole log as JSON lines or as a table that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from realtime_server.core.commits import Draft, canonical, envelope
from realtime_server.spreadsheets import cell
from realtime_server.storage.audit_export import CSV_COLUMNS, CsvTable
from realtime_server.storage.embedded import embedded_mongod
from realtime_server.storage.mongo import open_store
from tests.storage.conftest import Archive
from tests.storage.logs import SESSION, chain, edit_of, edits

BATCH = {
    "edit_id": "e",
    "edits": [
        {"record_id": "r1", "field_name": "amount", "old_value": "10.50", "new_value": "-10.50", "base_version": 1},
        {"record_id": "r2", "field_name": "tags", "old_value": [], "new_value": ["a", "=b"], "base_version": 0},
    ],
    "versions": [4, 4],
    "edit_reason": '=HYPERLINK("http://x")',
}
LOG = chain(
    [
        Draft("session.created", {"name": "Month end", "field_policies": {}}),
        edit_of("r1", 'naïve, "quoted"\nΩ 🧾'),
        edit_of("r1", 2**40, field_name="free"),
        Draft("edit.batch_applied", BATCH),
        Draft("comment.added", {"comment_id": "comment-5", "record_id": None, "text": "@sum"}),
    ]
)


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_json_lines_have_the_envelope_by_ids_alone_and_what_the_chain_needs(archive: Archive, tmp_path: Path) -> None:
    archive.store(LOG)
    target = tmp_path / "log.jsonl"
    result = archive.audit("export", SESSION, "--out", str(target))
    assert result.exit_code == 0, result.output
    assert result.stderr == f"{SESSION}: sound, 5 commits, head {LOG[-1].hash}\n"
    lines = [orjson.loads(line) for line in target.read_bytes().splitlines()]
    for line, commit in zip(lines, LOG, strict=True):
        assert line.items() >= {**envelope(commit), "data": commit.data}.items()
        assert (line["command_id"], line["prev_hash"], line["hash"]) == (
            commit.command_id, commit.prev_hash, commit.hash,
        )  # fmt: skip


def test_an_exported_line_without_its_timestamp_and_hash_is_what_was_hashed(archive: Archive, tmp_path: Path) -> None:
    archive.store(LOG)
    target = tmp_path / "log.jsonl"
    archive.audit("export", SESSION, "--format", "jsonl", "--out", str(target))
    for text, commit in zip(target.read_bytes().splitlines(), LOG, strict=True):
        line = orjson.loads(text)
        del line["timestamp"], line["hash"]
        hashed = orjson.dumps(line, option=orjson.OPT_SORT_KEYS)
        assert hashed == canonical(commit)
        assert hashlib.sha256(hashed).hexdigest() == commit.hash


def test_the_table_has_a_row_for_each_field_that_was_set(archive: Archive, tmp_path: Path) -> None:
    archive.store(LOG)
    target = tmp_path / "log.csv"
    assert archive.audit("export", SESSION, "--format", "csv", "--out", str(target)).exit_code == 0
    rows = read_csv(target.read_bytes().decode())
    assert tuple(rows[0]) == CSV_COLUMNS
    shown = ("seq", "message_type", "record_id", "field_name", "new_value")
    assert [tuple(row[name] for name in shown) for row in rows] == [
        ("1", "session.created", "", "", ""),
        ("2", "edit.applied", "r1", "description", "naïve, \"quoted\"\nΩ 🧾"),
        ("3", "edit.applied", "r1", "free", str(2**40)),
        ("4", "edit.batch_applied", "r1", "amount", "-10.50"),
        ("4", "edit.batch_applied", "r2", "tags", '["a","=b"]'),
        ("5", "comment.added", "", "", ""),
    ]  # fmt: skip
    assert rows[3]["old_value"] == "10.50"
    assert rows[3]["reason"] == '\'=HYPERLINK("http://x")'
    assert orjson.loads(rows[0]["details"])["name"] == "Month end"
    assert orjson.loads(rows[5]["details"])["text"] == "@sum"
    assert (rows[4]["hash"], rows[4]["prev_hash"], rows[4]["command_id"]) == (LOG[3].hash, LOG[2].hash, "c-4")
    assert rows[1]["timestamp"] == envelope(LOG[1])["timestamp"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"), ("+1+1", "'+1+1"), ("-1+1", "'-1+1"), ("@sum(A1)", "'@sum(A1)"), ("\tx", "'\tx"),
        ("\rx", "'\rx"), ("\n=1", "'\n'=1"), ("＝1", "'＝1"), ("-", "'-"), ("-10.50x", "'-10.50x"), ("-1e5", "'-1e5"),
        ("-١", "'-١"), ("-10.50\n", "'-10.50\n"), ("--1", "'--1"), ("-.5", "'-.5"),
        ("-10.50", "-10.50"), ("+10", "+10"), ("10.50", "10.50"), ("1=1", "1=1"), ("a@b", "a@b"), ("'x", "'x"),
        ("Invoice 17;=cmd|' /C calc'!A0;x", "Invoice 17;'=cmd|' /C calc'!A0;x"), ("a\r\n@b", "a\r\n'@b"),
        ("a\t-b;＝c", "a\t'-b;'＝c"), ('a; "=b"', "a;' \"=b\""), ("a; b=c - d", "a; b=c - d"), (["a;=1"], '["a;\'=1"]'),
        (-10.5, "-10.5"), (-7, "-7"), (None, ""), ("", ""), (True, "true"), ([], "[]"), (["=1"], '["=1"]'),
        ({"=a": "=1"}, '{"=a":"=1"}'),
    ],
    ids=ascii,
)  # fmt: skip
def test_a_cell_is_never_a_formula_and_a_number_stays_one(value: Any, text: str) -> None:
    assert cell(value) == text


def test_no_column_of_the_table_is_left_open_to_formulas() -> None:
    """What a client can choose: its id, ids of records, names of fields, values, reasons."""
    evil = "=cmd|' /C calc'!A0"
    data = dict.fromkeys(("record_id", "field_name", "old_value", "new_value", "edit_reason", "edit_id"), evil)
    file = io.StringIO(newline="")
    table = CsvTable(file)
    for commit in chain([Draft("edit.applied", data)], user_id=evil, command=evil):
        table.write(commit)
    (row,) = read_csv(file.getvalue())
    assert [name for name, text in row.items() if text.startswith(("=", "+", "-", "@"))] == []
    assert sum(text == "'" + evil for text in row.values()) == 6


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_broken_log_is_exported_whole_and_told_to_be_broken(archive: Archive, tmp_path: Path, kind: str) -> None:
    archive.store(edits(9))
    for seq, change in ((3, {"at": "noon"}), (4, {"data": "gone"}), (5, {"data": {"edits": [1]}}), (6, {"at": 2**62})):
        archive.commits.update_one({"seq": seq}, {"$set": change})
    target = tmp_path / "log"
    result = archive.audit("export", SESSION, "--format", kind, "--out", str(target))
    assert result.exit_code == 1, result.output
    assert "broken at 3: commit 3 was altered" in result.stderr
    assert len(target.read_text().splitlines()) == 9 + (kind == "csv")


def test_an_export_of_nothing_leaves_the_file_that_was_there(archive: Archive, tmp_path: Path) -> None:
    target = tmp_path / "log.jsonl"
    target.write_text("last year's")
    result = archive.audit("export", "nobody", "--out", str(target))
    assert (result.exit_code, result.stderr) == (2, "Error: there is no session nobody\n")
    assert target.read_text() == "last year's"
    assert os.listdir(tmp_path) == ["log.jsonl"]


def test_an_export_is_for_its_owner_only(archive: Archive, tmp_path: Path) -> None:
    archive.store(edits(1))
    target = tmp_path / "log.jsonl"
    archive.audit("export", SESSION, "--out", str(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_an_export_can_go_to_standard_output(archive: Archive) -> None:
    archive.store(edits(3))
    result = archive.audit("export", SESSION, "--out", "-")
    assert [orjson.loads(line)["seq"] for line in result.stdout.splitlines()] == [1, 2, 3]


def test_a_place_that_cannot_be_written_is_told_in_one_line(archive: Archive, tmp_path: Path) -> None:
    archive.store(edits(1))
    result = archive.audit("export", SESSION, "--out", str(tmp_path / "missing" / "log"))
    assert result.exit_code == 2
    assert result.stderr.endswith("No such file or directory\n")
    assert result.stderr.count("\n") == 1


def run(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as an operator calls it, on the embedded database."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MONGODB_")}
    return subprocess.run(
        [sys.executable, "-m", "realtime_server", "audit", *arguments],
        env={**environment, "DATA_DIR": str(data_dir), "MONGODB_DATABASE": "test"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


async def test_the_embedded_database_is_audited_beside_its_server_and_without_one(tmp_path: Path) -> None:
    commits = edits(3)
    said = f"{SESSION}: sound, 3 commits, head {commits[-1].hash}\n"
    async with embedded_mongod(tmp_path) as address:
        async with open_store(address.url, "test") as store:
            await store.log.append(commits)
        beside = run(tmp_path, "verify", SESSION)
        assert (beside.stdout, beside.stderr, beside.returncode) == (said, "", 0)
    alone = run(tmp_path, "verify", SESSION)
    assert (alone.stdout, alone.stderr, alone.returncode) == (said, "", 0)


def test_where_nothing_was_ever_stored_nothing_is_made(tmp_path: Path) -> None:
    result = run(tmp_path / "data", "verify", SESSION)
    assert result.returncode == 2
    assert "there is no data under" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()
