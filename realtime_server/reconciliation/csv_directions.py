"""A column that tells money in from money out, in files whose amounts have no sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from realtime_server.reconciliation.csv_columns import Columns, shown, spellings
from realtime_server.reconciliation.csv_source import refuse_file

#: The words, their abbreviations, and the codes of ISO 20022 (DBIT, CRDT).
DIRECTIONS: Final = {
    **dict.fromkeys(("d", "dr", "debit", "dbit"), "debit"),
    **dict.fromkeys(("c", "cr", "credit", "crdt"), "credit"),
}
#: Names of columns that hold the direction in some files and something else in others, so that what is in them decides.
_POSSIBLE_NAMES: Final = frozenset({"transaction_type", "trans_type", "txn_type", "entry_type", "type"})
_MINUS: Final = ("-", "−", "(")


class DirectionEvidence:
    """Sees every row of a file that names no column for the direction, and says whether one holds it all the same.

    Without it each amount would be taken for money in, so a column of nothing but directions is not passed over.
    """

    def __init__(self, columns: Columns, *, is_told: bool) -> None:
        self._columns = columns
        is_open = not is_told and columns.amount is not None and columns.direction is None
        #: Free columns that have held nothing else so far, by position, and whether they have held a direction.
        self._candidates = dict.fromkeys((position for position, _ in columns.free), False) if is_open else {}

    def see(self, cells: Sequence[str]) -> None:
        if not self._candidates or self._columns.amount is None:
            return
        amount = cells[self._columns.amount].strip()
        if amount.startswith(_MINUS) or amount.endswith(_MINUS):
            self._candidates = {}  # amounts with signs of their own
            return
        for position in list(self._candidates):
            text = cells[position].strip().lower()
            if text in DIRECTIONS:
                self._candidates[position] = True
            elif text:
                del self._candidates[position]

    def decide(self, header: Sequence[str]) -> Columns:
        """The columns, with the one for the direction where its name fits. `CollaborationError` (`invalid`) where a
        column holds directions and its name says something else."""
        found = [position for position, has_any in self._candidates.items() if has_any]
        if not found:
            return self._columns
        position = next((each for each in found if not _POSSIBLE_NAMES.isdisjoint(spellings(header[each]))), None)
        if position is None:
            name = shown(header[found[0]].strip())
            refuse_file(
                f"no amount has a sign, and column {name} holds nothing but debit and credit: say whether it is the "
                f"direction (--map direction={name}) or not (--map direction=)",
                field="direction",
            )
        # It stays a field as well, as it is in a file of the same bank that shows signs: a row is the same in both.
        return replace(self._columns, direction=position)
