"""Trying again, a bounded number of times, what was refused only for the moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, TypeVar

from realtime_server.errors import CollaborationError, ErrorCode

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds before each further attempt: 6 in all, as long as a database takes to elect a new primary.
PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0)
_FOR_THE_MOMENT: Final = frozenset({ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE})


class Patience:
    """Only for calls that may be made again without harm."""

    def __init__(self, pauses: tuple[float, ...] = PAUSES) -> None:
        self._pauses = pauses

    async def __call__(self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call gives. CollaborationError as it raises it: at once, or when the last attempt has failed."""
        for pause in self._pauses:
            try:
                return await call(*args, **kwargs)
            except CollaborationError as error:
                if error.code not in _FOR_THE_MOMENT:
                    raise
            # Not all at the same instant: what is overloaded would be so again.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        return await call(*args, **kwargs)
