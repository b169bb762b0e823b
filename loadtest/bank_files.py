"""Record files rewritten in banks' formats, for measuring: what they say is the same, as far as the format has it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Final, TextIO
from xml.sax.saxutils import escape

Row = Mapping[str, str]


def rewrite(path: Path, kind: str) -> Path:
    """A CSV of the generator in another format (``ofx``, ``camt053``, ``mt940``), in a file beside it; row by row."""
    written = path.with_suffix(f".{kind}")
    with path.open(encoding="utf-8", newline="") as file, written.open("w", encoding="utf-8", newline="") as out:
        _WRITERS[kind](out, csv.DictReader(file))
    return written


def _camt(file: TextIO, rows: Iterator[Row]) -> None:
    file.write(
        '<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
        "<BkToCstmrStmt><GrpHdr><MsgId>1</MsgId><CreDtTm>2026-11-03T06:00:00</CreDtTm></GrpHdr><Stmt><Id>1</Id>"
        "<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>\n"
    )
    for row in rows:
        party = "Cdtr" if row["amount"].startswith("-") else "Dbtr"
        file.write(
            f'<Ntry>\n  <Amt Ccy="{row["currency"]}">{row["amount"].removeprefix("-")}</Amt>\n'
            f"  <CdtDbtInd>{'DBIT' if party == 'Cdtr' else 'CRDT'}</CdtDbtInd>\n  <Sts><Cd>BOOK</Cd></Sts>\n"
            f"  <BookgDt><Dt>{row['date']}</Dt></BookgDt>\n  <ValDt><Dt>{row['date']}</Dt></ValDt>\n"
            f"  <AcctSvcrRef>{row['external_id']}</AcctSvcrRef>\n  <BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
            "<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>\n  <NtryDtls><TxDtls>\n"
            f"    <Refs><EndToEndId>{escape(row['reference']) or 'NOTPROVIDED'}</EndToEndId></Refs>\n"
            f'    <Amt Ccy="{row["currency"]}">{row["amount"].removeprefix("-")}</Amt>\n'
            f"    <RltdPties><{party}><Pty><Nm>{escape(row['description'][:70])}</Nm></Pty></{party}><{party}Acct><Id>"
            f"<IBAN>DE02120300000000202051</IBAN></Id></{party}Acct></RltdPties>\n"
            f"    <RmtInf><Ustrd>{escape(row['description'])}</Ustrd></RmtInf>\n  </TxDtls></NtryDtls>\n</Ntry>\n"
        )
    file.write("</Stmt></BkToCstmrStmt></Document>\n")


def _ofx(file: TextIO, rows: Iterator[Row]) -> None:
    file.write("OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\n\n<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS>")
    file.write("<CURDEF>EUR\n<BANKACCTFROM><BANKID>1<ACCTID>1<ACCTTYPE>CHECKING</BANKACCTFROM><BANKTRANLIST>\n")
    for row in rows:
        file.write(
            f"<STMTTRN>\n<TRNTYPE>OTHER\n<DTPOSTED>{row['date'].replace('-', '')}120000\n<TRNAMT>{row['amount']}\n"
            f"<FITID>{row['external_id']}\n<REFNUM>{escape(row['reference'])}\n<NAME>{escape(row['description'][:32])}\n"
            f"<MEMO>{escape(row['description'])}\n</STMTTRN>\n"
        )
    file.write("</BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n")


def _mt940(file: TextIO, rows: Iterator[Row]) -> None:
    """A statement for each thousand entries: as many as some banks put into one."""
    while some := list(islice(rows, 1_000)):
        file.write(":20:1\r\n:25:DE89370400440532013000\r\n:28C:1/1\r\n:60F:C261101EUR0,00\r\n")
        file.writelines(_mt940_entries(some))
        file.write(":62F:C261101EUR0,00\r\n-\r\n")


def _mt940_entries(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        day = date.fromisoformat(row["date"])
        mark = "D" if row["amount"].startswith("-") else "C"
        amount = row["amount"].removeprefix("-").replace(".", ",")
        purpose = f"EREF+{row['reference']}".ljust(27) + f"SVWZ+{row['description']}".replace("?", " ")
        parts = "".join(f"?2{n}{purpose[n * 27 : n * 27 + 27]}" for n in range(10) if purpose[n * 27 :])
        text = f"166?00CREDIT{parts}?31DE02120300000000202051?32{row['description'][:27].replace('?', ' ')}"
        lines = "\r\n".join(text[start : start + 65] for start in range(0, len(text), 65))
        yield f":61:{day:%y%m%d%m%d}{mark}{amount}N166NONREF//{row['external_id'][:16]}\r\n:86:{lines}\r\n"


_WRITERS: Final[Mapping[str, Callable[[TextIO, Iterator[Row]], None]]] = {
    "camt053": _camt, "ofx": _ofx, "mt940": _mt940,
}  # fmt: skip
