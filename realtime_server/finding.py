"""A line of `doctor`'s report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `message` never holds a password or a secret."""

    verdict: Verdict
    subject: str
    message: str


def ok(subject: str, message: str) -> Finding:
    return Finding(Verdict.OK, subject, message)


def warn(subject: str, message: str) -> Finding:
    return Finding(Verdict.WARN, subject, " ".join(message.split()))


def fail(subject: str, message: str) -> Finding:
    return Finding(Verdict.FAIL, subject, " ".join(message.split()))
