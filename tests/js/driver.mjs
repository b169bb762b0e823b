// Stock socket.io-client, told what to do over stdin and telling what it sees over stdout, one JSON object a line.
//
// in:  {id, client, do: "connect" | "emit" | "disconnect" | "cut" | "resume", url?, options?, args?}
// out: {id, value} for what was asked, {client, event, args} for what came by itself.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const sockets = new Map();
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

function connect({ client, url, options }) {
  const socket = io(url, { forceNew: true, ...options });
  sockets.set(client, socket);
  socket.onAny((event, ...args) => say({ client, event, args }));
  socket.on("disconnect", (reason) => say({ client, event: "disconnect", args: [reason] }));
  return new Promise((resolve) => {
    socket.once("connect", () => resolve({ ok: true, id: socket.id }));
    socket.once("connect_error", (error) => resolve({ ok: false, message: error.message, data: error.data ?? null }));
  });
}

const actions = {
  connect,
  emit: ({ client, args }) => sockets.get(client).timeout(15_000).emitWithAck(...args),
  disconnect: ({ client }) => void sockets.get(client).disconnect(),
  // What a lost network looks like: the transport is gone, and the client has not said goodbye.
  cut: ({ client }) => void sockets.get(client).io.engine.close(),
  resume: ({ client }) =>
    new Promise((resolve) => {
      const socket = sockets.get(client);
      socket.once("connect", () => resolve({ ok: true, id: socket.id }));
      socket.connect();
    }),
};

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const command = JSON.parse(line);
    try {
      say({ id: command.id, value: (await actions[command.do](command)) ?? null });
    } catch (error) {
      say({ id: command.id, error: String(error) });
    }
  })
  .on("close", () => process.exit(0));
