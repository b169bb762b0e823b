"""Columns are found by name or as told, and a name that is unsafe or missing refuses the file, not a row."""

from __future__ import annotations

import pytest

from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.reconciliation.csv_columns import ColumnMapping, resolve_columns
from realtime_server.reconciliation.csv_rows import ImportRow
from tests.reconciliation.files import Opener, errors_of, rows_of


@pytest.mark.parametrize(
    "header",
    [
        "external_id,date,amount,currency,description,reference",
        "ID,Date,Amount,Currency,Memo,Ref",
        "Transaction ID,Posting Date,AMOUNT,CCY,Narrative,Check No.",
        "txn_id,booking-date,Transaction Amount,Currency Code,Details,Invoice Number",
        "FITID,Value Date,amt,cur,Particulars,Reference No",
        "TransactionId,PostingDate,TransactionAmount,CurrencyCode,Memo,CheckNumber",
        "FitId,BookingDate,netAmount,Currency,Text,DocNo",
    ],
)
def test_common_names_of_columns_are_known(opened: Opener, header: str) -> None:
    (row,) = rows_of(opened(f"{header}\nA1,2026-10-01,5.00,EUR,Paper,R1\n"))
    assert row.external_id == "A1"
    assert row.values == {
        "date": "2026-10-01", "amount": "5.00", "currency": "EUR", "description": "Paper", "reference": "R1",
    }  # fmt: skip


def test_of_two_columns_for_one_meaning_the_preferred_is_taken_and_the_other_kept_as_a_field() -> None:
    columns = resolve_columns(["Value date", "Posting date", "amount", "currency"], ColumnMapping())
    assert columns.date == 1
    assert columns.free == ((0, "Value date"),)


def test_remaining_columns_become_fields_under_their_own_names(opened: Opener) -> None:
    (row,) = rows_of(opened("id,date,amount,currency,Cost centre,Größe\nA1,2026-10-01,5,EUR,42,XL\n"))
    assert row.values["Cost centre"] == "42"
    assert row.values["Größe"] == "XL"


def test_a_column_that_the_file_does_not_have_says_nothing(opened: Opener) -> None:
    (row,) = rows_of(opened("id,date,amount,currency,reference\nA1,2026-10-01,5,EUR,\n"))
    assert row.values["reference"] == ""
    assert "description" not in row.values


def test_free_fields_that_a_session_knows_by_name_have_the_form_that_edits_need(opened: Opener) -> None:
    row, empty = rows_of(
        opened(
            "id,date,amount,currency,fee,due_date,tags\n"
            'A1,01/10/2026,"1.234,50",EUR,"0,5",31/10/2026,a;b\n'
            'A2,02/10/2026,"1,00",EUR,,,\n'
        )
    )
    assert (row.values["fee"], row.values["due_date"], row.values["file_tags"]) == ("0.50", "2026-10-31", "a;b")
    assert (empty.values["fee"], empty.values["due_date"]) == ("", "")


def test_a_second_column_of_dates_written_the_other_way_is_not_guessed_at(opened: Opener) -> None:
    with pytest.raises(CollaborationError, match="both ways"):
        opened("id,date,amount,currency,due_date\nA1,10/31/2026,5,EUR,30/11/2026\n")
    with pytest.raises(CollaborationError, match="begins with the day or the month"):
        opened("id,date,amount,currency,due_date\nA1,2026-10-31,5,EUR,04/05/2026\n")


def test_free_fields_that_a_session_knows_by_name_are_refused_where_they_cannot_be_read(opened: Opener) -> None:
    file = opened("id,date,amount,currency,fee,due_date\nA1,2026-10-31,5,EUR,much,\nA2,2026-10-31,5,EUR,1,soon\n")
    assert errors_of(file) == [(2, "fee"), (3, "due_date")]


def test_a_mapping_names_the_columns_and_the_rest_is_found(opened: Opener) -> None:
    mapping = ColumnMapping(amount="Gross", date="When", rename={"Fee": "bank_fee"}, ignore=("Junk",))
    (row,) = rows_of(
        opened("id,When,date,amount,Gross,currency,Fee,Junk\nA1,2026-10-01,x,9,5,EUR,1,2\n", mapping=mapping)
    )
    assert (row.values["amount"], row.values["date"]) == ("5.00", "2026-10-01")
    assert (row.values["bank_fee"], row.values["file_amount"], row.values["file_date"]) == ("1", "9", "x")
    assert "Junk" not in row.values


@pytest.mark.parametrize("name", ["status", "Status", "source", "assignee", "record_id"])
def test_a_name_that_a_session_uses_itself_is_kept_under_another(opened: Opener, name: str) -> None:
    (row,) = rows_of(opened(f"id,date,amount,currency,{name}\nA1,2026-10-01,5,EUR,cleared\n"))
    assert row.values[f"file_{name}"] == "cleared"
    assert name not in row.values


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.b", "no point"),
        ("$set", "dollar"),
        ("__proto__", "JavaScript"),
        ("constructor", "JavaScript"),
        ("prototype", "JavaScript"),
        ("x" * 65, "1 to 64"),
        ("a\x07b", "control"),
        ("a\0b", "control"),
        ("a\u202eb", "control"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_an_unsafe_name_of_a_field_refuses_the_file_until_it_is_renamed_or_ignored(name: str, says: str) -> None:
    header = ["date", "amount", "currency", name]
    with pytest.raises(CollaborationError, match=says) as refused:
        resolve_columns(header, ColumnMapping())
    assert refused.value.code is ErrorCode.INVALID
    assert resolve_columns(header, ColumnMapping(rename={name: "safe"})).free == ((3, "safe"),)
    assert resolve_columns(header, ColumnMapping(ignore=(name,))).free == ()
    with pytest.raises(CollaborationError, match=says):
        resolve_columns(["date", "amount", "currency", "fine"], ColumnMapping(rename={"fine": name}))


@pytest.mark.parametrize(
    ("header", "mapping", "says"),
    [
        (["amount", "currency"], ColumnMapping(), "no column for the date"),
        (["date", "currency"], ColumnMapping(), "no column for the amount"),
        (["date", "debit"], ColumnMapping(), "no column for the amount"),
        (["date", "amount"], ColumnMapping(date="When"), "no column 'When'"),
        (["date", "amount"], ColumnMapping(ignore=("When",)), "no column 'When'"),
        (["date", "amount"], ColumnMapping(rename={"When": "x"}), "no column 'When'"),
        (["date", "amount"], ColumnMapping(date="date", amount="date"), "mapped twice"),
        (["date", "a", "debit", "credit"], ColumnMapping(amount="a", debit="debit", credit="credit"), "either"),
        (["date", "debit", "credit", "way"], ColumnMapping(direction="way"), "goes with an amount"),
        (["date", "amount", "x", "x"], ColumnMapping(), "two columns are named 'x'"),
        (["date", "amount", "x", "y"], ColumnMapping(rename={"y": "x"}), "two columns would become"),
        (["date", "", "amount"], ColumnMapping(), "column 2 has no name"),
        (["date", "amount", *(f"f{n}" for n in range(99))], ColumnMapping(), "101 columns"),
        (["date", "amount", *(f"f{n}" for n in range(98))], ColumnMapping(), "at most 100 fields"),
    ],
)
def test_a_header_that_does_not_fit_refuses_the_file(header: list[str], mapping: ColumnMapping, says: str) -> None:
    with pytest.raises(CollaborationError, match=says) as refused:
        resolve_columns(header, mapping)
    assert refused.value.code is ErrorCode.INVALID


def test_a_delimiter_at_the_end_of_every_line_is_no_column(opened: Opener) -> None:
    assert len(rows_of(opened("id,date,amount,currency,\nA1,2026-10-01,5,EUR,\nA2,2026-10-01,5,EUR\n"))) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n \n\n", "no columns found"),
        (b"date\n2026-10-01\n", "no columns found"),
        (b"PK\x03\x04zip", "Excel"),
        (b"\xd0\xcf\x11\xe0old", "Excel"),
        ("date,amount\n".encode("utf-16-le"), "binary zeros"),
        (b"date,amount,\x81\n", "not readable"),
        (b"\xff\xfed\x00a", "not readable as utf-16"),
        (b"\xff\xfed\x00\x00\xd8,\x00", "not readable as utf-16"),  # half of a surrogate pair
        (b"date,amount\n2026-10-01,5\n", "no column for the currency"),
    ],
)
def test_what_is_no_table_of_records_is_refused_with_a_reason(opened: Opener, content: bytes, says: str) -> None:
    with pytest.raises(CollaborationError, match=says) as refused:
        opened(content)
    assert refused.value.code is ErrorCode.INVALID


def test_a_header_alone_is_a_file_of_no_rows(opened: Opener) -> None:
    file = opened("date,amount,currency\n")
    assert (file.format.rows, list(file)) == (0, [])


def test_a_default_currency_serves_where_the_file_names_none(opened: Opener) -> None:
    (row,) = rows_of(opened("date,amount\n2026-10-01,5\n", default_currency="JPY"))
    assert (row.values["amount"], row.values["currency"]) == ("5", "JPY")
    rows = rows_of(opened("date,amount,ccy\n2026-10-01,5,\n2026-10-01,6,eur\n", default_currency="USD"))
    assert [row.values["currency"] for row in rows] == ["USD", "EUR"]


@pytest.mark.parametrize(
    "options",
    [{"default_currency": "euro"}, {"delimiter": ":"}, {"decimal": "'"}, {"date_format": "whatever"}],
    ids=str,
)
def test_an_unknown_option_is_refused(opened: Opener, options: dict[str, str]) -> None:
    with pytest.raises(CollaborationError) as refused:
        opened("date,amount,currency\n2026-10-01,5,EUR\n", **options)
    assert refused.value.details["option"] in options


@pytest.mark.parametrize(("money_in", "sign"), [("credit", ""), ("debit", "-")])
def test_a_debit_and_credit_pair_is_signed_by_which_of_them_is_money_in(
    opened: Opener, money_in: str, sign: str
) -> None:
    content = "date,Money out,Money in,currency\n2026-10-01,,5.00,EUR\n2026-10-01,0.00,5,EUR\n2026-10-01,7,,EUR\n"
    amounts = [row.values["amount"] for row in rows_of(opened(content, money_in=money_in))]
    assert amounts == [f"{sign}5.00", f"{sign}5.00", "7.00" if sign else "-7.00"]


def test_a_pair_with_both_with_neither_or_with_a_sign_is_a_row_error(opened: Opener) -> None:
    content = (
        "date,debit,credit,currency\n2026-10-01,1,2,EUR\n2026-10-01,,,EUR\n2026-10-01,-1,,EUR\n2026-10-01,,x,EUR\n"
    )
    assert errors_of(opened(content)) == [(2, "amount"), (3, "amount"), (4, "debit"), (5, "credit")]


@pytest.mark.parametrize(("money_in", "amounts"), [("credit", ["-5.00", "7.00"]), ("debit", ["5.00", "-7.00"])])
def test_an_amount_beside_a_debit_or_credit_mark_is_signed_by_it(
    opened: Opener, money_in: str, amounts: list[str]
) -> None:
    content = "date,amount,DR/CR,currency\n2026-10-01,5,DR,EUR\n2026-10-01,7,Credit,EUR\n"
    assert [row.values["amount"] for row in rows_of(opened(content, money_in=money_in))] == amounts


@pytest.mark.parametrize("name", ["CreditDebitIndicator", "Transaction Type", "TxnType", "Type"])
def test_a_column_of_directions_is_used_where_no_amount_has_a_sign(opened: Opener, name: str) -> None:
    content = f"date,amount,{name},currency\n2026-10-01,5,debit,EUR\n2026-10-01,7,CRDT,EUR\n"
    rows = rows_of(opened(content))
    assert [row.values["amount"] for row in rows] == ["-5.00", "7.00"]


def test_a_row_is_the_same_in_a_file_that_has_a_sign_somewhere_else(opened: Opener) -> None:
    first, second = "2026-10-01,7,credit,EUR\n", "2026-10-02,-5,debit,EUR\n"
    (alone,) = rows_of(opened(f"date,amount,Type,currency\n{first}"))
    beside, _ = rows_of(opened(f"date,amount,Type,currency\n{first}{second}"))
    assert beside == alone


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("Type", "-5,debit", "7,credit"), ("Type", "5,debit", "(7),credit"), ("Type", "5,debit", "7-,credit"),
     ("Type", "5,debit", "7,transfer"), ("Way", "5,debit", "7,transfer"), ("Way", "-5,debit", "7,credit"),
     ("Way", "5,", "7,")],
)  # fmt: skip
def test_a_column_is_no_direction_where_amounts_have_signs_or_it_says_something_else(
    opened: Opener, name: str, first: str, second: str
) -> None:
    rows = rows_of(opened(f"date,amount,{name},currency\n2026-10-01,{first},EUR\n2026-10-01,{second},EUR\n"))
    assert [row.values["amount"].lstrip("-") for row in rows] == ["5.00", "7.00"]
    assert name in rows[0].values


@pytest.mark.parametrize("marks", [("DR", "CR"), ("D", "D"), ("DBIT", "")])
def test_directions_under_an_unknown_name_are_refused_until_the_column_is_mapped_or_set_aside(
    opened: Opener, marks: tuple[str, str]
) -> None:
    content = "date,amount,Way,currency\n" + "".join(f"2026-10-01,5,{mark},EUR\n" for mark in marks)
    with pytest.raises(CollaborationError, match="--map direction='Way'") as refused:
        opened(content)
    assert refused.value.details == {"field": "direction"}
    first, *_ = opened(content, mapping=ColumnMapping(direction="Way"))
    assert isinstance(first, ImportRow)
    assert first.values["amount"] == "-5.00"
    for mapping in (ColumnMapping(direction=""), ColumnMapping(ignore=("Way",))):
        assert [row.values["amount"] for row in rows_of(opened(content, mapping=mapping))] == ["5.00", "5.00"]


def test_a_mark_that_is_missing_or_stands_beside_a_sign_is_a_row_error_until_the_mark_is_set_aside(
    opened: Opener,
) -> None:
    content = "date,amount,direction,currency\n2026-10-01,5,,EUR\n2026-10-01,-7,DBIT,EUR\n"
    assert errors_of(opened(content)) == [(2, "direction"), (3, "amount")]
    rows = rows_of(opened(content, mapping=ColumnMapping(direction="")))
    assert [(row.values["amount"], row.values["direction"]) for row in rows] == [("5.00", ""), ("-7.00", "DBIT")]


def test_more_rows_than_allowed_refuse_the_file_before_any_is_handed_out(opened: Opener) -> None:
    with pytest.raises(CollaborationError, match="more than 2 rows"):
        opened("date,amount,currency\n" + "2026-10-01,5,EUR\n" * 3, max_rows=2)
