"""Matches, listed as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from realtime_server.core.reconciling import Match, anchor_of
from realtime_server.core.state import SessionState
from realtime_server.reconciliation.export_package import match_row
from realtime_server.rest import cursors
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.sessions import SESSION
from schemas import reconciliation_rest as schemas

MATCHES: Final = f"{SESSION}/matches"
#: What stands for a rule where a person made the match.
BY_HAND: Final = "by-hand"

#: Records that one request looks at; a page may be short then, and its cursor goes on from there.
_LOOKED_AT: Final = 5_000
_STEP: Final = 1_000


@operation("GET", MATCHES, tag="reconciliation", query=schemas.MatchesQuery, answer=schemas.MatchesPage)
async def list_matches(call: Call) -> Answer:
    """List matches.

    Suggested and confirmed ones, as they stand now, by the record under which they are found. A page can be short,
    even empty: go on while there is a `next_cursor`.
    """
    place = cursors.decode(call.query.get("cursor"), str)
    state = await call.session()
    found, following = await _matching(call, state, None if place is None else place[0])
    sign = 1 if state.reconciliation.run is None else state.reconciliation.run.statement_sign
    items = [match_row(match, sign) for match in found]
    return Answer({"items": items, "as_of": state.seq, "next_cursor": following})


async def _matching(call: Call, state: SessionState, after: str | None) -> tuple[list[Match], str | None]:
    """(matches that fit the query, cursor): at most ``limit``, looking at no more than a bounded number of records."""
    found: list[Match] = []
    for _ in range(0, _LOOKED_AT, _STEP):
        stored = await call.services.records.page(state.session_id, after=after, limit=_STEP)
        for record in stored:
            held = state.records.get(record.record_id)
            match = (held if held is not None and held.seq > record.seq else record).match
            # Every record of a match holds it; it is listed under one of them.
            if match is not None and anchor_of(match.match_id) == record.record_id and _fits(match, call.query):
                found.append(match)
                if len(found) == call.query["limit"]:
                    return found, cursors.encode(record.record_id)
        if len(stored) < _STEP:
            return found, None
        after = stored[-1].record_id
    return found, cursors.encode(after or "")


def _fits(match: Match, query: Mapping[str, Any]) -> bool:
    rule_id = query.get("rule_id")
    if rule_id is not None and (match.rule_id or BY_HAND) != rule_id:
        return False
    if "status" in query and match.status.value != query["status"]:
        return False
    least, most = query.get("least_score"), query.get("most_score")
    if least is None and most is None:
        return True
    return match.score is not None and (least or 0) <= match.score <= (1 if most is None else most)


OPERATIONS: Final[tuple[Operation, ...]] = (list_matches,)
