// Hocuspocus: a session is one Yjs document in memory; MongoDB gets the whole of it 2 to 10 seconds after the change.
// So an acknowledged edit is not durable yet. Its own defaults, which gather broadcasts within a turn (flushDelay 0).
import { Database } from "@hocuspocus/extension-database";
import { Server } from "@hocuspocus/server";
import { MongoClient } from "mongodb";

const client = await MongoClient.connect(process.env.MONGODB_URL);
const documents = client
  .db("peer")
  .collection("documents", { writeConcern: { w: "majority", journal: true } });
await documents.createIndex({ name: 1 }, { unique: true });

const server = new Server({
  port: 0,
  address: "127.0.0.1",
  quiet: true,
  extensions: [
    new Database({
      fetch: async ({ documentName }) => (await documents.findOne({ name: documentName }))?.state?.buffer ?? null,
      store: async ({ documentName, state }) => {
        await documents.updateOne({ name: documentName }, { $set: { state } }, { upsert: true });
      },
    }),
  ],
});
await server.listen();
process.stdin.on("end", () => process.exit(0)).resume();
console.log(server.address.port);
