"""How the text of a setting becomes its value. Each parser raises `ValueError` whose message completes "must be …"."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from urllib.parse import urlsplit


def integer(minimum: int, maximum: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        # int() alone also takes "1_000" and digits of other scripts.
        if not re.fullmatch(r"-?[0-9]{1,18}", raw) or not minimum <= int(raw) <= maximum:
            raise ValueError(f"a whole number from {minimum} to {maximum}")
        return int(raw)

    return parse


def number(minimum: float, maximum: float) -> Callable[[str], float]:
    def parse(raw: str) -> float:
        try:
            value = float(raw)
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum:  # false for nan
            raise ValueError(f"a number from {minimum:g} to {maximum:g}")
        return value

    return parse


def text(limit: int) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if len(raw) > limit or not raw.isprintable():
            raise ValueError(f"at most {limit} printable characters")
        return raw

    return parse


def choice(*allowed: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw.lower() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return raw.lower()

    return parse


def url(*schemes: str) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        try:
            parts = urlsplit(raw)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in schemes or not (parts.netloc or parts.scheme == "unix"):
            raise ValueError("a URL that begins with " + " or ".join(f"{scheme}://" for scheme in schemes))
        return raw

    return parse


def url_path(raw: str) -> str:
    path = raw.rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path) or path == "/socket.io":
        raise ValueError("a path such as /ws, other than /socket.io")
    return path


def database_name(raw: str) -> str:
    # https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,63}", raw):
        raise ValueError("1 to 63 letters, digits, _ or -")
    return raw


def secret(minimum: int) -> Callable[[str], bytes]:
    def parse(raw: str) -> bytes:
        value = raw.encode()
        if len(value) < minimum:
            raise ValueError(f"at least {minimum} bytes, not {len(value)}: try `openssl rand -base64 48`")
        return value

    return parse


def password(minimum: int) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if len(raw) < minimum:
            raise ValueError(f"at least {minimum} characters, not {len(raw)}")
        return raw

    return parse


def networks(raw: str) -> tuple[str, ...]:
    """IP networks or addresses, in their normal form."""
    try:
        return tuple(str(ipaddress.ip_network(part.strip(), strict=False)) for part in raw.split(",") if part.strip())
    except ValueError:
        raise ValueError("networks such as 10.0.0.0/8 with commas between them") from None


def origins(raw: str) -> tuple[str, ...]:
    """``*``, or origins as browsers send them: scheme, host and port, nothing after."""
    found = tuple(part.strip() for part in raw.split(",") if part.strip())
    for origin in found:
        if origin != "*" and not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin):
            raise ValueError("* or origins such as https://books.example.com with commas between them")
    return found
