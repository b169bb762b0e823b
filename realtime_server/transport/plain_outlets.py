"""Queueing a frame for many clients, and writing what is queued: the two loops that run once per delivery.

`_outlets.c` is the same, compiled, and is what is used wherever there was a C compiler at the installation
(`outlets.py` chooses). Change them together.

**Beside the event loop's transport.** An outlet with an `fd` is written with a system call, and the transport never
hears of it. That is correct while the transport holds nothing of its own to write, so whoever sets `fd` sees to three
things: the transport calls `pause_writing` as soon as it holds anything (`set_write_buffer_limits(high=0)`); from then
on until `resume_writing` the outbox is not a plain `list`; and `fd` is -1 again before the socket is closed, since its
number is given to the next connection then.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


class Outlet:
    """Where one client's frames wait, and where they are written to.

    ``outbox``: a plain list while `flush` may write it; a subclass otherwise. ``fd``: the socket, or -1.
    """

    __slots__ = ("fd", "outbox")

    outbox: list[bytes]
    fd: int

    def __new__(cls, *_: object, **__: object) -> Outlet:
        self = super().__new__(cls)
        self.outbox = []
        self.fd = -1
        return self

    def flush(self) -> None:
        """Write the outbox where the loop may not."""
        raise NotImplementedError

    def write_rest(self, data: bytes) -> None:
        """Write, by way of the transport, what the socket did not take."""
        raise NotImplementedError


def queue(recipients: Sequence[Outlet], skipped: Outlet | None, frame: bytes, dirty: list[Outlet]) -> int:
    """Queue `frame` for all but `skipped`; those for whom nothing waited are appended to `dirty`.

    Returns:
        The number of outlets it was queued for.
    """
    count = 0
    for outlet in recipients:
        if outlet is skipped:
            continue
        outbox = outlet.outbox
        if not outbox:
            dirty.append(outlet)
        outbox.append(frame)
        count += 1
    return count


def flush(dirty: Sequence[Outlet]) -> tuple[int, int]:
    """Write everything that waits in these outlets.

    Returns:
        Frames and bytes that were taken out of the outboxes here; those that `Outlet.flush` wrote are not among them.
    """
    frames = size = 0
    for outlet in dirty:
        outbox = outlet.outbox
        if outlet.fd < 0 or type(outbox) is not list:
            outlet.flush()
        elif outbox:
            data = outbox[0] if len(outbox) == 1 else b"".join(outbox)
            frames += len(outbox)
            size += len(data)
            outbox.clear()
            try:
                sent = os.write(outlet.fd, data)
            except OSError:
                sent = 0  # full, or broken: the transport finds out which
            if sent < len(data):
                outlet.write_rest(data[sent:])
    return frames, size
