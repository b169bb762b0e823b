"""`Told`, `Reader`, `Readings`: compiled where there was a C compiler at the installation, plain Python elsewhere.

`LOADTEST_NO_EXTENSIONS=1` in the environment chooses plain Python. Without the compiled part, and through TLS, the
WebSocket is picows'.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadtest._reading import Sockets

sockets_class: type[Sockets] | None
try:
    if os.environ.get("LOADTEST_NO_EXTENSIONS") == "1":
        raise ImportError("not wanted")
    from loadtest._reading import Reader, Readings, Sockets, Told

    sockets_class = Sockets
except ImportError:
    from loadtest.plain_reading import Reader, Readings, Told

    sockets_class = None

__all__ = ["Reader", "Readings", "Told", "sockets_class"]
