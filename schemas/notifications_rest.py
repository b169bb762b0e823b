"""Notifications over REST."""

from __future__ import annotations

from marshmallow import fields

from schemas import common as c
from schemas.common import Message
from schemas.notifications import Notification, notification_id
from schemas.rest_answers import Page
from schemas.rest_requests import MAX_PAGE, PageQuery, project_id
from schemas.strict import Flag, Integer, Listed


class NotificationsQuery(PageQuery):
    """Which notifications to list."""

    project_id = project_id("Only of this project; without it, of every project of yours.")
    unread = Flag("Only those that are not read.", False, load_default=False)


class NotificationsPage(Page):
    """Notifications: what is not read first, and of each the newest first."""

    items = Listed(fields.Nested(Notification), "The notifications.", [], maximum=MAX_PAGE, required=True)
    unread = Integer("How many are not read. 1,000 stands for so many and more.", 3, maximum=1_000, required=True)


class ReadBody(Message):
    """The notifications that were read."""

    notification_ids = Listed(notification_id(required=False), "The notifications.", ["demo.42.mentioned.c2FsbHk"],
                              minimum=1, maximum=500, required=True)  # fmt: skip


class ReadAllBody(Message):
    """Everything was read."""

    project_id = project_id("Only of this project; without it, of every project of yours.")
    until = c.instant("Only what happened until then: `at` of the newest that was shown.", required=False)


class ReadDone(Message):
    """They are read."""

    changed = Integer("How many were not read before.", 2, required=True)
    unread = Integer("How many are not read now. 1,000 stands for so many and more.", 1, maximum=1_000, required=True)
