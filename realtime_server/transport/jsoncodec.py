"""JSON as orjson, in the shape of the standard library's module that python-socketio's `json=` argument expects.

What orjson refuses and the standard library accepts (integers past 64 bits, keys that are not strings, lone
surrogates such as half an emoji in JSON text) falls back to the standard library, so that nothing which works with
upstream's default stops working. NaN and Infinity are refused on the way in: they are not JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

import orjson

Default = Callable[[Any], Any]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _bounded_int(digits: str) -> int | float:
    # Past 2**64 JavaScript has no exact integers either; a float also keeps int() from costing quadratic time.
    return int(digits) if len(digits) < 20 else float(digits)


def dump_slowly(value: Any, default: Default | None = None) -> bytes:
    """The standard library's encoding: for integers past 64 bits, keys that are no strings and lone surrogates."""
    return json.dumps(value, separators=(",", ":"), default=default).encode()


def dump_bytes(value: Any) -> bytes:
    """`value` as UTF-8 JSON without spaces.

    Raises:
        TypeError: for a type that neither encoder knows.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return dump_slowly(value)


def dumps(value: Any, *_: Any, **__: Any) -> str:
    """`value` as a JSON text; other arguments of the standard library's function are accepted and ignored."""
    return dump_bytes(value).decode()


def loads(text: str | bytes | bytearray | memoryview, *_: Any, **__: Any) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: when it is not JSON (RFC 8259), or nested deeper than the decoder can follow.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if isinstance(text, memoryview):
            text = bytes(text)
        try:
            return json.loads(text, parse_constant=_refuse_constant, parse_int=_bounded_int)
        except RecursionError:
            raise ValueError("nested too deeply") from None


JSONDecodeError = json.JSONDecodeError
