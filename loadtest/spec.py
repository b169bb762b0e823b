"""What one generating process is told, as JSON on its standard input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """``url``: of the WebSocket; several with spaces between them, where one server has several processes.
    ``tokens``: one per client of all processes. ``of``: how many generating processes there are; this one has the
    clients whose number leaves ``worker`` over. ``rates``: actions per second, of all processes.

    ``seconds`` long, of which the first ``warm`` are not measured. ``slow``: the share of clients that never read.
    ``connect_over``: seconds over which people arrive. ``storms``: moments (seconds) at which ``dropped`` of the
    connections (a share) break and come back. ``apart``: each session at one of the processes, else at all of them.
    """

    url: str
    sessions: list[str]
    tokens: list[str]
    rates: Mapping[str, float]
    worker: int = 0
    of: int = 1
    records: int = 200
    seats: int = 50
    seconds: float = 30.0
    warm: float = 5.0
    shape: str = "steady"
    connect_over: float = 5.0
    slow: float = 0.0
    storms: list[float] = field(default_factory=list)
    dropped: float = 0.5
    spread_addresses: bool = True
    insecure: bool = False
    dialect: str = "collaboration"
    cores: list[int] = field(default_factory=list)
    apart: bool = False

    @property
    def own_records(self) -> int:
        """Records that each person edits alone."""
        return max(1, (self.records - 10) // self.seats)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
