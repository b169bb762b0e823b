"""Notifications: one's own, listed and marked as read. Nobody sees another's."""

from __future__ import annotations

from typing import Final

from realtime_server.core.clock import from_iso
from realtime_server.core.notifications import Notice, notice_view
from realtime_server.ports import Place, Reader
from realtime_server.rest import cursors
from realtime_server.rest.operations import Answer, Call, Operation, operation
from realtime_server.rest.refusals import invalid
from schemas import notifications_rest as schemas

NOTIFICATIONS: Final = "/collaboration/notifications"
_TAG: Final = "notifications"


def _reader(call: Call, project_id: str | None) -> Reader:
    """Whoever asks, in the projects that their token names now: of one that it names no more nothing is shown."""
    roles = call.identity.roles
    if project_id is not None:
        roles = {project_id: roles[project_id]} if project_id in roles else {}
    return Reader(call.identity.user_id, roles)


@operation("GET", NOTIFICATIONS, tag=_TAG, query=schemas.NotificationsQuery, answer=schemas.NotificationsPage)
async def list_notifications(call: Call) -> Answer:
    """List your notifications.

    What you have not read first, and of each the newest first. They are kept for 90 days, where the operator says no
    other number, and the newest 500 of each project.
    """
    reader = _reader(call, call.query.get("project_id"))
    place = cursors.decode(call.query.get("cursor"), int, int, str)
    limit = call.query["limit"]
    after = None if place is None else Place(bool(place[0]), place[1], place[2])
    store = call.services.notices
    found = await store.page(reader, after=after, limit=limit + 1, unread=call.query["unread"])
    return Answer(
        {
            "items": [notice_view(notice, read=read) for notice, read in found[:limit]],
            "unread": await store.count_unread(reader),
            "next_cursor": _cursor(*found[limit - 1]) if len(found) > limit else None,
        }
    )


def _cursor(notice: Notice, read: bool) -> str:
    return cursors.encode(int(read), notice.at, notice.notice_id)


@operation("POST", f"{NOTIFICATIONS}/read", tag=_TAG, body=schemas.ReadBody, answer=schemas.ReadDone)
async def read_notifications(call: Call) -> Answer:
    """Mark notifications as read.

    Those that are not yours, or not there any more, are passed over.
    """
    reader = _reader(call, None)
    changed = await call.services.notices.mark_read(reader, call.body["notification_ids"])
    return Answer({"changed": changed, "unread": await call.services.notices.count_unread(reader)})


@operation(
    "POST", f"{NOTIFICATIONS}/read-all", tag=_TAG, body=schemas.ReadAllBody, body_required=False,
    answer=schemas.ReadDone,
)  # fmt: skip
async def read_all_notifications(call: Call) -> Answer:
    """Mark all notifications as read.

    Name with `until` the newest that was shown: what came since stays unread.
    """
    reader = _reader(call, call.body.get("project_id"))
    until = call.body.get("until")
    instant = None if until is None else _milliseconds(until)
    changed = await call.services.notices.mark_read(reader, until=instant)
    return Answer({"changed": changed, "unread": await call.services.notices.count_unread(reader)})


def _milliseconds(instant: str) -> int:
    try:
        return from_iso(instant)
    except ValueError:
        raise invalid({"until": ["Not an instant."]}, "the body is not valid") from None


OPERATIONS: Final[tuple[Operation, ...]] = (list_notifications, read_notifications, read_all_notifications)
