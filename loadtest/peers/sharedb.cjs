// ShareDB with its MongoDB adapter: a session is a collection, a document holds the ten records of one person, so that
// nobody's operation meets another's and nothing is ever transformed or tried again: the best that can be said for it.
const { createServer } = require("node:http");
const ShareDB = require("sharedb");
const MongoAdapter = require("sharedb-mongo");
const { WebSocketServer } = require("ws");

const rows = Number(process.env.RECORDS);
const sessions = Number(process.env.SESSIONS);
const PER_DOCUMENT = 10;

// A WebSocket as the duplex stream that ShareDB wants; text frames, as its own client sends them.
const { Duplex } = require("node:stream");
function streamOf(socket) {
  const stream = new Duplex({
    objectMode: true,
    read() {},
    write(message, encoding, done) {
      if (socket.readyState === 1) socket.send(JSON.stringify(message));
      done();
    },
  });
  socket.on("message", (text) => stream.push(JSON.parse(text)));
  socket.on("close", () => {
    stream.push(null);
    stream.destroy();
  });
  stream.on("error", () => socket.terminate());
  return stream;
}

async function main() {
  const url = new URL(process.env.MONGODB_URL.replace(/^mongodb:\/\/([^/?]+)\/?(\??.*)$/, "mongodb://$1/peer$2"));
  url.searchParams.set("w", "majority");
  url.searchParams.set("journal", "true");
  const backend = new ShareDB({ db: MongoAdapter(url.toString()), doNotForwardSendPresenceErrorsToClient: true });
  const connection = backend.connect();
  for (let session = 0; session < sessions; session++) {
    const made = [];
    for (let first = 0; first < rows; first += PER_DOCUMENT) {
      const data = {};
      for (let row = first; row < Math.min(first + PER_DOCUMENT, rows); row++) {
        data[`r${row}`] = { amount: `${row}.50`, currency: "GBP", description: `Card payment ${row}` };
      }
      const name = `session-${String(session).padStart(4, "0")}`;
      const document = connection.get(name, `d${first / PER_DOCUMENT}`);
      made.push(new Promise((resolve, reject) => document.create(data, (error) => (error ? reject(error) : resolve()))));
    }
    await Promise.all(made);
  }
  const http = createServer();
  const server = new WebSocketServer({ server: http, perMessageDeflate: false });
  server.on("connection", (socket) => backend.listen(streamOf(socket)));
  process.stdin.on("end", () => process.exit(0)).resume();
  http.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => console.log(http.address().port));
}

main();
