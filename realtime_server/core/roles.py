"""The roles that a token can give a person in a project."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    AUDITOR = "auditor"
    PREPARER = "preparer"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    ADMIN = "admin"
