"""Real clients for tests: python-socketio's, and the stock JavaScript one in a process of its own.

Both check every acknowledgement and every broadcast they see against the schemas.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import socketio

from schemas import CLIENT_EVENTS, Envelope, Refused

NAMESPACE = "/collaboration"
PATIENCE = 10.0
JS = Path(__file__).parent.parent / "js"

_envelope = Envelope()
_refused = Refused()


class NotConnected(Exception):
    """The server refused the connection; ``data`` is what it said why."""

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.data = data


def check_ack(event: str, ack: Any) -> None:
    """Every answer is as the schemas say, whatever was sent."""
    schema = CLIENT_EVENTS[event][1]() if ack.get("ok") is True else _refused
    errors = schema.validate(ack)
    assert not errors, (event, errors, ack)


class Client(ABC):
    """One connection. ``told`` holds what came by itself, as (event, payload), in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.ended: str | None = None
        self._news = asyncio.Condition()
        self._problems: list[str] = []

    @abstractmethod
    async def send(self, event: str, *arguments: Any) -> Any:
        """Emit with an acknowledgement, and return it as it came."""

    @abstractmethod
    async def cut(self) -> None:
        """Lose the connection without a word."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect as a client does."""

    async def ask(self, event: str, session_id: str | None = "s1", **request: Any) -> dict[str, Any]:
        """Emit an event about a session; the answer."""
        arguments = request if session_id is None else {"session_id": session_id, **request}
        ack: dict[str, Any] = await self.send(event, arguments)
        check_ack(event, ack)
        return ack

    async def done(self, event: str, session_id: str | None = "s1", **request: Any) -> dict[str, Any]:
        """`ask`, for what must succeed."""
        ack = await self.ask(event, session_id, **request)
        assert ack["ok"], ack
        return ack

    async def refused(self, event: str, session_id: str | None = "s1", **request: Any) -> dict[str, Any]:
        """`ask`, for what must be refused; the error."""
        ack = await self.ask(event, session_id, **request)
        assert not ack["ok"], ack
        error: dict[str, Any] = ack["error"]
        return error

    async def _heard(self, event: str, payload: Any) -> None:
        async with self._news:
            if event == "disconnect":
                self.ended = payload
            else:
                errors = _envelope.validate(payload)
                if errors:
                    self._problems.append(f"{errors} in {payload}")
                expected = ("message", payload.get("message_type", "").partition(".")[0])
                if event not in expected:
                    self._problems.append(f"{payload.get('message_type')} came as {event}")
                self.told.append((event, payload))
            self._news.notify_all()

    async def until(self, fulfilled: Callable[[], Any]) -> Any:
        """Wait until something holds that what is told can change."""
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                while not (result := fulfilled()):
                    await self._news.wait()
                return result
        except TimeoutError:
            raise AssertionError(f"did not happen; told: {self.told[-5:]}, ended: {self.ended}") from None

    async def hears(self, message_type: str, **data: Any) -> dict[str, Any]:
        """The first envelope of a type, with these members in its data; waits for it."""

        def find() -> dict[str, Any] | None:
            for envelope in self.envelopes(message_type):
                if all(envelope["data"].get(name) == value for name, value in data.items()):
                    return envelope
            return None

        found: dict[str, Any] = await self.until(find)
        return found

    async def hears_seq(self, seq: int) -> None:
        """Wait until the commit with this ``seq`` was told."""
        await self.until(lambda: seq in self.seqs())

    def envelopes(self, prefix: str = "") -> list[dict[str, Any]]:
        return [payload for _, payload in self.told if payload["message_type"].startswith(prefix)]

    def commits(self) -> list[dict[str, Any]]:
        return [payload for _, payload in self.told if "seq" in payload]

    def seqs(self) -> list[int]:
        return [payload["seq"] for payload in self.commits()]

    def check(self) -> None:
        """Everything that was told was as the schemas say."""
        assert not self._problems, self._problems[:3]


class PythonClient(Client):
    def __init__(self) -> None:
        super().__init__()
        self._socket = socketio.AsyncClient(reconnection=False)
        self._socket.on("*", self._heard, namespace=NAMESPACE)
        self._socket.on("disconnect", self._on_disconnect, namespace=NAMESPACE)
        self._refusal: Any = None
        self._socket.on("connect_error", self._on_refusal, namespace=NAMESPACE)

    @property
    def socket_id(self) -> str:
        """Of the connection, as Engine.IO names it."""
        return str(self._socket.eio.sid)

    async def _on_disconnect(self, reason: str) -> None:
        await self._heard("disconnect", reason)

    async def _on_refusal(self, data: Any) -> None:
        self._refusal = data

    async def connect(self, url: str, auth: Any, **options: Any) -> None:
        options = {"transports": ["websocket"], "wait_timeout": PATIENCE, **options}
        try:
            await self._socket.connect(url, auth=auth, namespaces=[NAMESPACE], **options)
        except socketio.exceptions.ConnectionError as error:
            await self._socket.disconnect()
            raise NotConnected(self._refusal or str(error)) from None

    async def send(self, event: str, *arguments: Any) -> Any:
        return await self._socket.call(event, tuple(arguments), namespace=NAMESPACE, timeout=PATIENCE)

    async def cut(self) -> None:
        self._socket.eio.ws._response.connection.transport.abort()

    async def close(self) -> None:
        await self._socket.disconnect()


class Driver:
    """The process in which the JavaScript clients live."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.clients: dict[str, JsClient] = {}

    async def ask(self, action: str, client: str, **more: Any) -> Any:
        number = next(self._ids)
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "do": action, "client": client, **more}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return await asyncio.wait_for(future, 2 * PATIENCE)

    async def listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = json.loads(line)
            if "id" not in message:
                arguments = message["args"]
                await self.clients[message["client"]]._heard(message["event"], arguments[0] if arguments else None)
            elif "error" in message:
                self._answers.pop(message["id"]).set_exception(AssertionError(message["error"]))
            else:
                self._answers.pop(message["id"]).set_result(message["value"])


class JsClient(Client):
    def __init__(self, driver: Driver, name: str) -> None:
        super().__init__()
        self._driver = driver
        self._name = name
        driver.clients[name] = self

    async def connect(self, url: str, auth: Any, **options: Any) -> None:
        options = {"auth": auth, "reconnection": False, **options}
        answer = await self._driver.ask("connect", self._name, url=url + NAMESPACE, options=options)
        if not answer["ok"]:
            raise NotConnected({"message": answer["message"], "data": answer["data"]})

    async def send(self, event: str, *arguments: Any) -> Any:
        return await self._driver.ask("emit", self._name, args=[event, *arguments])

    async def cut(self) -> None:
        await self._driver.ask("cut", self._name)

    async def resume(self) -> None:
        """Connect again after `cut`."""
        await self._driver.ask("resume", self._name)

    async def close(self) -> None:
        await self._driver.ask("disconnect", self._name)


@asynccontextmanager
async def running_driver() -> AsyncIterator[Driver]:
    process = await asyncio.create_subprocess_exec(
        "node", str(JS / "driver.mjs"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**24
    )
    driver = Driver(process)
    listener = asyncio.create_task(driver.listen())
    try:
        yield driver
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listener
