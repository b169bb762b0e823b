"""Rules, notifications, imports' progress, turns in memory: the same guarantees with nothing behind them, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from realtime_server.core.notifications import Notice
from realtime_server.ports import ImportStatus, Place, Reader, SavedRules

_VERSIONS: Final = 100


class MemoryRuleStore:
    """`ports.RuleStore` in memory."""

    def __init__(self) -> None:
        self._versions: dict[str, list[SavedRules]] = {}

    async def load(self, project_id: str, version: int | None = None) -> SavedRules | None:
        kept = await self.versions(project_id)
        return next((item for item in kept if version in (None, item.version)), None)

    async def save(self, rules: SavedRules) -> bool:
        await asyncio.sleep(0)
        kept = self._versions.setdefault(rules.project_id, [])
        if rules.version != (kept[0].version if kept else 0) + 1:
            return False
        self._versions[rules.project_id] = [rules, *kept][:_VERSIONS]
        return True

    async def versions(self, project_id: str) -> list[SavedRules]:
        await asyncio.sleep(0)
        return list(self._versions.get(project_id, ()))


class MemoryNoticeStore:
    """`ports.NoticeStore` in memory. Nothing grows old here."""

    def __init__(self, *, kept: int = 500) -> None:
        self._kept = kept
        self._notices: dict[str, Notice] = {}
        self._read: set[tuple[str, str]] = set()

    async def add(self, notices: Sequence[Notice]) -> set[str]:
        await asyncio.sleep(0)
        new = {item.notice_id: item for item in notices if item.notice_id not in self._notices}
        self._notices |= new
        for item in new.values():
            alike = [other for other in self._notices.values() if _same_shelf(item, other)]
            for old in _newest_first(alike)[self._kept :]:
                del self._notices[old.notice_id]
        return set(new)

    async def page(
        self, reader: Reader, *, after: Place | None = None, limit: int = 100, unread: bool = False
    ) -> list[tuple[Notice, bool]]:
        await asyncio.sleep(0)
        mine = _newest_first([item for item in self._notices.values() if _is_for(reader, item)])
        found = [(item, False) for item in mine if not self._is_read(reader, item)]
        if not unread:
            found += [(item, True) for item in mine if self._is_read(reader, item)]
        if after is not None:
            beyond = (after.read, -after.at)
            found = [
                (item, read)
                for item, read in found
                if (read, -item.at) > beyond or ((read, -item.at) == beyond and item.notice_id < after.notice_id)
            ]
        return found[: max(limit, 0)]

    async def count_unread(self, reader: Reader, limit: int = 1_000) -> int:
        return len(await self.page(reader, limit=limit, unread=True))

    async def mark_read(
        self, reader: Reader, notice_ids: Collection[str] | None = None, *, until: int | None = None
    ) -> int:
        unread = await self.page(reader, limit=len(self._notices), unread=True)
        marked = {
            (reader.user_id, item.notice_id)
            for item, _ in unread
            if (notice_ids is None or item.notice_id in notice_ids) and (until is None or item.at <= until)
        }
        self._read |= marked
        return len(marked)

    async def erase_name(self, session_id: str, user_id: str) -> int:
        await asyncio.sleep(0)
        named = [
            item
            for item in self._notices.values()
            if (item.session_id, item.user_id) == (session_id, user_id) and item.name != user_id
        ]
        self._notices |= {item.notice_id: replace(item, name=user_id) for item in named}
        return len(named)

    def _is_read(self, reader: Reader, notice: Notice) -> bool:
        return (reader.user_id, notice.notice_id) in self._read


def _same_shelf(one: Notice, other: Notice) -> bool:
    return (one.project_id, one.recipient, one.roles[:1]) == (other.project_id, other.recipient, other.roles[:1])


def _newest_first(notices: Sequence[Notice]) -> list[Notice]:
    return sorted(notices, key=lambda item: (item.at, item.notice_id), reverse=True)


def _is_for(reader: Reader, notice: Notice) -> bool:
    role = reader.roles.get(notice.project_id)
    return role is not None and notice.concerns(reader.user_id, role.value)


class MemoryImportStatusStore:
    """`ports.ImportStatusStore` in memory."""

    def __init__(self) -> None:
        self._imports: dict[tuple[str, str], ImportStatus] = {}

    async def save(self, status: ImportStatus) -> None:
        await asyncio.sleep(0)
        self._imports[status.session_id, status.progress_id] = status

    async def load(self, session_id: str, progress_id: str) -> ImportStatus | None:
        await asyncio.sleep(0)
        return self._imports.get((session_id, progress_id))

    async def newest(self, session_id: str, limit: int = 100) -> list[ImportStatus]:
        await asyncio.sleep(0)
        found = [item for item in self._imports.values() if item.session_id == session_id]
        return sorted(found, key=lambda item: item.started_at, reverse=True)[: max(limit, 0)]


class MemoryTurns:
    """`ports.Turns` in memory."""

    def __init__(self) -> None:
        self._free_at: dict[str, float] = {}

    async def take(self, work: str, lease: float) -> bool:
        await asyncio.sleep(0)
        now = asyncio.get_running_loop().time()
        if self._free_at.get(work, now) > now:
            return False
        self._free_at[work] = now + lease
        return True

    async def put_off(self, work: str, pause: float) -> None:
        await asyncio.sleep(0)
        if work in self._free_at:
            self._free_at[work] = asyncio.get_running_loop().time() + pause
