"""Whose work an entry of the log belongs to: ``request_id``, ``session_id``, ``user_id``, ``event``.

Set around a request, and for the life of a session's actor. Socket events, of which there are thousands a second, set
nothing: the one place where they can fail sets it then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar
from types import MappingProxyType
from typing import Final

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_ids: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=_NOTHING)


def current() -> Mapping[str, str]:
    """The ids of the work that is done now; empty where it is nobody's."""
    return _ids.get()


@contextmanager
def log_context(**ids: str | None) -> Iterator[None]:
    """Add ids for the length of a block; what is None is left out."""
    token = _ids.set({**_ids.get(), **{name: value for name, value in ids.items() if value is not None}})
    try:
        yield
    finally:
        _ids.reset(token)


def bind(**ids: str) -> None:
    """Add ids until the block of `log_context` around this ends."""
    _ids.set({**_ids.get(), **ids})


def context_of(**ids: str) -> Context:
    """For a task that outlives the work that started it: it bears these ids and none of that work's."""
    context = Context()
    context.run(_ids.set, ids)
    return context
