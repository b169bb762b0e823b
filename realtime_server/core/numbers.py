"""Numbers as the log holds them."""

from __future__ import annotations


def plain_number(value: float) -> float:
    """A whole number as an integer: 1.0 becomes 1.

    The hash chain is computed over JSON, and ECMAScript, which has one kind of number, reads ``1.0`` and writes ``1``.
    """
    return int(value) if value == int(value) else value
