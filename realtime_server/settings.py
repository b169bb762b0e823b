"""Every setting of the server, read once from the environment into one frozen object.

Each field of `Settings` declares its variable, default, unit, bounds and meaning in one place; `settings_table` makes
the README's table of it. An empty value counts as unset, which is how compose files and charts leave a variable out.
"""

from __future__ import annotations

import dataclasses
import difflib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from realtime_server import setting_values as values
from realtime_server.errors import ConfigurationError

log = logging.getLogger(__name__)

MIN_SECRET_BYTES = 32
"""RFC 7518, section 3.2: a key for HS256 must be as long as the hash's output at least."""
MIN_PASSWORD = 16
MAX_RETENTION = 36_500
"""Days; a hundred years."""

_OWN_PREFIXES = ("WS_", "COLLABORATION_", "AUTH_", "WEB_", "RETENTION_")


@dataclass(frozen=True, slots=True)
class _Declaration:
    variable: str
    default: str
    unit: str
    meaning: str
    parse: Callable[[str], Any]
    secret: bool


def _setting(
    variable: str, default: str, parse: Callable[[str], Any], meaning: str, *, unit: str = "", secret: bool = False
) -> Any:
    """A field with its declaration; ``secret`` values appear in no representation and no message."""
    declaration = _Declaration(variable, default, unit, meaning, parse, secret)
    return dataclasses.field(metadata={"setting": declaration}, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided. Made by `from_environment`; pass it on, never read the environment elsewhere.

    Fields that end in ``_timeout``, ``_grace``, ``_interval``, ``_warning`` or ``_unload`` are seconds; sizes are
    bytes. ``None`` stands for "unset" where that has a meaning of its own.
    """

    ws_host: str = _setting("WS_HOST", "0.0.0.0", values.text(255), "Address the server listens on")
    ws_port: int = _setting("WS_PORT", "8080", values.integer(0, 65535), "Port it listens on; 0 takes a free one")
    ws_path: str = _setting("WS_PATH", "/ws", values.url_path, "Path of the endpoint beside `/socket.io/`")
    ws_max_connections: int = _setting(
        "WS_MAX_CONNECTIONS", "10000", values.integer(1, 1_000_000), "Open connections of this process at most"
    )
    ws_max_message_size: int = _setting(
        "WS_MAX_MESSAGE_SIZE",
        "65536",
        values.integer(1024, 16 * 1024 * 1024),
        "Largest message a client may send",
        unit="bytes",
    )
    ws_rate_limit: float = _setting(
        "WS_RATE_LIMIT",
        "500",
        values.number(0.1, 100_000),
        "Events one connection may send in the long run; `rate_limited` beyond",
        unit="events/s",
    )
    ws_rate_burst: int = _setting(
        "WS_RATE_BURST", "1000", values.integer(1, 100_000), "Events it may send at once after a pause", unit="events"
    )
    ws_address_connections: int = _setting(
        "WS_ADDRESS_CONNECTIONS",
        "2000",
        values.integer(0, 1_000_000),
        "Open connections of one address; an office may share one. 0: no limit",
    )
    ws_address_rate: float = _setting(
        "WS_ADDRESS_RATE",
        "200",
        values.number(0, 100_000),
        "New connections of one address in the long run; 0: no limit",
        unit="connections/s",
    )
    ws_address_burst: int = _setting(
        "WS_ADDRESS_BURST",
        "2000",
        values.integer(1, 1_000_000),
        "New connections that one address may open at once after a pause",
        unit="connections",
    )
    ws_address_refusals: float = _setting(
        "WS_ADDRESS_REFUSALS",
        "20",
        values.number(0, 100_000),
        "HTTP requests and connections of one address that are refused in the long run; further refusals are kept "
        "back until it is their turn, 5 s at most; 0: never",
        unit="refusals/s",
    )
    ws_ping_interval: float = _setting(
        "WS_PING_INTERVAL", "25", values.number(1, 3600), "Time between pings to a client", unit="s"
    )
    ws_ping_timeout: float = _setting(
        "WS_PING_TIMEOUT", "8", values.number(1, 3600), "Time a client has to answer a ping", unit="s"
    )
    ws_connect_timeout: float = _setting(
        "WS_CONNECT_TIMEOUT", "10", values.number(0.1, 300), "Time a new connection has to present its token", unit="s"
    )
    ws_outbox_limit: int = _setting(
        "WS_OUTBOX_LIMIT",
        "1048576",
        values.integer(65536, 1024 * 1024 * 1024),
        "Output waiting for one slow client; past it the connection is closed",
        unit="bytes",
    )

    ws_drain_time: float = _setting(
        "WS_DRAIN_TIME",
        "3",
        values.number(0, 300),
        "After SIGTERM clients are sent to other processes one by one over this time",
        unit="s",
    )
    ws_trusted_proxies: tuple[str, ...] = _setting(
        "WS_TRUSTED_PROXIES",
        "",
        values.networks,
        "Networks of reverse proxies whose `X-Forwarded-For` is believed, with commas between them; unset: none",
    )

    collaboration_session_timeout: int = _setting(
        "COLLABORATION_SESSION_TIMEOUT",
        "3600",
        values.integer(1, 31_536_000),
        "A session without activity ends after this time",
        unit="s",
    )
    collaboration_lock_timeout: int = _setting(
        "COLLABORATION_LOCK_TIMEOUT", "1800", values.integer(1, 86_400), "Longest lease on a record", unit="s"
    )
    collaboration_max_users: int = _setting(
        "COLLABORATION_MAX_USERS", "50", values.integer(1, 10_000), "Members of one session at most", unit="users"
    )
    user_connections: int = _setting(
        "COLLABORATION_USER_CONNECTIONS",
        "100",
        values.integer(1, 1_000_000),
        "Connections of one person at this process",
    )
    user_rate: float = _setting(
        "COLLABORATION_USER_RATE",
        "1000",
        values.number(0, 1_000_000),
        "Events and HTTP requests of one person in the long run, over all their connections to this process; "
        "`rate_limited` beyond; 0: no limit",
        unit="requests/s",
    )
    user_burst: int = _setting(
        "COLLABORATION_USER_BURST",
        "2000",
        values.integer(1, 1_000_000),
        "The same, at once after a pause",
        unit="requests",
    )
    session_rate: float = _setting(
        "COLLABORATION_SESSION_RATE",
        "1000",
        values.number(0, 1_000_000),
        "Events and commands about one session in the long run, of everybody together; 0: no limit",
        unit="requests/s",
    )
    session_burst: int = _setting(
        "COLLABORATION_SESSION_BURST",
        "2000",
        values.integer(1, 1_000_000),
        "The same, at once after a pause",
        unit="requests",
    )
    project_rate: float = _setting(
        "COLLABORATION_PROJECT_RATE",
        "0",
        values.number(0, 1_000_000),
        "Events and commands about all sessions of one project in the long run; 0: no limit",
        unit="requests/s",
    )
    project_burst: int = _setting(
        "COLLABORATION_PROJECT_BURST",
        "2000",
        values.integer(1, 1_000_000),
        "The same, at once after a pause",
        unit="requests",
    )
    lock_grace: float = _setting(
        "COLLABORATION_LOCK_GRACE",
        "30",
        values.number(0, 3600),
        "Locks are released so long after their holder's last connection is gone",
        unit="s",
    )
    presence_grace: float = _setting(
        "COLLABORATION_PRESENCE_GRACE",
        "1.5",
        values.number(0, 300),
        "A dropped connection that is back within this time was never gone, for the others",
        unit="s",
    )
    replay_limit: int = _setting(
        "COLLABORATION_REPLAY_LIMIT",
        "1000",
        values.integer(1, 100_000),
        "Commits a client that was away gets replayed; further behind, it loads anew",
        unit="commits",
    )
    actor_queue_limit: int = _setting(
        "COLLABORATION_ACTOR_QUEUE_LIMIT",
        "1000",
        values.integer(1, 100_000),
        "Commands waiting in one session; past it `overloaded`",
        unit="commands",
    )
    commit_batch_size: int = _setting(
        "COLLABORATION_COMMIT_BATCH_SIZE",
        "256",
        values.integer(1, 10_000),
        "Commits stored by one write at most",
        unit="commits",
    )
    checkpoint_every: int = _setting(
        "COLLABORATION_CHECKPOINT_EVERY",
        "8000",
        values.integer(1, 100_000),
        "The log is folded into the records after so many commits",
        unit="commits",
    )
    session_idle_unload: float = _setting(
        "COLLABORATION_SESSION_IDLE_UNLOAD",
        "60",
        values.number(0, 86_400),
        "A session nobody uses leaves memory after this time",
        unit="s",
    )
    poll_interval: float = _setting(
        "COLLABORATION_POLL_INTERVAL",
        "0.5",
        values.number(0, 3600),
        "So often a session with clients looks for what other processes added to its log; 0: never",
        unit="s",
    )

    retention_names_days: int = _setting(
        "RETENTION_NAMES_DAYS",
        "0",
        values.integer(0, MAX_RETENTION),
        "So long after a session's end people's names stay in it, then only their ids; 0: for ever",
        unit="days",
    )
    retention_notifications_days: int = _setting(
        "RETENTION_NOTIFICATIONS_DAYS",
        "90",
        values.integer(1, MAX_RETENTION),
        "New notifications are kept so long at most",
        unit="days",
    )

    redis_url: str | None = _setting(
        "REDIS_URL",
        "",
        values.url("redis", "rediss", "unix", "redis+cluster", "rediss+cluster"),
        "Redis, or a Redis Cluster, between several processes; unset: one process",
        secret=True,
    )
    redis_session_prefix: str = _setting(
        "REDIS_SESSION_PREFIX", "collaboration:", values.text(128), "Begins every key and channel in Redis"
    )
    mongodb_url: str | None = _setting(
        "MONGODB_URL",
        "",
        values.url("mongodb", "mongodb+srv"),
        "MongoDB; unset: an embedded mongod under `DATA_DIR`",
        secret=True,
    )
    mongodb_database: str = _setting(
        "MONGODB_DATABASE", "realtime_server", values.database_name, "Name of the database"
    )
    data_dir: Path = _setting(  # noqa: RUF009 - a field specifier
        "DATA_DIR", "./data", Path, "Where the embedded mongod and a generated secret are kept"
    )

    auth_jwt_secret: bytes | None = _setting(
        "AUTH_JWT_SECRET",
        "",
        values.secret(MIN_SECRET_BYTES),
        f"Secret of HS256 tokens, {MIN_SECRET_BYTES} bytes at least; without it and a key set, one is made and kept "
        "under `DATA_DIR`",
        secret=True,
    )
    auth_jwt_secret_previous: bytes | None = _setting(
        "AUTH_JWT_SECRET_PREVIOUS",
        "",
        values.secret(MIN_SECRET_BYTES),
        "The secret before this one: its tokens are good as long as they last, so that the secret can be changed",
        secret=True,
    )
    auth_jwks_url: str | None = _setting(
        "AUTH_JWKS_URL", "", values.url("https", "http"), "Key set of RS256, ES256 and EdDSA tokens, fetched from here"
    )
    auth_jwks_file: Path | None = _setting(  # noqa: RUF009 - a field specifier
        "AUTH_JWKS_FILE", "", Path, "The same, read from a file"
    )
    auth_issuer: str | None = _setting("AUTH_ISSUER", "", values.text(1024), "`iss` a token must have; unset: any")
    auth_audience: str | None = _setting("AUTH_AUDIENCE", "", values.text(1024), "`aud` a token must have; unset: any")
    auth_token_warning: float = _setting(
        "AUTH_TOKEN_WARNING",
        "60",
        values.number(0, 3600),
        "A client is told so long before its token expires",
        unit="s",
    )
    auth_revocation_interval: float = _setting(
        "AUTH_REVOCATION_INTERVAL",
        "5",
        values.number(0.1, 30),
        "So often a process looks for tokens that were revoked at another one",
        unit="s",
    )
    cors_allowed_origins: tuple[str, ...] = _setting(
        "CORS_ALLOWED_ORIGINS",
        "",
        values.origins,
        "Origins of other sites whose pages may connect, with commas between them; `*` for all; unset: none",
    )

    web_dir: Path | None = _setting(  # noqa: RUF009 - a field specifier
        "WEB_DIR", "", Path, "Folder of the built web client; unset: `web/dist` of the checkout"
    )
    web_oidc_client_id: str | None = _setting(
        "WEB_OIDC_CLIENT_ID",
        "",
        values.text(255),
        "People sign in to the web client with `AUTH_ISSUER`, to which it is known by this name; unset: by token",
    )
    web_oidc_token_url: str | None = _setting(
        "WEB_OIDC_TOKEN_URL",
        "",
        values.url("https", "http"),
        "The provider's token endpoint, where it is on another host than `AUTH_ISSUER`: browsers may connect there too",
    )
    web_oidc_scope: str = _setting(
        "WEB_OIDC_SCOPE", "openid profile", values.text(1024), "What the web client asks the identity provider for"
    )

    log_level: str = _setting(
        "LOG_LEVEL", "info", values.choice("debug", "info", "warning", "error"), "Least grave entry that is logged"
    )
    log_format: str = _setting("LOG_FORMAT", "text", values.choice("text", "json"), "How an entry is written")

    otlp_endpoint: str | None = _setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        values.url("http", "https"),
        "Where OpenTelemetry traces are sent (OTLP over HTTP); needs the extra `telemetry`; unset: none",
        secret=True,
    )
    admin_user: str | None = _setting(
        "WS_ADMIN_USER", "", values.text(128), "Who may look with the Socket.IO Admin UI, at `/admin`; unset: nobody"
    )
    admin_password: str | None = _setting(
        "WS_ADMIN_PASSWORD",
        "",
        values.password(MIN_PASSWORD),
        f"Their password, {MIN_PASSWORD} characters at least",
        secret=True,
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, warn: Callable[[str], object] = log.warning) -> Self:
        """Read all settings; `warn` gets one line per variable that looks like a misspelt one of ours.

        Raises `ConfigurationError` for a bad value: the variable, the value (never a secret's) and what is allowed.
        """
        for warning in misspelt_variables(environment):
            warn(warning)
        read = {field.name: _read(_declaration(field), environment) for field in dataclasses.fields(cls)}
        settings = cls(**read)
        if (settings.admin_user is None) is not (settings.admin_password is None):
            raise ConfigurationError("WS_ADMIN_USER and WS_ADMIN_PASSWORD belong together: set both, or neither")
        if settings.auth_jwt_secret_previous and settings.auth_jwt_secret is None:
            raise ConfigurationError("AUTH_JWT_SECRET_PREVIOUS is set without AUTH_JWT_SECRET: set that as well")
        if settings.auth_jwks_url and settings.auth_jwks_file:
            raise ConfigurationError("AUTH_JWKS_URL and AUTH_JWKS_FILE are both set: set one of them")
        return settings


def _declaration(field: dataclasses.Field[Any]) -> _Declaration:
    declaration: _Declaration = field.metadata["setting"]
    return declaration


def _read(declaration: _Declaration, environment: Mapping[str, str]) -> Any:
    raw = environment.get(declaration.variable, "").strip() or declaration.default
    if not raw:
        # Lists have an empty tuple for "none"; everything else that may be empty is None then.
        return () if declaration.parse in (values.origins, values.networks) else None
    try:
        return declaration.parse(raw)
    except ValueError as error:
        shown = "(not shown)" if declaration.secret else repr(raw[:200])
        raise ConfigurationError(f"{declaration.variable}={shown}: must be {error}") from None


def misspelt_variables(environment: Mapping[str, str]) -> list[str]:
    """One line for each unknown variable with a prefix of ours that is close to a known one, naming that one."""
    known = [_declaration(field).variable for field in dataclasses.fields(Settings)]
    warnings = []
    for name in sorted(environment):
        if name.startswith(_OWN_PREFIXES) and name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            if nearest:
                warnings.append(f"{name} is not a setting and has no effect: did you mean {nearest[0]}?")
    return warnings


def settings_table() -> str:
    """The Markdown table of all settings, as the README has it."""
    rows = ["| variable | default | unit | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(Settings):
        declared = _declaration(field)
        default = f"`{declared.default}`" if declared.default else "unset"
        rows.append(f"| `{declared.variable}` | {default} | {declared.unit} | {declared.meaning} |")
    return "\n".join(rows) + "\n"
