"""The contract of `ports.RecordStore`, over every adapter."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from immutables import Map

from realtime_server.core import limits
from realtime_server.core.reconciling import Match, MatchStatus
from realtime_server.core.state import Candidate, Conflict, FieldState, RecordState
from realtime_server.ports import ImportedRecord, NewRecord, RecordStore
from tests.contract.conftest import Store

VALUES = {"amount": "10.50", "currency": "EUR", "date": "2026-11-22", "status": "unmatched", "description": "Rent"}


@pytest.fixture
def records(store: Store) -> RecordStore:
    return store.records


def new(record_id: str, *, source: str = "ledger", chunk_id: str = "chunk-1", **values: Any) -> NewRecord:
    return NewRecord(record_id, source, f"external {record_id}", {**VALUES, **values}, chunk_id)


def edited(record: RecordState, seq: int, value: Any = "new", name: str = "description") -> RecordState:
    field = FieldState(value, seq, "alice", ((0, record.value(name)),))
    return replace(record, fields=record.fields.set(name, field), seq=seq)


async def one(records: RecordStore, record_id: str = "r1") -> RecordState:
    return (await records.load("s", [record_id]))[record_id]


async def test_a_record_is_loaded_as_it_was_imported(records: RecordStore) -> None:
    assert await records.insert("s", [new("r1"), new("r2", source="statement")]) == 2
    assert await records.load("s", ["r2", "r1", "unknown"]) == {
        "r1": RecordState("r1", "ledger", "external r1", VALUES),
        "r2": RecordState("r2", "statement", "external r2", VALUES),
    }
    assert await records.load("s", []) == {}
    assert await records.load("another session", ["r1"]) == {}


async def test_inserting_again_adds_what_is_missing_and_leaves_the_rest(records: RecordStore) -> None:
    await records.insert("s", [new("r1"), new("r3")])
    again = [new("r1", amount="99.00"), new("r2"), new("r3"), new("r2", amount="1.00"), new("r4")]
    assert await records.insert("s", again) == 2
    assert (await one(records, "r1")).base["amount"] == "10.50"
    assert (await one(records, "r2")).base["amount"] == "10.50"
    assert await records.count("s") == 4
    assert await records.insert("s", again) == 0
    assert await records.insert("s", []) == 0
    assert await records.insert("s2", again) == 4


async def test_many_records_are_inserted_once_by_several_at_once(records: RecordStore) -> None:
    wanted = [new(f"r{number:04}") for number in range(2_500)]
    counts = await asyncio.gather(*(records.insert("s", random.sample(wanted, len(wanted))) for _ in range(3)))
    assert sum(counts) == 2_500
    assert await records.count("s") == 2_500


async def test_a_folded_record_is_loaded_as_it_was_saved(records: RecordStore) -> None:
    await records.insert("s", [new("r1")])
    candidates = tuple(
        Candidate(f"e{number}", "bob", value, 3, 2**33, 2**41, reason)
        for number, (value, reason) in enumerate([("$set", None), (2**40, "a.b"), (["t", "u"], ""), (0.1, None)])
    )
    conflict = Conflict("conflict-9", "r1", "notes", "manual", 3, None, False, 2**41, candidates)
    fields = {
        "notes": FieldState("now", 7, "alice", ((0, None), (3, "then"), (5, ["x"])), conflict),
        "amount": FieldState("11.00", 2**33, "bob"),
        "naïve 🧾 name": FieldState(None, 0, None, (), None),
        "tags": FieldState([], 8, "alice", ((0, ["a", "$b"]),)),
        "7": FieldState(True, 9, "alice"),
    }
    folded = RecordState("r1", "ledger", "external r1", VALUES, Map(fields), 2**33)
    await records.save("s", [folded])
    assert await one(records) == folded


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, 2**31, limits.MAX_INTEGER, -limits.MAX_INTEGER, 0.1, 1e-5,
        "", "$set", "$$ROOT", "$amount", "a.b", "x" * limits.MAX_TEXT, "🧾" * limits.MAX_TEXT, [], ["$a", "b.c", "ü"],
        ["x" * limits.MAX_LIST_ITEM_TEXT] * limits.MAX_LIST_ITEMS,
    ],
    ids=lambda value: ascii(value)[:30],
)  # fmt: skip
async def test_every_value_keeps_itself_and_its_type(records: RecordStore, value: Any) -> None:
    """As imported, as edited, and as remembered of an import."""
    await records.insert("s", [new("r1", free=value)])
    await records.save("s", [edited(await one(records), 5, value)])
    await records.mark_imported("s", "r1", {"amount": (value, 5)})
    stored = await one(records)
    said = (await records.imported("s", ["r1"]))["r1"].values
    for found in (stored.base["free"], stored.value("description"), said["free"][0], said["amount"][0]):
        assert found == value
        assert type(found) is type(value)


async def test_an_older_or_equal_state_of_a_record_changes_nothing(records: RecordStore) -> None:
    await records.insert("s", [new("r1")])
    base = await one(records)
    for seq, kept in ((5, 5), (4, 5), (5, 5), (6, 6)):
        await records.save("s", [edited(base, seq, f"at {seq} for {kept}")])
        assert (await one(records)).seq == kept
    assert (await one(records)).value("description") == "at 6 for 6"


async def test_an_equal_state_does_not_replace_the_stored_one(records: RecordStore) -> None:
    await records.insert("s", [new("r1")])
    base = await one(records)
    await records.save("s", [edited(base, 5, "first")])
    await records.save("s", [edited(base, 5, "second")])
    assert (await one(records)).value("description") == "first"


async def test_of_many_savers_at_once_the_newest_state_of_each_record_stays(records: RecordStore) -> None:
    names = [f"r{number}" for number in range(30)]
    await records.insert("s", [new(name) for name in names])
    loaded = await records.load("s", names)
    orders = [random.sample(range(1, 9), 8) for _ in range(4)]
    await asyncio.gather(
        *(records.save("s", [edited(item, seq, seq) for item in loaded.values()]) for order in orders for seq in order)
    )
    after = await records.load("s", names)
    assert {(item.seq, item.value("description")) for item in after.values()} == {(8, 8)}


async def test_folding_leaves_what_was_imported_and_creates_nothing(records: RecordStore) -> None:
    await records.insert("s", [new("r1")])
    await records.save("s", [replace(edited(await one(records), 5), base={"amount": "0.00"}, source="statement")])
    stored = await one(records)
    assert (stored.base, stored.source) == (VALUES, "ledger")
    await records.save("s", [edited(RecordState("stranger", "ledger", "x", {}), 6)])
    await records.save("s", [])
    assert await records.count("s") == 1


async def test_imports_are_remembered_with_the_version_they_made(records: RecordStore) -> None:
    await records.insert("s", [new("r1", chunk_id="chunk-7")])
    first = {name: (value, 0) for name, value in VALUES.items()}
    assert await records.imported("s", ["r1", "unknown"]) == {"r1": ImportedRecord("r1", "chunk-7", first)}
    await records.mark_imported("s", "r1", {"amount": ("12.00", 2**33), "added later": (["a"], 9)})
    said = (await records.imported("s", ["r1"]))["r1"]
    assert said.values == {**first, "amount": ("12.00", 2**33), "added later": (["a"], 9)}
    assert await records.imported("s", []) == {}
    assert (await one(records)).base == VALUES


async def test_a_late_mark_of_an_earlier_import_changes_nothing(records: RecordStore) -> None:
    await records.insert("s", [new("r1")])
    await records.mark_imported("s", "r1", {"amount": ("12.00", 9)})
    await records.mark_imported("s", "r1", {"amount": ("11.00", 5), "date": ("2026-11-23", 5)})
    said = (await records.imported("s", ["r1"]))["r1"].values
    assert (said["amount"], said["date"]) == (("12.00", 9), ("2026-11-23", 5))


async def test_marking_creates_no_record(records: RecordStore) -> None:
    await records.mark_imported("s", "r1", {"amount": ("12.00", 9)})
    await records.insert("s", [new("r2")])
    await records.mark_imported("s", "r2", {})
    await records.mark_imported("s", "r1", {"amount": ("12.00", 9)})
    assert await records.count("s") == 1
    assert await records.imported("s", ["r1"]) == {}


@pytest.mark.parametrize("name", ["a.b", "$set", "", "__proto__", "nul\x00"])
async def test_a_name_that_leads_elsewhere_is_never_part_of_a_path(records: RecordStore, name: str) -> None:
    await records.insert("s", [new("r1")])
    with pytest.raises(ValueError, match="a field's name"):
        await records.mark_imported("s", "r1", {name: ("x", 9)})
    assert (await records.imported("s", ["r1"]))["r1"].values.keys() == VALUES.keys()


async def test_records_are_paged_by_id(records: RecordStore) -> None:
    names = [f"r{number:03}" for number in range(25)]
    await records.insert(
        "s", [new(name, source=("ledger", "statement")[place % 2]) for place, name in enumerate(names)]
    )
    await records.insert("other", [new("r0005")])
    seen: list[str] = []
    after: str | None = None
    while page := await records.page("s", after=after, limit=7):
        seen += [item.record_id for item in page]
        after = page[-1].record_id
        # What comes behind the reader does not show, what comes before it does, and nothing shows twice.
        await records.insert("s", [new("r000a"), new("r024z")])
    assert seen == [*names, "r024z"]
    statement = await records.page("s", source="statement", limit=100)
    assert [item.record_id for item in statement] == names[1::2]
    assert await records.page("s", limit=0) == []
    assert await records.page("unknown") == []


async def test_records_of_a_session_are_counted(records: RecordStore) -> None:
    await records.insert("s", [new("r1"), new("r2")])
    await records.insert("s2", [new("r1")])
    assert [await records.count(name) for name in ("s", "s2", "unknown")] == [2, 1, 0]


async def test_a_match_and_what_people_set_aside_are_kept_and_can_end(records: RecordStore) -> None:
    await records.insert("s", [new("r1")])
    base = await one(records)
    match = Match(
        match_id="match-4", status=MatchStatus.CONFIRMED, ledger=("r1",), statement=("r2",),
        sums=(("ledger", "GBP", 5),), rule_id="exact", score=0.5, reasons=("amount",), user_id="alice", seq=4,
    )  # fmt: skip
    for record in (
        replace(base, seq=4, match=match, rejected=("x", "y")),
        replace(base, seq=5, disposition="excluded", rejected=("x", "y", "z")),
        replace(base, seq=6),
    ):
        await records.save("s", [record])
        assert await one(records) == record
