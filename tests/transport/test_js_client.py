"""The stock JavaScript client, over long-polling, over WebSocket, and from one to the other."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import socketio

from realtime_server.transport import SocketServer

from .raw import Harness, serving

FOLDER = Path(__file__).parent / "js"
CASES = [
    "events", "binary", "acks", "volatile", "namespaces", "reconnect", "server disconnect", "heartbeat", "flow",
]  # fmt: skip


@pytest.fixture(scope="session")
def node() -> str:
    """The program, with the client installed beside the test."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        pytest.skip("node and npm are not installed: the JavaScript client is not tested")
    if not (FOLDER / "node_modules").is_dir():
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=FOLDER, check=True, capture_output=True)
    return program


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Harness]:
    server = SocketServer(
        ping_interval=0.2, ping_timeout=5, on_handler_error=lambda event, sid, namespace, error: {"error": "told"}
    )

    async def ask_me(sid: str, value: int) -> Any:
        return await server.call("question", value, to=sid, timeout=5)

    async def cut(sid: str) -> None:
        socket = server.eio.sockets[server.manager.eio_sid_from_sid(sid, "/")]
        await socket.close(abort=socket.link is not None)

    def fail(sid: str) -> None:
        raise RuntimeError("on purpose")

    def closed(sid: str, environ: Any, auth: Any) -> None:
        raise socketio.exceptions.ConnectionRefusedError("not you", {"code": "forbidden"})

    async def chat(sid: str, environ: Any, auth: Any) -> None:
        await server.save_session(sid, auth, namespace="/chat")

    server.on("forth", lambda sid, *data: server.broadcast("back", data, room=sid))
    server.on("echo", lambda sid, data: data)
    server.on("silence", lambda sid: asyncio.sleep(0.5))
    server.on("fail", fail)
    server.on("ask me", ask_me)
    server.on("cut", cut)
    server.on("kick", server.disconnect)
    server.on("connect", chat, namespace="/chat")
    server.on("who", lambda sid: server.get_session(sid, namespace="/chat"), namespace="/chat")
    server.on("connect", closed, namespace="/chat-closed")
    async with serving(server) as harness:
        yield harness


@pytest.mark.parametrize("transports", ["polling", "websocket", "polling,websocket"])
@pytest.mark.parametrize("case", CASES)
async def test_the_javascript_client(served: Harness, node: str, case: str, transports: str) -> None:
    process = await asyncio.create_subprocess_exec(
        node, "client.mjs", served.url, case, transports,
        cwd=FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        pytest.fail(f"{case} over {transports} did not end")
    assert output.decode().strip() == "ok"
    refused = dict(served.eio.stats.refused)
    assert refused == {}
