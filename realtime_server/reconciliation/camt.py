"""Reading CAMT.053, the statement of ISO 20022, in all versions: ``camt.053.001.01`` to today's, one entry at a time.

What is read stands in one table below, as paths; whatever else a bank puts into its files is passed over. The paths of
all versions are in it: a party's name is ``Dbtr/Nm`` in the older and ``Dbtr/Pty/Nm`` in the newer ones, a status is a
text and then a code. (ISO 20022 message definition reports, Bank-to-Customer Cash Management.)

An entry that books a batch comes as its parts where every part has an amount in the entry's currency and they add up to
it exactly; else it comes as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from realtime_server.core.money import format_minor_units, parse_minor_units
from realtime_server.reconciliation.bank_entries import (
    MAX_ENTRIES,
    BankEntry,
    BankFile,
    Entries,
    digest,
    named,
    plain_amount,
    written,
)
from realtime_server.reconciliation.camt_xml import Element, Tree, read_statements
from realtime_server.reconciliation.csv_columns import shown
from realtime_server.reconciliation.csv_rows import RowError
from realtime_server.reconciliation.csv_source import refuse_file

_ACCOUNT: Final = ("Acct/Id/IBAN", "Acct/Id/Othr/Id", "Acct/Id/PrtryAcct/Id", "Acct/Ccy")
_CODES: Final = (
    "BkTxCd/Domn/Cd", "BkTxCd/Domn/Fmly/Cd", "BkTxCd/Domn/Fmly/SubFmlyCd", "BkTxCd/Prtry/Cd",
)  # fmt: skip
_ENTRY: Final = (
    "Amt", "CdtDbtInd", "RvslInd", "Sts", "Sts/Cd", "Sts/Prtry", "BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm",
    "AcctSvcrRef", *_CODES, "NtryDtls/Btch/PmtInfId", "NtryDtls/Btch/MsgId", "AddtlNtryInf",
)  # fmt: skip
#: By role; the ultimate party where the account's holder has no name.
_PARTIES: Final = {
    role: tuple(f"RltdPties/{who}/{path}" for who in (role, f"Ultmt{role}") for path in ("Nm", "Pty/Nm"))
    for role in ("Dbtr", "Cdtr")
}
_PARTY_ACCOUNTS: Final = {
    role: tuple(f"RltdPties/{role}Acct/Id/{path}" for path in ("IBAN", "Othr/Id", "PrtryAcct/Id"))
    for role in ("Dbtr", "Cdtr")
}
_TEXTS: Final = (
    "RmtInf/Ustrd", "RmtInf/Strd/AddtlRmtInf", "RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Strd/CdtrRefInf/CdtrRef",
    "RmtInf/Strd/RfrdDocInf/Nb", "RmtInf/Strd/RfrdDocInf/RfrdDocNb",
)  # fmt: skip
_DETAILS: Final = (
    "Refs/AcctSvcrRef", "Refs/PmtInfId", "Refs/InstrId", "Refs/EndToEndId", "Refs/MndtId", "Refs/ChqNb",
    "Amt", "CdtDbtInd", "AmtDtls/InstdAmt/Amt", "AmtDtls/TxAmt/Amt", *chain(*_PARTIES.values()),
    *chain(*_PARTY_ACCOUNTS.values()), *_TEXTS, "AddtlTxInf",
)  # fmt: skip
_ALL: Final = Tree(account=_ACCOUNT, entry=_ENTRY, details=_DETAILS, repeated=_TEXTS)
#: Enough to count what there is.
_OUTLINE: Final = Tree(account=(), entry=(), details=(), repeated=())


def open_camt(path: Path, *, default_currency: str | None = None, max_rows: int = MAX_ENTRIES) -> BankFile:
    """Look through a file: that it is well-formed to its end, a statement, and not too long.

    `CollaborationError` (`invalid`) with a message that says what is wrong: broken XML, a document type (which could
    name entities), another message than camt.053. `OSError` where it cannot be opened.
    """
    rows = 0
    for _, entry in read_statements(path, _OUTLINE):
        rows += max(len(entry.parts), 1)
        if rows > max_rows:
            refuse_file(f"the file has more than {max_rows:,} entries: divide it")
    return BankFile(path, rows, lambda: _entries(path), default_currency=default_currency, unique=False)


def _account(statement: Element) -> str:
    get = statement.get
    return get("Acct/Id/IBAN") or get("Acct/Id/Othr/Id") or get("Acct/Id/PrtryAcct/Id")


def _entries(path: Path) -> Entries:
    for statement, entry in read_statements(path, _ALL):
        problem = _problem(entry)
        if problem is None:
            yield from _rows(statement, entry)
        else:
            yield RowError(entry.line, *problem)


def _problem(entry: Element) -> tuple[str, str] | None:
    status = entry.get("Sts/Cd") or entry.get("Sts/Prtry") or entry.get("Sts")
    if status not in ("", "BOOK"):
        return "status", f"the entry is not booked (its status is {shown(status)}): import it when it is"
    if _sign(entry) is None:
        return "amount", "the entry says neither credit (CRDT) nor debit (DBIT)"
    if entry.get("Amt").startswith(("-", "+")):
        return "amount", "an amount that is marked debit or credit has no sign of its own"
    return None


def _sign(element: Element) -> str | None:
    return {"CRDT": "", "DBIT": "-"}.get(element.get("CdtDbtInd"))


def _rows(statement: Element, entry: Element) -> Iterator[BankEntry]:
    parts = _parts(entry) if len(entry.parts) > 1 else []
    if not parts:
        only = entry.parts[0] if len(entry.parts) == 1 else Element(entry.line)
        yield _row(statement, entry, only, f"{_sign(entry)}{entry.get('Amt')}", "")
    for number, (details, amount) in enumerate(parts, start=1):
        yield _row(statement, entry, details, amount, f"/{number}")


def _parts(entry: Element) -> list[tuple[Element, str]]:
    """The parts of a batch with their amounts; none where they do not come to the entry exactly."""
    currency, total, found = entry.get("Amt@Ccy"), 0, []
    try:
        for details in entry.parts:
            minor = _minor(details, currency, _sign(entry) or "")
            total += minor
            found.append((details, format_minor_units(minor, currency)))
        booked = parse_minor_units(plain_amount(f"{_sign(entry)}{entry.get('Amt')}", currency), currency)
    except ValueError:
        return []
    return found if total == booked else []


def _minor(details: Element, currency: str, sign_of_entry: str) -> int:
    for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
        amount = details.get(path)
        if amount and details.get(f"{path}@Ccy") in ("", currency) and not amount.startswith(("-", "+")):
            sign = _sign(details) if details.get("CdtDbtInd") else sign_of_entry
            return parse_minor_units(plain_amount(f"{sign}{amount}", currency), currency)
    raise ValueError("a part has no amount in the entry's currency")


def _row(statement: Element, entry: Element, details: Element, amount: str, part: str) -> BankEntry:
    money_in = not amount.startswith("-")
    is_reversal = entry.get("RvslInd") in ("true", "1")
    reversal = "-R" if is_reversal else ""  # it may bear the name of what it reverses
    # A reversal names the parties of what it reverses.
    other = "Dbtr" if money_in != is_reversal else "Cdtr"
    get = details.get
    end_to_end = named(get("Refs/EndToEndId"))
    structured = named(get("RmtInf/Strd/CdtrRefInf/Ref"), get("RmtInf/Strd/CdtrRefInf/CdtrRef"))
    documents = named(get("RmtInf/Strd/RfrdDocInf/Nb"), get("RmtInf/Strd/RfrdDocInf/RfrdDocNb"))
    # What a payer wrote is about the payee's invoice; an end-to-end id is the payer's own.
    theirs = (structured, documents, end_to_end) if money_in else (end_to_end, structured, documents)
    batch = named(entry.get("NtryDtls/Btch/PmtInfId"), entry.get("NtryDtls/Btch/MsgId"))
    of_entry, of_part = named(entry.get("AcctSvcrRef")), named(get("Refs/AcctSvcrRef"))
    identity = f"{of_entry}{reversal}{part}" if of_entry else f"{of_part}{reversal}" if of_part else ""
    account, currency = _account(statement), entry.get("Amt@Ccy") or statement.get("Acct/Ccy")
    value_date = _day(entry, "ValDt")
    date = _day(entry, "BookgDt") or value_date
    text = get("RmtInf/Ustrd") or get("RmtInf/Strd/AddtlRmtInf") or get("AddtlTxInf") or entry.get("AddtlNtryInf")
    counterparty = _first(details, _PARTIES[other])
    return BankEntry(
        line=details.line if part else entry.line,
        account=account,
        amount=amount,
        currency=currency,
        date=date,
        description=text or structured or counterparty,
        reference=named(*theirs, get("Refs/ChqNb"), get("Refs/InstrId"), get("Refs/PmtInfId"), batch),
        # A fee may bear the reference of its payment, on another day too: so it is never an id by itself.
        identity=f"{identity}-{digest([account, date, _plain(amount, currency), currency], 4)}" if identity else "",
        former_identities=(identity, f"{account}:{identity}") if identity else (),
        content=(value_date, reversal, part, end_to_end, structured, counterparty, text),
        details=written(
            value_date=value_date,
            counterparty=counterparty,
            counterparty_account=_first(details, _PARTY_ACCOUNTS[other]),
            bank_reference=of_part or of_entry,
            end_to_end_id=end_to_end,
            mandate_id=get("Refs/MndtId"),
            batch_reference=(batch or of_entry) if part else batch,
            original_amount=_foreign(details, entry),
            transaction_code=_code(entry),
            reversal="yes" if is_reversal else "",
        ),
    )


def _plain(amount: str, currency: str) -> str:
    """However many zeros the bank writes. What is no amount is refused with its row."""
    try:
        return plain_amount(amount, currency)
    except ValueError:
        return amount


def _day(entry: Element, name: str) -> str:
    """The day of a date, or of an instant as the bank's own clock has it."""
    return (entry.get(f"{name}/Dt") or entry.get(f"{name}/DtTm"))[:10]


def _first(element: Element, paths: tuple[str, ...]) -> str:
    texts = element.texts
    return next((texts[path] for path in paths if path in texts), "")


def _foreign(details: Element, entry: Element) -> str:
    currency = details.get("AmtDtls/InstdAmt/Amt@Ccy")
    is_foreign = currency not in ("", entry.get("Amt@Ccy"))
    return f"{details.get('AmtDtls/InstdAmt/Amt')} {currency}" if is_foreign else ""


def _code(entry: Element) -> str:
    """``PMNT/RCDT/ESCT``, or the bank's own code."""
    texts = entry.texts
    return "/".join([texts[path] for path in _CODES[:3] if path in texts]) or entry.get(_CODES[3])
