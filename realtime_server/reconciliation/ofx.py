"""Reading OFX and QFX, as banks offer them for download: version 1, which is SGML, and version 2, which is XML.

Both say the same with the same names; they differ in their headers, and in SGML a value needs no closing tag. So one
small reader takes both, and forgives what banks get wrong: an ampersand that stands for itself, a missing end of a
value. No document type is read, no entity but those of the specification, so nothing grows and nothing is fetched.
(Open Financial Exchange 2.3, chapters 2 and 11: dates 3.2.8, amounts 3.2.9, statements 11.4.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from realtime_server.core.dates import calendar_date
from realtime_server.reconciliation.bank_entries import MAX_ENTRIES, BankEntry, BankFile, Entries, written
from realtime_server.reconciliation.csv_columns import shown
from realtime_server.reconciliation.csv_rows import RowError
from realtime_server.reconciliation.csv_source import checked_encoding, detect_encoding, refuse_file

#: Characters from one tag to the next: the longest value of the specification has 255.
MAX_TOKEN: Final = 100_000
_CHUNK: Final = 1 << 16
_TOKEN: Final = re.compile(r"<!\[CDATA\[(?P<cdata>.*?)\]\]>|<!--.*?-->|<(?P<name>[^<>!][^<>]*)>(?P<value>[^<]*)", re.S)
_HARMLESS: Final = ("<![CDATA[", "<!--")
_ENTITY: Final = re.compile(r"&(lt|gt|amp|quot|apos|nbsp|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
_ENTITIES: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'", "nbsp": " "}
_DATE: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-9]{0,6}(?:\.[0-9]*)?(?:\[[^\]]*\])?)?")
#: Statements of bank accounts, credit cards and the cash of investment accounts.
_STATEMENTS: Final = frozenset({"STMTRS", "CCSTMTRS", "INVSTMTRS"})
#: What is kept of a transaction. ACCTID in it is the other side's.
_KEPT: Final = frozenset({
    "TRNTYPE", "DTPOSTED", "DTUSER", "DTAVAIL", "TRNAMT", "FITID", "CORRECTFITID", "CORRECTACTION", "SRVRTID",
    "CHECKNUM", "REFNUM", "NAME", "EXTDNAME", "MEMO", "ACCTID",
})  # fmt: skip
_THOUSANDS: Final = re.compile(r"([+-]?[0-9]{1,3}(?:,[0-9]{3})+)(\.[0-9]*)")


def open_ofx(
    path: Path, *, encoding: str | None = None, default_currency: str | None = None, max_rows: int = MAX_ENTRIES
) -> BankFile:
    """Look through a file: that it is a whole one, with a statement in it, and not too long.

    `CollaborationError` (`invalid`) with a message that says what is wrong, `OSError` where it cannot be opened.
    """
    encoding = checked_encoding(path, encoding) if encoding else detect_encoding(path)
    rows, statements, is_whole = 0, 0, False
    with _open(path, encoding) as file:
        for _, name, _ in _tokens(file):
            if name == "STMTTRN":
                rows += 1
                if rows > max_rows:
                    refuse_file(f"the file has more than {max_rows:,} transactions: divide it")
            elif name in _STATEMENTS:
                statements += 1
            is_whole = name == "/OFX"
    if not is_whole:
        refuse_file("the file does not end with </OFX>: perhaps it was cut off")
    if not statements:
        refuse_file("the file is OFX, but there is no statement of an account in it")
    return BankFile(path, rows, lambda: _entries(path, encoding), default_currency=default_currency, unique=True)


def _open(path: Path, encoding: str) -> TextIO:
    """With every kind of line end as a line feed: lines are counted, and a value is never longer than one."""
    return path.open("r", encoding=encoding)


def _tokens(file: TextIO) -> Iterator[tuple[int, str, str]]:
    """Line, name in capitals, and the value after it, of every tag; a closing tag's name begins with a slash."""
    rest, line, name, at = "", 1, "", 1
    value: list[str] = []
    while True:
        chunk = file.read(_CHUNK)
        buffer, position, counted = rest + chunk, 0, 0
        while True:
            position = _next_tag(buffer, position)
            match = _TOKEN.match(buffer, position)
            if match is None or (match.end() == len(buffer) and chunk):
                break
            line += buffer.count("\n", counted, match.start())
            counted, position = match.start(), match.end()
            if match["name"] is None:
                value.append(match["cdata"] or "")
                continue
            if name:
                yield at, name, "".join(value).strip()
            name, at, value = match["name"].strip().upper(), line, [_plain(match["value"])]
        line += buffer.count("\n", counted, position)
        rest = buffer[position:]
        if rest.startswith("<!") and not any(rest.startswith(start) or start.startswith(rest) for start in _HARMLESS):
            refuse_file(f"line {line} has a document type, which no OFX file has: it could be an attack", line=line)
        if len(rest) > MAX_TOKEN + _CHUNK:
            refuse_file(f"line {line} has a tag or a value that does not end", line=line)
        if not chunk:
            break
    if name:
        yield at, name, "".join(value).strip()


def _next_tag(buffer: str, position: int) -> int:
    """Where the next tag begins: only before the first one, and after a comment, is it further on."""
    found = buffer.find("<", position)
    return len(buffer) if found < 0 else found


def _plain(text: str) -> str:
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if not name.startswith("#"):
        return _ENTITIES[name]
    code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    # What is no character stays as it is written.
    return chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else match[0]


def _entries(path: Path, encoding: str) -> Entries:
    account = currency = ""
    transaction: dict[str, str] | None = None
    began, around = 0, ""
    with _open(path, encoding) as file:
        for line, name, value in _tokens(file):
            if name in ("STMTTRN", "/STMTTRN"):
                if transaction is not None:
                    yield _entry(began, account, currency, transaction)
                transaction = {} if name == "STMTTRN" else None
                began, around = line, ""
            elif transaction is not None:
                if name in ("CURRENCY", "ORIGCURRENCY", "/CURRENCY", "/ORIGCURRENCY"):
                    around = name
                elif name in ("CURSYM", "CURRATE"):
                    transaction[f"{around}/{name}"] = value
                elif name in _KEPT:
                    transaction.setdefault(name, value)
            elif name in _STATEMENTS:
                account = currency = ""
            elif name == "CURDEF":
                currency = value
            elif name == "ACCTID":
                account = value


def _entry(line: int, account: str, currency: str, transaction: dict[str, str]) -> BankEntry | RowError:
    """A row for one ``STMTTRN``. A correction takes the id of what it replaces, so that it changes that record."""
    get = transaction.get
    if get("CORRECTACTION", "").upper() == "DELETE":
        return RowError(line, None, f"the bank withdraws its transaction {shown(get('CORRECTFITID', ''))}: exclude it")
    try:
        days = [_day(get(name, "")) for name in ("DTPOSTED", "DTAVAIL", "DTUSER")]
    except ValueError as error:
        return RowError(line, "date", str(error))
    posted, available, initiated = days
    name = get("NAME") or get("EXTDNAME") or ""
    memo = get("MEMO", "")
    identity = get("CORRECTFITID") or get("FITID") or ""
    in_account = f"{account}:{identity}" if identity and account else ""  # other accounts may have the same (3.2.3)
    return BankEntry(
        line=line,
        account=account,
        amount=_amount(get("TRNAMT", "")),
        # ORIGCURRENCY says what the amount was converted from; CURRENCY, what it is in.
        currency=(get("CURRENCY/CURSYM") or currency).upper(),
        date=posted,
        description=memo if not name or memo.startswith(name) else f"{name} {memo}".strip(),
        reference=get("CHECKNUM") or get("REFNUM") or "",
        identity=in_account or identity,
        former_identities=(identity,) if in_account else (),
        is_correction=bool(get("CORRECTFITID")),
        content=(get("TRNTYPE", ""), get("CHECKNUM", ""), get("REFNUM", ""), name, memo),
        details=written(
            value_date=available,
            initiated_date=initiated,
            counterparty=name,
            counterparty_account=get("ACCTID"),
            bank_reference=get("SRVRTID"),
            transaction_code=get("TRNTYPE"),
            original_currency=get("ORIGCURRENCY/CURSYM"),
        ),
    )


def _day(text: str) -> str:
    """The day of ``20261101``, ``20261101120000.000[-5:EST]``: as the bank's own clock has it. "" where none is."""
    if not text:
        return ""
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{shown(text)} is not a date")
    return calendar_date(int(match[1]), int(match[2]), int(match[3]))


def _amount(text: str) -> str:
    """With a point: the decimal mark may be a comma (3.2.9.1). Thousands are not divided, but some banks do."""
    text = text.replace(" ", "")
    if match := _THOUSANDS.fullmatch(text):
        return match[1].replace(",", "") + match[2]
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
