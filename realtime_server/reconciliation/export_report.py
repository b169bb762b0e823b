"""The report of an export: one page of HTML, to be read and printed, that needs nothing from elsewhere.

Everything that somebody typed is escaped, there is no script in it, and it says itself that nothing may be loaded.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson

#: Rows of one table on paper; the CSV has all of them.
MAX_ROWS: Final = 1_000

_STYLE: Final = """
body{font:14px/1.45 system-ui,sans-serif;color:#1a1a1a;margin:2rem auto;max-width:72rem;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 .2rem}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:2px solid #1a1a1a}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .5rem}
thead{display:table-header-group}tr{break-inside:avoid}tbody tr{border-bottom:1px solid #ccc}th{background:#eee}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.5rem}dt{color:#555}dd{margin:0;overflow-wrap:anywhere}
td{overflow-wrap:anywhere}.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.hash{font-family:ui-monospace,monospace;font-size:.8rem}.draft{border:3px solid #a00;color:#a00;padding:.6rem 1rem;
font-weight:700;margin:1rem 0}.signed{border:3px solid #060;color:#060;padding:.6rem 1rem;font-weight:700;margin:1rem 0}
@page{margin:15mm}@media print{body{margin:0;max-width:none;font-size:10pt}h2{break-after:avoid}}
"""

_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: Under which the report is opened: the style that is in it, and nothing else at all.
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"

#: Column -> its title; numbers stand to the right.
Columns = Mapping[str, str]
_NUMBERS: Final = frozenset({"amount", "score", "difference"})

_MATCHES: Final = {
    "match_id": "Match", "status": "Status", "ledger": "Ledger", "statement": "Statement", "difference": "Difference",
    "rule_id": "Rule", "score": "Score", "reasons": "Why", "reason": "Said", "user_id": "By",
}  # fmt: skip
_EXCEPTIONS: Final = {
    "record_id": "Record", "source": "Side", "date": "Date", "description": "Description", "amount": "Amount",
    "currency": "Currency", "status": "Status", "reason": "Reason", "user_id": "By", "timestamp": "When",
}  # fmt: skip
_COMMENTS: Final = {
    "timestamp": "When", "name": "Who", "record_id": "Record", "text": "Comment", "resolved_at": "Settled",
}  # fmt: skip
_SIGNOFFS: Final = {
    "timestamp": "When", "event": "What", "name": "Who", "role": "Role", "text": "Said", "suspended_by": "Suspended by",
    "seq": "Commit",
}  # fmt: skip


def write_report(folder: Path, summary: Mapping[str, Any]) -> None:
    """``report.html`` from the other files of the folder."""
    with (folder / "report.html").open("w", encoding="utf-8") as out:
        title = escape(f"{summary['session_name'] or summary['session_id']} – reconciliation")
        out.write(f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>')
        out.write(f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">')
        out.write(f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>')
        out.write(f"<h1>{title}</h1>")
        out.writelines(_head(summary))
        parts: tuple[tuple[str, str, Columns], ...] = (
            ("signoffs", "Signatures", _SIGNOFFS),
            ("exceptions", "What is not matched", _EXCEPTIONS),
            ("comments", "Comments", _COMMENTS),
            ("matches", "Matches", _MATCHES),
        )
        for name, heading, columns in parts:
            out.writelines(_table(folder, name, heading, columns, summary["rows"][name]))
        out.write("</body></html>\n")


def _head(summary: Mapping[str, Any]) -> Iterator[str]:
    if summary["signed"]:
        yield '<p class="signed">Signed off.</p>'
    else:
        status = escape(summary["workflow"]["status"].replace("_", " "))
        yield f'<p class="draft">Not signed off: {status}. What follows may still change.</p>'
    difference = ", ".join(f"{amount} {currency}" for currency, amount in summary["difference"].items())
    facts: Sequence[tuple[str, Any]] = (
        ("Session", summary["session_id"]),
        ("Project", summary["project_id"]),
        ("Records", summary["records"]),
        ("Matched", summary["counts"]["matched"]),
        ("Exceptions", summary["counts"]["exceptions"]),
        ("Excluded", summary["counts"]["excluded"]),
        ("Open", summary["open_records"]),
        ("Unexplained difference", difference or "none"),
        ("Prepared by", ", ".join(summary["workflow"]["prepared_by"])),
        ("Exported", f"{summary['exported_at']} by {summary['exported_by']}"),
        ("As of commit", summary["as_of"]),
    )
    yield "<dl>"
    for name, value in facts:
        yield f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>"
    yield f'<dt>Head of the chain</dt><dd class="hash">{escape(summary["head"])}</dd></dl>'


def _table(folder: Path, name: str, heading: str, columns: Columns, rows: int) -> Iterator[str]:
    yield f"<h2>{escape(heading)} ({rows})</h2>"
    if not rows:
        yield "<p>None.</p>"
        return
    yield "<table><thead><tr>"
    for title in columns.values():
        yield f"<th>{escape(title)}</th>"
    yield "</tr></thead><tbody>"
    for row in islice(_rows(folder / f"{name}.json"), MAX_ROWS):
        yield "<tr>"
        for column in columns:
            kind = ' class="number"' if column in _NUMBERS else ""
            yield f"<td{kind}>{escape(_text(row.get(column)))}</td>"
        yield "</tr>"
    yield "</tbody></table>"
    if rows > MAX_ROWS:
        yield f"<p>The first {MAX_ROWS}; all of them are in {escape(name)}.csv.</p>"


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a `Table`: each stands on a line of its own."""
    with path.open("rb") as file:
        for line in file:
            text = line.strip().removesuffix(b",")
            if text not in (b"[", b"]", b"[]", b""):
                yield orjson.loads(text)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{item} {name}" for name, item in value.items())
    return str(value)
