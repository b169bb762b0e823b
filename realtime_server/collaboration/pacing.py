"""How much of a turn of the event loop one session gets, and how late somebody is refused who collects refusals."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any, Final

from realtime_server.collaboration.connections import Connection

#: A session, or somebody who is not in it, and how many of their places an event has (`turns`).
Turn = tuple[str, int]

#: Events of one session that are under way at a time, and begun in one turn of the event loop. With fewer, a busy
#: process stores fewer commits with one write; with more, others wait longer while one session sends all it can
#: (``python -m loadtest.attacks "full throttle"``).
PLACES: Final = 16
#: The edits of a batch that take as much time as one event.
_EDITS_A_PLACE: Final = 8
#: What an event of somebody who is not in the session takes of their own: a join asks for much.
_PLACES_OF_A_STRANGER: Final = 8
#: Seconds of work for which a refusal counts once, and for which one is kept back at most.
_REFUSAL: Final = 0.001
_LONGEST_DELAY: Final = 4.0


def turn_of(connection: Connection, arguments: tuple[Any, ...]) -> Turn:
    """Whose places an event takes, and how many, by what it says as it came: nothing of that has been checked."""
    request = arguments[0] if len(arguments) == 1 else None
    if type(request) is dict:
        session_id, edits = request.get("session_id"), request.get("edits")
        if type(session_id) is str and session_id in connection.sessions:
            return session_id, 1 + len(edits) // _EDITS_A_PLACE if type(edits) is list else 1
    # Whoever is not in a session takes none of its places. No session's id has a line break.
    return f"user\n{connection.user_id}", _PLACES_OF_A_STRANGER


def refusal_delay(connection: Connection, began: float) -> float:
    """Seconds for which a refusal is kept back. One that took long to find out, from ``began``, counts for more."""
    now = perf_counter()
    return connection.patience.borrow(max(1.0, (now - began) / _REFUSAL), _LONGEST_DELAY, now)


async def late(answer: dict[str, Any], delay: float) -> dict[str, Any]:
    await asyncio.sleep(delay)
    return answer
