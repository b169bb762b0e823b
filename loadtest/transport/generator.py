"""The load: raw WebSocket clients on uvloop that count bytes instead of parsing frames. Prints one JSON line.

Every `edit` has the same length on the wire, so that a client's deliveries are its bytes divided by one frame's; one
client in ten reads the time of sending out of its frames. That keeps the generator cheaper than any server.

Usage: python -m loadtest.transport.generator PORT MODE [VALUE] --seconds N --clients N --rooms N
    open RATE    edits at a fixed total rate of RATE deliveries per second
    closed W     each room keeps W edits on their way: the peak
    ask W        each client keeps W acknowledged events on their way, no fan-out
    connect      only the connecting
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import time
from typing import Any

import uvloop

from loadtest import wires

REQUEST = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench\r\nOrigin: http://127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n"
)
MARK = b'"t":'
DIGITS = 16


def frame(payload: bytes) -> bytes:
    """A text frame."""
    return wires.frame(1, payload)


def stamp() -> bytes:
    return b"%0*d" % (DIGITS, 10**15 + time.monotonic_ns() // 1000)


class Client(asyncio.Protocol):
    """One connection: handshake, CONNECT, join, then counting."""

    def __init__(self, load: Load, room: str, sampled: bool) -> None:
        self.load, self.room, self.sampled = load, room, sampled
        self.head = b""
        self.ready = asyncio.get_running_loop().create_future()
        self.stage = 0
        self.count = 0
        self.rest = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.began = time.monotonic()
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        if self.stage == 4:
            self.count += len(data)
            if self.sampled:
                self.sample(data)
            return
        if self.stage == 5:
            self.acknowledged(data)
            return
        self.head += data
        if self.stage == 0 and b"\r\n\r\n" in self.head and b'0{"' in self.head:
            self.stage = 1
            self.transport.write(frame(b"40"))
        if self.stage == 1 and b'40{"sid"' in self.head:
            self.connect_time = time.monotonic() - self.began
            self.stage = 2
            self.transport.write(frame(f'421["join","{self.room}"]'.encode()))
        if self.stage == 2 and b"431[true]" in self.head:
            self.stage = 3
            self.head = b""
            self.ready.set_result(None)

    def sample(self, data: bytes) -> None:
        data = self.rest + data
        now = 10**15 + time.monotonic_ns() // 1000
        position = 0
        while True:
            found = data.find(MARK, position)
            if found < 0 or found + 4 + DIGITS > len(data):
                break
            position = found + 4 + DIGITS
            self.load.delays.append(now - int(data[found + 4 : position]))
            if self.load.closed:
                self.load.complete(self)
        self.rest = data[max(position, len(data) - 32) :]

    def ask(self) -> None:
        self.transport.write(frame(b'427["ask",{"t":%s}]' % stamp()))

    def acknowledged(self, data: bytes) -> None:
        data = self.rest + data
        now = 10**15 + time.monotonic_ns() // 1000
        position = 0
        while True:
            found = data.find(b'"seq":', position)
            if found < 0 or found + 6 + DIGITS > len(data):
                break
            position = found + 6 + DIGITS
            self.load.acknowledgements += 1
            self.load.delays.append(now - int(data[found + 6 : position]))
            if self.load.running:
                self.ask()
        self.rest = data[max(position, len(data) - 32) :]

    def connection_lost(self, exc: Exception | None) -> None:
        if self.load.running:
            self.load.lost += 1


class Load:
    """All clients, and what was measured."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.delays: list[int] = []
        self.acknowledgements = 0
        self.lost = 0
        self.running = False
        self.closed = options.mode == "closed"
        self.clients: list[Client] = []
        self.text = "x" * options.text
        self.rooms: dict[str, list[Client]] = {}

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        gate = asyncio.Semaphore(self.options.burst)

        async def one(number: int) -> None:
            room = f"room{number % self.options.rooms:04d}"
            client = Client(self, room, sampled=number // self.options.rooms % 10 == 0)
            async with gate:
                await loop.create_connection(lambda: client, "127.0.0.1", self.options.port)
                await client.ready
            self.clients.append(client)
            self.rooms.setdefault(room, []).append(client)

        await asyncio.gather(*(one(number) for number in range(self.options.clients)))

    def edit(self, client: Client) -> None:
        body = b'42["edit",{"room":"%s","t":%s,"text":"%s"}]' % (client.room.encode(), stamp(), self.text.encode())
        client.transport.write(frame(body))

    def complete(self, client: Client) -> None:
        """Closed loop: the first sampled member of a room that sees an edit sends the room's next."""
        if self.running and client is self.rooms[client.room][0]:
            self.edit(random.choice(self.rooms[client.room][1:]))

    async def run(self) -> dict[str, Any]:
        options = self.options
        await self.connect()
        times = sorted(client.connect_time for client in self.clients)
        result: dict[str, Any] = {
            "connect_p50_ms": round(times[len(times) // 2] * 1e3, 2),
            "connect_p99_ms": round(times[int(len(times) * 0.99)] * 1e3, 2),
        }
        if options.mode == "connect":
            print(json.dumps(result), flush=True)
            await asyncio.sleep(options.seconds)
            return result
        for members in self.rooms.values():
            members.sort(key=lambda client: not client.sampled)
        for client in self.clients:
            client.stage = 5 if options.mode == "ask" else 4
        gc.collect()
        gc.freeze()
        gc.disable()
        await self.start()
        await asyncio.sleep(options.warm)
        self.delays.clear()
        self.acknowledgements = 0
        before, cpu, began = sum(client.count for client in self.clients), self.server_cpu(), time.monotonic()
        own_cpu = time.process_time()
        await asyncio.sleep(options.seconds)
        own_cpu = time.process_time() - own_cpu
        took = time.monotonic() - began
        received = sum(client.count for client in self.clients) - before
        cpu = self.server_cpu() - cpu
        self.running = False
        delays = sorted(self.delays)
        size = len(frame(b'42["edit",{"room":"room0000","t":%s,"text":"%s"}]' % (stamp(), self.text.encode()))) - 4
        done = self.acknowledgements if options.mode == "ask" else received / size
        result |= {
            "per_second": round(done / took),
            "server_cpu": round(cpu / took, 3),
            "generator_cpu": round(own_cpu / took, 3),
            "cpu_us_each": round(cpu / done * 1e6, 3) if done else None,
            "p50_ms": round(delays[len(delays) // 2] / 1e3, 2) if delays else None,
            "p99_ms": round(delays[int(len(delays) * 0.99)] / 1e3, 2) if delays else None,
            "lost": self.lost,
        }
        return result

    async def start(self) -> None:
        self.running = True
        options = self.options
        if options.mode == "ask":
            for client in self.clients:
                for _ in range(int(options.value)):
                    client.ask()
        elif options.mode == "closed":
            for members in self.rooms.values():
                for _ in range(int(options.value)):
                    self.edit(random.choice(members[1:]))
        else:
            self.pacer = asyncio.create_task(self.pace(options.value / (options.clients / options.rooms - 1)))

    async def pace(self, rate: float) -> None:
        """Send `rate` edits per second, by Poisson's clock in steps of a millisecond."""
        began = time.monotonic()
        sent = 0
        while self.running:
            due = int((time.monotonic() - began) * rate)
            for _ in range(due - sent):
                self.edit(random.choice(self.clients))
            sent = due
            await asyncio.sleep(0.001)

    def server_cpu(self) -> float:
        if not self.options.pid:
            return 0.0
        with open(f"/proc/{self.options.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("mode", choices=["open", "closed", "ask", "connect"])
    parser.add_argument("value", type=float, nargs="?", default=1)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--warm", type=float, default=1)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--burst", type=int, default=50)
    parser.add_argument("--text", type=int, default=60)
    parser.add_argument("--pid", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(uvloop.run(Load(options).run())), flush=True)


if __name__ == "__main__":
    main()
