"""The most that a server sustains: the rate is raised step by step, then held for as long as the figure claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from loadtest.controller import Generator
from loadtest.histogram import Histogram
from loadtest.results import Window


@dataclass(frozen=True, slots=True)
class Step:
    """``asked`` and ``done``: edits a second; latencies of the 99th percentile in ms, also of each second's deliveries
    alone: whether a rate was too much, or one second was slow."""

    asked: float
    done: float
    delivery_p99: float
    ack_p99: float
    seconds: int
    deliveries: float
    delivery_p99_by_second: tuple[float, ...] = ()

    def holds(self, limit_ms: float) -> bool:
        """What was asked was done, and told in time."""
        return self.delivery_p99 < limit_ms and self.done >= 0.97 * self.asked


def measured(windows: list[Window], asked: float) -> Step:
    delivery, ack = Histogram(), Histogram()
    for window in windows:
        for total, name in ((delivery, "delivery"), (ack, "ack")):
            if name in window.histograms:
                total.add(window.histograms[name].sparse())
    done = sum(window.counts["acks"] for window in windows) / len(windows)
    told = sum(window.counts["deliveries"] for window in windows) / len(windows)
    endless = float("inf")
    each = tuple(w.histograms.get("delivery", Histogram()).quantile(0.99) or endless for w in windows)
    p99, ack_p99 = delivery.quantile(0.99) or endless, ack.quantile(0.99) or endless
    return Step(asked, done, p99, ack_p99, len(windows), told, each)


#: Rates that are held in one search at most, a quarter of an hour of them; and of those above the best, so many one
#: after another before it stands.
_HOLDS: Final = 24
_TRIES: Final = 4
_DOWN: Final = 0.8
_UP, _A_LITTLE_UP = 1.25, 1.1
#: Between two rates a tenth is asked for, for so many seconds at most: a server that was asked for more than it can do
#: has a queue then, and works it off.
_REST: Final = 60
#: Seconds of a rate before those that count.
_SETTLE: Final = 2


class Holds:
    """Which rates are held, one after another: down in fifths until one holds, from there up until nothing more does.

    What else runs on a machine makes figures worse only, for seconds or for minutes. So a failure is not the last word:
    the way back up is in quarters while they hold, and a tenth above the best is tried several times. The answer is
    exact to a tenth.
    """

    def __init__(self, begin: float, floor: float) -> None:
        self.best: float | None = None
        self._rate, self._floor, self._left = begin, floor, _HOLDS
        self._failures = 0

    @property
    def rate(self) -> float | None:
        """The rate to be held next; None when the search is over."""
        over = self._left == 0 or self._rate <= self._floor or self._failures == _TRIES
        return None if over else self._rate

    def tell(self, held: bool, done: float) -> None:
        """What became of ``rate``; ``done`` is what was done of it, edits a second."""
        self._left -= 1
        if held:
            self.best, self._rate, self._failures = self._rate, self._rate * _UP, 0
        elif self.best is not None:
            self._rate, self._failures = self.best * _A_LITTLE_UP, self._failures + 1
        else:
            self._rate = min(self._rate * _DOWN, done)


class Search:
    """Finds the peak on a generator whose clients are in."""

    def __init__(self, generator: Generator, *, limit_ms: float = 100.0, action: str = "edit") -> None:
        self._generator, self._limit, self._action = generator, limit_ms, action
        self.steps: list[Step] = []

    async def _at(self, rate: float, settle: int, seconds: int) -> Step:
        await self._ask(rate)
        await self._generator.seconds(settle + seconds)
        return self._noted(self._generator.result.windows[-seconds:], rate)

    async def _ask(self, rate: float) -> None:
        await self._generator.tell_all({"rates": {self._action: rate}})

    def _noted(self, windows: list[Window], asked: float) -> Step:
        self.steps.append(measured(windows, asked))
        return self.steps[-1]

    async def peak(
        self, begin: float, *, seconds: int = 30, factor: float = 1.25, step_seconds: int = 3
    ) -> Step | None:
        """The highest rate that held for ``seconds``, to a tenth; None where not even a tenth of ``begin`` did."""
        await self._at(begin / 2, 1, step_seconds)
        rate, held = begin, begin / 2
        while await self._climbs(rate, step_seconds):
            held, rate = rate, rate * factor
        holds, best = Holds(held, begin / 10), None
        while (rate := holds.rate) is not None:
            step = await self._hold(rate, seconds)
            held_so_long = step.holds(self._limit)
            if held_so_long:
                best = step
            holds.tell(held_so_long, step.done)
        return best

    async def _hold(self, rate: float, seconds: int) -> Step:
        """The rate, held: for so long, or until too much is late for the rest to mend it."""
        await self._rest(rate)
        await self._ask(rate)
        await self._generator.seconds(_SETTLE)
        windows, late, told = self._generator.result.windows, 0, 0
        for second in range(1, seconds + 1):
            await self._generator.seconds(1)
            deliveries = windows[-1].histograms.get("delivery", Histogram())
            late, told = late + deliveries.not_below(self._limit), told + deliveries.total
            if late > 0.01 * told * seconds / second:
                break
        return self._noted(windows[-second:], rate)

    async def _climbs(self, rate: float, seconds: int) -> bool:
        """Whether the rate holds for a moment. One moment may be a bad one; three are not."""
        for _ in range(3):
            if (await self._at(rate, 1, seconds)).holds(self._limit):
                return True
            await self._rest(rate)
        return False

    async def _rest(self, rate: float) -> None:
        """What the last step left behind is not the next one's fault."""
        for _ in range(_REST):
            if (await self._at(rate / 10, 0, 1)).delivery_p99 < self._limit / 2:
                return


def _known(milliseconds: float) -> float | None:
    return None if milliseconds == float("inf") else milliseconds


def described(step: Step | None) -> dict[str, Any]:
    if step is None:
        return {"edits": 0.0}
    return {
        "edits": round(step.done, 1),
        "asked": round(step.asked, 1),
        "deliveries": round(step.deliveries, 1),
        "delivery_p99_ms": _known(step.delivery_p99),
        "ack_p99_ms": _known(step.ack_p99),
        "seconds": step.seconds,
    }


def by_second(step: Step) -> list[float | None]:
    """The p99 of each second's deliveries in ms; None for a second without any."""
    return [_known(value) for value in step.delivery_p99_by_second]
