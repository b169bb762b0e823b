"""Calling handlers of the application, whatever form they have."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any


async def resolved(value: Any) -> Any:
    """`value`, or what it gives when it is awaitable."""
    return await value if inspect.isawaitable(value) else value


@lru_cache(maxsize=1024)
def takes(handler: Callable[..., Any], count: int) -> bool:
    """True when the handler can be called with that many arguments."""
    try:
        inspect.signature(handler).bind(*([None] * count))
    except TypeError:
        return False
    except ValueError:  # a built-in without a signature
        return True
    return True
