"""A CSV is read exactly, row by row, and what cannot be read is named with its line."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_server.errors import CollaborationError
from realtime_server.reconciliation.csv_columns import ColumnMapping
from realtime_server.reconciliation.generated_files import write_files
from realtime_server.reconciliation.generator import generate, generate_groups
from realtime_server.reconciliation.reading import ImportRow, ReadOptions, RowError, open_csv
from tests.reconciliation.files import Opener, errors_of, rows_of

HEADER = "id,date,amount,currency,description,reference\n"


def table(*rows: str) -> str:
    return HEADER + "".join(f"{row}\n" for row in rows)


def test_a_row_comes_out_in_wire_form_with_its_line(opened: Opener) -> None:
    (row,) = rows_of(opened(table(" A1 ,2026-10-01,+7.5,eur, Paper , R-1 ")))
    values = {"date": "2026-10-01", "amount": "7.50", "currency": "EUR", "description": "Paper", "reference": "R-1"}
    assert row == ImportRow(2, "A1", values)


# -- real and generated files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "count"), [("ledger", 4_794), ("statement", 4_802)])
def test_the_payments_files_are_read_whole_and_exactly(payments: Path, side: str, count: int) -> None:
    with (payments / f"{side}.csv").open(encoding="utf-8", newline="") as file:
        expected = {row["id"]: row for row in csv.DictReader(file)}
    rows = rows_of(open_csv(payments / f"{side}.csv"))
    assert len(rows) == count == len(expected)
    for row in rows:
        source = expected[row.external_id]
        assert Decimal(row.values["amount"]) == Decimal(source["amount"])
        assert (row.values["date"], row.values["currency"]) == (source["date"], source["currency"])
        assert row.values["description"] == source["description"].strip()


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_what_the_generator_writes_is_what_the_reader_reads(tmp_path: Path, currency: str) -> None:
    made = generate(21, 600, currency=currency)
    written = write_files(tmp_path, generate_groups(21, 600, currency=currency))
    for path, side in ((written.ledger, made.ledger), (written.statement, made.statement)):
        rows = rows_of(open_csv(path, ReadOptions(decimal=".")))
        assert [(row.external_id, row.values) for row in rows] == [(row.external_id, row.values()) for row in side]


# -- encodings and dialects -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", "cp1252")],
)
def test_the_encoding_is_found(opened: Opener, written: str, found: str) -> None:
    file = opened(table("A1,2026-10-01,7.50,EUR,Café Müller €,").encode(written))
    assert file.format.encoding == found
    assert rows_of(file)[0].values["description"] == "Café Müller €"


def test_big_endian_utf_16_with_its_mark_is_read(opened: Opener) -> None:
    content = b"\xfe\xff" + table("A1,2026-10-01,7.50,EUR,Zając,").encode("utf-16-be")
    assert rows_of(opened(content))[0].values["description"] == "Zając"


def test_a_character_on_the_border_of_a_chunk_does_not_change_the_encoding(opened: Opener) -> None:
    padding = "x" * 70
    lines = [f"A{number},2026-10-01,7.50,EUR,{padding}é,{number}" for number in range(15_000)]
    assert opened(table(*lines)).format.encoding == "utf-8"


def test_an_encoding_asked_for_is_used_and_checked(opened: Opener) -> None:
    content = table("A1,2026-10-01,7.50,EUR,Żółw,").encode("cp1250")
    assert rows_of(opened(content, encoding="cp1250"))[0].values["description"] == "Żółw"
    with pytest.raises(CollaborationError, match="not written in utf-8"):
        opened(content, encoding="utf-8")


@pytest.mark.parametrize("name", ["utf-7", "unicode_escape", "rot13", "no-such", "base64", "idna"])
def test_an_encoding_that_is_not_on_the_list_is_refused(opened: Opener, name: str) -> None:
    with pytest.raises(CollaborationError, match="the encoding is one of"):
        opened(table("A1,2026-10-01,7.50,EUR,,"), encoding=name)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(opened: Opener, delimiter: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows([HEADER.strip().split(","), ["A1", "2026-10-01", "7.50", "EUR", "a, b; c | d", "x\ty"]])
    file = opened(out.getvalue())
    assert file.format.delimiter == delimiter
    assert rows_of(file)[0].values["description"] == "a, b; c | d"


def test_decimal_commas_do_not_pass_for_delimiters(opened: Opener) -> None:
    file = opened("id;date;amount;currency\nA1;2026-10-01;1,50;EUR\nA2;2026-10-01;2,75;EUR\n")
    assert file.format.delimiter == ";"
    assert [row.values["amount"] for row in rows_of(file)] == ["1.50", "2.75"]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_excels_separator_line_names_the_delimiter_and_counts_as_a_line(opened: Opener, delimiter: str) -> None:
    body = table("A1,2026-10-01,7.50,EUR,,", "A2,never,7.50,EUR,,").replace(",", delimiter)
    file = opened(f"sep={delimiter}\r\n{body}")
    assert file.format.delimiter == delimiter
    assert errors_of(file) == [(4, "date")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read_and_counted(opened: Opener, end: str) -> None:
    file = opened(table("A1,2026-10-01,7.50,EUR,,", "A2,2026-10-01,x,EUR,,").replace("\n", end))
    assert errors_of(file) == [(3, "amount")]


# -- rows and lines -------------------------------------------------------------------------------------------------


def test_a_quoted_cell_may_hold_lines_and_the_line_of_a_row_is_where_it_begins(opened: Opener) -> None:
    file = opened(
        table('A1,2026-10-01,1.00,EUR,"two\r\nlines",', "", ",,,,,", 'A2,bad,1.00,EUR,"a\nb",', "A3,2026-10-01,x,EUR,,")
    )
    first, *_ = [item for item in file if isinstance(item, ImportRow)]
    assert first.values["description"] == "two\nlines"
    assert errors_of(file) == [(6, "date"), (8, "amount")]


def test_a_quotation_mark_that_is_never_closed_costs_only_its_own_row(opened: Opener) -> None:
    file = opened(table("A1,2026-10-01,1.00,EUR,,", 'A2,2026-10-01,1.00,EUR,"open,', "A3,2026-10-01,1.00,EUR,,"))
    assert errors_of(file) == [(3, None)]
    assert [item.external_id for item in file if isinstance(item, ImportRow)] == ["A1", "A3"]


def test_a_quotation_mark_within_a_quoted_cell_costs_only_its_own_row(opened: Opener) -> None:
    file = opened(table('A1,2026-10-01,1.00,EUR,"the "big" one",', "A2,2026-10-01,1.00,EUR,,"))
    assert errors_of(file) == [(2, None)]
    assert len(list(file)) == 2


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("A1,2026-10-01,1.00,EUR", None),
        ("A1,2026-10-01,1.00,EUR,,,extra", None),
        (",2026-10-01,1.00,EUR,,", "external_id"),
        ("A\x07,2026-10-01,1.00,EUR,,", "external_id"),
        (f"{'A' * 201},2026-10-01,1.00,EUR,,", "external_id"),
        ("A1,,1.00,EUR,,", "date"),
        ("A1,2026-02-30,1.00,EUR,,", "date"),
        ("A1,0206-02-03,1.00,EUR,,", "date"),
        ("A1,soon,1.00,EUR,,", "date"),
        ("A1,2026-10-01,,EUR,,", "amount"),
        ("A1,2026-10-01,ten,EUR,,", "amount"),
        ("A1,2026-10-01,1e5,EUR,,", "amount"),
        ("A1,2026-10-01,1.005,EUR,,", "amount"),
        ("A1,2026-10-01,1.5,JPY,,", "amount"),
        ("A1,2026-10-01,12345678901234567.00,EUR,,", "amount"),
        ("A1,2026-10-01,NaN,EUR,,", "amount"),
        ("A1,2026-10-01,(1.00,EUR,,", "amount"),
        ("A1,2026-10-01,(-1.00),EUR,,", "amount"),
        ('A1,2026-10-01,"1,00.50",EUR,,', "amount"),
        ("A1,2026-10-01,1.00,,,", "currency"),
        ("A1,2026-10-01,1.00,EURO,,", "currency"),
        (f"A1,2026-10-01,1.00,EUR,{'x' * 4_001},", "description"),
        ("A1,2026-10-01,1.00,EUR,,a\0b", "reference"),
        (f"A1,2026-10-01,1.00,EUR,{'x' * 150_000},", None),
        ('A1,2026-10-01,1.00,EUR,"' + "\n" * 150 + '",', None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_row_is_one_error_with_its_line_and_field_and_its_neighbours_are_read(
    opened: Opener, row: str, field: str | None
) -> None:
    file = opened(table("B1,2026-10-01,1.50,EUR,,", row, "B2,2026-10-01,1.50,EUR,,"), decimal=".")
    assert (3, field) in errors_of(file)
    assert [item.external_id for item in file if isinstance(item, ImportRow)] == ["B1", "B2"]


def test_a_text_of_exactly_four_thousand_characters_is_kept(opened: Opener) -> None:
    assert len(rows_of(opened(table(f"A1,2026-10-01,1.00,EUR,{'ü' * 4_000},")))[0].values["description"]) == 4_000


def test_an_id_that_comes_twice_is_refused_the_second_time_and_names_the_first_line(opened: Opener) -> None:
    file = opened(table("A1,2026-10-01,1.00,EUR,,", "A2,2026-10-01,1.00,EUR,,", "A1,2026-10-02,2.00,EUR,,"))
    (error,) = [item for item in file if isinstance(item, RowError)]
    assert (error.line, error.field) == (4, "external_id")
    assert "line 2" in error.message


def test_a_refused_row_does_not_take_its_id_from_a_later_good_one(opened: Opener) -> None:
    file = opened(table("A1,2026-10-01,x,EUR,,", "A1,2026-10-01,1.00,EUR,,"))
    assert errors_of(file) == [(2, "amount")]


@settings(deadline=None)
@given(body=st.text(alphabet='a1,;"\n\r\0\t .-(é€', max_size=200), decimal=st.sampled_from([".", ","]))
def test_any_text_gives_one_item_for_each_row_and_never_another_exception(
    tmp_path_factory: pytest.TempPathFactory, body: str, decimal: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(HEADER + body, encoding="utf-8", newline="")
    try:
        file = open_csv(path, ReadOptions(decimal=decimal))
    except CollaborationError:
        return
    items = list(file)
    assert len(items) == file.format.rows
    assert [item.line for item in items] == sorted(item.line for item in items)


def test_a_megabyte_of_quotation_marks_is_read_to_its_end(opened: Opener) -> None:
    file = opened(table() + ('x,"\n' + "y\n" * 120) * 2_000)
    assert len(list(file)) == file.format.rows == 242_000


# -- ids made of content --------------------------------------------------------------------------------------------


def test_without_an_id_column_equal_rows_get_different_ids_that_are_the_same_on_the_next_import(opened: Opener) -> None:
    content = (
        "date,amount,currency,description\n2026-10-01,1.00,EUR,fee\n2026-10-01,1.00,EUR,fee\n2026-10-02,1.00,EUR,x\n"
    )
    first = [row.external_id for row in rows_of(opened(content))]
    again = [row.external_id for row in rows_of(opened(content.replace(",1.00,", ",+1.0,").encode("utf-16")))]
    assert first == again
    assert len(set(first)) == 3
    assert first[0].removesuffix("-1") == first[1].removesuffix("-2")


def test_an_id_column_may_be_set_aside(opened: Opener) -> None:
    file = opened(table(",2026-10-01,1.00,EUR,,"), mapping=ColumnMapping(external_id="", ignore=("id",)))
    assert rows_of(file)[0].external_id.startswith("row-")


def test_every_iteration_begins_anew(opened: Opener) -> None:
    file = opened(table("A1,2026-10-01,1.00,EUR,,"))
    assert list(file) == list(file)


def test_a_file_that_grows_while_it_is_read_is_refused(opened: Opener, tmp_path: Path) -> None:
    file = opened(table("A1,2026-10-01,1.00,EUR,,"))
    with (tmp_path / "file.csv").open("a") as more:
        more.write("A2,2026-10-01,1.00,EUR,,\n")
    with pytest.raises(CollaborationError, match="changed"):
        list(file)
