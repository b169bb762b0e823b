"""The reconciliation and matches as plain documents, for checkpoints and stored records, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from immutables import Map

from realtime_server.core.matching.rules import RuleSet, document, from_document
from realtime_server.core.reconciling import (
    Match,
    MatchStatus,
    Reconciliation,
    Run,
    RunStatus,
    Settings,
    SignOff,
    Tally,
    Workflow,
    WorkflowStatus,
)


def match_document(match: Match) -> dict[str, Any]:
    return {
        **{name: getattr(match, name) for name in _MATCH_PLAIN},
        "status": match.status.value,
        "ledger": list(match.ledger),
        "statement": list(match.statement),
        "sums": [list(item) for item in match.sums],
        "reasons": list(match.reasons),
    }


_MATCH_PLAIN = ("match_id", "rule_id", "score", "user_id", "seq", "reason")


def match_from(item: Mapping[str, Any] | None) -> Match | None:
    if item is None:
        return None
    return Match(
        **{name: item[name] for name in _MATCH_PLAIN},
        status=MatchStatus(item["status"]),
        ledger=tuple(item["ledger"]),
        statement=tuple(item["statement"]),
        sums=tuple((source, currency, minor) for source, currency, minor in item["sums"]),
        reasons=tuple(item["reasons"]),
    )


def reconciliation_document(reconciliation: Reconciliation) -> dict[str, Any]:
    run, tally, workflow = reconciliation.run, reconciliation.tally, reconciliation.workflow
    return {
        "rules": {
            "version": reconciliation.rules.version,
            # Version 0 are the defaults, whatever they are.
            "rules": [document(rule) for rule in reconciliation.rules.rules] if reconciliation.rules.version else [],
            "project_version": reconciliation.rules.project_version,
        },
        "run": None if run is None else {**asdict(run), "status": run.status.value, "active": run.active},
        "tally": {
            "records": sorted([name, count] for name, count in tally.records.items()),
            "matches": sorted([name, count] for name, count in tally.matches.items()),
            "by_hand": tally.by_hand,
            "settled": sorted([*place, minor] for place, minor in tally.settled.items()),
            "gross": sorted([*place, minor] for place, minor in tally.gross.items()),
        },
        "workflow": {
            "status": workflow.status.value,
            "prepared_by": sorted(workflow.prepared_by),
            "submitted_by": workflow.submitted_by,
            "submitted_at": workflow.submitted_at,
            "signoffs": [asdict(item) for item in workflow.signoffs],
            "reason": workflow.reason,
        },
        "settings": asdict(reconciliation.settings),
        "amounts_seq": reconciliation.amounts_seq,
    }


def _run_from(item: Mapping[str, Any]) -> Run:
    # "active" stands there for whoever searches the checkpoints.
    members = {name: value for name, value in item.items() if name != "active"}
    return Run(**{**members, "status": RunStatus(item["status"])})


def _tally_from(item: Mapping[str, Any]) -> Tally:
    matches = Map(dict(item["matches"]))
    settled = Map({(source, currency): minor for source, currency, minor in item["settled"]})
    # Checkpoints of older versions say neither who made the matches, so that any may be by hand, nor what they come to
    # without regard to sign: that much at least.
    gross = item.get("gross", [[*place, abs(minor)] for place, minor in settled.items()])
    return Tally(
        records=Map(dict(item["records"])),
        matches=matches,
        by_hand=item.get("by_hand", matches.get("confirmed", 0)),
        settled=settled,
        gross=Map({(source, currency): minor for source, currency, minor in gross}),
    )


def reconciliation_from(item: Mapping[str, Any] | None) -> Reconciliation:
    """The inverse; None gives a reconciliation in which nothing has happened."""
    if item is None:
        return Reconciliation()
    rules = RuleSet()
    if item["rules"]["version"]:
        kept = tuple(from_document(rule) for rule in item["rules"]["rules"])
        rules = RuleSet(kept, item["rules"]["version"], item["rules"].get("project_version"))
    run, tally, workflow = item["run"], item["tally"], item["workflow"]
    return Reconciliation(
        rules=rules,
        run=None if run is None else _run_from(run),
        tally=_tally_from(tally),
        workflow=Workflow(
            status=WorkflowStatus(workflow["status"]),
            prepared_by=frozenset(workflow["prepared_by"]),
            submitted_by=workflow["submitted_by"],
            submitted_at=workflow["submitted_at"],
            signoffs=tuple(SignOff(**signoff) for signoff in workflow["signoffs"]),
            reason=workflow["reason"],
        ),
        settings=Settings(**item["settings"]),
        amounts_seq=item["amounts_seq"],
    )
