from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import mt940
import pytest

from loadtest.bank_files import rewrite
from realtime_server.reconciliation.csv_rows import ImportRow, RowError
from realtime_server.reconciliation.generated_files import write_files
from realtime_server.reconciliation.generator import generate_groups
from realtime_server.reconciliation.mt940 import open_mt940
from realtime_server.reconciliation.mt940_details import read_details
from tests.reconciliation.bank_reader import BankReader
from tests.reconciliation.bank_samples import MT940_DUTCH, MT940_GERMAN

SIGNED = mt940.Options(reversal_sign=True)


def statement(*lines: str, account: str = "DE89370400440532013000", currency: str = "EUR") -> str:
    head = f":20:X\n:25:{account}\n:28C:1/1\n:60F:C261101{currency}0,00\n"
    return head + "".join(f"{line}\n" for line in lines) + f":62F:C261101{currency}0,00\n-\n"


READER = BankReader(open_mt940, "statement.sta")
read, rows, refusal = READER.read, READER.rows, READER.refusal


def test_numbered_parts_with_sepa_keys_are_told_apart(tmp_path: Path) -> None:
    first, fee, returned, correction = rows(tmp_path, MT940_GERMAN)
    assert first.line == 6
    assert first.values == {
        "date": "2026-01-02",
        "value_date": "2025-12-31",
        "amount": "10.50",
        "currency": "EUR",
        "description": "Invoice 4711 of the first of October",
        "reference": "A-REFERENCE-THAT-IS-LONGER",
        "end_to_end_id": "A-REFERENCE-THAT-IS-LONGER",
        "account": "37040044/0532013000",
        "counterparty": "MUELLER UND SOEHNE GESELLSCHAFT MBH",
        "counterparty_account": "DE02120300000000202051",
        "bank_reference": "4711-1",
        "transaction_code": "N062/166",
        "booking_text": "SEPA-UEBERWEISUNG",
    }
    assert (fee.values["amount"], fee.values["description"]) == ("-7.00", "Account fee January")
    assert fee.values["supplementary"] == "/OCMT/EUR7,00/"
    # A reversed credit takes money out, a reversed debit brings it back.
    assert (returned.values["amount"], returned.values["reversal"]) == ("-10.50", "yes")
    assert (correction.values["amount"], correction.values["description"]) == ("3.00", "")


def test_named_parts_and_plain_text_are_read_as_well(tmp_path: Path) -> None:
    paid, received, interest = rows(tmp_path, MT940_DUTCH)
    assert (paid.values["amount"], paid.values["counterparty"], paid.values["reference"]) == (
        "-60.00", "J. JANSEN", "",
    )  # fmt: skip
    assert paid.values["description"] == "Factuur 2026-11 rente"
    assert (received.values["amount"], received.values["reference"]) == ("1200.50", "INV-88")
    assert (received.values["counterparty"], received.values["counterparty_account"]) == (
        "KLANT BV", "BE68539007547034",
    )  # fmt: skip
    assert received.values["description"] == "Betaling INV-88"
    assert interest.values["description"] == "CREDIT INTEREST ON YOUR ACCOUNT"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_gives_the_same_rows(tmp_path: Path, end: str) -> None:
    assert read(tmp_path, MT940_DUTCH.replace("\n", end)) == read(tmp_path, MT940_DUTCH)


@pytest.mark.parametrize(
    ("field", "amount", "booked", "reference"),
    [
        ("2611021102C10,50NTRFNONREF", "10.50", "2026-11-02", ""),
        ("261102C10,NTRFREF 1", "10.00", "2026-11-02", "REF 1"),
        ("2611021102CR10,5S103ABC//BANK1\nMORE", "10.50", "2026-11-02", "ABC"),
        ("2611021102DR000000000010,50FMSCA//B", "-10.50", "2026-11-02", "A"),
        ("2611021102RCR1,00NRTI", "-1.00", "2026-11-02", ""),
        ("2611021102RD1,00NRTIKREF+", "1.00", "2026-11-02", ""),
        ("261102    D1,00NCHK1042", "-1.00", "2026-11-02", "1042"),
        ("2601021231D1,00NTRF", "-1.00", "2025-12-31", ""),
        ("2512310102D1,00NTRF", "-1.00", "2026-01-02", ""),
        ("2802290229C1,00NTRF", "1.00", "2028-02-29", ""),
        ("2602280229C1,00NINT", "1.00", "2026-02-28", ""),
        ("9912311231C1,00NTRF", "1.00", "1999-12-31", ""),
    ],
)
def test_field_61_is_read_in_all_its_forms(
    tmp_path: Path, field: str, amount: str, booked: str, reference: str
) -> None:
    (row,) = rows(tmp_path, statement(f":61:{field}"))
    assert (row.values["amount"], row.values["date"], row.values["reference"]) == (amount, booked, reference)


@pytest.mark.parametrize(
    ("field", "valued", "booked"),
    [
        ("2602300302", "2026-02-28", "2026-03-02"),
        ("2602290302", "2026-02-28", "2026-03-02"),
        ("2802300301", "2028-02-29", "2028-03-01"),
        ("2803010230", "2028-03-01", "2028-02-29"),
    ],
)
def test_a_day_that_only_a_february_of_thirty_days_has_is_its_last(
    tmp_path: Path, field: str, valued: str, booked: str
) -> None:
    (row,) = rows(tmp_path, statement(f":61:{field}DR12,50N033NONREF"))
    assert (row.values["value_date"], row.values["date"]) == (valued, booked)


@pytest.mark.parametrize(
    ("field", "name", "says"),
    [
        ("2611021102X10,50NTRF", None, "cannot be read"),
        ("2611021102C1.000,50NTRF", None, "cannot be read"),
        ("2611021102C10,505NTRF", "amount", "at most 2 decimals"),
        ("2613021102C10,50NTRF", "date", "no such day"),
        ("2611021199C10,50NTRF", "date", "no such day"),
        ("2602310302C10,50NTRF", "date", "no such day"),
        ("2611021102EC10,50NTRF", "status", "expected"),
        ("", None, "cannot be read"),
        ("x" * 9_000, None, "cannot be read"),
    ],
)
def test_a_wrong_entry_is_refused_by_itself_with_its_line(
    tmp_path: Path, field: str, name: str | None, says: str
) -> None:
    before, wrong, after = read(tmp_path, statement(":61:261102C1,NTRF", f":61:{field}", ":61:261102C1,NTRF"))
    assert isinstance(before, ImportRow)
    assert isinstance(after, ImportRow)
    assert isinstance(wrong, RowError)
    assert (wrong.line, wrong.field) == (6, name)
    assert says in wrong.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("105?20SVWZ+Rent?21for May?60and June", {"purpose": "Rent for May and June", "code": "105"}),
        ("020<20Oplata za<21fakture 7<27JAN KOWALSKI<38PL61109010140000071219812874",
         {"purpose": "Oplata za fakture 7 JAN KOWALSKI", "counterparty_account": "PL61109010140000071219812874"}),
        ("020~00152~20PRZELEW~21˙~22˙~32JAN~33˙~60˙",
         {"booking_text": "152", "purpose": "PRZELEW", "counterparty": "JAN"}),
        ("177?20EREF+E 1?21KREF+K?22MREF+M?23CRED+C?24SVWZ+What? Really?32A?33B",
         {"end_to_end_id": "E 1", "customer_reference": "K", "mandate_id": "M", "creditor_id": "C",
          "purpose": "What? Really", "counterparty": "A B"}),
        ("EREF+E1 SVWZ+Text with EREF in it", {"end_to_end_id": "E1", "purpose": "Text with EREF in it"}),
        ("/ORDP//NAME/ADA/REMI/STRD/CUR/9876543210/EREF/E1/",
         {"counterparty": "ADA", "purpose": "9876543210", "end_to_end_id": "E1"}),
        ("/CNTP///KLANT BV///REMI/USTD//Factuur 1/",
         {"counterparty": "KLANT BV", "counterparty_account": "", "purpose": "Factuur 1"}),
        ("/EREF/E1//CNTP//INGBNL2A/KLANT BV/AMSTERDAM//REMI/USTD//x/",
         {"counterparty": "KLANT BV", "counterparty_account": "", "end_to_end_id": "E1"}),
        ("/CNTP/NL20INGB0001234567/INGBNL2A/KLANT BV///REMI/USTD//x/",
         {"counterparty": "KLANT BV", "counterparty_account": "NL20INGB0001234567"}),
        ("/CNTP/NL20INGB0001234567", {"counterparty": "", "counterparty_account": "NL20INGB0001234567"}),
        ("A plain text\nof two lines", {"purpose": "A plain text of two lines"}),
        ("x" * 65 + "y", {"purpose": "x" * 65 + "y"}),
        ("x" * 65 + "\ny", {"purpose": "x" * 65 + "y"}),
        ("", {"purpose": ""}),
        ("???", {"purpose": "???"}),
        ("166?", {"purpose": "166?"}),
    ],
)  # fmt: skip
def test_field_86_is_read_in_the_forms_that_are_known_and_else_as_text(text: str, expected: dict[str, str]) -> None:
    details = read_details(text)
    assert {name: getattr(details, name) for name in expected} == expected


def test_equal_entries_are_counted_and_a_banks_reference_is_never_an_id_alone(tmp_path: Path) -> None:
    one, other = ":61:261102C1,00NTRFNONREF//DAY-1", ":61:261102D1,00NTRFNONREF//DAY-1"
    found = [row.external_id for row in rows(tmp_path, statement(one, other, one))]
    assert len(set(found)) == 3
    assert all(external_id.startswith("DAY-1-") for external_id in found)
    assert found[2] == f"{found[0]}-2"
    # The same entry in another statement, beside others.
    elsewhere = rows(tmp_path, statement(other, ":61:261102C7,NTRF"))
    assert elsewhere[0].external_id == found[1]


def test_an_entry_has_the_same_id_whatever_other_accounts_are_in_its_file(tmp_path: Path) -> None:
    ours, theirs = (statement(":61:261102C1,00NTRFNONREF//B1", account=account) for account in ("1", "2"))
    alone, beside = rows(tmp_path, ours), rows(tmp_path, ours + theirs)
    assert beside[0].external_id == alone[0].external_id != beside[1].external_id


def test_accounts_are_written_without_spaces_or_their_currency(tmp_path: Path) -> None:
    for written, account in (
        ("NL91 ABNA 0417 1643 00", "NL91ABNA0417164300"),
        ("NL91ABNA0417164300EUR", "NL91ABNA0417164300"),
        ("MU17BOMM0101101030300200000MUR", "MU17BOMM0101101030300200000MUR"),
        ("37040044/0532013000EUR", "37040044/0532013000"),
        ("123456789", "123456789"),
        ("/PL44102055610000380209739045", "PL44102055610000380209739045"),
    ):
        (row,) = rows(tmp_path, statement(":61:261102C1,NTRF", account=written))
        assert row.values["account"] == account


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (statement(":61:261102C1,NTRF").replace(":62F:", ":99X:"), "cut off"),
        (statement(":61:261102C1,NTRF")[:60], "cut off"),
        (statement().replace(":62F:C261101EUR0,00\n-\n", "") + statement(), "cut off"),
        (":61:261102C1,NTRF\n", "outside of a statement"),
        (statement().replace(":60F:C261101EUR", ":60F:zero"), "opening balance"),
        (statement(":34F:EUR0,00"), "MT942"),
        ("hello\n", "not MT940"),
        (statement("x" * 20_000), "longer than 10,000"),
    ],
)
def test_a_file_that_is_cut_off_or_something_else_is_one_clear_error(tmp_path: Path, content: str, says: str) -> None:
    assert says in refusal(tmp_path, content)


def test_a_field_without_end_takes_no_more_memory_than_its_bound(tmp_path: Path) -> None:
    content = statement(":61:261102C1,NTRF", ":86:begin", *["x" * 1_000] * 5_000)
    (wrong,) = read(tmp_path, content)
    assert isinstance(wrong, RowError)
    assert wrong.field == "description"


def test_the_well_known_parser_reads_the_same_amounts_and_dates(tmp_path: Path) -> None:
    """mt-940: it holds the whole file, stops at the first wrong entry, and takes a reversed credit for money in."""
    written = write_files(tmp_path, generate_groups(3, 400))
    generated = rewrite(written.statement, "mt940").read_bytes().decode()
    for content in (MT940_GERMAN, MT940_DUTCH, generated):
        theirs = [item.data for item in mt940.parse(content, options=SIGNED)]
        ours = [row.values for row in rows(tmp_path, content)]
        assert ours
        assert [Decimal(values["amount"]) for values in ours] == [data["amount"].amount for data in theirs]
        assert [values["value_date"] for values in ours] == [data["date"].isoformat() for data in theirs]
        assert [values["date"] for values in ours] == [
            data.get("entry_date", data["date"]).isoformat() for data in theirs
        ]
