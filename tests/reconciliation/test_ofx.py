from __future__ import annotations

from pathlib import Path

import pytest

from realtime_server.errors import CollaborationError
from realtime_server.reconciliation.csv_rows import ImportRow, RowError
from realtime_server.reconciliation.ofx import open_ofx
from tests.reconciliation.bank_reader import BankReader
from tests.reconciliation.bank_samples import OFX_1, OFX_2


def ofx(*transactions: str, currency: str = "USD", account: str = "1") -> str:
    head = f"<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>{currency}<BANKACCTFROM><ACCTID>{account}</BANKACCTFROM>\n"
    return f"OFXHEADER:100\n\n{head}<BANKTRANLIST>\n{''.join(transactions)}</BANKTRANLIST></STMTRS></STMTTRNRS></OFX>\n"


def transaction(**members: str) -> str:
    usual = {"TRNTYPE": "OTHER", "DTPOSTED": "20261102", "TRNAMT": "1.00", "FITID": "1", "NAME": "N"}
    return "<STMTTRN>" + "".join(f"<{name}>{value}\n" for name, value in {**usual, **members}.items()) + "</STMTTRN>\n"


READER = BankReader(open_ofx, "statement.qfx")
read, rows = READER.read, READER.rows


def test_sgml_without_closing_tags_is_read(tmp_path: Path) -> None:
    bill, paid = rows(tmp_path, OFX_1)
    assert (bill.line, bill.external_id) == (18, "123456789:202611020001")
    assert bill.values == {
        "date": "2026-11-02",
        "amount": "-42.10",
        "currency": "USD",
        "description": "AT&T WIRELESS Bill & fees <October>",
        "reference": "1042",
        "account": "123456789",
        "counterparty": "AT&T WIRELESS",
        "transaction_code": "DEBIT",
    }
    assert (paid.line, paid.values["amount"], paid.values["value_date"]) == (27, "1250.00", "2026-11-04")


def test_xml_is_read_as_well_with_its_comments_and_cdata(tmp_path: Path) -> None:
    lunch, refund = rows(tmp_path, OFX_2)
    assert (lunch.values["amount"], lunch.values["currency"], lunch.values["original_currency"]) == (
        "-12.50", "EUR", "CHF",
    )  # fmt: skip
    assert lunch.values["description"] == "Café Zürich Lunch <2> & tip"
    assert (refund.values["amount"], refund.values["currency"]) == ("5.00", "USD")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", " "])
def test_every_line_end_and_none_gives_the_same_values(tmp_path: Path, end: str) -> None:
    content = OFX_2.replace("\n", end)
    assert [row.values for row in rows(tmp_path, content)] == [row.values for row in rows(tmp_path, OFX_2)]


def test_windows_letters_and_utf_8_are_both_read(tmp_path: Path) -> None:
    for encoding in ("utf-8", "cp1252"):
        (row,) = rows(tmp_path, ofx(transaction(NAME="Café")).encode(encoding))
        assert row.values["counterparty"] == "Café"


@pytest.mark.parametrize(
    ("written", "amount"),
    [("-5", "-5.00"), ("+5.5", "5.50"), ("5,25", "5.25"), ("-1,234.56", "-1234.56"), (".5", "0.50"),
     ("1234567890123456.78", "1234567890123456.78"), ("1.2300", "1.23")],
)  # fmt: skip
def test_amounts_are_exact(tmp_path: Path, written: str, amount: str) -> None:
    (row,) = rows(tmp_path, ofx(transaction(TRNAMT=written)))
    assert row.values["amount"] == amount


@pytest.mark.parametrize(
    ("members", "field", "says"),
    [
        ({"TRNAMT": "1,234"}, "amount", "at most 2 decimals"),
        ({"TRNAMT": "1.234.567"}, "amount", "not an amount"),
        ({"TRNAMT": "1e5"}, "amount", "not an amount"),
        ({"TRNAMT": ""}, "amount", "missing"),
        ({"DTPOSTED": ""}, "date", "missing"),
        ({"DTPOSTED": "11/02/2026"}, "date", "not a date"),
        ({"DTPOSTED": "20260230"}, "date", "no such day"),
        ({"FITID": "1"}, "external_id", "already on line 5"),
        ({"CORRECTFITID": "1", "CORRECTACTION": "DELETE"}, None, "withdraws"),
    ],
)
def test_a_wrong_transaction_is_refused_by_itself_with_its_line(
    tmp_path: Path, members: dict[str, str], field: str | None, says: str
) -> None:
    wrong = transaction(**{"FITID": "2", **members})
    before, refused, after = read(tmp_path, ofx(transaction(), wrong, transaction(FITID="3")))
    assert isinstance(before, ImportRow)
    assert isinstance(after, ImportRow)
    assert isinstance(refused, RowError)
    assert (refused.line, refused.field) == (11, field)
    assert says in refused.message


def test_a_correction_is_about_the_record_that_it_replaces(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, ofx(transaction(FITID="9", CORRECTFITID="1", CORRECTACTION="REPLACE", TRNAMT="2.00")))
    assert (row.external_id, row.values["amount"]) == ("1:1", "2.00")


def test_an_id_that_a_bank_gives_to_something_else_as_well_is_told_apart_by_content(tmp_path: Path) -> None:
    hotel, fee = transaction(TRNAMT="-80.00", NAME="HOTEL"), transaction(TRNAMT="-2.40", NAME="FOREIGN FEE")
    found = rows(tmp_path, ofx(hotel, fee))
    assert [row.values["amount"] for row in found] == ["-80.00", "-2.40"]
    assert found[0].external_id == "1:1"
    assert found[1].external_id.startswith("1:1-")
    assert [row.external_id for row in rows(tmp_path, ofx(hotel, fee).replace("\n", " "))] == [
        row.external_id for row in found
    ]
    # The same transaction twice is one, wherever in the file it is.
    for end in ("\n", " "):
        _, _, again = read(tmp_path, ofx(hotel, fee, fee).replace("\n", end))
        assert isinstance(again, RowError)
        assert "already on line" in again.message


def test_a_correction_beside_what_it_corrects_is_no_second_record(tmp_path: Path) -> None:
    wrong, right = transaction(), transaction(FITID="9", CORRECTFITID="1", CORRECTACTION="REPLACE", TRNAMT="2.00")
    for both in ((wrong, right), (right, wrong)):
        first, second = read(tmp_path, ofx(*both))
        assert isinstance(first, ImportRow)
        assert isinstance(second, RowError)
        assert "already on line 5" in second.message


def test_a_transaction_without_an_id_is_known_by_its_content(tmp_path: Path) -> None:
    found = rows(tmp_path, ofx(transaction(FITID=""), transaction(FITID=""), transaction(FITID="x" * 255)))
    first = [row.external_id for row in rows(tmp_path, ofx(transaction(FITID="")))]
    assert found[0].external_id == first[0]
    assert len({row.external_id for row in found}) == 3
    assert len(found[2].external_id) < 40


def test_ids_of_several_accounts_do_not_meet(tmp_path: Path) -> None:
    content = ofx(transaction()).replace("</OFX>\n", "") + ofx(transaction(), account="2").partition("\n\n<OFX>")[2]
    assert [row.external_id for row in rows(tmp_path, content)] == ["1:1", "2:1"]
    assert [row.external_id for row in rows(tmp_path, ofx(transaction(), account="2"))] == ["2:1"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (OFX_1[:-60], "cut off"),
        ("OFXHEADER:100\n", "cut off"),
        ("<OFX><SIGNONMSGSRSV1></SIGNONMSGSRSV1></OFX>", "no statement"),
        (OFX_2.replace("<OFX>", '<!DOCTYPE OFX [<!ENTITY a "b">]><OFX>'), "document type"),
        (OFX_2.replace("<OFX>", '<!DOCTYPE OFX SYSTEM "file:///etc/passwd"><OFX>'), "document type"),
        (ofx(transaction(MEMO="x" * 300_000)), "does not end"),
        (OFX_2.replace("-->", ""), "cut off"),
        (OFX_2.replace("<!-- a", f"<!-- {'x' * 300_000}"), "does not end"),
    ],
)
def test_a_file_that_is_cut_off_or_hostile_is_one_clear_error(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(CollaborationError) as error:
        read(tmp_path, content)
    assert error.value.code == "invalid"
    assert says in error.value.message


def test_entities_that_ofx_does_not_have_stay_as_they_are_written(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, ofx(transaction(NAME="A &copy; &#65;&#x42; &xxe; &#0; R&D")))
    assert row.values["counterparty"] == "A &copy; AB &xxe; &#0; R&D"


def test_tags_that_fall_on_the_end_of_a_portion_are_whole(tmp_path: Path) -> None:
    """Files are read in portions of 64 Ki characters: shift everything across the border."""
    for shift in range(65_536 - 150, 65_536):
        content = OFX_2.replace("<OFX>", f"<OFX>{' ' * (shift - OFX_2.index('<STMTTRN><TRNTYPE>POS'))}")
        assert [row.values["amount"] for row in rows(tmp_path, content)] == ["-12.50", "5.00"]
