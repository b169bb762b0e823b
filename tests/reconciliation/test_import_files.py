"""What a file is, found by what stands in it; mappings that are saved and used again; cells that are no formulas."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_server.errors import CollaborationError
from realtime_server.import_report import open_report
from realtime_server.reconciliation.csv_columns import ColumnMapping
from realtime_server.reconciliation.csv_rows import ImportRow, RowError
from realtime_server.reconciliation.import_files import FileKind, detect_kind, open_file, open_records
from realtime_server.reconciliation.reading import ReadOptions
from realtime_server.reconciliation.saved_mappings import check_reading
from tests.reconciliation.bank_samples import (
    CAMT_02,
    CAMT_08,
    MT940_DUTCH,
    MT940_GERMAN,
    OFX_1,
    OFX_2,
    camt,
    camt_entry,
)
from tests.reconciliation.imports import Desk, tally

CSV = "id,date,amount,currency\nA,2026-11-01,1.00,EUR\n"


def write(folder: Path, content: str | bytes, name: str = "file.dat") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (CAMT_02, FileKind.CAMT053),
        (CAMT_08, FileKind.CAMT053),
        (MT940_GERMAN, FileKind.MT940),
        (MT940_DUTCH, FileKind.MT940),
        (OFX_1, FileKind.OFX),
        (OFX_2, FileKind.OFX),
        (OFX_1.partition("\n\n")[2], FileKind.OFX),
        ('{"external_id": "1"}\n', FileKind.JSON_LINES),
        (CSV, None),
        ("", None),
    ],
)
@pytest.mark.parametrize("lead", ["", "\n \r\n", "\ufeff"])
def test_a_file_is_known_by_what_stands_in_it(tmp_path: Path, content: str, kind: FileKind | None, lead: str) -> None:
    assert detect_kind(write(tmp_path, lead + content, "wrong.csv")) is kind
    if kind in (FileKind.OFX, FileKind.MT940):
        path = write(tmp_path, (lead + content).encode("utf-16"))
        assert detect_kind(path) is kind
        assert all(isinstance(item, ImportRow) for item in open_records(path))


def test_what_is_no_table_at_all_is_said_plainly(tmp_path: Path) -> None:
    for content, says in ((b"%PDF-1.7", "PDF"), (b"PK\x03\x04", "workbook"), ("<html/>", "web page")):
        with pytest.raises(CollaborationError, match=says):
            open_records(write(tmp_path, content))


def test_the_encoding_of_polish_banks_can_be_asked_for(tmp_path: Path) -> None:
    transfer = ":61:2611021102D25,00N152NONREF//64\n:86:020~00152~20PRZELEW ŚRODKÓW~32PAWEŁ ŹREBIEC\n"
    content = f":20:MT940\n:25:/PL1\n:28C:1\n:60F:C261101PLN0,00\n{transfer}:62F:C261102PLN0,00\n-\n"
    (row,) = open_records(write(tmp_path, content.encode("cp852")), ReadOptions(encoding="cp852"))
    assert isinstance(row, ImportRow)
    assert (row.values["description"], row.values["counterparty"]) == ("PRZELEW ŚRODKÓW", "PAWEŁ ŹREBIEC")


@pytest.mark.parametrize("content", [CAMT_02, MT940_DUTCH, OFX_1])
async def test_a_banks_file_imported_again_changes_nothing(tmp_path: Path, desk: Desk, content: str) -> None:
    file = open_records(write(tmp_path, content))
    first, again = await desk.take(file), await desk.take(file)
    assert tally(first) == {"new": file.rows}
    assert tally(again) == {"unchanged": file.rows}


@pytest.mark.parametrize("content", [CAMT_02, MT940_DUTCH, OFX_1])
@pytest.mark.parametrize("form", [0, -1])
async def test_a_record_keeps_an_id_that_an_earlier_version_gave_it(
    tmp_path: Path, desk: Desk, content: str, form: int
) -> None:
    file = [item for item in open_records(write(tmp_path, content)) if isinstance(item, ImportRow)]
    former = [replace(row, external_id=row.former_ids[form]) if row.former_ids else row for row in file]
    assert former != file
    await desk.take([replace(row, former_ids=()) for row in former])
    assert tally(await desk.take(file)) == {"unchanged": len(file)}


async def test_a_record_with_a_former_id_of_another_entry_stays_as_it_is(tmp_path: Path, desk: Desk) -> None:
    wire, fee, elsewhere = (
        row
        for content in (
            camt(camt_entry("100.00", "DBIT", reference="W-77")),
            camt(camt_entry("5.00", "DBIT", reference="W-77")),
            camt(camt_entry("100.00", "DBIT", reference="W-77"), iban="X2"),
        )
        for row in open_records(write(tmp_path, content))
        if isinstance(row, ImportRow)
    )
    await desk.take([replace(wire, external_id="W-77", former_ids=())])
    assert tally(await desk.take([fee, elsewhere])) == {"new": 2}
    assert tally(await desk.take([wire])) == {"unchanged": 1}


async def test_a_correction_finds_the_record_that_an_earlier_version_imported(tmp_path: Path, desk: Desk) -> None:
    first, _ = (row for row in open_records(write(tmp_path, OFX_1)) if isinstance(row, ImportRow))
    await desk.take([replace(first, external_id="202611020001", former_ids=())])
    wrong, right = "<TRNAMT>-42.10\n<FITID>202611020001", "<TRNAMT>-44.10\n<FITID>2<CORRECTFITID>202611020001"
    corrected = OFX_1.replace(wrong, right)
    assert tally(await desk.take(open_records(write(tmp_path, corrected)))) == {"changed": 1, "new": 1}


async def test_files_of_two_accounts_that_number_alike_do_not_meet(tmp_path: Path, desk: Desk) -> None:
    for content in (OFX_1, OFX_1.replace("123456789", "987654321")):
        assert tally(await desk.take(open_records(write(tmp_path, content)))) == {"new": 2}


async def test_all_or_nothing_holds_for_xml_as_well(tmp_path: Path, desk: Desk) -> None:
    file = open_records(write(tmp_path, camt(camt_entry(), camt_entry("x"))))
    summary = await desk.take(file, all_or_nothing=True)
    assert (summary.written, summary.refused, summary.errors[0].line) == (False, 1, 10)
    assert await desk.store.records.count("month-end") == 0


def items_or_refusal(path: Path, kind: FileKind | None = None) -> list[ImportRow | RowError]:
    """The items; none where the file is refused in the way it has to be. Anything else that is raised is a defect."""
    refusal: CollaborationError | None = None
    items: list[ImportRow | RowError] = []
    try:
        items = list(open_records(path, kind=kind))
    except CollaborationError as error:
        refusal = error
    assert refusal is None or refusal.code == "invalid"
    return items


@given(data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@pytest.mark.parametrize("kind", list(FileKind))
def test_no_bytes_whatever_do_more_than_be_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: FileKind, data: bytes
) -> None:
    path = write(tmp_path_factory.getbasetemp(), data, f"any-{kind}")
    assert all(isinstance(item, ImportRow | RowError) for item in items_or_refusal(path, kind))


@given(data=st.data())
@pytest.mark.parametrize("content", [CAMT_02, CAMT_08, MT940_GERMAN, MT940_DUTCH, OFX_1, OFX_2])
def test_a_damaged_file_is_read_or_refused_and_never_gives_a_wrong_kind_of_value(
    tmp_path_factory: pytest.TempPathFactory, content: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(start + 40, len(content))))
    damaged = content[:start] + data.draw(st.text(max_size=10)) + content[end:]
    path = write(tmp_path_factory.getbasetemp(), damaged.encode("utf-8", "surrogatepass"), "damaged")
    for item in items_or_refusal(path):
        assert isinstance(item, RowError) or all(isinstance(value, str) for value in item.values.values())


ODD = "Nr;Booked on;Sum;Cur;Extra;Page\nA-1;04.05.2026;1,50;EUR;Rent;1\nA-2;13.05.2026;2,50;EUR;Tea;1\n"
ODD_TOLD = ReadOptions(
    mapping=ColumnMapping(
        external_id="Nr", date="Booked on", amount="Sum", currency="Cur", ignore=("Page",), rename={"Extra": "memo"}
    )
)


def settle(folder: Path) -> dict[str, Any]:
    opened = open_file(write(folder, ODD), ODD_TOLD)
    assert opened.settled is not None
    return dict(check_reading(opened.settled))


def test_what_was_settled_reads_the_next_file_of_the_kind(tmp_path: Path) -> None:
    saved = settle(tmp_path)
    # Nothing in this one tells the day from the month; the first one did.
    next_month = write(tmp_path, "Nr;Booked on;Sum;Cur;Extra;Page\nA-3;04.06.2026;3,50;EUR;Ink;1\n")
    opened = open_file(next_month, saved=saved)
    assert opened.uses_saved
    assert [item.values for item in opened.records if isinstance(item, ImportRow)] == [
        {"date": "2026-06-04", "amount": "3.50", "currency": "EUR", "memo": "Ink"}
    ]


def test_a_file_without_the_columns_is_read_as_if_nothing_were_saved(tmp_path: Path) -> None:
    saved = settle(tmp_path)
    opened = open_file(write(tmp_path, CSV), saved=saved)
    assert not opened.uses_saved
    assert len(list(opened.records)) == 1
    assert not open_file(write(tmp_path, CAMT_02), saved=saved).uses_saved


def test_columns_that_are_told_now_go_before_the_saved_ones_and_so_do_other_options(tmp_path: Path) -> None:
    saved = settle(tmp_path)
    path = write(tmp_path, ODD)
    assert not open_file(path, ODD_TOLD, saved=saved).uses_saved
    opened = open_file(path, ReadOptions(date_format="mm/dd/yyyy"), saved=saved)
    assert opened.uses_saved
    first, second = opened.records
    assert isinstance(first, ImportRow)
    assert first.values["date"] == "2026-04-05"
    assert isinstance(second, RowError)


def test_a_decimal_mark_that_was_only_found_is_not_settled(tmp_path: Path) -> None:
    """A file of whole amounts shows none, and one that comes later must not be read by that."""
    opened = open_file(write(tmp_path, CSV.replace("1.00", "1")))
    assert opened.settled is not None
    assert opened.settled["decimal"] is None


def test_a_direction_that_only_its_content_has_shown_is_not_settled(tmp_path: Path) -> None:
    """A month in which only money came in says nothing about how the bank writes the other direction."""
    header = "id,date,amount,currency,Type\n"
    first = open_file(write(tmp_path, f"{header}A,2026-11-01,1.00,EUR,credit\n"))
    later = write(tmp_path, f"{header}B,2026-12-01,-1.00,EUR,debit\n")
    (row,) = open_file(later, saved=first.settled).records
    assert isinstance(row, ImportRow)
    assert row.values["amount"] == "-1.00"
    assert first.settled is not None
    assert "direction" not in first.settled["columns"]


def test_refused_rows_are_listed_without_formulas(tmp_path: Path) -> None:
    path = tmp_path / "errors.csv"
    with open_report(path) as report:
        listeners = report.listeners(Path("=cmd|' /C calc'!A0.csv"), "importing", 1)
        for message in ("=1+1", "＝1+1", "\t=1", "@SUM(A1)", "+1-1", "-10.50"):
            listeners.on_error(RowError(2, "amount", message))
    with path.open(newline="") as file:
        header, *cells = list(csv.reader(file))
    assert header == ["file", "line", "field", "message"]
    assert {row[0] for row in cells} == {"'=cmd|' /C calc'!A0.csv"}
    assert [row[3] for row in cells] == ["'=1+1", "'＝1+1", "'\t'=1", "'@SUM(A1)", "'+1-1", "-10.50"]


def test_an_import_keeps_a_text_as_it_came(tmp_path: Path) -> None:
    formula = "=HYPERLINK(1)"
    (row,) = open_records(write(tmp_path, camt(camt_entry(info=formula))))
    assert isinstance(row, ImportRow)
    assert row.values["description"] == formula
