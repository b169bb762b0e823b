"""One builder for each kind of group. Everything is drawn from one seeded source, in whole numbers.

No floating point and no hash order takes part: logarithms differ in the last bit between machines, and one different
bit changes every row after it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from random import Random

from realtime_server.core.money import minor_unit_exponent
from realtime_server.reconciliation import vocabulary as words
from realtime_server.reconciliation.generated import Group, Kind, Row

BANK_LINE_LENGTH = 35  # a line of remittance text in SWIFT MT940 field 86 and in many CSV exports cut from it
_ID_RANGE = 10**8
# Steps without a common factor with the range visit every number once: ids are unique, and say nothing of the order.
_LEDGER_STEP, _STATEMENT_STEP, _REFERENCE_STEP = 61_803_399, 27_182_819, 31_415_927
_LAGS = (0, 0, 1, 1, 1, 2, 2, 3, 4, 6)  # days until the bank shows what was booked
_AMOUNT_DIGITS = (3, 4, 4, 4, 5, 5, 5, 5, 6, 6, 7)


def bank_text(*parts: str) -> str:
    """Capitals, plain ASCII, single spaces, one line: what is left of a name after it went through a bank."""
    folded = unicodedata.normalize("NFKD", " ".join(parts).replace("ß", "ss")).encode("ascii", "ignore").decode()
    return " ".join(folded.upper().split())[:BANK_LINE_LENGTH].rstrip()


def business_day(day: date) -> date:
    """The day itself, or the Monday after a weekend."""
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)


@dataclass(slots=True)
class Builder:
    """Makes groups that begin on a given day. Draws from `rng` in a fixed order; keeps counters for the ids."""

    rng: Random
    currency: str
    _groups: int = 0
    _ledger_rows: int = 0
    _statement_rows: int = 0
    _references: int = 0
    _offset: int = field(init=False)
    _cheque: int = field(init=False)
    _prices: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._offset = self.rng.randrange(_ID_RANGE)
        self._cheque = self.rng.randrange(100_000, 500_000)
        unit = 10 ** minor_unit_exponent(self.currency)
        self._prices = tuple(self.rng.randrange(5, 400) * 5 * unit for _ in range(12))

    def build(self, kind: Kind, day: date) -> list[Group]:
        """The group, and any single rows that come with it (the copy of a duplicated line, the charge of a return)."""
        return _BUILDERS[kind](self, day)

    # -- the kinds ------------------------------------------------------------------------------------------------

    def one_to_one(self, day: date) -> list[Group]:
        vendor, reference = self._vendor(), self._reference("INV")
        minor = self._signed(self._price_or_amount())
        booked, cleared = day, self._cleared(day)
        if self.rng.randrange(100) < 15:  # direct debits and the like are booked after the bank has shown them
            booked, cleared = business_day(day) + timedelta(days=self.rng.randrange(1, 4)), business_day(day)
        ledger = self._ledger(booked, minor, vendor, reference)
        return [self._group(Kind.ONE_TO_ONE, day, [ledger], [self._paid(cleared, minor, vendor, reference)])]

    def truncated(self, day: date) -> list[Group]:
        vendor, reference = self._vendor(), self._reference("INV")
        minor = self._signed(self._amount())
        ledger = self._ledger(day, minor, vendor, reference)
        stub = bank_text(vendor)[: self.rng.randrange(5, 11)].rstrip()
        statement = self._statement(self._cleared(day), minor, stub, "", "CARD")
        return [self._group(Kind.TRUNCATED, day, [ledger], [statement])]

    def fee_netted(self, day: date) -> list[Group]:
        reference, vendor = self._reference("PO"), self._vendor()
        ledger = [
            self._ledger(day, self._amount(4), vendor if index == 0 else self._vendor(), reference)
            for index in range(self.rng.choice((1, 1, 1, 2, 3)))
        ]
        gross = sum(row.minor for row in ledger)
        fee = gross * self.rng.randrange(90, 350) // 10_000 + 25
        name = bank_text("CARD PAYOUT", reference, vendor)
        statement = self._statement(self._cleared(day), gross - fee, name, reference, "PAYOUT")
        return [self._group(Kind.FEE_NETTED, day, ledger, [statement], fee=fee)]

    def batch_deposit(self, day: date) -> list[Group]:
        slip = self._reference("DS")
        count = self.rng.randrange(2, 8)
        on_ledger = self.rng.randrange(100) < 75
        ledger = [
            self._ledger(day, self._amount(), self._vendor(), slip if on_ledger else self._reference("RC"))
            for _ in range(count)
        ]
        shown = slip if self.rng.randrange(100) < 75 else ""
        total = sum(row.minor for row in ledger)
        statement = self._statement(self._cleared(day), total, bank_text("DEPOSIT", shown), shown, "DEPOSIT")
        return [self._group(Kind.BATCH_DEPOSIT, day, ledger, [statement])]

    def split_payment(self, day: date) -> list[Group]:
        vendor, reference = self._vendor(), self._reference("INV")
        count = self.rng.randrange(2, 5)
        sign = self._signed(1)
        total = self._amount(4)
        shares = self._shares(total, count)
        statement = []
        paid = day
        for number, share in enumerate(shares, start=1):
            paid = self._cleared(paid + timedelta(days=0 if number == 1 else self.rng.randrange(1, 8)))
            statement.append(self._paid(paid, sign * share, vendor, reference, f"{number}/{count}"))
        ledger = self._ledger(day, sign * total, vendor, reference)
        return [self._group(Kind.SPLIT_PAYMENT, day, [ledger], statement)]

    def void_reissue(self, day: date) -> list[Group]:
        vendor, minor = self._vendor(), self._amount()
        first, second = self._cheque_number(), self._cheque_number()
        voided = day + timedelta(days=self.rng.randrange(1, 6))
        reissued = voided + timedelta(days=self.rng.randrange(0, 3))
        ledger = [
            self._ledger(day, -minor, vendor, first, text=f"Cheque {first} {vendor}"),
            self._ledger(voided, minor, vendor, first, text=f"VOID cheque {first} {vendor}"),
            self._ledger(reissued, -minor, vendor, second, text=f"Cheque {second} {vendor} (replaces {first})"),
        ]
        cleared = self._cleared(reissued)
        statement = self._statement(cleared, -minor, f"CHEQUE {second}", second, "CHEQUE")
        return [self._group(Kind.VOID_REISSUE, day, ledger, [statement])]

    def returned_item(self, day: date) -> list[Group]:
        vendor, reference, minor = self._vendor(), self._reference("INV"), self._signed(self._amount())
        shown = self._cleared(day)
        returned = business_day(shown + timedelta(days=self.rng.randrange(1, 4)))
        again = business_day(returned + timedelta(days=self.rng.randrange(1, 5)))
        statement = [
            self._paid(shown, minor, vendor, reference),
            self._statement(returned, -minor, bank_text("RETURNED", vendor), reference, "RETURN"),
            self._paid(again, minor, vendor, reference, "RETRY"),
        ]
        ledger = self._ledger(day, minor, vendor, reference)
        groups = [self._group(Kind.RETURNED_ITEM, day, [ledger], statement)]
        if self.rng.randrange(2):
            charge = self._statement(returned, -self.rng.choice((500, 1200, 1500)), "RETURNED ITEM FEE", "", "CHARGE")
            groups.append(self._group(Kind.UNMATCHED_STATEMENT, day, [], [charge], note="charge for a returned item"))
        return groups

    def duplicated_line(self, day: date) -> list[Group]:
        vendor, reference, minor = self._vendor(), self._reference("INV"), -self._amount()
        right = self._ledger(day, minor, vendor, reference)
        spelled = reference.replace("-", " ") if self.rng.randrange(2) else reference
        copy = self._ledger(day + timedelta(days=self.rng.randrange(1, 5)), minor, vendor, spelled)
        paid = self._paid(self._cleared(day), minor, vendor, reference)
        return [
            self._group(Kind.DUPLICATED_LINE, day, [right], [paid]),
            self._group(Kind.UNMATCHED_LEDGER, day, [copy], [], note=f"duplicate of {right.external_id}"),
        ]

    def prior_period(self, day: date, start_date: date) -> Group:
        vendor, minor, cheque = self._vendor(), self._amount(), self._cheque_number()
        ledger = self._ledger(day, -minor, vendor, cheque, text=f"Cheque {cheque} {vendor}")
        cleared = business_day(start_date + timedelta(days=self.rng.randrange(13)))
        statement = self._statement(cleared, -minor, f"CHEQUE {cheque}", cheque, "CHEQUE")
        return self._group(Kind.PRIOR_PERIOD, day, [ledger], [statement])

    def unmatched_ledger(self, day: date) -> list[Group]:
        row = self._ledger(day, self._signed(self._amount()), self._vendor(), self._reference("INV"))
        return [self._group(Kind.UNMATCHED_LEDGER, day, [row], [], note="not at the bank yet")]

    def unmatched_statement(self, day: date) -> list[Group]:
        day_shown = business_day(day)
        if self.rng.randrange(3):
            row = self._statement(day_shown, -self._amount(), self.rng.choice(words.BANK_CHARGES), "", "CHARGE")
        else:
            row = self._statement(day_shown, self._amount(), self.rng.choice(words.BANK_CREDITS), "", "CREDIT")
        return [self._group(Kind.UNMATCHED_STATEMENT, day, [], [row], note="not in the ledger")]

    # -- rows and draws -------------------------------------------------------------------------------------------

    def _group(
        self, kind: Kind, day: date, ledger: list[Row], statement: list[Row], *, fee: int = 0, note: str = ""
    ) -> Group:
        self._groups += 1
        return Group(f"G{self._groups:07d}", kind, day, tuple(ledger), tuple(statement), fee, note)

    def _ledger(self, day: date, minor: int, vendor: str, reference: str, *, text: str = "") -> Row:
        self._ledger_rows += 1
        number = (self._offset + self._ledger_rows * _LEDGER_STEP) % _ID_RANGE
        phrases = words.RECEIPT_PHRASES if minor > 0 else words.PAYMENT_PHRASES
        document = "cheque" if text else "receipt" if minor > 0 else "invoice"
        description = text or f"{self.rng.choice(phrases)} {vendor}"
        free = (("vendor", vendor), ("account", self.rng.choice(words.LEDGER_ACCOUNTS)), ("document_type", document))
        return Row(f"L{number:08d}", day, minor, self.currency, description, reference, free)

    def _statement(self, day: date, minor: int, description: str, reference: str, channel: str) -> Row:
        self._statement_rows += 1
        number = (self._offset + self._statement_rows * _STATEMENT_STEP) % _ID_RANGE
        free = (("account", self.rng.choice(words.BANK_ACCOUNTS)), ("channel", channel))
        return Row(f"S{number:08d}", day, minor, self.currency, description, reference, free)

    def _paid(self, day: date, minor: int, vendor: str, reference: str, suffix: str = "") -> Row:
        """A bank line for a payment: the reference in its own column, within the text, or lost, as banks vary."""
        channel = self.rng.choice(words.CREDIT_CHANNELS if minor > 0 else words.DEBIT_CHANNELS)
        where = self.rng.choice(("column", "text", "lost"))
        lead = reference if where == "text" else channel
        shown = reference if where == "column" else ""
        return self._statement(day, minor, bank_text(lead, suffix, vendor), shown, channel)

    def _cleared(self, day: date) -> date:
        return business_day(day + timedelta(days=self.rng.choice(_LAGS)))

    def _vendor(self) -> str:
        choice = self.rng.choice
        return f"{choice(words.SURNAMES)} {choice(words.TRADES)} {choice(words.LEGAL_FORMS)}"

    def _reference(self, prefix: str) -> str:
        self._references += 1
        return f"{prefix}-{(self._offset + self._references * _REFERENCE_STEP) % _ID_RANGE:08d}"

    def _cheque_number(self) -> str:
        self._cheque += 1
        return f"{self._cheque:06d}"

    def _amount(self, least_digits: int = 1) -> int:
        digits = max(least_digits, self.rng.choice(_AMOUNT_DIGITS))
        return self.rng.randrange(10 ** (digits - 1), 10**digits)

    def _price_or_amount(self) -> int:
        """One in five is one of a few list prices: equal amounts that a matcher must tell apart by other means."""
        return self.rng.choice(self._prices) if self.rng.randrange(5) == 0 else self._amount()

    def _signed(self, minor: int) -> int:
        return minor if self.rng.randrange(100) < 45 else -minor

    def _shares(self, total: int, count: int) -> list[int]:
        """`count` positive parts of `total`: equal instalments half of the time, uneven ones otherwise."""
        if self.rng.randrange(2):
            return [total // count] * (count - 1) + [total - total // count * (count - 1)]
        cuts = [0, *sorted(self.rng.sample(range(1, total), count - 1)), total]
        return [high - low for low, high in pairwise(cuts)]


_BUILDERS: Mapping[Kind, Callable[[Builder, date], list[Group]]] = {
    Kind.ONE_TO_ONE: Builder.one_to_one,
    Kind.TRUNCATED: Builder.truncated,
    Kind.FEE_NETTED: Builder.fee_netted,
    Kind.BATCH_DEPOSIT: Builder.batch_deposit,
    Kind.SPLIT_PAYMENT: Builder.split_payment,
    Kind.VOID_REISSUE: Builder.void_reissue,
    Kind.RETURNED_ITEM: Builder.returned_item,
    Kind.DUPLICATED_LINE: Builder.duplicated_line,
    Kind.UNMATCHED_LEDGER: Builder.unmatched_ledger,
    Kind.UNMATCHED_STATEMENT: Builder.unmatched_statement,
}
