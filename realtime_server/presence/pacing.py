"""How often changes of one person are told: the latest wins, so many a second, and none is kept back for good."""

from __future__ import annotations

import asyncio

from realtime_server.presence.members import ChangeKind, PresenceChange
from realtime_server.presence.ports import Announce

#: Seconds between two `presence.updated` of one person in one session: ten a second, as fast as a cursor needs.
INTERVAL = 0.1


class Pacer:
    """Passes changes on: coming and going at once, updates of one person at most every ``interval`` seconds.

    Holds at most one update per person, the latest; coming or going replaces it.
    """

    def __init__(self, announce: Announce, interval: float = INTERVAL) -> None:
        self._announce = announce
        self._interval = interval
        #: (session, person) -> the update that waits, and the timer until which updates of that person do.
        self._held: dict[tuple[str, str], PresenceChange] = {}
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}

    def __call__(self, change: PresenceChange) -> None:
        key = (change.session_id, change.member.user_id)
        if change.kind is ChangeKind.UPDATED and key in self._timers:
            self._held[key] = change
            return
        self._held.pop(key, None)
        if change.kind is ChangeKind.LEFT:
            timer = self._timers.pop(key, None)
            if timer is not None:
                timer.cancel()
        elif key not in self._timers:
            self._start(key)
        self._announce(change)

    def _start(self, key: tuple[str, str]) -> None:
        self._timers[key] = asyncio.get_running_loop().call_later(self._interval, self._due, key)

    def _due(self, key: tuple[str, str]) -> None:
        del self._timers[key]
        change = self._held.pop(key, None)
        if change is not None:
            self._start(key)
            self._announce(change)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._held.clear()
