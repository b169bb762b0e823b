"""A joined session: what one does in it, and what happens in it, in order and without gaps."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

from realtime_server.client.locks import HeldLock, hold
from realtime_server.client.messages import Edited, Envelope, Reset
from realtime_server.errors import CollaborationError

Request = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]

#: Envelopes kept for whoever iterates. Beyond it commits are fetched again when they are wanted; presence is dropped.
_KEPT: Final = 1_000


class Session:
    """See `Client.join`. ``state``: the acknowledgement of the last join (session, members, locks, conflicts, …)."""

    def __init__(self, session_id: str, request: Request, since: int | None) -> None:
        self.session_id = session_id
        self.state: Mapping[str, Any] = {}
        self._request = request
        self._seq = since
        self._queue: deque[Envelope | Reset] = deque()
        self._gap = False
        self._news = asyncio.Event()
        self._ended = False
        self._error: CollaborationError | None = None
        self._refusal: CollaborationError | None = None
        """Why it could not be joined again yet, after an interruption."""

    @property
    def seq(self) -> int:
        """The last commit that was queued for `envelopes`."""
        return self._seq or 0

    @property
    def error(self) -> CollaborationError | None:
        """Why the session is over before its block is: it could not be joined again, or the connection not made."""
        return self._error

    @property
    def role(self) -> str:
        return str(self.state["role"])

    # -- what one does -----------------------------------------------------------------------------------------------

    async def edit(
        self,
        record_id: str,
        field_name: str,
        new_value: Any,
        *,
        base_version: int,
        lock: HeldLock | None = None,
        reason: str | None = None,
        edit_id: str | None = None,
    ) -> Edited:
        """Set a field. Sent again, with the same id, until there is an answer: it is done once.

        ``base_version``: the version of the field that the author saw. CollaborationError for a refusal.
        """
        ack = await self._ask(
            "edit",
            edit_id=edit_id or uuid4().hex,
            record_id=record_id,
            field_name=field_name,
            new_value=new_value,
            base_version=base_version,
            lock_token=None if lock is None else lock.token,
            edit_reason=reason,
        )
        return Edited.of(ack)

    async def edit_batch(
        self, edits: Sequence[Mapping[str, Any]], *, reason: str | None = None, edit_id: str | None = None
    ) -> list[int]:
        """Set several fields, all or none; their versions. The edits are as the contract's `edit_batch` has them."""
        ack = await self._ask("edit_batch", edit_id=edit_id or uuid4().hex, edits=list(edits), edit_reason=reason)
        return list(ack["versions"])

    @asynccontextmanager
    async def lock(self, record_id: str, *, ttl: float = 60.0) -> AsyncIterator[HeldLock]:
        """Hold a record's lock during the block: renewed while it lasts, given back at its end.

        ``ttl``: seconds after which others get it when this program dies. CollaborationError `locked` where somebody
        else has it; when it is lost on the way (`HeldLock.lost`), edits that name it are refused as `lock_lost`.
        """
        async with hold(self._ask, record_id, ttl) as held:
            yield held

    async def take_over(self, record_id: str, reason: str) -> int:
        """Take somebody else's lock; its new token. For reviewers."""
        return int((await self._ask("takeover", record_id=record_id, reason=reason))["token"])

    async def resolve(
        self,
        conflict_id: str,
        strategy: str,
        *,
        edit_id: str | None = None,
        reason: str | None = None,
        **value: Any,
    ) -> int:
        """Decide a conflict (``value=…`` for the strategy custom); the field's new version."""
        ack = await self._ask(
            "resolve",
            conflict_id=conflict_id,
            strategy=strategy,
            edit_id=edit_id,
            reason=reason,
            request_id=uuid4().hex,
            keep=value,
        )
        return int(ack["version"])

    async def follow(self, conflict: Mapping[str, Any], *, reason: str | None = None) -> int:
        """Decide a conflict as is suggested (``conflict``: from ``state["conflicts"]``, `envelopes` or HTTP); the
        field's new version. ValueError where nothing is suggested."""
        suggestion = conflict.get("suggestion")
        if suggestion is None:
            raise ValueError(f"nothing is suggested for {conflict['conflict_id']}")
        value = {"value": suggestion["value"]} if suggestion["strategy"] == "custom" else {}
        return await self.resolve(
            conflict["conflict_id"], suggestion["strategy"], edit_id=suggestion.get("edit_id"), reason=reason, **value
        )

    async def comment(self, text: str, *, record_id: str | None = None, parent_id: str | None = None) -> str:
        """Comment; the comment's id."""
        ack = await self._ask("comment", text=text, record_id=record_id, parent_id=parent_id, request_id=uuid4().hex)
        return str(ack["comment_id"])

    async def presence(self, **doing: Any) -> None:
        """Say what one is doing: ``status``, ``activity``, ``focus``, ``drafts``; null clears the last three."""
        await self._ask("presence", keep=doing)

    async def _ask(self, event: str, *, keep: Mapping[str, Any] | None = None, **members: Any) -> dict[str, Any]:
        """``members`` that are None are left out; ``keep`` is sent as it is."""
        if self._error is not None:
            raise self._error
        named = {name: value for name, value in members.items() if value is not None or name == "new_value"}
        return await self._request(event, {"session_id": self.session_id, **named, **(keep or {})})

    # -- what happens ------------------------------------------------------------------------------------------------

    async def envelopes(self) -> AsyncIterator[Envelope | Reset]:
        """Everything that happens from the joining on: commits in the order of their ``seq`` and none twice or left
        out, presence as it comes. Ends with the session's block. For one consumer.

        What was missed is fetched; where that is more than the server replays, a `Reset` says so. CollaborationError
        when the session cannot be joined again after an interruption; where it may be later (it is full, say), that is
        tried again until it is.
        """
        while True:
            if self._queue:
                yield self._queue.popleft()
            elif self._error is not None:
                raise self._error
            elif self._ended:
                return
            elif self._gap and self._refusal is None:
                await self._fill()
            else:
                self._news.clear()
                await self._news.wait()

    def _join_request(self) -> dict[str, Any]:
        since = {} if self._seq is None else {"since": self._seq}
        return {"session_id": self.session_id, **since}

    def _join(self, ack: Mapping[str, Any]) -> None:
        """Take the answer of a join: the first one, or one after an interruption."""
        first, self.state = self._seq is None, ack
        if first:
            self._seq = ack["seq"]
        elif ack["recovered"]:
            self._gap = False
            self._take(ack["commits"])
        else:
            self._reset(ack["seq"])

    def _receive(self, payload: Mapping[str, Any]) -> None:
        if payload.get("seq") is None:
            if len(self._queue) < _KEPT:
                self._queue.append(Envelope.of(payload))
        else:
            self._take([payload])
        self._news.set()

    def _take(self, payloads: Sequence[Mapping[str, Any]]) -> None:
        """Queue commits that follow; a gap, or no room, is a matter for `_fill`."""
        for payload in payloads:
            if payload["seq"] <= self.seq:
                continue
            if payload["seq"] != self.seq + 1 or len(self._queue) >= _KEPT:
                self._gap = True
                break
            self._queue.append(Envelope.of(payload))
            self._seq = payload["seq"]
        self._news.set()

    def _reset(self, seq: int) -> None:
        self._queue.append(Reset(seq))
        self._seq, self._gap = seq, False
        self._news.set()

    async def _fill(self) -> None:
        """Fetch what is missing. Commits that come meanwhile open a gap again, or follow what was fetched."""
        self._gap = False
        ack = await self._request("sync", {"session_id": self.session_id, "since": self.seq})
        if ack.get("reset"):
            self._reset(ack["seq"])
        else:
            self._take(ack["commits"])

    def _end(self, error: CollaborationError | None) -> None:
        self._ended, self._error = True, error
        self._news.set()
