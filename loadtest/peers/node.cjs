// What one writes by hand: Socket.IO and MongoDB. Find and update the record, insert the history, emit, acknowledge.
// No schemas, no locks, no versions compared, no order between records; journaled writes, before the acknowledgement.
// PROCESSES=2 REDIS_URL=…: two of them with @socket.io/redis-adapter; the first line names their ports.
const { fork } = require("node:child_process");
const { createServer } = require("node:http");
const { MongoClient } = require("mongodb");
const { Server } = require("socket.io");

const rows = Number(process.env.RECORDS);
const sessions = Number(process.env.SESSIONS);

async function fill(database) {
  const records = database.collection("records");
  await records.createIndex({ session_id: 1, record_id: 1 }, { unique: true });
  await database.collection("history").createIndex({ session_id: 1, record_id: 1, version: 1 });
  for (let session = 0; session < sessions; session++) {
    const documents = [];
    for (let row = 0; row < rows; row++) {
      documents.push({
        session_id: `session-${String(session).padStart(4, "0")}`,
        record_id: `ledger:${String(row).padStart(6, "0")}`,
        version: 0,
        fields: { amount: `${row}.50`, currency: "GBP", date: "2026-11-01", description: `Card payment ${row}` },
      });
    }
    await records.insertMany(documents);
  }
}

async function serve(client) {
  const durable = { writeConcern: { w: "majority", journal: true } };
  const database = client.db("peer");
  const records = database.collection("records", durable);
  const history = database.collection("history", durable);
  const http = createServer();
  const options = { transports: ["websocket"], serveClient: false };
  if (process.env.REDIS_URL) {
    const Redis = require("ioredis");
    const { createAdapter } = require("@socket.io/redis-adapter");
    options.adapter = createAdapter(new Redis(process.env.REDIS_URL), new Redis(process.env.REDIS_URL));
  }
  const io = new Server(http, options).of("/collaboration");
  io.on("connection", (socket) => {
    socket.on("join", async (request, acknowledge) => {
      await socket.join(request.session_id);
      acknowledge({ ok: true, seq: 0 });
    });
    socket.on("edit", async (request, acknowledge) => {
      const { session_id, record_id, field_name, new_value, edit_id } = request;
      const user_id = socket.handshake.auth.token;
      const record = await records.findOneAndUpdate(
        { session_id, record_id },
        { $set: { [`fields.${field_name}`]: new_value }, $inc: { version: 1 } },
        { returnDocument: "after", projection: { version: 1 } },
      );
      if (record === null) {
        acknowledge({ ok: false, error: { code: "not_found" } });
        return;
      }
      const data = { edit_id, record_id, field_name, new_value, version: record.version };
      const timestamp = new Date();
      await history.insertOne({ session_id, user_id, timestamp, ...data });
      const envelope = { message_type: "edit.applied", session_id, project_id: "p", user_id, timestamp, data };
      io.to(session_id).emit("edit", envelope);
      acknowledge({ ok: true, status: "applied", version: record.version });
    });
  });
  return new Promise((resolve) =>
    http.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => resolve(http.address().port)),
  );
}

async function main() {
  const client = await MongoClient.connect(process.env.MONGODB_URL);
  const count = Number(process.env.PROCESSES || 1);
  if (process.send) {
    process.send(`${await serve(client)}:${process.pid}`);
    return;
  }
  await fill(client.db("peer"));
  process.stdin.on("end", () => process.exit(0)).resume();
  if (count === 1) {
    console.log(await serve(client));
    return;
  }
  const children = Array.from({ length: count }, () => fork(__filename));
  process.on("exit", () => children.forEach((child) => child.kill()));
  const ports = await Promise.all(children.map((child) => new Promise((resolve) => child.once("message", resolve))));
  console.log(ports.join(" "));
}

main();
