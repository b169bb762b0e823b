"""Which column is what: by its name, or as the user says."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, NoReturn

from realtime_server.core.values import FIELD_TYPES, FieldType
from realtime_server.reconciliation.csv_source import refuse_file

MAX_FIELDS: Final = 100
MAX_NAME: Final = 64
RECORD_FIELDS: Final = ("date", "amount", "currency", "description", "reference")
"""What every record has, whether the file has a column for it or not."""

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "external_id": (
        "external_id", "id", "transaction_id", "transactionid", "txn_id", "trans_id", "record_id", "entry_id",
        "journal_id", "line_id", "unique_id", "fitid", "transaction_number", "transaction_no", "entry_no",
    ),
    "date": (
        "date", "posting_date", "posted_date", "post_date", "date_posted", "booking_date", "transaction_date",
        "trans_date", "txn_date", "entry_date", "value_date", "effective_date",
    ),
    "amount": ("amount", "transaction_amount", "amt", "net_amount", "value"),
    "debit": ("debit", "debit_amount", "debits", "withdrawal", "withdrawals", "money_out", "paid_out", "dr"),
    "credit": ("credit", "credit_amount", "credits", "deposit", "deposits", "money_in", "paid_in", "cr"),
    "direction": (
        "direction", "dr_cr", "cr_dr", "debit_credit", "credit_debit", "d_c", "c_d", "credit_debit_indicator",
        "debit_credit_indicator", "credit_or_debit", "debit_or_credit", "crdr", "drcr", "dr_cr_indicator",
        "cr_dr_indicator", "cdt_dbt_ind", "credit_debit_flag", "debit_credit_flag",
    ),
    "currency": ("currency", "currency_code", "ccy", "cur"),
    "description": (
        "description", "transaction_description", "memo", "narrative", "narration", "details", "particulars", "text",
    ),
    "reference": (
        "reference", "ref", "reference_number", "reference_no", "ref_number", "ref_no", "check_number", "check_no",
        "cheque_number", "cheque_no", "invoice_number", "invoice_no", "document_number", "document_no", "doc_no",
    ),
}  # fmt: skip
"""Names of columns in order of preference, in the form `normalised` gives."""

_RESERVED = frozenset({*RECORD_FIELDS, "external_id", "record_id", "source", "status", "assignee"})
# A list of texts in a session; in a file it is one text.
_LISTS = frozenset(name for name, kind in FIELD_TYPES.items() if kind is FieldType.TAGS)
_UNSAFE_NAMES = frozenset({"__proto__", "constructor", "prototype"})
_NOT_WORD = re.compile(r"[\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Which header means what. None: found by its name; `""`: the file has no such column; else the header itself.

    An `amount` replaces the pair of `debit` and `credit`, and the other way round; `direction` is a column that says of
    an amount without a sign whether it is a debit or a credit (D, DR, C, CR and the words). `ignore` names columns to
    leave out; `rename` gives a column that becomes a free field another name.
    """

    external_id: str | None = None
    date: str | None = None
    amount: str | None = None
    debit: str | None = None
    credit: str | None = None
    direction: str | None = None
    currency: str | None = None
    description: str | None = None
    reference: str | None = None
    ignore: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Columns:
    """Positions of the columns, from 0; `free` has the name of each remaining one, and of a `direction` that only its
    content has shown. Either `amount` or both of the pair is set."""

    width: int
    date: int
    external_id: int | None
    amount: int | None
    debit: int | None
    credit: int | None
    direction: int | None
    currency: int | None
    description: int | None
    reference: int | None
    free: tuple[tuple[int, str], ...]


_MAPPED = tuple(column.name for column in fields(ColumnMapping) if column.name in SYNONYMS)


def normalised(header: str) -> str:
    """`" Posting-Date "` is `posting_date`."""
    return _NOT_WORD.sub("_", header.casefold()).strip("_")


def spellings(header: str) -> tuple[str, str]:
    """With words that only a capital divides, `PostingDate`, taken for one and for several."""
    return normalised(header), normalised(_HUMP.sub("_", header))


def count_known(header: Sequence[str]) -> int:
    """How many of the meanings a header row has a name for."""
    names = {spelling for cell in header for spelling in spellings(cell)}
    return sum(not names.isdisjoint(synonyms) for synonyms in SYNONYMS.values())


def resolve_columns(header: Sequence[str], mapping: ColumnMapping) -> Columns:
    """Positions for a header row. `CollaborationError` (`invalid`) where a column that is needed is missing, a name
    appears twice or is unsafe, or there are more than 100 columns."""
    names = [cell.strip() for cell in header]
    while names and not names[-1]:
        names.pop()  # a delimiter at the end of every line
    _check_names(names)
    found = _find(names, mapping)
    date = found.pop("date")
    if date is None:
        _missing("date", names)
    if found["amount"] is None and (found["debit"] is None or found["credit"] is None):
        _missing("amount", names)
    if found["amount"] is None and found["direction"] is not None:
        refuse_file("a column for the direction goes with an amount, not with a pair", field="direction")
    taken = {date, *(position for position in found.values() if position is not None)}
    return Columns(width=len(names), date=date, free=_free_fields(names, taken, mapping), **found)


def _check_names(names: list[str]) -> None:
    if len(names) > MAX_FIELDS:
        refuse_file(f"the file has {len(names)} columns; {MAX_FIELDS} are possible")
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        if not name:
            refuse_file(f"column {position} has no name: the first row of the file names the columns")
        if name in seen:
            refuse_file(f"two columns are named {shown(name)}: rename one of them in the file")
        seen.add(name)


def _find(names: list[str], mapping: ColumnMapping) -> dict[str, int | None]:
    found: dict[str, int | None] = dict.fromkeys(_MAPPED)
    asked = {meaning: getattr(mapping, meaning) for meaning in _MAPPED}
    for meaning, name in asked.items():
        if not name:
            continue
        if name.strip() not in names:
            refuse_file(f"there is no column {shown(name)} for {meaning}; the file has {_listed(names)}", field=meaning)
        position = names.index(name.strip())
        if position in found.values():
            refuse_file(f"column {shown(name)} is mapped twice", field=meaning)
        found[meaning] = position
    if found["amount"] is not None:
        if found["debit"] is not None or found["credit"] is not None:
            refuse_file("map either an amount, or a pair of debit and credit", field="amount")
        asked["debit"], asked["credit"] = "", ""
    elif found["debit"] is not None or found["credit"] is not None:
        asked["amount"] = ""
    by_name = {
        spelling: position for position, name in reversed(list(enumerate(names))) for spelling in spellings(name)
    }
    for meaning in _MAPPED:
        has_amount = found["amount"] is not None
        if asked[meaning] is not None or meaning in (("debit", "credit") if has_amount else ("direction",)):
            continue
        free = (by_name[name] for name in SYNONYMS[meaning] if name in by_name)
        found[meaning] = next((p for p in free if p not in found.values() and names[p] not in mapping.ignore), None)
    return found


def _free_fields(names: list[str], taken: set[int], mapping: ColumnMapping) -> tuple[tuple[int, str], ...]:
    for name in (*mapping.ignore, *mapping.rename):
        if name not in names:
            refuse_file(f"there is no column {shown(name)}; the file has {_listed(names)}")
    free: dict[str, int] = {}
    for position, header in enumerate(names):
        if position in taken or header in mapping.ignore:
            continue
        name = own_name(mapping.rename.get(header, header), _LISTS)
        problem = _name_problem(name)
        if problem:
            refuse_file(
                f"column {shown(header)} cannot be kept: {problem}; rename or ignore it", column=name[:MAX_NAME]
            )
        if name in free:
            refuse_file(f"two columns would become the field {shown(name)}: rename one of them")
        free[name] = position
    if len(free) + len(RECORD_FIELDS) > MAX_FIELDS:
        refuse_file(f"a record has at most {MAX_FIELDS} fields: ignore some columns")
    return tuple((position, name) for name, position in free.items())


def own_name(name: str, more: Collection[str] = ()) -> str:
    """The name, or `file_status` for `status` and the like, which mean something else once a record is in a session."""
    return f"file_{name}" if name.casefold() in _RESERVED or name in more else name


def _name_problem(name: str) -> str:
    if not 1 <= len(name) <= MAX_NAME:
        return f"a field's name has 1 to {MAX_NAME} characters"
    if "." in name or name.startswith("$"):
        return "a field's name has no point and does not begin with a dollar sign"
    if not name.isprintable():
        return "a field's name has no control characters"
    if name in _UNSAFE_NAMES:
        return "the name has a meaning of its own in JavaScript"
    return ""


def _missing(meaning: str, names: list[str]) -> NoReturn:
    what = "amount, and no pair of debit and credit" if meaning == "amount" else meaning
    refuse_file(f"no column for the {what} among {_listed(names)}: map one (--map {meaning}=COLUMN)", field=meaning)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(shown(name) for name in names[:20]) + more


def shown(text: str, length: int = 40) -> str:
    """Text from a file, quoted for a message: control characters escaped, cut at `length`."""
    cut = text if len(text) <= length else text[: length - 1] + "…"
    return repr(cut)
