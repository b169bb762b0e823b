// A team of stock socket.io clients at work, for tests that take servers away. Each edits again and again, sends an edit
// anew under its id until it is acknowledged, and joins with the last number it has after every reconnect.
//
// argv: JSON {url, session, options, tokens: [...], records: what stands before their numbers}. stdin: its end is the end of the work. stdout: one JSON line a
// client: {acknowledged: {edit_id: seq}, seqs: [...], longest: milliseconds without a joined connection, away, errors}.
// "ready" is printed when all have joined.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const { url, session, options, tokens, records } = JSON.parse(process.argv[2]);
let working = true;
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

class Member {
  constructor(token, number) {
    this.number = number;
    this.result = { acknowledged: {}, seqs: [], longest: 0, away: 0, errors: [] };
    this.lastSeq = this.version = 0;
    this.joined = new Promise((resolve) => (this.resolve = resolve));
    this.here = false;
    // Told apart for the proxy, so that the team is spread over the instances.
    const query = { session: `${session}-${number}` };
    const auth = { token, envelope: "message" };
    this.socket = io(url + "/collaboration", { forceNew: true, auth, query, ...options });
    this.socket.on("connect", () => this.join());
    this.socket.on("disconnect", () => this.left());
    this.socket.on("message", (envelope) => this.take([envelope]));
  }
  left() {
    if (this.here && working) this.leftAt = performance.now();
    this.here = false;
  }
  take(envelopes) {
    for (const { seq } of envelopes) {
      if (seq === undefined || seq <= this.lastSeq) continue;
      if (this.lastSeq && seq !== this.lastSeq + 1) return this.catchUp();
      this.lastSeq = seq;
      this.result.seqs.push(seq);
    }
  }
  async catchUp() {
    const answer = await this.ask("sync", { session_id: session, since: this.lastSeq });
    if (answer?.ok) this.take(answer.commits);
  }
  async ask(event, request) {
    try {
      return await this.socket.timeout(3000).emitWithAck(event, request);
    } catch {
      return null; // no answer: the connection is gone or the server slow
    }
  }
  async join() {
    const id = this.socket.id;
    const request = { session_id: session, device_id: `device-${this.number}` };
    if (this.lastSeq) request.since = this.lastSeq;
    const answer = await this.ask("join", request);
    if (this.socket.id !== id || !this.socket.connected) return;
    if (!answer?.ok) {
      this.result.errors.push(answer?.error?.code ?? "no answer to join");
      setTimeout(() => this.socket.connected && this.join(), 100);
      return;
    }
    if (this.lastSeq) this.take(answer.commits);
    else this.lastSeq = answer.seq;
    this.here = true;
    if (this.leftAt !== undefined) {
      this.result.away += 1;
      this.result.longest = Math.max(this.result.longest, performance.now() - this.leftAt);
      this.leftAt = undefined;
    }
    this.resolve();
  }
  async work() {
    await this.joined;
    for (let count = 0; working; count += 1) {
      const edit_id = `m${this.number}-${count}`;
      const edit = { session_id: session, edit_id, record_id: `${records}${(this.number % 20) + 1}`, field_name: `note_${this.number}` };
      Object.assign(edit, { new_value: `edit ${count}`, base_version: this.version });
      for (;;) {
        const answer = this.here ? await this.ask("edit", edit) : null;
        if (answer?.ok) {
          this.result.acknowledged[edit_id] = answer.seq;
          this.version = answer.version;
          break;
        }
        if (answer && !answer.error.retryable && answer.error.code !== "not_joined") {
          this.result.errors.push(answer.error.code);
          break;
        }
        await pause(50);
      }
      await pause(20);
    }
  }
}

const members = tokens.map((token, number) => new Member(token, number));
await Promise.all(members.map((member) => member.joined));
process.stdout.write("ready\n");
createInterface({ input: process.stdin }).on("close", () => (working = false));
await Promise.all(members.map((member) => member.work()));
const last = Math.max(...members.flatMap((member) => Object.values(member.result.acknowledged)));
for (const member of members) {
  for (let tries = 0; tries < 100 && member.lastSeq < last; tries += 1) {
    await pause(50);
    if (tries % 20 === 19) await member.catchUp();
  }
}
const lines = members.map((member) => JSON.stringify(member.result) + "\n");
process.stdout.write(lines.join(""), () => process.exit(0));
