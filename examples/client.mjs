// A client for the terminal: node client.mjs URL SESSION TOKEN, then type commands. Ctrl-D ends it.
//
// It shows the three things that every client does: remember `seq`, join with `since` after an interruption, and fetch
// what is missing when a `seq` is skipped.
import { createInterface } from "node:readline";
import { randomUUID } from "node:crypto";
import { io } from "socket.io-client";

const [url, session_id, token] = process.argv.slice(2);
if (!token) {
  console.error("usage: node client.mjs URL SESSION TOKEN");
  process.exit(2);
}

const socket = io(`${url}/collaboration`, { auth: { token } });
const FAMILIES = ["edit", "lock", "conflict", "comment", "record", "reconciliation", "session"];
const versions = new Map(); // "record field" -> the version we saw last
const tokens = new Map(); // record -> our lock's token
let seq; // the last commit we have seen; undefined until the first join
let enter;
const entered = new Promise((resolve) => (enter = resolve));

const show = (envelope) => {
  const place = envelope.seq === undefined ? "" : `#${envelope.seq} `;
  console.log(`${place}${envelope.message_type} by ${envelope.user_id} ${JSON.stringify(envelope.data)}`);
};

function remember({ message_type, seq: version, data }) {
  const edits = data.edits ?? (message_type.startsWith("edit.") || message_type === "conflict.resolved" ? [data] : []);
  for (const { record_id, field_name } of edits) versions.set(`${record_id} ${field_name}`, version);
}

function apply(envelope) {
  if (envelope.seq <= seq) return; // seen already: our own join or sync brought it
  seq = envelope.seq;
  remember(envelope);
  show(envelope);
}

const ask = (event, request = {}) => socket.timeout(10_000).emitWithAck(event, { session_id, ...request });

async function catchUp() {
  const answer = await ask("sync", { since: seq });
  if (!answer.ok) return console.log("refused:", answer.error);
  answer.commits.forEach(apply);
  if (answer.reset) console.log("too much was missed; load the records anew");
  seq = answer.seq;
}

for (const family of FAMILIES) {
  socket.on(family, async (envelope) => {
    if (seq === undefined) return; // the answer to join is still to come, and covers it
    if (envelope.seq > seq + 1) await catchUp();
    apply(envelope);
  });
}
socket.on("presence", show);
socket.on("notification", show);

socket.on("connect", async () => {
  const answer = await ask("join", seq === undefined ? {} : { since: seq });
  if (!answer.ok) return console.log("refused:", answer.error);
  answer.commits.forEach(apply);
  seq = answer.seq;
  const people = answer.members.map((member) => `${member.name} (${member.role})`).join(", ");
  console.log(`In "${answer.session.name}" as ${answer.role}, at #${seq}. Here: ${people}.`);
  enter();
  console.log("Commands: edit RECORD FIELD VALUE | lock RECORD | unlock RECORD | comment TEXT | undo | send EVENT JSON");
});
socket.on("disconnect", (reason) => console.log("disconnected:", reason));
socket.on("connect_error", (error) => console.log("cannot connect:", error.data ?? error.message));

const commands = {
  edit: (record_id, field_name, ...words) =>
    ask("edit", {
      edit_id: randomUUID(),
      record_id,
      field_name,
      new_value: words.join(" "),
      base_version: versions.get(`${record_id} ${field_name}`) ?? 0,
    }),
  lock: async (record_id) => {
    const answer = await ask("lock", { record_id });
    if (answer.ok) tokens.set(record_id, answer.token);
    return answer;
  },
  unlock: (record_id) => ask("unlock", { record_id, token: tokens.get(record_id) ?? 1 }),
  comment: (...words) => ask("comment", { text: words.join(" ") }),
  undo: () => ask("undo"),
  send: (event, ...json) => ask(event, JSON.parse(json.join(" ") || "{}")),
};

const lines = createInterface({ input: process.stdin });
const running = [];
lines.on("line", (line) => running.push(run(line)));

async function run(line) {
  const [name, ...words] = line.trim().split(/\s+/);
  if (!name) return;
  if (!commands[name]) return console.log(`there is no command ${name}`);
  await entered;
  try {
    console.log(JSON.stringify(await commands[name](...words)));
  } catch (error) {
    console.log("no answer:", error.message);
  }
}

lines.on("close", () => Promise.allSettled(running).then(() => socket.disconnect()));
