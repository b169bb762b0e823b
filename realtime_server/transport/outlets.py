"""`Outlet`, `queue` and `flush`: compiled where there was a C compiler at the installation, plain Python elsewhere.

`TRANSPORT_NO_EXTENSIONS=1` in the environment chooses plain Python, to compare or to rule a cause out.
"""

from __future__ import annotations

import os

try:
    if os.environ.get("TRANSPORT_NO_EXTENSIONS") == "1":
        raise ImportError("not wanted")
    from ._outlets import Outlet, flush, queue
except ImportError:
    from .plain_outlets import Outlet, flush, queue

IS_COMPILED = Outlet.__module__.endswith("._outlets")
"""Whether the loops of every delivery are the compiled ones."""

__all__ = ["IS_COMPILED", "Outlet", "flush", "queue"]
