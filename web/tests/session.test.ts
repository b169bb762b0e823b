// @vitest-environment node
import { afterEach, describe, expect, it } from "vitest";
import { MAX_QUEUED } from "../src/collaboration/core/edits";
import { MemoryEditStorage } from "../src/collaboration/core/editStorage";
import { shown } from "../src/collaboration/core/records";
import { RestError } from "../src/collaboration/core/rest";
import type { CollaborationSession } from "../src/collaboration/core/session";
import { FakeServer } from "./fakeServer";

const open: CollaborationSession[] = [];
afterEach(() => open.splice(0).forEach((session) => session.stop()));

async function enter(server: FakeServer, user = "alice", storage = new MemoryEditStorage()) {
  const session = server.client(user, storage);
  open.push(session);
  session.start();
  await session.connection.when((connection) => connection.state === "online");
  await session.loading.when((loading) => loading.state === "done");
  return session;
}

const value = (session: CollaborationSession, record_id: string, field: string) =>
  shown(session.records.get(record_id)!, field);

const settled = (session: CollaborationSession, count = 1) =>
  session.edits.verdicts.when((verdicts) => verdicts.length >= count);

describe("joining", () => {
  it("is online with every record loaded", async () => {
    const session = await enter(new FakeServer(5));
    expect(session.records.size.get()).toBe(5);
    expect(session.members.get().has("alice")).toBe(true);
  });

  it("keeps an edit that is newer than the page that brings its record", async () => {
    const server = new FakeServer(4);
    let go = () => {};
    server.pageBreak = new Promise((resolve) => (go = resolve));
    const session = server.client("alice");
    open.push(session);
    session.start();
    await session.loading.when((loading) => loading.loaded === 2);
    server.editBy("bob", "ledger:4", "amount", "99.00");
    await session.seq.when((seq) => seq === server.seq);
    go();
    await session.loading.when((loading) => loading.state === "done");
    expect(value(session, "ledger:4", "amount")).toBe("99.00");
  });

  it("fetches what it missed while it was away", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.stop();
    await session.connection.when((connection) => connection.state !== "online");
    server.editBy("bob", "ledger:1", "amount", "11.00");
    server.reachable = true;
    session.network(true);
    await session.connection.when((connection) => connection.state === "online");
    expect(value(session, "ledger:1", "amount")).toBe("11.00");
  });

  it("loads everything anew when more was missed than is replayed", async () => {
    const server = new FakeServer();
    server.replayLimit = 1;
    const session = await enter(server);
    server.stop();
    for (const amount of ["11.00", "12.00", "13.00"]) server.editBy("bob", "ledger:1", "amount", amount);
    server.reachable = true;
    session.network(true);
    await session.loading.when((loading) => loading.state === "loading");
    await session.loading.when((loading) => loading.state === "done");
    expect(value(session, "ledger:1", "amount")).toBe("13.00");
  });

  it("notices a gap and fills it in order", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    const seen: number[] = [];
    session.onCommit((commit) => seen.push(commit.seq));
    const before = server.seq;
    server.behaviours.add("loses_broadcasts");
    server.editBy("bob", "ledger:1", "amount", "11.00");
    server.editBy("bob", "ledger:2", "amount", "12.00");
    server.behaviours.delete("loses_broadcasts");
    server.editBy("bob", "ledger:3", "amount", "13.00");
    await session.seq.when((seq) => seq === before + 3);
    expect(seen).toEqual([before + 1, before + 2, before + 3]);
    expect(value(session, "ledger:1", "amount")).toBe("11.00");
  });
});

describe("getting in", () => {
  it("asks again where a join is not answered and the connection stays", async () => {
    const server = new FakeServer();
    server.behaviours.add("silent_join");
    const session = await enter(server);
    expect(server.received.filter(({ event }) => event === "join")).toHaveLength(2);
    expect(session.connection.get()).toEqual({ state: "online" });
  });

  it("works for whoever was refused and tries once more", async () => {
    const server = new FakeServer();
    server.refusesJoin = "forbidden";
    const session = server.client("alice");
    open.push(session);
    session.start();
    await session.connection.when(({ state }) => state === "refused");
    server.refusesJoin = undefined;
    session.retry();
    await session.connection.when(({ state }) => state === "online");
  });

  it("renews a token that is not taken, once", async () => {
    const server = new FakeServer();
    let renewed = 0;
    server.refresh = async () => `t${++renewed}`;
    server.refusesJoin = "unauthenticated";
    const session = server.client("alice");
    open.push(session);
    session.start();
    await session.connection.when(({ state }) => state === "refused");
    expect(renewed).toBe(1);
    server.refusesJoin = undefined;
    session.retry();
    await session.connection.when(({ state }) => state === "online");
  });

  it("goes on by itself with a renewed token", async () => {
    const server = new FakeServer();
    server.refresh = async () => {
      server.refusesJoin = undefined;
      return "new";
    };
    server.refusesJoin = "token_expired";
    await enter(server);
  });
});

describe("following the log", () => {
  it("asks again for what it missed when it could not be told", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.behaviours.add("loses_broadcasts").add("refuses_sync");
    server.editBy("bob", "ledger:1", "amount", "11.00");
    server.behaviours.delete("loses_broadcasts");
    server.editBy("bob", "ledger:2", "amount", "12.00");
    await session.seq.when((seq) => seq === server.seq);
    expect(value(session, "ledger:1", "amount")).toBe("11.00");
    expect(server.received.filter(({ event }) => event === "sync")).toHaveLength(2);
  });

  it("loads the records of an import once, however many pieces it comes in", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    const before = server.loads;
    for (let n = 4; n <= 8; n++) {
      const record_id = `ledger:${n}`;
      server.rows.set(record_id, { ...server.row("ledger:1"), record_id, external_id: `${n}` });
      server.commit("alice", "record.imported", { records: 1 });
    }
    await session.records.size.when((size) => size === 8);
    await session.loading.when(({ state }) => state === "done");
    expect(server.loads - before).toBe(1);
  });
});

describe("an edit", () => {
  it("shows at once, before the server has answered", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.behaviours.add("answers_late");
    session.edits.edit("ledger:1", "amount", "20.00");
    expect(value(session, "ledger:1", "amount")).toBe("20.00");
    server.release();
    const [verdict] = await settled(session);
    expect(verdict!.kind).toBe("applied");
    expect(session.records.get("ledger:1")!.pending).toEqual({});
  });

  it.each([
    ["locked", "locked"], ["lock_lost", "locked"], ["session_ended", "closed"], ["frozen", "closed"],
    ["forbidden", "forbidden"], ["separation_of_duties", "forbidden"], ["invalid", "refused"],
  ] as const)("that is refused as %s goes back to the old value, and says so as %s", async (code, kind) => {
    const server = new FakeServer();
    const session = await enter(server);
    server.refuses = code;
    session.edits.edit("ledger:1", "amount", "20.00");
    const [verdict] = await settled(session);
    expect(verdict).toMatchObject({ kind, error: { code } });
    expect(value(session, "ledger:1", "amount")).toBe("10.00");
    expect(session.edits.queued.get()).toEqual([]);
  });

  it("that was refused can be tried again", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.lockBy("bob", "ledger:1");
    session.edits.edit("ledger:1", "amount", "20.00");
    const [verdict] = await settled(session);
    expect(verdict!.kind).toBe("locked");
    server.refuses = undefined;
    session.edits.retry(verdict!);
    expect(value(session, "ledger:1", "amount")).toBe("20.00");
  });

  it("whose answer is lost is sent again under the same id and applied once", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    const before = server.seq;
    server.behaviours.add("drops_after_submit");
    session.edits.edit("ledger:1", "amount", "20.00");
    const [verdict] = await settled(session);
    expect(verdict!.kind).toBe("applied");
    expect(server.seq).toBe(before + 1);
    const ids = server.received.filter(({ event }) => event === "edit").map(({ body }) => body.edit_id);
    expect(new Set(ids).size).toBe(1);
  });

  it("that clashes becomes a conflict and shows the value that holds", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.behaviours.add("loses_broadcasts");
    server.editBy("bob", "ledger:1", "amount", "11.00");
    server.behaviours.delete("loses_broadcasts");
    session.edits.edit("ledger:1", "amount", "12.00");
    const [verdict] = await settled(session);
    expect(verdict!.kind).toBe("conflict");
    await session.conflicts.when((conflicts) => conflicts.size === 1);
    expect(value(session, "ledger:1", "amount")).toBe("11.00");
    const [id] = session.conflicts.get().keys();
    server.resolve(id!, "12.00");
    await session.conflicts.when((conflicts) => conflicts.size === 0);
    expect(value(session, "ledger:1", "amount")).toBe("12.00");
    expect(session.records.get("ledger:1")!.conflicts).toEqual({});
  });

  it("begun before somebody else's change clashes with it, however late it is sent", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.editBy("bob", "ledger:1", "amount", "11.00");
    await session.seq.when((seq) => seq === server.seq);
    session.edits.edit("ledger:1", "amount", "12.00", { base_version: 0 });
    const [verdict] = await settled(session);
    expect(verdict!.kind).toBe("conflict");
  });

  it("begun before one's own change does not clash with it", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    session.edits.edit("ledger:1", "amount", "11.00");
    await settled(session);
    session.edits.edit("ledger:1", "amount", "12.00", { base_version: 0 });
    expect((await settled(session, 2))[1]!.kind).toBe("applied");
  });

  it("made on top of one's own unanswered edit does not clash with it", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.behaviours.add("answers_late").add("loses_broadcasts");
    session.edits.edit("ledger:1", "amount", "20.00");
    await new Promise((resolve) => setTimeout(resolve));
    session.edits.edit("ledger:1", "amount", "21.00");
    expect(session.edits.queued.get()).toHaveLength(2);
    server.release();
    const verdicts = await settled(session, 2);
    expect(verdicts.map(({ kind }) => kind)).toEqual(["applied", "applied"]);
    expect(server.row("ledger:1").values.amount).toBe("21.00");
  });

  it("of a record that the server cannot take now waits and is sent again", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.refuses = "overloaded";
    session.edits.edit("ledger:1", "amount", "20.00");
    await expect.poll(() => server.received.filter(({ event }) => event === "edit").length).toBe(1);
    server.refuses = undefined;
    const [verdict] = await settled(session);
    expect(verdict!.kind).toBe("applied");
  });
});

describe("the offline queue", () => {
  it("survives a reload and is replayed once and in order, with a verdict for each", async () => {
    const server = new FakeServer();
    const storage = new MemoryEditStorage();
    const first = await enter(server, "alice", storage);
    server.stop();
    await first.connection.when((connection) => connection.state !== "online");
    first.edits.edit("ledger:2", "amount", "22.00");
    first.edits.edit("ledger:1", "amount", "21.00");
    first.edits.edit("ledger:3", "description", "Rent");
    server.editBy("bob", "ledger:1", "amount", "15.00");
    first.stop();
    server.reachable = true;
    const before = server.seq;
    const again = await enter(server, "alice", storage);
    const verdicts = await settled(again, 3);
    expect(verdicts.map(({ edit, kind }) => [edit.record_id, kind])).toEqual([
      ["ledger:2", "applied"], ["ledger:1", "conflict"], ["ledger:3", "applied"],
    ]);
    expect(verdicts.every(({ edit }) => edit.offline)).toBe(true);
    expect(server.seq).toBe(before + 3);
    expect(storage.edits.size).toBe(0);
  });

  it("sends nothing that the device has not kept yet, even if it takes an older value's place", async () => {
    const server = new FakeServer();
    const storage = new MemoryEditStorage();
    const gates: (() => void)[] = [];
    const put = storage.put.bind(storage);
    storage.put = (edit) => new Promise((resolve) => gates.push(() => resolve(put(edit))));
    const session = await enter(server, "alice", storage);
    session.edits.edit("ledger:1", "amount", "20.00");
    session.edits.edit("ledger:1", "amount", "21.00");
    gates[0]!();
    await new Promise((resolve) => setTimeout(resolve)); // everything that follows from it has happened
    expect(server.received.some(({ event }) => event === "edit")).toBe(false);
    gates[1]!();
    await settled(session);
    expect(server.received.filter(({ event }) => event === "edit").map(({ body }) => body.new_value)).toEqual(["21.00"]);
  });

  it("holds one edit for a field that was edited twice before it was sent", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.stop();
    session.edits.edit("ledger:1", "amount", "20.00");
    session.edits.edit("ledger:1", "amount", "21.00");
    expect(session.edits.queued.get()).toHaveLength(1);
    expect(session.edits.queued.get()[0]).toMatchObject({ new_value: "21.00", old_value: "10.00", base_version: 0 });
  });

  it("keeps so many and says of the next that it is not kept", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.stop();
    session.edits.queued.set(Array.from({ length: MAX_QUEUED }, (_, n) => ({ edit_id: `e${n}`, record_id: "ledger:2", field_name: `f${n}` }) as never));
    const id = session.edits.edit("ledger:1", "amount", "20.00");
    const [verdict] = await settled(session);
    expect(verdict).toMatchObject({ kind: "refused", edit: { edit_id: id, new_value: "20.00" }, error: { code: "overloaded" } });
    expect(value(session, "ledger:1", "amount")).toBe("10.00");
    expect(session.edits.queued.get()).toHaveLength(MAX_QUEUED);
  });

  it("belongs to one person: somebody else on the same device does not send it", async () => {
    const server = new FakeServer();
    const storage = new MemoryEditStorage();
    const alice = await enter(server, "alice", storage);
    server.stop();
    alice.edits.edit("ledger:1", "amount", "20.00");
    alice.stop();
    server.reachable = true;
    const bob = await enter(server, "bob", storage);
    expect(bob.edits.queued.get()).toEqual([]);
    expect(storage.edits.size).toBe(1);
  });
});

describe("a lock", () => {
  it("is held while wanted, goes along with edits, and is given back", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    expect(await session.leases.acquire("ledger:1")).toEqual({ ok: true });
    await session.locks.when((locks) => locks.has("ledger:1"));
    session.edits.edit("ledger:1", "amount", "20.00");
    await settled(session);
    const edit = server.received.find(({ event }) => event === "edit")!;
    expect(edit.body.lock_token).toBe(session.leases.mine("ledger:1")!.token);
    await session.leases.release("ledger:1");
    await session.locks.when((locks) => !locks.has("ledger:1"));
  });

  it("is given back only after the edits made under it have been answered", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    await session.leases.acquire("ledger:1");
    await session.locks.when((locks) => locks.has("ledger:1"));
    session.edits.edit("ledger:1", "amount", "20.00");
    await session.leases.release("ledger:1");
    const order = server.received.map(({ event }) => event).filter((event) => event === "edit" || event === "unlock");
    expect(order).toEqual(["edit", "unlock"]);
  });

  it("is given back only when the last who wanted it lets go", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    await session.leases.acquire("ledger:1");
    await session.leases.acquire("ledger:1");
    await session.locks.when((locks) => locks.has("ledger:1"));
    await session.leases.release("ledger:1");
    expect(session.locks.get().has("ledger:1")).toBe(true);
  });

  it("that comes when nobody wants it any more is given back", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.behaviours.add("locks_late");
    const asked = session.leases.acquire("ledger:1");
    await session.leases.release("ledger:1");
    server.release();
    await asked;
    await session.seq.when((seq) => server.log[seq - 1]!.message_type === "lock.released");
    expect(server.locks.size).toBe(0);
  });

  it("that was granted as the connection broke is given back after the next join", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.behaviours.add("drops_after_submit");
    expect(await session.leases.acquire("ledger:1")).toMatchObject({ ok: false, error: { code: "unavailable" } });
    await session.leases.release("ledger:1");
    await session.seq.when((seq) => server.log[seq - 1]!.message_type === "lock.released");
    expect(server.locks.size).toBe(0);
  });

  it("that could not be asked for without a connection is taken when it is back", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.stop();
    expect(await session.leases.acquire("ledger:1")).toMatchObject({ ok: false, error: { code: "unavailable" } });
    server.reachable = true;
    session.network(true);
    await session.locks.when((locks) => locks.has("ledger:1"));
    expect(session.leases.mine("ledger:1")).toBeDefined();
  });

  it("of somebody else is refused with who holds it", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.lockBy("bob", "ledger:1");
    const answer = await session.leases.acquire("ledger:1");
    expect(answer).toMatchObject({ ok: false, error: { code: "locked" } });
    expect(session.locks.get().get("ledger:1")!.holder.name).toBe("bob");
  });
});

describe("matches", () => {
  const match = (match_id: string, status: "suggested" | "confirmed" | null, ledger = ["ledger:1"], statement = ["ledger:2"]) => ({
    match_id, ledger, statement, status, was: null, sums: [],
  });

  it("set the status of their records, and are found by them until they are undone", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.commit("system", "match.suggested", { matches: [match("m1", "suggested"), match("m2", "suggested", ["ledger:3"], [])] });
    await session.matches.matches.when((matches) => matches.size === 2);
    expect(value(session, "ledger:2", "status")).toBe("suggested");
    expect(session.matches.of("ledger:2")!.match_id).toBe("m1");
    server.commit("alice", "match.confirmed", { matches: [match("m1", "confirmed")] });
    await session.matches.matches.when((matches) => matches.get("m1")?.status === "confirmed");
    expect(value(session, "ledger:1", "status")).toBe("matched");
    server.commit("alice", "match.removed", { matches: [match("m1", null)] });
    await session.matches.matches.when((matches) => !matches.has("m1"));
    expect(value(session, "ledger:1", "status")).toBe("unmatched");
    expect(session.matches.of("ledger:1")).toBeUndefined();
  });

  it("from before one came are asked for again where the server cannot answer, and are not loaded twice", async () => {
    const server = new FakeServer();
    const made = server.matchBy("bob", ["ledger:1"], ["ledger:2"]);
    const asked: string[] = [];
    let down = true;
    server.pages = (_, query) => {
      const { message_type } = query as { message_type: string };
      asked.push(message_type);
      if (message_type === "match.removed" && down) throw new RestError({ code: "unavailable", message: "Too busy.", retryable: true });
      return message_type === "match.created" ? [{ items: [made] }] : [];
    };
    const session = await enter(server);
    const { error } = await session.matches.loading.when((loading) => loading.error !== undefined);
    expect(error!.message).toBe("Too busy.");
    down = false;
    await session.matches.loading.when(({ done }) => done);
    expect(session.matches.of("ledger:1")!.match_id).toBe("ledger:1.2");
    expect(asked.filter((message_type) => message_type === "comment.added")).toHaveLength(1);
  });

  it("are loaded though the names of people are refused", async () => {
    const server = new FakeServer();
    server.http = () => {
      throw new RestError({ code: "forbidden", message: "not for you", retryable: false });
    };
    const session = await enter(server);
    expect(await session.matches.loading.when(({ done }) => done)).toEqual({ done: true });
  });

  it("records set aside and assigned show it", async () => {
    const server = new FakeServer();
    const session = await enter(server);
    server.commit("alice", "record.status_changed", { record_ids: ["ledger:1"], status: "exception" });
    server.commit("alice", "record.assigned", { record_ids: ["ledger:2"], assignee: "bob" });
    await session.seq.when((seq) => seq === server.seq);
    expect(value(session, "ledger:1", "status")).toBe("exception");
    expect(value(session, "ledger:2", "assignee")).toBe("bob");
  });
});
