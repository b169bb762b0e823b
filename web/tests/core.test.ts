// @vitest-environment node
import "fake-indexeddb/auto";
import { describe, expect, it } from "vitest";
import { NoAnswer } from "../src/collaboration/core/channel";
import { nextConnection, type Connection } from "../src/collaboration/core/connection";
import type { Commit } from "../src/collaboration/core/contract";
import { Drafts, MAX_DRAFTS } from "../src/collaboration/core/drafts";
import { EditQueue } from "../src/collaboration/core/edits";
import { IndexedDbEditStorage, MemoryEditStorage, type StoredEdit } from "../src/collaboration/core/editStorage";
import { LogFollower } from "../src/collaboration/core/log";
import { RecordTable } from "../src/collaboration/core/records";
import { browserTabs } from "../src/collaboration/core/tabs";
import { claimsOf } from "../src/collaboration/core/tokens";

const commit = (seq: number): Commit => ({
  message_type: "edit.applied", session_id: "s", project_id: "p", user_id: "u", timestamp: "", seq, data: {},
});

describe("the connection", () => {
  it.each([
    ["connecting", "up", "joining"], ["joining", "joined", "online"], ["online", "down", "reconnecting"],
    ["reconnecting", "long_away", "offline"], ["offline", "up", "joining"], ["offline", "down", "offline"],
    ["refused", "down", "refused"], ["refused", "open", "connecting"], ["closed", "up", "closed"],
    ["online", "close", "closed"],
  ] as const)("goes from %s by %s to %s", (state, type, after) => {
    expect(nextConnection({ state }, { type }).state).toBe(after);
  });

  it("remembers why it was refused, and forgets it on the way back", () => {
    const error = { code: "forbidden", message: "No.", retryable: false } as const;
    const refused: Connection = nextConnection({ state: "joining" }, { type: "refused", error });
    expect(refused).toEqual({ state: "refused", error });
    expect(nextConnection(refused, { type: "open" })).toEqual({ state: "connecting" });
  });
});

describe("drafts", () => {
  const tab = () => {
    const kept = new Map<string, string>();
    return { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, text: string) => void kept.set(key, text) };
  };

  it("are there again for whoever comes back to them, and for nobody else", () => {
    const storage = tab();
    new Drafts<string>("alice s", storage).set("record", "half a");
    expect(new Drafts<string>("alice s", storage).get("record")).toBe("half a");
    expect(new Drafts<string>("bob s", storage).get("record")).toBeUndefined();
    new Drafts<string>("alice s", storage).set("record", undefined);
    expect(new Drafts<string>("alice s", storage).all.get().size).toBe(0);
  });

  it("are bounded: what was touched longest ago goes", () => {
    const drafts = new Drafts<number>("alice s");
    for (let n = 0; n < MAX_DRAFTS; n++) drafts.set(`record ${n}`, n);
    drafts.set("record 0", 0);
    drafts.set("one more", 1);
    expect([drafts.all.get().size, drafts.get("record 0"), drafts.get("record 1")]).toEqual([MAX_DRAFTS, 0, undefined]);
  });

  it("live on where a storage is full, or holds what is none of them", () => {
    const full = { getItem: () => "nonsense", setItem: () => { throw new Error("QuotaExceededError"); } };
    const drafts = new Drafts<string>("alice s", full);
    drafts.set("record", "half a");
    expect(drafts.get("record")).toBe("half a");
  });
});

describe("following the log", () => {
  const follow = (missing: Commit[] = [], reset = false) => {
    const seen: number[] = [];
    const resets: number[] = [];
    const log = new LogFollower({
      commit: ({ seq }) => seen.push(seq),
      reset: (seq) => resets.push(seq),
      sync: () => Promise.resolve({ seq: 9, commits: missing, ...(reset ? { reset } : {}) }),
    });
    return { log, seen, resets };
  };

  it("passes on what came before it knew where it stands, once and in order", () => {
    const { log, seen } = follow();
    for (const seq of [5, 4, 4, 3]) log.receive(commit(seq));
    log.startAt(3);
    expect(seen).toEqual([4, 5]);
  });

  it("drops what it has seen", () => {
    const { log, seen } = follow();
    log.startAt(3);
    for (const seq of [2, 3, 4, 4]) log.receive(commit(seq));
    expect(seen).toEqual([4]);
  });

  it("starts anew where too much is missing", async () => {
    const { log, resets } = follow([], true);
    log.startAt(3);
    log.receive(commit(8));
    await expect.poll(() => resets).toEqual([9]);
    expect(log.seq).toBe(9);
  });
});

const edit = (edit_id: string, order: number, user_id = "alice"): StoredEdit => ({
  edit_id, user_id, session_id: "s", owner: "t", order, record_id: "r", field_name: "amount", new_value: "1",
  old_value: "2", base_version: 0, created_at: 0, offline: true,
});

describe("the edits kept on the device", () => {
  it("come back in order from a database opened anew, and only to their author", async () => {
    const first = (await IndexedDbEditStorage.open("one")) as IndexedDbEditStorage;
    expect(first.durable).toBe(true);
    await first.put(edit("b", 2));
    await first.put(edit("a", 1));
    await first.put(edit("c", 3, "bob"));
    await first.put(edit("d", 4));
    await first.remove("d");
    first.close();
    const second = await IndexedDbEditStorage.open("one");
    expect((await second.list("alice", "s")).map((item) => item.edit_id)).toEqual(["a", "b"]);
  });
});

/** The browser's Web Locks, as far as they are used. */
function fakeLocks(): LockManager {
  const last = new Map<string, Promise<unknown>>();
  return {
    request: (name: string, _: object, work: () => Promise<void>) => {
      const turn = (last.get(name) ?? Promise.resolve()).then(work);
      last.set(name, turn);
      return turn;
    },
  } as unknown as LockManager;
}

describe("tabs", () => {
  it("learn that another tab is gone when it is, and not before", async () => {
    const locks = fakeLocks();
    const [first, second] = [browserTabs("one", locks), browserTabs("two", locks)];
    let gone = false;
    const told = second.gone("one").then(() => (gone = true));
    await new Promise((resolve) => setTimeout(resolve));
    expect(gone).toBe(false);
    first.close();
    await told;
  });

  it("take over all edits of a tab that is gone, in order, and leave those of a tab that lives", async () => {
    const locks = fakeLocks();
    const storage = new MemoryEditStorage();
    for (const [id, owner, order] of [["b", "gone", 2], ["a", "gone", 1], ["c", "alive", 3]] as const) {
      await storage.put({ ...edit(id, order), owner });
    }
    browserTabs("alive", locks);
    const queue = new EditQueue({
      session_id: "s", user_id: "alice", storage, records: new RecordTable(), tabs: browserTabs("me", locks),
      send: () => Promise.reject(new NoAnswer()), lockToken: () => undefined,
    });
    void queue.restore();
    const taken = await queue.queued.when((edits) => edits.length > 0);
    expect(taken.map(({ edit_id, owner }) => [edit_id, owner])).toEqual([["a", "me"], ["b", "me"]]);
  });
});

it("a token's claims are read for display, names in any script", () => {
  const body = Buffer.from(JSON.stringify({ sub: "zoë", name: "Zoë Ångström", projects: { p: "admin" } })).toString("base64url");
  expect(claimsOf(`x.${body}.y`)).toEqual({ sub: "zoë", name: "Zoë Ångström", exp: 0, projects: { p: "admin" } });
  expect(claimsOf("nonsense")).toBeUndefined();
});
