"""What one generating process counts, given away once per window and begun anew."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

from loadtest.histogram import Histogram

#: From a connection's due moment to the answer to CONNECT; the same after an interruption; to the answer to `join`.
#: `ack` and `delivery`: from the moment an event was due to its acknowledgement, and to each member's broadcast.
#: `cursor`: the same for presence, which is paced by the server. `resolution`: from the broadcast of a conflict to that
#: of its resolution. `lag`: how late this generator itself sent what was due; it is in `ack` and `delivery` already.
MEASURES: Final = ("connect", "reconnect", "join", "ack", "delivery", "cursor", "resolution", "lag")


def now() -> int:
    """Microseconds of the machine's monotonic clock, the same in all its processes."""
    return time.monotonic_ns() // 1000


class Recorder:
    """Counters and histograms since the last window."""

    def __init__(self) -> None:
        self.histograms = {name: Histogram() for name in MEASURES}
        self.counts: Counter[str] = Counter()
        #: Refusals by code. Which of them a scenario expects is the scenario's to say.
        self.refused: Counter[str] = Counter()
        #: Wrong behaviour, by what is wrong; each is a failure of the run.
        self.faults: Counter[str] = Counter()

    def take(self) -> dict[str, Any]:
        """Everything since the last call, as JSON takes it."""
        taken = {
            "counts": dict(self.counts),
            "refused": dict(self.refused),
            "faults": dict(self.faults),
            "histograms": {name: found.sparse() for name, found in self.histograms.items() if any(found.counts)},
        }
        for histogram in self.histograms.values():
            histogram.clear()
        for counter in (self.counts, self.refused, self.faults):
            counter.clear()
        return taken
