from __future__ import annotations

from pathlib import Path

import pytest

from realtime_server.errors import CollaborationError
from realtime_server.reconciliation.camt import open_camt
from realtime_server.reconciliation.csv_rows import ImportRow, RowError
from tests.reconciliation.bank_reader import BankReader
from tests.reconciliation.bank_samples import CAMT_02, CAMT_08, IBAN, ISO, camt, camt_entry, camt_statement, part

READER = BankReader(open_camt, "statement.xml")
read, rows, refusal = READER.read, READER.rows, READER.refusal


def bank_name(row: ImportRow) -> str:
    """Its id without the digits that are made of the entry."""
    name, _, digits = row.external_id.rpartition("-")
    assert len(digits) == 8
    return name


def test_an_entry_has_everything_that_helps_to_match_it(tmp_path: Path) -> None:
    first, fee = rows(tmp_path, CAMT_02)
    assert (first.line, first.external_id) == (7, "2026110200017-5fae4003")
    assert first.values == {
        "date": "2026-11-02",
        "value_date": "2026-11-03",
        "amount": "10.50",
        "currency": "EUR",
        "description": "Invoice 4711 of 1 October",
        "reference": "E2E-17",
        "account": IBAN,
        "counterparty": "Müller & Söhne GmbH",
        "counterparty_account": "DE02120300000000202051",
        "bank_reference": "2026110200017",
        "end_to_end_id": "E2E-17",
        "mandate_id": "MANDATE-4",
        "transaction_code": "PMNT/RCDT/ESCT",
    }
    assert (fee.values["amount"], fee.values["description"]) == ("-7.00", "ACCOUNT FEE")


@pytest.mark.parametrize("version", [f"{number:02}" for number in range(2, 14)])
def test_every_version_says_the_same(tmp_path: Path, version: str) -> None:
    for content in (CAMT_02, CAMT_08):
        other = content.replace(f"{ISO}02", f"{ISO}{version}").replace(f"{ISO}08", f"{ISO}{version}")
        assert read(tmp_path, other) == read(tmp_path, content)


def test_newer_versions_have_parties_codes_and_instants_elsewhere(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, CAMT_08)
    assert bank_name(row) == "REF-8"
    assert (row.values["amount"], row.values["date"]) == ("-99.00", "2026-11-02")
    assert (row.values["counterparty"], row.values["counterparty_account"]) == ("Acme Inc", "0012345")
    assert row.values["original_amount"] == "107.91 USD"
    # Money out bears our own id, money in the reference of our invoice.
    assert (row.values["reference"], row.values["description"]) == ("OUR-PAYMENT-9", "RF18539007547034")
    (money_in,) = rows(tmp_path, CAMT_08.replace("DBIT", "CRDT"))
    assert money_in.values["reference"] == "RF18539007547034"
    assert money_in.values["counterparty"] == "We Ltd"


def test_prefixes_wrappers_and_other_encodings_are_xml_as_well(tmp_path: Path) -> None:
    prefixed = CAMT_02.replace("</", "</n:").replace("<", "<n:").replace("<n:/n:", "</n:").replace("<n:?xml", "<?xml")
    prefixed = prefixed.replace("xmlns=", "xmlns:n=")
    wrapped = CAMT_02.replace("<Document", '<Envelope xmlns="urn:x"><AppHdr><To>us</To></AppHdr><Document')
    wrapped = wrapped.replace("</Document>", "</Document></Envelope>")
    latin = CAMT_02.replace('encoding="UTF-8"', 'encoding="ISO-8859-1"').encode("latin-1")
    wide = CAMT_02.replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")
    bare = CAMT_02.replace(f' xmlns="{ISO}02"', "")
    usual = read(tmp_path, CAMT_02)
    for content in (prefixed, wrapped, latin, bare, CAMT_02.replace("\n", "\r\n"), wide):
        assert read(tmp_path, content) == usual


def test_a_batch_comes_as_its_parts_where_they_add_up_to_it(tmp_path: Path) -> None:
    parts = part("60.00", text="INV-1") + part("50", text="INV-2") + part("10.00", "DBIT", text="fee")
    found = rows(tmp_path, camt(camt_entry("100.00", reference="B1", details=parts)))
    assert [(bank_name(row), row.values["amount"], row.values["description"]) for row in found] == [
        ("B1/1", "60.00", "INV-1"),
        ("B1/2", "50.00", "INV-2"),
        ("B1/3", "-10.00", "fee"),
    ]
    assert [row.line for row in found] == [10, 11, 12]
    assert {row.values["batch_reference"] for row in found} == {"B1"}


@pytest.mark.parametrize(
    "parts",
    [
        part("60.00") + part("39.99"),
        part("60.00") + part("40.00", currency="USD"),
        part("60.00") + part("40.001"),
        part("60.00") + "<TxDtls><Refs><EndToEndId>x</EndToEndId></Refs></TxDtls>",
    ],
    ids=["another sum", "another currency", "too exact", "no amount"],
)
def test_a_batch_whose_parts_do_not_add_up_comes_as_one(tmp_path: Path, parts: str) -> None:
    batch = f"<Btch><PmtInfId>PAY-9</PmtInfId></Btch>{parts}"
    (row,) = rows(tmp_path, camt(camt_entry("100.00", reference="B1", details=batch)))
    assert (bank_name(row), row.values["amount"], row.values["reference"]) == ("B1", "100.00", "PAY-9")


def test_a_batch_with_more_parts_than_are_kept_comes_as_one(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, camt(camt_entry("20010.00", reference="B1", details=part("1.00") * 20_010)))
    assert row.values["amount"] == "20010.00"


def test_a_reversal_has_its_own_sign_parties_and_id(tmp_path: Path) -> None:
    parties = (
        "<TxDtls><RltdPties><Dbtr><Nm>We Ltd</Nm></Dbtr><Cdtr><Nm>Acme</Nm></Cdtr></RltdPties></TxDtls>"
    )
    paid = camt_entry("5.00", "DBIT", reference="R1", details=parties)
    returned = camt_entry("5.00", "CRDT", reference="R1", details=parties, reversal=True)
    found = rows(tmp_path, camt(paid, returned))
    assert [(bank_name(row), row.values["amount"], row.values["counterparty"]) for row in found] == [
        ("R1", "-5.00", "Acme"),
        ("R1-R", "5.00", "Acme"),
    ]


def test_entries_without_a_banks_reference_keep_their_ids_in_statements_that_overlap(tmp_path: Path) -> None:
    charge, other = camt_entry("1.00", "DBIT", info="CHARGE"), camt_entry("2.00", reference="NOTPROVIDED")
    first = [row.external_id for row in rows(tmp_path, camt(charge))]
    both = [row.external_id for row in rows(tmp_path, camt(other, charge, charge, version="08"))]
    assert first[0] == both[1]
    assert len(set(both)) == 3


def test_ids_of_several_accounts_do_not_meet(tmp_path: Path) -> None:
    entry = camt_entry(reference="1")
    content = camt(entry).replace("</BkToCstmrStmt>", f"{camt_statement(entry, iban='X2')}</BkToCstmrStmt>")
    first, other = (row.external_id for row in rows(tmp_path, content))
    assert first != other
    # Whatever else is in a file, an entry has the id that it has in a file by itself.
    assert [row.external_id for row in rows(tmp_path, camt(entry))] == [first]
    assert [row.external_id for row in rows(tmp_path, camt(entry, iban="X2"))] == [other]


def test_entries_that_share_a_banks_reference_have_ids_of_their_own(tmp_path: Path) -> None:
    later = "<BookgDt><Dt>2026-11-03</Dt></BookgDt>"
    wire, fee = camt_entry("100", "DBIT", reference="W-77"), camt_entry("100", "DBIT", reference="W-77", dates=later)
    (alone,) = rows(tmp_path, camt(fee))
    both = rows(tmp_path, camt(wire, fee.replace(">100<", ">100.00<")))
    assert both[0].external_id != both[1].external_id == alone.external_id
    # A reference that looks like one that was counted is another one.
    lookalikes = camt(*(camt_entry(amount, reference=name) for amount, name in (("1", "A"), ("2", "A"), ("2", "A-2"))))
    assert len({row.external_id for row in rows(tmp_path, lookalikes)}) == 3


@pytest.mark.parametrize(
    ("entry", "field", "says"),
    [
        (camt_entry(status="<Sts>PDNG</Sts>"), "status", "not booked"),
        (camt_entry(status="<Sts><Cd>INFO</Cd></Sts>"), "status", "not booked"),
        (camt_entry(mark="X"), "amount", "neither credit"),
        (camt_entry("-1.00"), "amount", "no sign of its own"),
        (camt_entry("1.001"), "amount", "at most 2 decimals"),
        (camt_entry("1e3"), "amount", "not an amount"),
        (camt_entry(""), "amount", "missing"),
        (camt_entry(currency="euro"), "currency", "three upper-case letters"),
        (camt_entry(dates=""), "date", "missing"),
        (camt_entry(dates="<BookgDt><Dt>2026-02-30</Dt></BookgDt>"), "date", "no such day"),
        (camt_entry(info="x" * 5_000), "description", "at most 4000"),
    ],
)
def test_a_wrong_entry_is_refused_by_itself_with_its_line(tmp_path: Path, entry: str, field: str, says: str) -> None:
    before, wrong, after = read(tmp_path, camt(camt_entry(), entry, camt_entry()))
    assert isinstance(before, ImportRow)
    assert isinstance(after, ImportRow)
    assert isinstance(wrong, RowError)
    assert (wrong.line, wrong.field) == (10, field)
    assert says in wrong.message


def test_amounts_are_exact_however_many_zeros_or_digits_they_have(tmp_path: Path) -> None:
    amounts = ("0.1", "10.50000", "9999999999999999.99", "7")
    found = rows(tmp_path, camt(*(camt_entry(amount) for amount in amounts)))
    assert [row.values["amount"] for row in found] == ["0.10", "10.50", "9999999999999999.99", "7.00"]
    (dinar,) = rows(tmp_path, camt(camt_entry("1.234", currency="KWD")))
    assert dinar.values["amount"] == "1.234"


ENTITY_BOMB = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True)
) + "]>\n"  # fmt: skip


@pytest.mark.parametrize(
    "head",
    [
        ENTITY_BOMB,
        '<!DOCTYPE d SYSTEM "file:///etc/passwd">\n',
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n',
        '<!DOCTYPE d [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]>\n',
        "<!DOCTYPE d>\n",
    ],
)
def test_a_document_type_is_refused_before_anything_in_it_is_read(tmp_path: Path, head: str) -> None:
    assert "DOCTYPE" in refusal(tmp_path, camt(camt_entry(info="&i;&x;"), head=head))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("<", "not well-formed"),
        (CAMT_02[:-40], "not well-formed"),
        (CAMT_02 + "<more/>", "not well-formed"),
        (CAMT_02.replace("ACCOUNT FEE", "&unknown;"), "not well-formed"),
        (CAMT_02.replace('encoding="UTF-8"', 'encoding="klingon"'), "XML"),
        (CAMT_02.encode().replace(b"ACCOUNT", b"\xff\xfe"), "not well-formed"),
        ("<html><body>Please log in</body></html>", "a web page"),
        ("<rss/>", "begins with 'rss'"),
        (CAMT_02.replace("BkToCstmrStmt", "BkToCstmrAcctRpt"), "camt.052"),
        (CAMT_02.replace("BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn"), "camt.054"),
        ("<a>" * 5_000 + "</a>" * 5_000, "nested too deeply"),
        (camt("<x>" * 200 + "</x>" * 200), "nested too deeply"),
        (camt(f"<!-- {'x' * 3_000_000} -->"), "does not end"),
        (camt(f'<x y="{"x" * 3_000_000}"/>'), "does not end"),
    ],
)
def test_a_file_that_is_broken_hostile_or_something_else_is_one_clear_error(
    tmp_path: Path, content: str | bytes, says: str
) -> None:
    assert says in refusal(tmp_path, content)


def test_a_file_that_breaks_off_is_refused_before_the_first_row(tmp_path: Path) -> None:
    path = tmp_path / "statement.xml"
    path.write_text(camt(*(camt_entry() for _ in range(2_000)))[:-60])
    with pytest.raises(CollaborationError, match="not well-formed"):
        open_camt(path)


def test_a_file_that_is_changed_after_the_first_look_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "statement.xml"
    path.write_text(CAMT_02)
    file = open_camt(path)
    path.write_text(CAMT_08)
    with pytest.raises(CollaborationError, match="changed while it was read"):
        list(file)


def test_a_statement_of_a_quiet_day_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, camt()) == []


def test_a_file_with_too_many_entries_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "statement.xml"
    path.write_text(camt(camt_entry(details=part("1.00") * 3)))
    assert open_camt(path, max_rows=3).rows == 3
    with pytest.raises(CollaborationError, match="more than 2 entries"):
        open_camt(path, max_rows=2)
