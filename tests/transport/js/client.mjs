// The stock socket.io-client against a server of the tests. Usage: node client.mjs URL CASE TRANSPORTS
// Prints "ok" when everything was as expected; any other end is a failure.
import assert from "node:assert/strict";
import { io } from "socket.io-client";

const [url, name, transports] = process.argv.slice(2);
const options = { transports: transports.split(","), reconnectionDelay: 20, reconnectionDelayMax: 50, forceNew: true };
const connect = (extra = {}, path = "") => io(url + path, { ...options, ...extra });
const once = (emitter, event) => new Promise((resolve) => emitter.once(event, (...values) => resolve(values)));

// With both transports the connection starts on long-polling and moves: what follows shall run over the WebSocket.
async function connected(socket) {
  if (!socket.connected) await once(socket, "connect");
  if (options.transports.length > 1 && socket.io.engine.transport.name === "polling") await once(socket.io.engine, "upgrade");
  assert.equal(socket.io.engine.transport.name, options.transports.at(-1));
  return socket;
}

const cases = {
  async events() {
    const socket = await connected(connect());
    const heard = [];
    socket.on("back", (...values) => heard.push(values));
    for (let number = 0; number < 50; number++) socket.emit("forth", number, { text: "ä😀", list: [null, true, 1.5] });
    while (heard.length < 50) await once(socket, "back");
    assert.deepEqual(heard.map((values) => values[0]), [...Array(50).keys()]);
    assert.deepEqual(heard[0][1], { text: "ä😀", list: [null, true, 1.5] });
    socket.disconnect();
  },
  async binary() {
    const socket = await connected(connect());
    const back = once(socket, "back");
    socket.emit("forth", Buffer.from([1, 2, 3]), { deep: [new Uint8Array([4, 5])] });
    const [first, second] = await back;
    assert.deepEqual([...new Uint8Array(first)], [1, 2, 3]);
    assert.deepEqual([...new Uint8Array(second.deep[0])], [4, 5]);
    const answer = await socket.timeout(5000).emitWithAck("echo", Buffer.alloc(20000, 7));
    assert.equal(Buffer.compare(Buffer.from(answer), Buffer.alloc(20000, 7)), 0);
    socket.disconnect();
  },
  async acks() {
    const socket = await connected(connect());
    assert.deepEqual(await socket.timeout(5000).emitWithAck("echo", { a: 1 }), { a: 1 });
    await assert.rejects(socket.timeout(50).emitWithAck("silence"), /operation has timed out/);
    assert.deepEqual(await socket.timeout(5000).emitWithAck("fail"), { error: "told" });
    socket.on("question", (value, answer) => answer(value + 1));
    assert.equal(await socket.timeout(5000).emitWithAck("ask me", 41), 42);
    socket.disconnect();
  },
  async volatile() {
    const socket = await connected(connect());
    socket.volatile.emit("forth", "maybe");
    assert.deepEqual(await socket.timeout(5000).emitWithAck("echo", "surely"), "surely");
    socket.disconnect();
  },
  async namespaces() {
    const socket = await connected(connect());
    const chat = socket.io.socket("/chat", { auth: { token: "x" } });
    await once(chat, "connect");
    const refused = socket.io.socket("/chat-closed");
    const [error] = await once(refused, "connect_error");
    assert.equal(error.message, "not you");
    assert.deepEqual(error.data, { code: "forbidden" });
    const [unknown] = await once(socket.io.socket("/unknown"), "connect_error");
    assert.equal(unknown.message, "Invalid namespace");
    assert.deepEqual(await chat.timeout(5000).emitWithAck("who"), { token: "x" });
    chat.disconnect();
    assert.equal(await socket.timeout(5000).emitWithAck("echo", 1), 1);
    socket.disconnect();
  },
  async reconnect() {
    const socket = await connected(connect());
    const first = socket.id;
    const gone = once(socket, "disconnect");
    const again = once(socket, "connect");
    socket.emit("cut");
    await gone;
    await again;
    assert.notEqual(socket.id, first);
    assert.equal(await socket.timeout(5000).emitWithAck("echo", 1), 1);
    socket.disconnect();
  },
  async "server disconnect"() {
    const socket = await connected(connect());
    const gone = once(socket, "disconnect");
    socket.emit("kick");
    assert.equal((await gone)[0], "io server disconnect");
  },
  async heartbeat() {
    const socket = await connected(connect());
    let pings = 0;
    while (pings < 3) {
      await once(socket.io, "ping");
      pings += 1;
    }
    assert.equal(await socket.timeout(5000).emitWithAck("echo", 1), 1);
    socket.disconnect();
  },
  // Messages keep flowing both ways while the transport changes: none may be lost, doubled or reordered.
  async flow() {
    const socket = connect();
    const heard = [];
    socket.on("back", (number) => heard.push(number));
    await once(socket, "connect");
    for (let number = 0; number < 200; number++) {
      socket.emit("forth", number);
      if (number % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    while (heard.length < 200) await once(socket, "back");
    assert.deepEqual(heard, [...Array(200).keys()]);
    await connected(socket);
    socket.disconnect();
  },
};

await cases[name]();
console.log("ok");
process.exit(0);
