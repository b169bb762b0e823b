"""What `doctor` looks at beyond "is it there": clocks, indexes, durability, limits, keys; and what to do about each."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from realtime_server.finding import Finding, fail, ok, warn
from realtime_server.settings import Settings

#: Seconds. Leases and tokens are judged by wall clocks; a token's leeway is 5 s (`auth.tokens.LEEWAY`).
SKEW_WARN: Final = 1.0
SKEW_FAIL: Final = 5.0
#: What listens with a backlog of 4096 (`serving`) gets no more than the kernel allows.
_BACKLOG: Final = 4_096
_SOMAXCONN: Final = Path("/proc/sys/net/core/somaxconn")
#: Descriptors beside the clients' own: MongoDB, Redis, files.
_SPARE: Final = 200
_MIN_MONGODB: Final = (6, 0)
_MIN_REDIS: Final = (6, 2)


def clock(subject: str, theirs: float, asked: float, answered: float) -> Finding:
    """``theirs``: their clock (seconds since 1970), read between two moments of ours. The way there is no skew."""
    skew = max(asked - theirs, theirs - answered, 0.0)
    where = "behind" if theirs < asked else "ahead"
    text = f"{subject}'s clock is {skew:.1f} s {where} of this machine's"
    if skew >= SKEW_FAIL:
        return fail("clock", f"{text}: run NTP (chrony) on both; leases and tokens are judged by the clock")
    if skew >= SKEW_WARN:
        return warn("clock", f"{text}: see that NTP (chrony) runs on both")
    return ok("clock", f"{subject}'s is this machine's, within {max(skew, answered - asked):.2f} s")


def mongodb_version(version: str) -> Finding | None:
    if _parsed(version) >= _MIN_MONGODB:
        return None
    return fail("mongodb", f"version {version} is too old: run 6.0 or newer")


def replica_set(hello: Mapping[str, Any], embedded: bool) -> Finding:
    name = hello.get("setName")
    if name is None and hello.get("msg") != "isdbgrid":
        text = "a standalone: its disk is the only copy of the log"
        if embedded:
            return ok("replicas", f"{text}; run a replica set of three for more than one machine")
        return warn("replicas", f"{text}, and no primary takes over: run a replica set of three members")
    if name is None:
        return ok("replicas", "behind mongos")
    members = len(hello.get("hosts", ()))
    if members < 3:
        return warn("replicas", f"{name} has {members} voting members with data: with three, one may fail")
    return ok("replicas", f"{name} has {members} members")


def write_concern(url: str) -> Finding:
    """What the URL asks for is overruled by the collections' own; whoever wrote it should know."""
    lowered = url.lower()
    words = ("w=0", "w=1", "journal=false", "j=false")
    weak = [word for word in words if f"?{word}" in lowered or f"&{word}" in lowered]
    if weak:
        text = f"MONGODB_URL asks for {', '.join(weak)}, which has no effect: take it out"
        return warn("durable", f"{text}; every write waits for a journaled majority")
    return ok("durable", "every write waits until a majority has it in its journal")


def indexes(missing: list[str]) -> Finding:
    if missing:
        text = f"missing: {', '.join(missing)}. A server makes them at its start; if it cannot, see its log"
        return warn("indexes", text)
    return ok("indexes", "all are there")


def redis_server(info: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    version = str(info["redis_version"])
    if _parsed(version) < _MIN_REDIS:
        yield fail("redis", f"version {version} is too old: run 6.2 or newer")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and info.get("maxmemory"):
        text = f"maxmemory-policy is {policy}: Redis may throw presence away; set noeviction, or a Redis of its own"
        yield warn("redis", text)
    if info.get("role") not in (None, "master"):
        yield fail("redis", f"is a {info['role']}: REDIS_URL must name the primary")
    if int(info.get("aof_enabled", 0)):
        yield warn("redis", "appendonly is on: nothing here needs it, and every write waits for it; set appendonly no")
    if str(settings.redis_url).startswith("redis://") and "@" not in str(settings.redis_url):
        yield warn("redis", "has no password: set requirepass, and give it in REDIS_URL")


def limits(settings: Settings) -> Iterator[Finding]:
    """Open files and the kernel's backlog, of the process that asks: run it as the server's user, where it runs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.ws_max_connections + _SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        text = f"{soft} open files are allowed (hard: {hard}), WS_MAX_CONNECTIONS needs {wanted}"
        yield warn("limits", f"{text}: raise it (ulimit -n, LimitNOFILE=), or lower WS_MAX_CONNECTIONS")
    else:
        yield ok("limits", f"{soft} open files are allowed, {wanted} are needed")
    try:
        backlog = int(_SOMAXCONN.read_text())
    except (OSError, ValueError):
        return
    if backlog < _BACKLOG:
        text = f"net.core.somaxconn is {backlog}: after a restart more than that reconnect at once"
        yield warn("limits", f"{text}; sysctl net.core.somaxconn={_BACKLOG}")


def token_keys(settings: Settings, document: bytes | None) -> Iterator[Finding]:
    """Strength and number of the keys; ``document``: the key set as it came."""
    secret = settings.auth_jwt_secret
    if secret is not None:
        if len(set(secret)) < 10:
            yield fail("tokens", "AUTH_JWT_SECRET has few different characters: try `openssl rand -base64 48`")
        if secret == settings.auth_jwt_secret_previous:
            yield warn("tokens", "AUTH_JWT_SECRET_PREVIOUS is the same secret: leave it out")
        elif settings.auth_jwt_secret_previous is not None:
            yield ok("tokens", "two secrets are good: leave AUTH_JWT_SECRET_PREVIOUS out when its tokens have expired")
    if settings.auth_issuer is None or settings.auth_audience is None:
        unset = " and ".join(
            name for name, value in (("AUTH_ISSUER", settings.auth_issuer), ("AUTH_AUDIENCE", settings.auth_audience))
            if value is None
        )  # fmt: skip
        if document is not None:
            yield warn("tokens", f"{unset} unset: a token of the same issuer for another service is taken; set it")
    if document is not None:
        yield from _key_set(settings, document)


def _key_set(settings: Settings, document: bytes) -> Iterator[Finding]:
    from realtime_server.auth.keys import parse_key_set

    if str(settings.auth_jwks_url or "").startswith("http://"):
        yield warn("tokens", "AUTH_JWKS_URL is not https: whoever is on the way can put in keys of their own")
    usable = parse_key_set(document)
    left_out = len(json.loads(document)["keys"]) - len(usable)
    if left_out:
        yield warn("tokens", f"{left_out} keys of the set are left out: of another kind or use, or too weak")
    names = [key.kid for key in usable]
    if len(usable) > 1 and (None in names or len(set(names)) < len(names)):
        yield fail("tokens", "several keys without a kid of their own: tokens cannot say which; name each")
    elif len(usable) > 1:
        yield ok("tokens", f"{len(usable)} keys are good: a rotation is possible without a refusal")
    else:
        yield warn("tokens", "one key alone: publish the next one before tokens are signed with it")


def certificate_expiry(entry: Mapping[str, Any], now: float) -> Finding | None:
    """Some issuers say until when a key is good (``exp``, Unix seconds)."""
    until = entry.get("exp")
    if not isinstance(until, int | float) or isinstance(until, bool):
        return None
    days = (until - now) / 86_400
    name = str(entry.get("kid", "without a kid"))[:64]
    if days < 0:
        return fail("tokens", f"key {name!r} expired {-days:.0f} days ago: rotate it")
    if days < 14:
        return warn("tokens", f"key {name!r} expires in {days:.0f} days: publish the next one now")
    return None


def expiries(document: bytes) -> Iterator[Finding]:
    for entry in json.loads(document)["keys"]:
        finding = certificate_expiry(entry, time.time()) if isinstance(entry, dict) else None
        if finding is not None:
            yield finding


def _parsed(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
