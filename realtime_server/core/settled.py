"""Which fields of a record stand still while it is settled: what its match was balanced with, and what follows."""

from __future__ import annotations

from realtime_server.core.outcomes import reject
from realtime_server.core.reconciling import MatchStatus
from realtime_server.core.state import RecordState
from realtime_server.errors import ErrorCode, Rejection


def refuse_settled(record: RecordState, name: str) -> Rejection | None:
    """Why a field cannot be edited: what a match was balanced with, or what follows from a match."""
    settled = record.disposition is not None or record.match is not None
    if name == "status" and settled:
        message = "the status follows from the record's match: confirm, reject or unmatch it"
        return reject(ErrorCode.INVALID, message, record_id=record.record_id, field_name=name)
    confirmed = record.match is not None and record.match.status is MatchStatus.CONFIRMED
    if name in ("amount", "currency") and (confirmed or record.disposition is not None):
        message = f"the record is settled with this {name}: unmatch it, or take it back, first"
        return reject(ErrorCode.UNBALANCED, message, record_id=record.record_id, field_name=name)
    return None
