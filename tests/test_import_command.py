"""``realtime-server import`` as an operator uses it: in a process of its own, on a real database."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import pty
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from realtime_server.import_command import import_command
from realtime_server.import_options import read_options
from realtime_server.storage.embedded import embedded_mongod
from realtime_server.storage.mongo import open_store
from tests.reconciliation.bank_samples import CAMT_02

OWN = ("WS_", "COLLABORATION_", "AUTH_", "REDIS_", "MONGODB_", "DATA_DIR", "LOG_", "CORS_")
HEADER = "id,date,amount,currency\n"
Run = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


def csv_file(path: Path, *lines: str, header: str = HEADER) -> str:
    path.write_text(header + "".join(f"{line}\n" for line in lines))
    return str(path)


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    return {**kept, "DATA_DIR": str(tmp_path / "data"), **more}


async def call(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "realtime_server", "import", *arguments]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, env=env, check=False)


@pytest.fixture
def run(tmp_path: Path, mongodb_url: str, database_name: str) -> Run:
    """The command with the tests' mongod."""
    env = environment(tmp_path, MONGODB_URL=mongodb_url, MONGODB_DATABASE=database_name)

    def run_import(*arguments: str) -> Any:
        return call(env, *arguments)

    return run_import


def session_of(done: subprocess.CompletedProcess[str]) -> str:
    word, session_id = done.stdout.splitlines()[0].split()
    assert word == "session"
    return session_id


def table_of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, int]]:
    """file -> the counts that are not zero."""
    lines = [line.split() for line in done.stdout.splitlines()]
    header = next(line for line in lines if line and line[0] == "file")
    counts = {}
    for line in lines[lines.index(header) + 1 :]:
        numbers = (int(text.replace(",", "")) for text in line[1:])
        counts[line[0]] = {name: number for name, number in zip(header[1:], numbers, strict=True) if number}
    return counts


async def test_files_are_imported_into_a_new_session_and_again_into_the_same_one(
    run: Run, tmp_path: Path, mongodb_url: str, database_name: str
) -> None:
    ledger = csv_file(tmp_path / "a.csv", "L1,2026-10-01,5.00,EUR", "L2,2026-10-02,6.00,EUR")
    statement = csv_file(
        tmp_path / "b.csv",
        "S1,2026-10-01,,5.00,EUR",
        "S2,2026-10-02,7.50,,EUR",
        header="id,date,debit,credit,currency\n",
    )
    done = await run(
        "--project", "demo", "--ledger", ledger, "--statement", statement,
        "--session-name", "October", "--user", "alice", "--expires-in", "7d",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert table_of(done) == {"a.csv": {"rows": 2, "new": 2}, "b.csv": {"rows": 2, "new": 2}}
    async with open_store(mongodb_url, database_name) as store:
        checkpoint = await store.sessions.load(session_of(done))
        assert checkpoint is not None
        assert (checkpoint["project_id"], checkpoint["name"], checkpoint["created_by"], checkpoint["expires_in"]) == (
            "demo", "October", "alice", 604_800,
        )  # fmt: skip
        records = await store.records.page(session_of(done))
    # Money in is positive on both sides: the bank's credit, and its debit negative.
    assert {record.record_id: record.base["amount"] for record in records} == {
        "ledger:L1": "5.00", "ledger:L2": "6.00", "statement:S1": "5.00", "statement:S2": "-7.50",
    }  # fmt: skip
    csv_file(tmp_path / "a.csv", "L1,2026-10-01,5.00,EUR", "L2,2026-10-02,6.50,EUR", "L3,2026-10-02,1,EUR")
    again = await run("--project", "demo", "--ledger", ledger, "--session", session_of(done))
    assert (again.returncode, session_of(again)) == (0, session_of(done))
    assert table_of(again) == {"a.csv": {"rows": 3, "new": 1, "unchanged": 1, "changed": 1}}


async def test_without_a_server_it_runs_a_mongod_of_its_own_meanwhile(tmp_path: Path) -> None:
    ledger = csv_file(tmp_path / "a.csv", "L1,2026-10-01,5.00,EUR")
    env = environment(tmp_path)
    first = await call(env, "--project", "demo", "--ledger", ledger)
    again = await call(env, "--project", "demo", "--ledger", ledger, "--session", session_of(first))
    assert (first.returncode, again.returncode) == (0, 0)
    assert table_of(again) == {"a.csv": {"rows": 1, "unchanged": 1}}


async def test_beside_a_server_it_uses_the_servers_mongod(tmp_path: Path) -> None:
    ledger = csv_file(tmp_path / "a.csv", "L1,2026-10-01,5.00,EUR")
    async with embedded_mongod(tmp_path / "data") as address:
        done = await call(environment(tmp_path), "--project", "demo", "--ledger", ledger)
        assert (done.returncode, done.stderr) == (0, "")
        async with open_store(address.url, "realtime_server") as store:
            assert await store.records.count(session_of(done)) == 1


async def test_refused_rows_are_listed_with_their_lines_and_end_in_exit_code_1(run: Run, tmp_path: Path) -> None:
    bad = [f"L{number},2026-10-01,much,EUR" for number in range(25)]
    ledger = csv_file(tmp_path / "a.csv", "good,2026-10-01,5.00,EUR", *bad)
    done = await run("--project", "demo", "--ledger", ledger)
    assert done.returncode == 1
    assert table_of(done) == {"a.csv": {"rows": 26, "new": 1, "refused": 25}}
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"{ledger}, line 3, amount: ")
    assert len(lines) == 21
    assert lines[-1] == "and 5 more: --errors FILE.csv lists all of them"


async def test_all_errors_go_to_a_file_that_a_spreadsheet_opens(run: Run, tmp_path: Path) -> None:
    ledger = csv_file(tmp_path / "a.csv", *(f"L{number},2026-10-01,much,EUR" for number in range(30)))
    errors = tmp_path / "errors.csv"
    done = await run("--project", "demo", "--ledger", ledger, "--errors", str(errors))
    assert done.returncode == 1
    with errors.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["line"], row["field"]) for row in rows] == [
        (ledger, str(number + 2), "amount") for number in range(30)
    ]
    assert str(errors) in done.stderr


async def test_all_or_nothing_reads_both_files_before_it_writes_anything(
    run: Run, tmp_path: Path, mongodb_url: str, database_name: str
) -> None:
    ledger = csv_file(tmp_path / "a.csv", "L1,2026-10-01,5.00,EUR")
    statement = csv_file(tmp_path / "b.csv", "S1,2026-10-01,5.00,EUR", "S2,2026-99-01,5.00,EUR")
    done = await run("--project", "demo", "--ledger", ledger, "--statement", statement, "--all-or-nothing")
    assert done.returncode == 1
    assert "nothing was imported" in done.stderr
    assert f"{statement}, line 3, date: " in done.stderr
    async with open_store(mongodb_url, database_name) as store:
        assert await store.sessions.page(["demo"]) == []


async def test_what_cannot_be_done_is_one_line_and_exit_code_2(run: Run, tmp_path: Path) -> None:
    ledger = csv_file(tmp_path / "a.csv", "L1,2026-10-01,5.00,EUR")
    nameless = csv_file(tmp_path / "nameless.csv", "L1,2026-10-01,5.00", header="id,when,amount\n")
    mine = session_of(await run("--project", "demo", "--ledger", ledger))
    for arguments, says in (
        (["--ledger", str(tmp_path / "absent.csv")], "absent.csv: No such file"),
        (["--ledger", str(tmp_path)], "Is a directory"),
        (["--ledger", nameless], "no column for the date"),
        (["--ledger", ledger, "--session", "absent"], "there is no session absent"),
        (["--ledger", ledger, "--session", mine, "--project", "other"], f"project other has no session {mine}"),
        (["--ledger", ledger, "--errors", str(tmp_path / "no" / "errors.csv")], "No such file"),
    ):
        done = await run("--project", "demo", *arguments)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done
        assert says in done.stderr


def test_a_call_that_makes_no_sense_is_explained(tmp_path: Path) -> None:
    ledger = csv_file(tmp_path / "a.csv", "L1,2026-10-01,5.00,EUR")
    for arguments, says in (
        ([], "at least one file"),
        (["--ledger", ledger, "--map", "date"], "MEANING=COLUMN"),
        (["--ledger", ledger, "--map", "day=id"], "'day' is none of"),
        (["--ledger", ledger, "--user", " "], "--user must be"),
        (["--ledger", ledger, "--format", "pdf"], "'pdf' is none of"),
    ):
        done = CliRunner().invoke(import_command, ["--project", "demo", *arguments])
        assert done.exit_code == 2
        assert says in done.output


async def test_a_banks_file_is_known_by_what_stands_in_it_and_imported_once(run: Run, tmp_path: Path) -> None:
    ledger = csv_file(tmp_path / "a.csv", "L1,2026-10-01,5.00,EUR")
    statement = tmp_path / "download.txt"
    statement.write_text(CAMT_02)
    arguments = ("--project", "demo", "--ledger", ledger, "--statement", str(statement))
    done = await run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert table_of(done)["download.txt"] == {"rows": 2, "new": 2}
    again = await run(*arguments, "--session", session_of(done), "--format", "statement:camt053")
    assert table_of(again)["download.txt"] == {"rows": 2, "unchanged": 2}
    refused = await run(*arguments, "--format", "statement:mt940")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"{statement}: the file has no statement" in refused.stderr


async def test_a_mapping_that_is_saved_is_used_until_somebody_says_otherwise(run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "october.csv", tmp_path / "november.csv"
    first.write_text("Nr;Booked on;Sum;Cur\nA;13.10.2026;1,50;EUR\n")
    second.write_text("Nr;Booked on;Sum;Cur\nB;04.11.2026;2,50;EUR\n")
    told = ("--map", "external_id=Nr", "--map", "date=Booked on", "--map", "amount=Sum", "--map", "currency=Cur")
    saved = await run("--project", "demo", "--ledger", str(first), *told, "--save-mapping", "--user", "alice")
    assert (saved.returncode, saved.stderr) == (0, "")
    used = await run("--project", "demo", "--ledger", str(second))
    assert (used.returncode, table_of(used)) == (0, {"november.csv": {"rows": 1, "new": 1}})
    assert "columns as alice saved them" in used.stderr
    for arguments in (("--project", "demo", "--no-saved-mapping"), ("--project", "other")):
        assert "no column for the date" in (await run("--ledger", str(second), *arguments)).stderr


async def test_json_lines_are_known_by_their_first_letter(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(json.dumps({"external_id": "L1", "date": "2026-10-01", "amount": "5.00"}) + "\n")
    done = await run("--project", "demo", "--ledger", str(path), "--currency", "EUR")
    assert (done.returncode, table_of(done)) == (0, {"ledger.jsonl": {"rows": 1, "new": 1}})


async def test_on_a_terminal_a_bar_shows_how_far_it_is(tmp_path: Path, mongodb_url: str, database_name: str) -> None:
    ledger = csv_file(tmp_path / "a.csv", "L1,2026-10-01,5.00,EUR")
    env = environment(tmp_path, MONGODB_URL=mongodb_url, MONGODB_DATABASE=database_name, TERM="xterm", COLUMNS="100")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "realtime_server", "import", "--project", "demo", "--ledger", ledger]
    done = await asyncio.to_thread(
        subprocess.run, command, stdout=subprocess.PIPE, stderr=theirs, text=True, env=env, check=False
    )
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    os.close(theirs)
    assert "importing a.csv" in shown
    assert "1/1" in shown
    assert table_of(done) == {"a.csv": {"rows": 1, "new": 1}}


def options(source: Any, **given: Any) -> Any:
    usual: dict[str, Any] = {"mapping_file": None, "maps": (), "ignored": (), "renamed": ()}
    return read_options(source, **{**usual, **given})


def test_an_option_is_for_both_sides_or_for_the_one_it_names() -> None:
    given: dict[str, Any] = {
        "maps": ("date=Booked", "statement:date=Value: day", "ledger:reference="),
        "ignored": ("statement:Page",),
        "renamed": ("Ref.=ref",),
        "date_format": ("ledger:dd/mm/yyyy", "mm/dd/yyyy"),
    }
    ledger, statement = options("ledger", **given), options("statement", **given)
    assert (ledger.mapping.date, ledger.mapping.reference, ledger.mapping.ignore) == ("Booked", "", ())
    assert (statement.mapping.date, statement.mapping.reference, statement.mapping.ignore) == (
        "Value: day", None, ("Page",),
    )  # fmt: skip
    assert ledger.mapping.rename == statement.mapping.rename == {"Ref.": "ref"}
    assert (ledger.date_format, statement.date_format) == ("dd/mm/yyyy", "mm/dd/yyyy")
    assert (ledger.money_in, statement.money_in) == ("debit", "credit")


def test_a_mapping_file_holds_for_its_side_and_yields_to_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps({"ledger": {"date": "Booked", "amount": "Gross", "ignore": ["Page"]}}))
    mapping = options("ledger", mapping_file=path, maps=("date=Posted",)).mapping
    assert (mapping.date, mapping.amount, mapping.ignore) == ("Posted", "Gross", ("Page",))
    assert options("statement", mapping_file=path).mapping.date is None


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"bank": {}}', '{"ledger": []}', '{"ledger": {"day": "x"}}', '{"ledger": {"date": 1}}',
     '{"ledger": {"ignore": "x"}}', '{"ledger": {"rename": {"a": 1}}}'],
)  # fmt: skip
def test_a_mapping_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mapping.json"
    path.write_text(content)
    with pytest.raises(click.BadParameter):
        options("ledger", mapping_file=path)
