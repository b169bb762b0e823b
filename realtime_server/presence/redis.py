"""Presence of several processes, as leases in Redis. Each process knows who is in the sessions that it has open.

What happens here is seen here at once, and told to the others through Redis; what happens there is heard. Redis is
asked one thing only, whether somebody new still has a place (`enter`): only there it can be decided for all processes.

A Redis that is slow, or a process that is busy, makes people wait for their place, and nothing else. Redis may be away
(`redis_hearing`): people then come in by what this process knows, so each process may give out the places that were
free when Redis was last heard; nobody is seen to leave because of it; and when it is back, every process says anew who
it has, and nobody new comes in before places are free.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from realtime_server.core.sessions import admit, session_full
from realtime_server.ending import end_tasks
from realtime_server.presence.departed import Departed
from realtime_server.presence.members import Member, Seat, member_of
from realtime_server.presence.memory import MemoryPresence
from realtime_server.presence.ports import Announce
from realtime_server.presence.redis_seats import KIND, LEASE, Changes, Claim, Seats, SharedSeat, changes_of, topic_of
from realtime_server.redis_bus import RedisBus
from realtime_server.redis_hearing import FAILED

log = logging.getLogger(__name__)

#: Seconds between two renewals of this process's lease.
RENEW: Final = 3.0
#: Seconds between two writes: what somebody does meanwhile goes together, and only the last of it.
_PAUSE: Final = 0.02
#: Rounds in which a process must be missing before its people have left.
_MISSING: Final = 2
#: Seconds for which people of a process that ended in order are waited for.
HANDOVER: Final = 6.0
#: Changes that wait for Redis at most: more than one process has connections.
_WAITING: Final = 200_000
#: Seconds between two tries while Redis is away; between two looks at how long sessions are kept.
_RETRY: Final = 0.2
_KEEP: Final = 600.0
_AWAY = FAILED
_Place = tuple[str, str]


class RedisPresence(MemoryPresence):
    """See `Presence`. Create it inside a running loop, and `close` it before the bus."""

    def __init__(
        self,
        announce: Announce,
        clock: Callable[[], int],
        bus: RedisBus,
        *,
        lease: float = LEASE,
        renew: float = RENEW,
    ) -> None:
        super().__init__(announce, clock)
        self._bus = bus
        self._seats = Seats(bus, lease)
        self._lease, self._interval = lease, renew
        #: The seats of this process that are in Redis, or on the way there; and those of others, as heard.
        self._own: dict[str, dict[str, SharedSeat]] = {}
        self._others: dict[str, dict[str, SharedSeat]] = {}
        self._departed = Departed(asyncio.get_running_loop().time)
        self._entering: Counter[str] = Counter()
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._revision = clock()
        #: What Redis has not been told yet: whether the seat is there, and the seat.
        self._dirty: dict[_Place, tuple[bool, SharedSeat]] = {}
        self._news = asyncio.Event()
        self._missing: Counter[str] = Counter()
        #: Since when this process has been renewing without a break: before that it may know too little of others.
        self._settled_at = float("inf")
        self._unsure = True
        self._anew = asyncio.Event()
        self._closed = False
        bus.on_reset(self._anew.set)
        bus.on_reset(self._news.set)
        self._tasks = [asyncio.create_task(self._write_forever()), asyncio.create_task(self._renew_forever())]

    # -- people of this process --------------------------------------------------------------------------------------

    async def enter(self, session_id: str, seat: Seat, maximum: int) -> None:
        self._entering[session_id] += 1
        try:
            await self._open(session_id)
            known = self._roster.find(session_id, seat.connection_id)
            seat = replace(seat, came_at=known.came_at if known is not None else self._clock())
            if not await self._claim(session_id, seat, maximum):
                raise session_full(maximum).to_error()
            self._take(session_id, seat)
        finally:
            self._entering[session_id] -= 1
            self._close_if_unused(session_id)

    async def _claim(self, session_id: str, seat: Seat, maximum: int) -> bool:
        """Whether there is a place: by Redis, or where it is away by what is known here."""
        room = admit(self._roster.people(session_id), seat.user_id, maximum) is None
        if not room and asyncio.get_running_loop().time() < self._settled_at:
            return False  # Redis may not have been told yet of everybody who is known here
        claimed = self._shared(seat)
        try:
            claim = await self._bus.ask(partial(self._seats.claim, session_id, claimed, maximum), patient=True)
        except _AWAY as error:
            log.warning("whether session %s is full was not to be had from Redis: %s", session_id, error)
            room = admit(self._roster.people(session_id), seat.user_id, maximum) is None
            if not room:
                self._give_back(session_id, claimed)
            return room
        except BaseException:
            # Nobody waits any more, and the place may be taken.
            self._give_back(session_id, claimed)
            raise
        if claim is Claim.FIRST and self._own.get(session_id):
            self._anew.set()  # Redis was emptied: it knows of nobody whom this process has in the session
            if not room:
                self._give_back(session_id, claimed)
                return False
        return claim is not Claim.FULL

    def _give_back(self, session_id: str, claimed: SharedSeat) -> None:
        """Redis may have given the place; whoever had a seat here already keeps it."""
        if claimed.seat.connection_id not in self._own.get(session_id, {}):
            self._give_up(session_id, claimed)

    def _shared(self, seat: Seat) -> SharedSeat:
        self._revision += 1
        return SharedSeat(self._bus.instance, self._revision, seat)

    def _changed(self, session_id: str, connection_id: str) -> None:
        seat = self._roster.find(session_id, connection_id)
        if seat is not None:
            self._departed.back(session_id, connection_id)
            shared = self._own.setdefault(session_id, {})[connection_id] = self._shared(seat)
            self._tell(session_id, shared, present=True)
            return
        own = self._own.get(session_id, {}).pop(connection_id, None)
        known = own or self._others.get(session_id, {}).pop(connection_id, None)
        if known is not None:
            self._give_up(session_id, known)
        self._close_if_unused(session_id)

    def _give_up(self, session_id: str, seat: SharedSeat) -> None:
        self._revision = max(self._revision, seat.revision) + 1
        gone = replace(seat, revision=self._revision)
        self._departed.add(session_id, gone)
        self._tell(session_id, gone, present=False)

    async def members(self, session_id: str) -> list[Member]:
        """Of a session that is not open here, as Redis has it."""
        if session_id in self._others:
            return await super().members(session_id)

        async def read() -> tuple[set[str], list[SharedSeat]]:
            _, alive = await self._seats.renew()
            return alive, await self._seats.of_session(session_id)

        try:
            alive, found = await self._bus.ask(read)
        except _AWAY:
            return await super().members(session_id)
        # Of this process nobody is in it, whatever Redis has not been told yet.
        seats = [item.seat for item in found if item.process in alive and item.process != self._bus.instance]
        people: dict[str, list[Seat]] = {}
        for seat in seats:
            people.setdefault(seat.user_id, []).append(seat)
        return [member_of(own) for own in people.values()]

    # -- a session is open here while somebody of this process is in it ------------------------------------------------

    async def _open(self, session_id: str) -> None:
        """Listen, then read: who is in the session already."""
        if session_id in self._others:
            return
        opening = self._opening.get(session_id)
        if opening is None:
            opening = self._opening[session_id] = asyncio.create_task(self._listen_and_read(session_id))
            opening.add_done_callback(lambda _: self._opening.pop(session_id, None))
        await asyncio.shield(opening)

    async def _listen_and_read(self, session_id: str) -> None:
        heard: dict[str, SharedSeat] = {}
        self._bus.listen(topic_of(session_id), KIND, partial(self._hear, session_id))
        if await self._bus.subscribed(topic_of(session_id)):
            self._others[session_id] = heard
            try:
                await self._bus.ask(partial(self._read_with_leases, session_id), patient=True)
            except _AWAY as error:
                log.warning("who is in session %s was not to be had from Redis: %s", session_id, error)
                self._anew.set()
        self._others.setdefault(session_id, heard)

    async def _read_with_leases(self, session_id: str) -> None:
        _, alive = await self._seats.renew()
        await self._read(session_id, alive)

    async def _read(self, session_id: str, alive: set[str]) -> set[str]:
        """Take over what Redis has of others in a session; the connections that it has."""
        found = [item for item in await self._seats.of_session(session_id) if item.process != self._bus.instance]
        for item in found:
            if item.process in alive and session_id in self._others:
                self._put(session_id, item)
        return {item.seat.connection_id for item in found}

    def _close_if_unused(self, session_id: str) -> None:
        if self._own.get(session_id) or self._entering[session_id] > 0:
            return
        self._own.pop(session_id, None)
        del self._entering[session_id]
        if self._others.pop(session_id, None) is not None:
            self._bus.unlisten(topic_of(session_id), KIND)
            self._roster.forget(session_id)

    # -- people of other processes -----------------------------------------------------------------------------------

    def _hear(self, session_id: str, body: bytes) -> None:
        changes = changes_of(session_id, body)
        if session_id not in self._others:
            return
        for item in changes.put:
            self._put(session_id, item)
        for item in changes.gone:
            self._departed.add(session_id, item)
            self._drop(session_id, item)

    def _put(self, session_id: str, item: SharedSeat) -> None:
        others, connection_id = self._others[session_id], item.seat.connection_id
        known = others.get(connection_id)
        if connection_id in self._own.get(session_id, {}) or (known and known.revision >= item.revision):
            return
        if self._departed.knows(session_id, item):
            return
        others[connection_id] = item
        self._roster.put(session_id, item.seat)

    def _drop(self, session_id: str, item: SharedSeat) -> None:
        """A seat of another process is gone, or one of ours, when its person is back at another process."""
        connection_id = item.seat.connection_id
        own = self._own.get(session_id, {})
        known = self._others[session_id].get(connection_id) or own.get(connection_id)
        if known is None or known.revision > item.revision:
            return
        if connection_id in own:
            if known.seat.alive:
                # Another process took this one for dead, and it is not.
                self._revision = max(self._revision, item.revision)
                self._changed(session_id, connection_id)
                return
            # Also to Redis: what this process said of the seat last may have come after the other one's word.
            self._tell(session_id, item, present=False)
        self._stop_waiting(session_id, connection_id)
        self._others[session_id].pop(connection_id, None)
        own.pop(connection_id, None)
        self._roster.remove(session_id, connection_id)
        self._close_if_unused(session_id)

    # -- telling -----------------------------------------------------------------------------------------------------

    def _tell(self, session_id: str, item: SharedSeat, *, present: bool) -> None:
        if not self._closed and len(self._dirty) < _WAITING:
            self._dirty[session_id, item.seat.connection_id] = present, item
            self._news.set()

    async def _write_forever(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                if self._bus.is_up:
                    await self._write()
            except Exception:
                log.exception("presence could not be told")
            await asyncio.sleep(_PAUSE)

    async def _write(self) -> None:
        batch, self._dirty = self._dirty, {}
        changes: dict[str, Changes] = {}
        for (session_id, _), (present, item) in batch.items():
            change = changes.setdefault(session_id, Changes(session_id, [], []))
            (change.put if present else change.gone).append(item)
        try:
            if changes:
                await self._seats.write(changes.values())
        except _AWAY:
            # Written again when Redis answers: the same change twice is one change.
            self._dirty = {**batch, **self._dirty}
            self._anew.set()

    # -- leases ------------------------------------------------------------------------------------------------------

    async def _renew_forever(self) -> None:
        loop = asyncio.get_running_loop()
        kept_at = loop.time()
        while True:
            try:
                await self._round()
                if loop.time() - kept_at > _KEEP:
                    kept_at = loop.time()
                    await self._seats.keep(list(self._own))
            except _AWAY:
                # The bus says that Redis is away. Until this process has renewed for a while it judges nobody.
                self._anew.set()
                await asyncio.sleep(_RETRY)
            except Exception:
                log.exception("a round of presence failed")
                await asyncio.sleep(self._interval)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._anew.wait()

    async def _round(self) -> None:
        now = asyncio.get_running_loop().time()
        self._departed.forget_old()
        anew = self._anew.is_set()
        self._anew.clear()
        known, alive = await self._seats.renew()
        if anew or not known:
            await self._say_anew(alive)
            self._settled_at, self._unsure = now + self._lease, True
        elif now >= self._settled_at:
            if self._unsure:
                await self._forget_vanished(alive)
                self._unsure = False
            self._give_up_dead(alive)

    async def _say_anew(self, alive: set[str]) -> None:
        """Redis was away, or is empty: say who is here, who is not any more, and hear who is elsewhere.

        Under new revisions, because others may have taken for gone who is here."""
        for session_id, own in self._own.items():
            for connection_id, item in own.items():
                own[connection_id] = self._shared(item.seat)
                self._tell(session_id, own[connection_id], present=True)
        for session_id, gone in self._departed.of_process(self._bus.instance):
            if gone.seat.connection_id not in self._own.get(session_id, {}):
                self._tell(session_id, gone, present=False)
        self._news.set()
        for session_id in list(self._others):
            await self._read(session_id, alive)

    async def _forget_vanished(self, alive: set[str]) -> None:
        """By now every process has said anew who it has: whoever is not among them left while Redis was away."""
        for session_id in list(self._others):
            before = list(self._others[session_id].values())
            found = await self._read(session_id, alive)
            for item in before:
                if item.seat.connection_id not in found and session_id in self._others:
                    self._drop(session_id, replace(item, revision=item.revision + 1))

    def _give_up_dead(self, alive: set[str]) -> None:
        """The seats of processes whose lease has run out."""
        heard = {item.process for others in self._others.values() for item in others.values()}
        self._missing = Counter({process: self._missing[process] + 1 for process in heard - alive})
        dead = {process for process, rounds in self._missing.items() if rounds >= _MISSING}
        if not dead:
            return
        log.warning("%d other processes have ended without a word; their people are shown as gone", len(dead))
        for session_id, others in list(self._others.items()):
            for item in [item for item in others.values() if item.process in dead]:
                gone = replace(item, revision=item.revision + 1)
                self._drop(session_id, gone)
                self._tell(session_id, gone, present=False)

    async def close(self) -> None:
        """Announce nothing more. Who is here is waited for by the other processes, for the time of a restart."""
        await super().close()
        for session_id, own in self._own.items():
            for item in own.values():
                self._tell(session_id, self._shared(replace(item.seat, alive=False)), present=True)
        self._closed = True
        await end_tasks(*self._tasks)
        if self._bus.is_up:
            with suppress(*_AWAY):
                await self._bus.ask(self._write)
                await self._bus.ask(partial(self._seats.renew, HANDOVER))
