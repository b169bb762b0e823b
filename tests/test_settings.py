"""Settings: what each variable means, what is refused and how that is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from realtime_server.errors import ConfigurationError
from realtime_server.settings import Settings, misspelt_variables, settings_table

SECRET = "s" * 32


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = Settings.from_environment({})
    assert (settings.ws_host, settings.ws_port, settings.ws_path) == ("0.0.0.0", 8080, "/ws")
    assert settings.collaboration_session_timeout == 3600
    assert settings.collaboration_lock_timeout == 1800
    assert settings.collaboration_max_users == 50
    assert settings.redis_url is None
    assert settings.redis_session_prefix == "collaboration:"
    assert settings.mongodb_url is None
    assert settings.mongodb_database == "realtime_server"
    assert settings.data_dir == Path("data")
    assert settings.auth_jwt_secret is None
    assert settings.cors_allowed_origins == ()
    assert (settings.replay_limit, settings.actor_queue_limit, settings.commit_batch_size) == (1000, 1000, 256)
    assert settings.checkpoint_every == 8_000
    assert (settings.session_idle_unload, settings.lock_grace, settings.presence_grace) == (60, 30, 1.5)
    assert settings.ws_max_message_size == 64 * 1024
    assert (settings.log_level, settings.log_format) == ("info", "text")


@pytest.mark.parametrize(
    ("variable", "raw", "attribute", "value"),
    [
        ("WS_PORT", "0", "ws_port", 0),
        ("WS_PORT", " 9000 ", "ws_port", 9000),
        ("WS_PORT", "", "ws_port", 8080),
        ("WS_PATH", "/live/", "ws_path", "/live"),
        ("WS_RATE_LIMIT", "12.5", "ws_rate_limit", 12.5),
        ("COLLABORATION_LOCK_GRACE", "0", "lock_grace", 0),
        ("REDIS_URL", "rediss://:pw@cache:6380/1", "redis_url", "rediss://:pw@cache:6380/1"),
        ("REDIS_URL", "unix:///run/redis.sock", "redis_url", "unix:///run/redis.sock"),
        ("MONGODB_URL", "mongodb://a,b/?replicaSet=r", "mongodb_url", "mongodb://a,b/?replicaSet=r"),
        ("MONGODB_URL", "mongodb://%2Ftmp%2Fm.sock/", "mongodb_url", "mongodb://%2Ftmp%2Fm.sock/"),
        ("AUTH_JWT_SECRET", SECRET, "auth_jwt_secret", SECRET.encode()),
        ("AUTH_JWKS_FILE", "/etc/keys.json", "auth_jwks_file", Path("/etc/keys.json")),
        ("CORS_ALLOWED_ORIGINS", "*", "cors_allowed_origins", ("*",)),
        ("CORS_ALLOWED_ORIGINS", "https://a.test, http://b.test:5173", "cors_allowed_origins",
         ("https://a.test", "http://b.test:5173")),
        ("LOG_LEVEL", "WARNING", "log_level", "warning"),
    ],
)  # fmt: skip
def test_a_good_value_is_taken(variable: str, raw: str, attribute: str, value: object) -> None:
    assert getattr(Settings.from_environment({variable: raw}), attribute) == value


@pytest.mark.parametrize(
    ("variable", "raw", "allowed"),
    [
        ("WS_PORT", "http", "a whole number from 0 to 65535"),
        ("WS_PORT", "65536", "a whole number from 0 to 65535"),
        ("WS_PORT", "8_080", "a whole number from 0 to 65535"),
        ("WS_PORT", "٨٠٨٠", "a whole number from 0 to 65535"),
        ("WS_PORT", "tcp://10.0.0.1:8080", "a whole number from 0 to 65535"),
        ("WS_MAX_CONNECTIONS", "-1", "a whole number from 1 to 1000000"),
        ("WS_PATH", "ws", "a path such as /ws, other than /socket.io"),
        ("WS_PATH", "/", "a path such as /ws, other than /socket.io"),
        ("WS_PATH", "/socket.io/", "a path such as /ws, other than /socket.io"),
        ("WS_RATE_LIMIT", "nan", "a number from 0.1 to 100000"),
        ("WS_RATE_LIMIT", "inf", "a number from 0.1 to 100000"),
        ("COLLABORATION_MAX_USERS", "0", "a whole number from 1 to 10000"),
        ("COLLABORATION_SESSION_TIMEOUT", "1.5", "a whole number from 1 to 31536000"),
        ("MONGODB_DATABASE", "a.b", "1 to 63 letters, digits, _ or -"),
        ("AUTH_JWKS_URL", "ftp://keys", "a URL that begins with https:// or http://"),
        ("AUTH_ISSUER", "a\x00b", "at most 1024 printable characters"),
        ("CORS_ALLOWED_ORIGINS", "https://a.test/path", "* or origins such as"),
        ("CORS_ALLOWED_ORIGINS", "a.test", "* or origins such as"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("LOG_FORMAT", "xml", "one of text, json"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_says_what_is_allowed(variable: str, raw: str, allowed: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environment({variable: raw})
    message = str(refusal.value)
    assert message.startswith(f"{variable}={raw!r}: must be {allowed}")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("variable", "raw", "allowed"),
    [
        ("AUTH_JWT_SECRET", "hunter2", "must be at least 32 bytes, not 7"),
        ("MONGODB_URL", "postgres://u:hunter2@db", "must be a URL that begins with mongodb:// or mongodb+srv://"),
        ("REDIS_URL", "http://:hunter2@cache", "must be a URL that begins with redis:// or rediss://"),
        ("REDIS_URL", "redis://[hunter2", "must be a URL that begins with redis:// or rediss://"),
    ],
)
def test_a_secret_is_not_shown_when_it_is_refused(variable: str, raw: str, allowed: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environment({variable: raw})
    assert allowed in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_a_secret_is_not_in_the_representation() -> None:
    settings = Settings.from_environment(
        {"AUTH_JWT_SECRET": SECRET, "MONGODB_URL": "mongodb://u:hunter2@db", "REDIS_URL": "redis://:hunter2@cache"}
    )
    assert SECRET not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_two_key_sets_at_once_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="AUTH_JWKS_URL and AUTH_JWKS_FILE"):
        Settings.from_environment({"AUTH_JWKS_URL": "https://keys.test", "AUTH_JWKS_FILE": "keys.json"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("WS_PROT", "WS_PORT"),
        ("COLLABORATION_MAX_USER", "COLLABORATION_MAX_USERS"),
        ("COLLABORATION_LOCK_TIMOUT", "COLLABORATION_LOCK_TIMEOUT"),
        ("AUTH_JWT_SECRTE", "AUTH_JWT_SECRET"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_one_that_was_meant(name: str, meant: str) -> None:
    warned: list[str] = []
    Settings.from_environment({name: "1"}, warn=warned.append)
    assert warned == [f"{name} is not a setting and has no effect: did you mean {meant}?"]


@pytest.mark.parametrize("name", ["WS_PORT", "PATH", "REDIS_PORT", "WS_SERVICE_HOST_OF_THE_CLUSTER", "ws_prot"])
def test_a_variable_that_is_ours_or_nobodys_typo_is_not_warned_about(name: str) -> None:
    assert misspelt_variables({name: "1"}) == []


def test_settings_cannot_be_changed_later() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings.from_environment({}).ws_port = 1  # type: ignore[misc]  # that is what is tested


def test_the_table_has_one_row_for_each_setting_with_default_and_meaning() -> None:
    rows = settings_table().splitlines()
    assert rows[0] == "| variable | default | unit | meaning |"
    assert len(rows) == 2 + len(dataclasses.fields(Settings))
    assert "| `COLLABORATION_LOCK_TIMEOUT` | `1800` | s | Longest lease on a record |" in rows
    assert all(row.count("|") == 5 for row in rows)
