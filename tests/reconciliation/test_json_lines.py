"""JSON lines give the same rows and the same errors as a CSV, whatever stands in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime_server.errors import CollaborationError, ErrorCode
from realtime_server.reconciliation.json_lines import MAX_LINE, JsonLinesFile, open_json_lines
from realtime_server.reconciliation.reading import ImportRow, RowError, open_csv
from tests.reconciliation.imports import Desk, tally

Written = Callable[..., JsonLinesFile]
GOOD: dict[str, Any] = {"external_id": "A1", "date": "2026-10-01", "amount": "5.00", "currency": "EUR"}


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write_and_open(*lines: str | bytes | dict[str, Any], **options: Any) -> JsonLinesFile:
        path = tmp_path / "file.jsonl"
        texts = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
        path.write_bytes(b"\n".join(text.encode() if isinstance(text, str) else text for text in texts))
        return open_json_lines(path, **options)

    return write_and_open


def only(file: JsonLinesFile) -> ImportRow | RowError:
    (item,) = list(file)
    return item


def test_an_object_gives_the_row_that_a_csv_gives(written: Written, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("external_id,date,amount,currency,description,status\nA1,2026-10-01,+05.0,EUR,Paper,cleared\n")
    line = {**GOOD, "amount": "+05.0", "description": "Paper", "status": "cleared"}
    from_json, from_csv = only(written(line)), next(iter(open_csv(path)))
    assert isinstance(from_json, ImportRow)
    assert isinstance(from_csv, ImportRow)
    assert (from_json.external_id, from_json.values) == (from_csv.external_id, from_csv.values)
    assert from_json.values["amount"] == "5.00"
    assert from_json.values["file_status"] == "cleared"


def test_every_file_can_be_read_again_and_lines_are_counted_from_one_with_the_empty_ones(written: Written) -> None:
    file = written(b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), "", "  ", {**GOOD, "external_id": "A2"}, "")
    assert file.rows == 2
    assert [item.line for item in file] == [1, 4]
    assert [item.line for item in file] == [1, 4]


def test_an_id_may_be_an_integer_and_null_says_nothing(written: Written) -> None:
    row = only(written({**GOOD, "external_id": 17, "description": None}))
    assert isinstance(row, ImportRow)
    assert (row.external_id, "description" in row.values) == ("17", False)


def test_one_currency_may_stand_for_the_whole_file(written: Written) -> None:
    row = only(written({**GOOD, "currency": None, "amount": 7}, default_currency="JPY"))
    assert isinstance(row, ImportRow)
    assert (row.values["currency"], row.values["amount"]) == ("JPY", "7")


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"amount": 5.1}, "amount", "text"),
        ({"amount": True}, "amount", "text"),
        ({"amount": "5.123"}, "amount", "decimals"),
        ({"amount": None}, "amount", "missing"),
        ({"amount": {"$gt": 0}}, "amount", "a value is"),
        ({"date": "01/10/2026"}, "date", "2026"),
        ({"date": "2026-02-30"}, "date", "date"),
        ({"date": "0202-10-01"}, "date", "year"),
        ({"date": ["2026-10-01"]}, "date", "date"),
        ({"currency": "euro"}, "currency", "three"),
        ({"currency": 5}, "currency", "text"),
        ({"external_id": ""}, "external_id", "missing"),
        ({"external_id": 1.5}, "external_id", "text"),
        ({"external_id": " A1"}, "external_id", "spaces"),
        ({"external_id": "A\n1"}, "external_id", "control"),
        ({"external_id": "\ud800"}, "external_id", "control"),
        ({"external_id": "x" * 191}, "external_id", "190"),
        ({"description": "x" * 4_001}, "description", "4000"),
        ({"description": "a\x00b"}, "description", "NUL"),
        ({"description": "\udfff"}, "description", "surrogate"),
        ({"fee": "1.234"}, "fee", "decimals"),
        ({"due_date": "soon"}, "due_date", "date"),
        ({"note": {"a": 1}}, "note", "a value is"),
        ({"note": [[1]]}, "note", "list"),
        ({"a.b": 1}, None, "dot"),
        ({"$set": 1}, None, "dollar"),
        ({"__proto__": 1}, None, "name"),
        ({"\ud800": 1}, None, "name"),
        ({"x" * 65: 1}, None, "64"),
        ({"status": 1, "file_status": 2}, None, "two members"),
    ],
)
def test_a_wrong_value_refuses_its_line_and_names_the_field(
    written: Written, change: dict[str, Any], field: str | None, says: str
) -> None:
    error, good = list(written({**GOOD, **change}, {**GOOD, "external_id": "A2"}))
    assert isinstance(error, RowError)
    assert isinstance(good, ImportRow)
    assert (error.line, error.field) == (1, field)
    assert says in error.message
    error.message.encode()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("[1]", "one JSON object"),
        ('"text"', "one JSON object"),
        ("{", "not JSON"),
        ('{"amount": NaN}', "NaN"),
        ('{"amount": 99999999999999.999}', "not exact"),
        ('{"amount": 1e-99999999999999999999999999}', "not exact"),
        ('{"amount": "1", "amount": "2"}', "twice"),
        ('{"note": {"a": 1, "a": 2}}', "twice"),
        ("[" * 50_000, "deeply"),
        ('{"a":' * 15_000, "deeply"),
        ("9" * 5_000, "cannot be read"),
        (b'{"external_id": "\xff"}', "UTF-8"),
        ('{"description": "' + "x" * MAX_LINE + '"}', "longer"),
        ("x" * (3 * MAX_LINE), "longer"),
    ],
)
def test_a_line_that_cannot_be_read_refuses_itself_only(written: Written, line: str | bytes, says: str) -> None:
    error, good = list(written(line, GOOD))
    assert isinstance(error, RowError)
    assert isinstance(good, ImportRow)
    assert (error.line, error.field, good.line) == (1, None, 2)
    assert says in error.message


def test_an_id_that_comes_twice_is_refused_with_the_line_of_the_first(written: Written) -> None:
    _, error = list(written(GOOD, GOOD))
    assert isinstance(error, RowError)
    assert (error.line, error.field) == (2, "external_id")
    assert "line 1" in error.message


def test_a_file_that_is_empty_or_too_long_is_refused(written: Written) -> None:
    for lines, options in ((("", " "), {}), ((GOOD, GOOD, GOOD), {"max_rows": 2})):
        with pytest.raises(CollaborationError) as caught:
            written(*lines, **options)
        assert caught.value.code is ErrorCode.INVALID


def test_a_file_that_grows_while_it_is_read_is_noticed(written: Written, tmp_path: Path) -> None:
    file = written(GOOD)
    with (tmp_path / "file.jsonl").open("a") as more:
        more.write("\n" + json.dumps({**GOOD, "external_id": "A2"}))
    with pytest.raises(CollaborationError, match="changed"):
        list(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=5))
def test_any_bytes_give_one_item_for_each_line_that_holds_anything(written: Written, lines: list[bytes]) -> None:
    try:
        file = written(*lines)
    except CollaborationError:  # nothing in it
        assert not b"".join(lines).removeprefix(b"\xef\xbb\xbf").strip()
        return
    assert len(list(file)) == file.rows


async def test_json_lines_are_imported_like_a_csv(desk: Desk, written: Written) -> None:
    file = written(GOOD, {**GOOD, "external_id": "A2", "tags": ["late", "late"]}, "{")
    assert tally(await desk.take(file)) == {"new": 2, "refused": 1}
    assert tally(await desk.take(file)) == {"unchanged": 2, "refused": 1}
