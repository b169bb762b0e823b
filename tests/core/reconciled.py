"""A session with a ledger and a statement, for tests of matches and of the sign-off."""

from __future__ import annotations

from typing import Any

from realtime_server.core import reconciliation_commands as r
from realtime_server.core.commands import SYSTEM, Actor
from realtime_server.core.decide import decide, needed_records
from realtime_server.core.money import parse_minor_units
from realtime_server.core.state import RecordState
from tests.core.session_log import ALICE, BASE, Log, Outcome


def entry(record_id: str, amount: str = "10.00", **base: Any) -> RecordState:
    """``l…`` is of the ledger, ``s…`` of the statement."""
    source = "ledger" if record_id.startswith("l") else "statement"
    return RecordState(record_id, source, f"external-{record_id}", {**BASE, "amount": amount, **base})


class Books(Log):
    """A log that also knows what its records come to."""

    def __init__(self, *records: RecordState, run: bool = True) -> None:
        super().__init__(*(records or (entry("l1"), entry("l2"), entry("l3"), entry("s1"), entry("s2"), entry("s3"))))
        if run:
            self.ask(r.StartRun, ALICE, run_id="run-1")
            self.system(r.ReportProgress, run_id="run-1", total=len(self.state.records), processed=0)

    def system(self, kind: Any, **members: Any) -> Outcome:
        return self.ask(kind, SYSTEM, **members)

    def found(self, *sides: tuple[tuple[str, ...], tuple[str, ...]], confirmed: bool = False, **more: Any) -> Outcome:
        items = tuple(
            r.Found(
                ledger=ledger,
                statement=statement,
                rule_id=more.get("rule_id", "exact"),
                score=0.9,
                confirmed=confirmed,
                reasons=("same amount",),
            )
            for ledger, statement in sides
        )
        return self.system(r.ProposeMatches, run_id="run-1", items=items)

    def match_of(self, record_id: str) -> str:
        match = self.state.records[record_id].match
        assert match is not None, f"{record_id} has no match"
        return match.match_id

    def totals(self) -> dict[str, Any]:
        """What the service adds to a submission."""
        sums: dict[tuple[str, str], int] = {}
        for record in self.state.records.values():
            place = (record.source, record.currency)
            sums[place] = sums.get(place, 0) + parse_minor_units(record.value("amount"), record.currency)
        totals = tuple((source, currency, minor) for (source, currency), minor in sorted(sums.items()))
        return {"totals": totals, "records": len(self.state.records), "counted_at": self.state.seq}

    def end_run(self) -> None:
        self.system(r.CompleteRun, run_id="run-1", total=len(self.state.records))

    def submit(self, actor: Actor = ALICE) -> Outcome:
        return self.ask(r.Submit, actor, **self.totals())


__all__ = ["Books", "decide", "entry", "needed_records"]
