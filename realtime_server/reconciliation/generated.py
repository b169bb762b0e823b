"""What the generator makes: rows of two sides and the groups they truly belong to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from realtime_server.core.money import format_minor_units

RECORD_COLUMNS = ("external_id", "date", "amount", "currency", "description", "reference")
LEDGER_FREE_COLUMNS = ("vendor", "account", "document_type")
STATEMENT_FREE_COLUMNS = ("account", "channel")
TRUTH_COLUMNS = ("group_id", "kind", "ledger_ids", "statement_ids", "fee", "note")


class Kind(StrEnum):
    """Why rows belong together. The value is what stands in ``truth.csv``."""

    ONE_TO_ONE = "one_to_one"
    """One row a side, the same amount, the statement some days off."""
    TRUNCATED = "truncated"
    """One row a side; the bank cut the name short and dropped the reference."""
    FEE_NETTED = "fee_netted"
    """One or more receipts paid out as one sum less the processor's fee."""
    BATCH_DEPOSIT = "batch_deposit"
    """Several receipts (N) banked as one deposit (1)."""
    SPLIT_PAYMENT = "split_payment"
    """One invoice (1) settled in several payments (N)."""
    VOID_REISSUE = "void_reissue"
    """A cheque, its void, and its replacement in the ledger; the bank saw only the replacement."""
    RETURNED_ITEM = "returned_item"
    """One payment in the ledger; the bank presented it, returned it and presented it again."""
    DUPLICATED_LINE = "duplicated_line"
    """The pair that is right where a vendor's line was entered twice; the copy is an `UNMATCHED_LEDGER` group."""
    PRIOR_PERIOD = "prior_period"
    """Booked before the period began, cleared within it."""
    UNMATCHED_LEDGER = "unmatched_ledger"
    """A ledger row with nothing on the statement."""
    UNMATCHED_STATEMENT = "unmatched_statement"
    """A statement row with nothing in the ledger: charges, interest, unknown receipts."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record of one side. `minor` is in minor units; money in is positive on both sides."""

    external_id: str
    date: date
    minor: int
    currency: str
    description: str
    reference: str
    free: tuple[tuple[str, str], ...] = ()

    def values(self) -> dict[str, str]:
        """The record's values in wire form, without the id: what `reading.ImportRow.values` holds after an import."""
        return {
            "date": self.date.isoformat(),
            "amount": format_minor_units(self.minor, self.currency),
            "currency": self.currency,
            "description": self.description,
            "reference": self.reference,
            **dict(self.free),
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong together: sum of the ledger less sum of the statement is `fee` (minor units, mostly 0).

    Groups of the two `UNMATCHED_…` kinds hold one row of one side, and balance nothing. `day` is the earliest date
    that any row of this group, or of a group generated later, can have: it lets a writer sort by date as it goes.
    """

    group_id: str
    kind: Kind
    day: date
    ledger: tuple[Row, ...]
    statement: tuple[Row, ...]
    fee: int = 0
    note: str = ""

    @property
    def is_matched(self) -> bool:
        return self.kind not in (Kind.UNMATCHED_LEDGER, Kind.UNMATCHED_STATEMENT)

    @property
    def size(self) -> int:
        """How many rows the group has, both sides together."""
        return len(self.ledger) + len(self.statement)


@dataclass(frozen=True, slots=True)
class GeneratedSet:
    """Both sides in order of date, as an export would list them, and the truth."""

    ledger: tuple[Row, ...]
    statement: tuple[Row, ...]
    groups: tuple[Group, ...]
