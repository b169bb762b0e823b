"""Keeping server, bystander and attacker out of each other's way, so that what is measured is the server's doing."""

from __future__ import annotations

import os
import socket
from typing import Final

_OTHER: Final = "127.0.0.2"


def cores() -> tuple[list[int], list[int]]:
    """(the server's, everybody else's). Where there is one core they share it."""
    found = sorted(os.sched_getaffinity(0))
    return found[:1], found[1:] or found


def give_way() -> None:
    """From now on this process runs when nobody else wants to."""
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError):
        os.nice(19)


def other_address() -> str | None:
    """An address of this machine that is not 127.0.0.1; None where it has no other loopback address."""
    with socket.socket() as probe:
        try:
            probe.bind((_OTHER, 0))
        except OSError:
            return None
    return _OTHER
