"""A person at work through faults: connects, joins, edits, locks, resolves, comes back, and has all of it written down.

It speaks Socket.IO over a plain WebSocket, because a fault is often about the bytes: it can drop its connection between
a request and its answer, and it keeps what came exactly as it came.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, Final

import aiohttp

from tests.faults.history import History, Kind
from tests.faults.records import Records

NAMESPACE: Final = "/collaboration"
#: Seconds until an answer is taken for lost, and the request sent again.
ACK_TIMEOUT: Final = 3.0
#: Refusals that say nothing of whether the request was done, or that it was not and may be later.
_PASSING: Final = frozenset({"unavailable", "overloaded", "rate_limited", "not_joined", "internal"})
_RECORDS: Final = tuple(f"ledger:{number}" for number in range(1, 11))
#: Merged word by word, and never merged: a clash becomes a conflict.
_TEXT, _CHOICE = "memo", "colour"
#: Seconds between two tries over a connection that does not work.
_BREATH: Final = 0.02
_connections = count(1)


class Lost(Exception):
    """The connection ended, or nobody answered."""


class Member:
    """``urls``: numbers and addresses of servers, the first one to begin with. ``pace``: seconds between two things,
    on average. ``codes`` counts the refusals that came."""

    def __init__(
        self,
        name: str,
        token: str,
        urls: Sequence[tuple[int, str]],
        session_id: str,
        history: History,
        seed: int,
        pace: float,
    ) -> None:
        self.name, self._token, self.urls, self.session_id = name, token, list(urls), session_id
        self.history, self._random, self._pace = history, random.Random(f"{seed}/{name}"), pace
        self.records = Records(history.base)
        self.seq = 0
        self.members: set[str] = set()
        self.codes: Counter[str] = Counter()
        self.problems: list[str] = []
        #: Whether requests lose their connection right after they are sent, as a part of all.
        self.cutting = 0.0
        #: A person with no time to type, who still hears.
        self.resting = False
        self.ready = asyncio.Event()
        self.leaving = False
        self._turn = 0
        self._made = count()
        self._asked = count()
        self._connection = 0
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._http: aiohttp.ClientSession | None = None
        self._answers: dict[int, tuple[asyncio.Future[Any], Callable[[Any], None] | None]] = {}
        self._early: dict[int, Mapping[str, Any]] = {}
        self._catching_up: asyncio.Task[None] | None = None

    # -- the connection ----------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Be there until `leave`."""
        async with aiohttp.ClientSession() as self._http:
            while not self.leaving:
                with suppress(aiohttp.ClientError, OSError, TimeoutError, Lost):
                    await self._one_connection(self.urls[self._turn % len(self.urls)][1])
                self._lost()
                if not self.leaving:
                    self._turn += 1
                    await asyncio.sleep(self._random.uniform(0.05, 0.2))

    async def _one_connection(self, url: str) -> None:
        assert self._http is not None
        address = f"{url}/socket.io/?EIO=4&transport=websocket"
        async with asyncio.timeout(ACK_TIMEOUT):
            ws = self._ws = await self._http.ws_connect(address, max_msg_size=0, autoclose=True)
            opened = json.loads((await ws.receive_str())[1:])
            await ws.send_str(f"40{NAMESPACE}," + json.dumps({"token": self._token, "envelope": "message"}))
        self._connection = next(_connections)
        silence = (opened["pingInterval"] + opened["pingTimeout"]) / 1000
        try:
            while True:
                async with asyncio.timeout(silence):
                    message = await ws.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                await self._received(message.data, ws)
        finally:
            self.ready.clear()
            if ws is self._ws:
                self._abort(ws)

    async def _received(self, text: str, ws: aiohttp.ClientWebSocketResponse) -> None:
        if text == "2":
            await ws.send_str("3")
            return
        kind, _, rest = text.partition(f"{NAMESPACE},")
        if kind == "40":
            self._catching_up = asyncio.create_task(self._join())
        elif kind == "42":
            self._heard(json.loads(rest)[1])
        elif kind == "43":
            number, _, answer = rest.partition("[")
            future, at_once = self._answers.pop(int(number), (None, None))
            if future is not None and not future.done():
                ack = json.loads("[" + answer)[0]
                if at_once is not None and ack["ok"]:
                    # Before what came behind it: whoever waits for the answer is told of it later than that.
                    at_once(ack)
                future.set_result(ack)
        elif kind == "44":
            self.codes["connection refused"] += 1
            raise Lost(text)
        elif kind == "41":
            raise Lost(text)

    def _abort(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """End the connection without a word."""
        transport = ws._response.connection.transport if ws._response.connection is not None else None
        if transport is not None:
            transport.abort()

    def _lost(self) -> None:
        self.ready.clear()
        self._ws = None
        for future, _ in self._answers.values():
            if not future.done():
                future.set_exception(Lost("the connection ended"))
        self._answers.clear()

    @property
    def at(self) -> int:
        """The number of the server."""
        return self.urls[self._turn % len(self.urls)][0]

    def move(self, number: int) -> None:
        """Go to another server."""
        self._turn = next(turn for turn, (at, _) in enumerate(self.urls) if at == number) - 1
        self.ready.clear()
        self.cut()

    def cut(self) -> None:
        """Lose the connection at this moment."""
        if self._ws is not None:
            self._abort(self._ws)

    async def leave(self, *, quietly: bool = False) -> None:
        """Go for good; ``quietly``: without a word."""
        self.leaving = True
        ws = self._ws
        if ws is not None:
            if quietly:
                self._abort(ws)
            else:
                with suppress(OSError, TimeoutError, aiohttp.ClientError):
                    async with asyncio.timeout(1):
                        await ws.send_str(f"41{NAMESPACE},")
                        await ws.close()

    async def ask(
        self, event: str, at_once: Callable[[Any], None] | None = None, **request: Any
    ) -> dict[str, Any]:
        """One request and its acknowledgement. `Lost` when there is none. ``at_once`` is called with a good one."""
        ws = self._ws
        if ws is None or ws.closed:
            raise Lost("not connected")
        number = next(self._asked)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = (future, at_once)
        message = json.dumps([event, {"session_id": self.session_id, **request}])
        try:
            async with asyncio.timeout(ACK_TIMEOUT):
                await ws.send_str(f"42{NAMESPACE},{number}{message}")
                if self.cutting and event not in ("join", "sync") and self._random.random() < self.cutting:
                    self.cut()
                answer: dict[str, Any] = await future
                return answer
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise Lost(repr(error)) from None
        finally:
            self._answers.pop(number, None)

    # -- what it knows -----------------------------------------------------------------------------------------------

    async def _join(self) -> None:
        ws = self._ws
        while ws is self._ws and ws is not None and not ws.closed:
            asked_at, since = time.monotonic_ns(), self.seq
            try:
                ack = await self.ask("join", partial(self._joined, asked_at, since), since=since)
            except Lost:
                # A socket that is broken says so without waiting: others must have their turn to notice.
                await asyncio.sleep(_BREATH)
                continue
            if ack["ok"]:
                self.ready.set()
                return
            self.codes[f"join {ack['error']['code']}"] += 1
            await asyncio.sleep(0.1)

    def _joined(self, asked_at: int, since: int, ack: Mapping[str, Any]) -> None:
        self._take(asked_at, since, ack)
        self.members = {member["user_id"] for member in ack["members"]}

    async def _sync(self) -> None:
        with suppress(Lost):
            await self.sync()

    async def sync(self) -> bool:
        """Ask what is new; whether there was an answer."""
        asked_at, since = time.monotonic_ns(), self.seq
        ack = await self.ask("sync", partial(self._take, asked_at, since), since=since)
        return bool(ack["ok"])

    def _take(self, asked_at: int, since: int, ack: Mapping[str, Any]) -> None:
        self.history.catch_up(self.name, self._connection, asked_at, since, ack)
        self._early |= {envelope["seq"]: envelope for envelope in ack["commits"]}
        self._apply()

    def _heard(self, envelope: Mapping[str, Any]) -> None:
        if "seq" in envelope:
            self.history.hear(self.name, self._connection, envelope)
            self._early[envelope["seq"]] = envelope
            self._apply()
            if self._early and (self._catching_up is None or self._catching_up.done()):
                self._catching_up = asyncio.create_task(self._sync())
        elif envelope["message_type"] in ("presence.joined", "presence.updated"):
            self.members.add(envelope["data"]["user_id"])
        elif envelope["message_type"] == "presence.left":
            self.members.discard(envelope["data"]["user_id"])

    def _apply(self) -> None:
        for seq in [seq for seq in self._early if seq <= self.seq]:
            del self._early[seq]
        while (envelope := self._early.pop(self.seq + 1, None)) is not None:
            self.records.apply(envelope)
            self.seq += 1

    # -- what it does ------------------------------------------------------------------------------------------------

    async def work(self, ended: asyncio.Event) -> None:
        """Do one thing after another until told to stop."""
        while not ended.is_set() and not self.leaving:
            await asyncio.sleep(self._random.uniform(0.4, 1.6) * self._pace)
            if not self.resting and not ended.is_set():
                things = (self._edit, self._text, self._colour, self._both, self._lock)
                [thing] = self._random.choices(things, (8, 6, 4, 2, 1))
                await thing()

    async def do(
        self, event: str, give_up: Callable[[], bool] = lambda: False, **request: Any
    ) -> dict[str, Any] | None:
        """Ask until there is an answer, always under the same id; the acknowledgement, or None for a refusal."""
        own_id = f"{self.name}-{next(self._made)}"
        name = "edit_id" if event in ("edit", "edit_batch") else "request_id"
        op = self.history.invoke(self.name, own_id, event, request)
        doubtful = False
        while not self.leaving and not give_up():
            try:
                async with asyncio.timeout(1):
                    await self.ready.wait()
            except TimeoutError:
                continue
            try:
                ack = await self.ask(event, **{name: own_id}, **request)
            except Lost:
                doubtful = True
                if self.cutting and self._random.random() < 0.25:
                    break
                await asyncio.sleep(_BREATH)
                continue
            if ack["ok"]:
                unchanged = ack.get("status") == "unchanged"
                self.history.answer(op, Kind.UNKNOWN if unchanged and doubtful else Kind.OK, ack)
                return ack
            code = ack["error"]["code"]
            self.codes[code] += 1
            if code not in _PASSING:
                # An attempt before this one may still be on its way through a server that was stopped.
                self.history.answer(op, Kind.UNKNOWN if doubtful else Kind.FAIL, ack["error"])
                return None
            if code == "internal":
                self.problems.append(f"{op}: {ack['error']['message']}")
            doubtful = doubtful or code in ("unavailable", "internal")
            await asyncio.sleep(self._random.uniform(0.05, 0.15))
        self.history.answer(op, Kind.UNKNOWN)
        return None

    async def set(self, record: str, field: str, value: Any, **more: Any) -> dict[str, Any] | None:
        """Set a field, as this person sees it now."""
        _, version = self.records.at(record, field)
        return await self.do(
            "edit", record_id=record, field_name=field, new_value=value, base_version=version, **more
        )

    def _word(self) -> str:
        return f"{self.name}{self._random.randrange(10**6)}"

    async def _edit(self) -> None:
        await self.set(self._random.choice(_RECORDS), f"note_{self.name}", self._word())

    async def _text(self) -> None:
        """Change one of eight words; others change others."""
        record = self._random.choice(_RECORDS)
        words = str(self.records.at(record, _TEXT)[0] or "a b c d e f g h").split()
        words[self._random.randrange(len(words))] = self._word()
        await self.set(record, _TEXT, " ".join(words[:12]))

    async def _colour(self) -> None:
        """What others change as well: conflicts come of it, and are decided."""
        open_ones = list(self.records.conflicts.values())
        if open_ones and "forbidden" not in self.codes:
            conflict = self._random.choice(open_ones)
            if self._random.random() < 0.5:
                await self.do("resolve", conflict_id=conflict, strategy="keep_current")
            else:
                await self.do("resolve", conflict_id=conflict, strategy="custom", value=self._word())
        else:
            await self.set(self._random.choice(_RECORDS[:3]), _CHOICE, self._word())

    async def _both(self) -> None:
        field, word = f"pair_{self.name}", self._word()
        edits = [
            {"record_id": record, "field_name": field, "new_value": word,
             "base_version": self.records.at(record, field)[1]}
            for record in self._random.sample(_RECORDS, 2)
        ]  # fmt: skip
        await self.do("edit_batch", edits=edits)

    async def _lock(self, ttl: float = 2.0) -> None:
        record = self._random.choice(_RECORDS[-2:])
        lock = await self.do("lock", record_id=record, ttl=ttl)
        if lock is not None:
            for _ in range(self._random.randint(1, 3)):
                await self.set(record, f"held_{self.name}", self._word(), lock_token=lock["token"])
            if self._random.random() < 0.8:
                await self.do("unlock", record_id=record, token=lock["token"])
