"""What a later run has beside the open records: those that are settled, and which of them belong together.

What is left of a book says little of the book: among ten records every amount is one of ten, however unlikely it is to
come by chance, and a handful of true pairs teaches no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from realtime_server.core.matching.table import Item


@dataclass(frozen=True, slots=True)
class Settled:
    """``ledger``, ``statement``: records that are not open; they are counted, and never proposed. ``pairs``: those of
    them (ledger, statement) that are known to belong together, one to one."""

    ledger: Sequence[Item] = ()
    statement: Sequence[Item] = ()
    pairs: Sequence[tuple[str, str]] = ()


NOTHING_SETTLED: Final = Settled()
