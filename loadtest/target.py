"""What is loaded: a server of our own for the run, or a deployment elsewhere. Sessions, records, tokens."""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from realtime_server.auth.issue import issue_token
from realtime_server.core.roles import Role

PROJECT: Final = "loadtest"
_DAY: Final = 86_400


def end_in_order() -> None:
    """Being told to end (SIGTERM) is leaving: servers that were started here are ended first."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class TargetError(Exception):
    """The run cannot begin; the message says what to do."""


@dataclass(slots=True)
class Target:
    """``url``: http(s) address. ``pids``: the server's processes where they are ours, to see what they use."""

    url: str
    secret: bytes | None = None
    tokens: Sequence[str] = ()
    project: str = PROJECT
    insecure: bool = False
    pids: Sequence[int] = ()

    @property
    def websocket_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}/socket.io/?EIO=4&transport=websocket"

    def token(self, number: int, seat: int) -> str:
        """Of the simulated person; seat 0 of a session is a reviewer."""
        if self.tokens:
            if number >= len(self.tokens):
                raise TargetError(f"{len(self.tokens)} tokens are not enough; give one for each connection")
            return self.tokens[number]
        role = Role.REVIEWER if seat == 0 else Role.PREPARER
        return self._issue(f"person-{number:05d}", role)

    def _issue(self, user: str, role: Role) -> str:
        if self.secret is None:
            raise TargetError("set AUTH_JWT_SECRET to the deployment's secret, or give tokens with --tokens FILE")
        return issue_token(self.secret, user, None, {self.project: role}, _DAY)

    def create_session(
        self, name: str, records: int, admin_token: str | None = None, policies: Mapping[str, str] | None = None
    ) -> str:
        """A new session with records; its id. ``policies``: of its fields, by name."""
        token = admin_token or self._issue("loadtest-admin", Role.ADMIN)
        body = {"project_id": self.project, "session_name": name, "expires_in": _DAY, "field_policies": policies or {}}
        session = self._post("/api/collaboration/sessions", json.dumps(body).encode(), "application/json", token)
        session_id: str = session["session_id"]
        for start in range(0, records, 20_000):
            lines = "".join(rows(start, min(start + 20_000, records)))
            path = f"/api/collaboration/sessions/{session_id}/records?source=ledger"
            self._post(path, lines.encode(), "application/x-ndjson", token)
        return session_id

    def last_seq(self, session_id: str, admin_token: str | None = None) -> int:
        """Where the session's stored log stands."""
        token = admin_token or self._issue("loadtest-admin", Role.ADMIN)
        answer = self._request("GET", f"/api/collaboration/sessions/{session_id}", None, "", token)
        return int(answer["seq"])

    def _post(self, path: str, body: bytes, content_type: str, token: str) -> dict[str, Any]:
        return self._request("POST", path, body, content_type, token)

    def _request(self, method: str, path: str, body: bytes | None, content_type: str, token: str) -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, data=body, method=method)
        request.add_header("Authorization", f"Bearer {token}")
        if content_type:
            request.add_header("Content-Type", content_type)
        context = None
        if self.url.startswith("https:"):
            context = ssl._create_unverified_context() if self.insecure else ssl.create_default_context()
        for _ in range(200):
            try:
                with urllib.request.urlopen(request, timeout=120, context=context) as response:
                    answer: dict[str, Any] = json.load(response)
                    return answer
            except urllib.error.HTTPError as error:
                text = error.read().decode(errors="replace")
                if error.code not in (429, 503):
                    raise TargetError(f"{method} {path}: {error.code} {text[:300]}") from None
                time.sleep(0.1)
            except urllib.error.URLError as error:
                raise TargetError(f"{self.url} does not answer: {error.reason}") from None
        raise TargetError(f"{method} {path} is refused again and again: too busy")


def rows(start: int, stop: int) -> Iterator[str]:
    """Lines of JSON; the row with number n becomes the record ``ledger:<n, six digits>``."""
    for number in range(start, stop):
        yield (
            f'{{"external_id":"{number:06d}","date":"2026-11-{1 + number % 28:02d}","amount":"{number}.50",'
            f'"currency":"GBP","description":"Card payment {number} to a supplier","reference":"INV-{number}"}}\n'
        )


def is_local(url: str) -> bool:
    """Whether the address is this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)


@contextmanager
def own_server(cores: Sequence[int], settings: dict[str, str], log: Path | None = None) -> Iterator[Target]:
    """``realtime-server serve`` with a fresh embedded mongod, for one run; on these cores if any, mongod on all."""
    with tempfile.TemporaryDirectory(prefix="loadtest-") as folder:
        secret = settings.get("AUTH_JWT_SECRET") or secrets.token_urlsafe(48)
        port = free_port()
        environment = {
            "WS_HOST": "127.0.0.1",
            "WS_PORT": str(port),
            "DATA_DIR": folder,
            "AUTH_JWT_SECRET": secret,
            "LOG_LEVEL": "warning",
            **settings,
        }
        output = log.open("wb") if log is not None else subprocess.DEVNULL
        process = subprocess.Popen(
            [sys.executable, "-m", "realtime_server", "serve"],
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
        )
        try:
            target = Target(f"http://127.0.0.1:{port}", secret.encode(), pids=[process.pid])
            _wait(target.url, process)
            if cores:
                for thread in os.listdir(f"/proc/{process.pid}/task"):
                    os.sched_setaffinity(int(thread), cores)
            yield target
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if log is not None:
                output.close()  # type: ignore[union-attr]  # a file here


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise TargetError("the server did not start; run `realtime-server doctor`")
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TargetError("the server did not start within 30 s")
