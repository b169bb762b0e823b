"""The roles a person can have in a project. What each of them may do is the permission table's business."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """One role per person and project; the value is what tokens and messages carry."""

    AUDITOR = "auditor"
    PREPARER = "preparer"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    ADMIN = "admin"
