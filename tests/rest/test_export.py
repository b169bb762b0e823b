"""The auditor's package: it agrees with the session, is harmless to open, and a changed byte is found."""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
import io
import re
import zipfile
from html import unescape
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from realtime_server.cli import cli
from realtime_server.core.names import PLACES, split
from realtime_server.core.roles import Role
from realtime_server.ports import NewRecord
from realtime_server.reconciliation.export_check import problems_of
from realtime_server.settings import Settings
from tests.rest.conftest import Person, Server, environment

FORMULA = '=HYPERLINK("http://evil.example","x")'
SCRIPT = "<script>alert(1)</script>"


async def signed_session(server: Server, pat: Person, rae: Person) -> str:
    """Three pairs, two matched by hand, one record set aside; commented, submitted and signed."""
    session_id = await server.session(pat, records=3, session_name=f"October {SCRIPT}")
    rows = [
        NewRecord(f"statement-{number}", "statement", f"S-{number}", values(number), "chunk-2") for number in (1, 2)
    ]
    await server.services.store.records.insert(session_id, rows)
    base = f"/sessions/{session_id}"
    for number in (1, 2):
        sides = {"ledger": [f"ledger-{number:06}"], "statement": [f"statement-{number}"]}
        reply = await pat.post(f"{base}/matches", {**sides, "reason": "+same"})
        assert reply.status == 200, reply.body
    await pat.post(f"{base}/records/ledger-000003/edit", {
        "field_name": "description", "new_value": FORMULA, "base_version": 0})  # fmt: skip
    aside = {"record_ids": ["ledger-000003"], "status": "exception", "reason": f"fraud? {SCRIPT}"}
    assert (await pat.post(f"{base}/status-changes", aside)).status == 200
    comment = await pat.post(f"{base}/comments", {"text": f"@SUM(A1) {SCRIPT}", "mentions": ["rae"]})
    assert comment.status == 201, comment.body
    for person, verb in ((pat, "submit"), (rae, "approve")):
        reply = await person.post(f"{base}/reconciliation/{verb}", {"comment": "-1+1"})
        assert reply.status == 200, reply.body
    return session_id


def values(number: int) -> dict[str, Any]:
    return {"amount": f"{number}.00", "currency": "GBP", "date": "2026-11-01", "status": "unmatched"}


def without_names(envelope: dict[str, Any]) -> Any:
    """A commit's data as it is hashed: people by their ids alone."""
    places = PLACES.get(envelope["message_type"], ())
    return split(places, envelope["data"], envelope["user_id"])[0]


async def package(person: Person, session_id: str, path: Path) -> Path:
    reply = await person.get(f"/sessions/{session_id}/export")
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == "application/zip"
    await asyncio.to_thread(path.write_bytes, reply.body)
    return path


def read(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def table(path: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read(path, f"{name}.csv").decode("utf-8-sig"))))


async def test_a_signed_package_agrees_with_the_session(
    server: Server, pat: Person, rae: Person, tmp_path: Path
) -> None:
    session_id = await signed_session(server, pat, rae)
    path = await package(rae, session_id, tmp_path / "package.zip")
    assert problems_of(path) == []
    state = await server.services.engine.state(session_id)
    manifest = orjson.loads(read(path, "manifest.json"))
    assert (manifest["as_of"], manifest["head"], manifest["signed"]) == (state.seq, state.hash, True)
    for name, item in manifest["files"].items():
        assert hashlib.sha256(read(path, name)).hexdigest() == item["sha256"]
    matches = orjson.loads(read(path, "matches.json"))
    assert matches == (await rae.get(f"/sessions/{session_id}/matches")).body["items"]
    assert [(item["ledger"], item["status"]) for item in matches] == [
        (["ledger-000001"], "confirmed"), (["ledger-000002"], "confirmed"),
    ]  # fmt: skip
    [exception] = orjson.loads(read(path, "exceptions.json"))
    assert (exception["record_id"], exception["status"], exception["user_id"]) == ("ledger-000003", "exception", "pat")
    [comment] = orjson.loads(read(path, "comments.json"))
    assert comment["mentions"] == ["rae"]
    assert [(row["event"], row["user_id"]) for row in table(path, "signoffs")] == [
        ("submitted", "pat"), ("approved", "rae"),
    ]  # fmt: skip
    history = await rae.all(f"/sessions/{session_id}/history")
    lines = [orjson.loads(line) for line in read(path, "audit.jsonl").splitlines()]
    assert [(line["seq"], line["data"]) for line in lines] == [(item["seq"], without_names(item)) for item in history]
    summary = orjson.loads(read(path, "summary.json"))
    status = (await rae.get(f"/sessions/{session_id}/reconciliation/status")).body
    assert summary["difference"] == status["difference"]
    assert summary["workflow"] == status["workflow"]
    assert (summary["records"], summary["open_records"]) == (5, 0)


async def test_every_changed_byte_of_every_file_is_found(
    server: Server, pat: Person, rae: Person, tmp_path: Path
) -> None:
    path = await package(rae, await signed_session(server, pat, rae), tmp_path / "package.zip")
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert len(files) == 14
    forged = tmp_path / "forged.zip"
    for name, content in files.items():
        for place in (0, len(content) // 2, len(content) - 1):
            changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            _write(forged, {**files, name: changed})
            assert problems_of(forged), (name, place)
        _write(forged, {other: text for other, text in files.items() if other != name})
        assert problems_of(forged), name
    _write(forged, {**files, "more.txt": b"more"})
    assert problems_of(forged) == ["more.txt was added"]
    forged.write_bytes(path.read_bytes()[:-30])
    assert problems_of(forged)


async def test_a_log_that_was_cut_is_found_though_every_hash_was_computed_anew(
    server: Server, pat: Person, rae: Person, tmp_path: Path
) -> None:
    path = await package(rae, await signed_session(server, pat, rae), tmp_path / "package.zip")
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    lines = files["audit.jsonl"].splitlines(keepends=True)
    files["audit.jsonl"] = b"".join(lines[:-1])
    manifest = orjson.loads(files["manifest.json"])
    manifest["files"]["audit.jsonl"] = {
        "sha256": hashlib.sha256(files["audit.jsonl"]).hexdigest(), "bytes": len(files["audit.jsonl"]),
    }  # fmt: skip
    files["manifest.json"] = orjson.dumps(manifest)
    hashes = {name: hashlib.sha256(text).hexdigest() for name, text in files.items() if name != "SHA256SUMS"}
    files["SHA256SUMS"] = "".join(f"{digest}  {name}\n" for name, digest in hashes.items()).encode()
    forged = tmp_path / "forged.zip"
    _write(forged, files)
    assert any(problem.startswith("the log ends at commit") for problem in problems_of(forged))


def _write(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


async def test_no_cell_is_a_formula_and_no_text_is_markup(
    server: Server, pat: Person, rae: Person, tmp_path: Path
) -> None:
    path = await package(rae, await signed_session(server, pat, rae), tmp_path / "package.zip")
    for name in ("matches", "exceptions", "comments", "signoffs", "audit"):
        for row in csv.reader(io.StringIO(read(path, f"{name}.csv").decode("utf-8-sig"))):
            assert not [cell for cell in row if re.match(r"[=+@\t\r]|-[^0-9]|-[0-9.]+[^0-9.]", cell)], row
    assert table(path, "exceptions")[0]["description"] == f"'{FORMULA}"
    report = read(path, "report.html").decode()
    assert "<script" not in report
    assert SCRIPT in unescape(report)
    assert not re.search(r"(\ssrc=|href=|url\()", re.sub(r"<td.*?</td>", "", report))


async def test_the_report_is_shown_under_a_policy_that_lets_nothing_in_but_its_own_style(
    server: Server, pat: Person, rae: Person
) -> None:
    session_id = await signed_session(server, pat, rae)
    reply = await rae.get(f"/sessions/{session_id}/export", format="html")
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    style = re.search(rb"<style>(.*?)</style>", reply.body, re.DOTALL)
    assert style is not None
    assert base64.b64encode(hashlib.sha256(style[1]).digest()).decode() in policy
    assert b"Signed off." in reply.body
    assert reply.headers["Content-Disposition"].startswith("inline")


async def test_one_part_can_be_asked_for(server: Server, pat: Person, rae: Person) -> None:
    session_id = await signed_session(server, pat, rae)
    path = f"/sessions/{session_id}/export"
    whole = (await rae.get(path, format="json")).body
    assert [len(whole[name]) for name in ("matches", "exceptions", "comments", "signoffs")] == [2, 1, 1, 2]
    comments = await rae.get(path, format="comments")
    assert comments.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert (
        comments.headers["Content-Disposition"] == 'attachment; filename="October-script-alert-1-script-comments.csv"'
    )
    assert (await rae.get(path, format="xlsx")).code == "invalid"


async def test_what_is_not_signed_says_so(server: Server, pat: Person, rae: Person, tmp_path: Path) -> None:
    session_id = await server.session(pat)
    path = await package(rae, session_id, tmp_path / "draft.zip")
    assert orjson.loads(read(path, "manifest.json"))["signed"] is False
    assert b"Not signed off" in read(path, "report.html")
    assert problems_of(path) == []


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.REVIEWER, Role.APPROVER, Role.ADMIN])
async def test_who_judges_or_audits_may_export(server: Server, pat: Person, role: Role) -> None:
    session_id = await server.session(pat)
    assert (await (await server.person("xi", role)).get(f"/sessions/{session_id}/export")).status == 200


async def test_others_may_not_export(server: Server, pat: Person) -> None:
    session_id = await server.session(pat)
    assert (await pat.get(f"/sessions/{session_id}/export")).code == "forbidden"
    stranger = await server.person("xi", Role.ADMIN, project="other")
    assert (await stranger.get(f"/sessions/{session_id}/export")).code == "not_found"


async def test_the_commands_write_a_package_and_check_it(
    server: Server, settings: Settings, pat: Person, rae: Person, tmp_path: Path
) -> None:
    session_id = await signed_session(server, pat, rae)
    known = environment(settings.mongodb_url or "", settings.mongodb_database, tmp_path)
    target = tmp_path / "package.zip"

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner(env=known).invoke(cli, arguments)
        return result.exit_code, result.output

    code, output = await asyncio.to_thread(run, "export", session_id, "--out", str(target))
    assert (code, "signed off" in output) == (0, True), output
    code, output = await asyncio.to_thread(run, "verify-export", str(target))
    assert (code, "sound" in output) == (0, True), output
    raw = bytearray(target.read_bytes())
    raw[len(raw) // 2] ^= 1
    target.write_bytes(raw)
    assert (await asyncio.to_thread(run, "verify-export", str(target)))[0] == 1
    assert (await asyncio.to_thread(run, "export", "nothing", "--out", str(target)))[0] == 1
