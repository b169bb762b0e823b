// @vitest-environment node
import "fake-indexeddb/auto";
import { describe, expect, it } from "vitest";
import { nextConnection, type Connection } from "../src/collaboration/core/connection";
import type { Commit } from "../src/collaboration/core/contract";
import { IndexedDbEditStorage, type StoredEdit } from "../src/collaboration/core/editStorage";
import { LogFollower } from "../src/collaboration/core/log";
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

describe("the edits kept on the device", () => {
  const edit = (edit_id: string, order: number, user_id = "alice"): StoredEdit => ({
    edit_id, user_id, session_id: "s", owner: "t", order, record_id: "r", field_name: "amount", new_value: "1",
    old_value: "2", base_version: 0, created_at: 0, offline: true,
  });

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

describe("tabs", () => {
  it("take over what belonged to a tab only when that tab is gone", async () => {
    const held = new Set<string>();
    const locks = {
      request: async (name: string, _: object, work: (lock: object | null) => Promise<void> | undefined) => {
        if (held.has(name)) return work(null);
        held.add(name);
        await work({});
        held.delete(name);
      },
    } as unknown as LockManager;
    const first = browserTabs("one", locks);
    const second = browserTabs("two", locks);
    expect(await second.adopt("one")).toBe(false);
    first.close();
    await expect.poll(() => second.adopt("one")).toBe(true);
  });
});

it("a token's claims are read for display, names in any script", () => {
  const body = Buffer.from(JSON.stringify({ sub: "zoë", name: "Zoë Ångström", projects: { p: "admin" } })).toString("base64url");
  expect(claimsOf(`x.${body}.y`)).toEqual({ sub: "zoë", name: "Zoë Ångström", exp: 0, projects: { p: "admin" } });
  expect(claimsOf("nonsense")).toBeUndefined();
});
