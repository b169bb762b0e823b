// Which records are listed, and when the list says that it is not as it would be made now.
import { act, cleanup, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryEditStorage, type CollaborationSession } from "../src/collaboration/core";
import { contains, useRows, type RowFilter } from "../src/collaboration/components/rows";
import { SessionProvider } from "../src/collaboration/provider";
import { FakeServer } from "./fakeServer";

let server: FakeServer;
let session: CollaborationSession;

beforeEach(async () => {
  server = new FakeServer(4);
  for (const [n, amount] of ["1234.50", "20.00", "1234567.50", "-40.00"].entries()) server.row(`ledger:${n + 1}`).values.amount = amount;
  session = server.client("alice", new MemoryEditStorage());
  session.start();
  await session.loading.when((loading) => loading.state === "done");
});

afterEach(() => {
  cleanup();
  session.stop();
});

const found = (search: string) => [...session.records.values()].filter(contains(search)).map(({ external_id }) => external_id);

describe("a search", () => {
  it.each([
    ["1234.50", ["1"]], ["1,234.50", ["1"]], ["1.234,50", ["1"]], ["1 234,50", ["1"]], ["12,34,567.50", ["3"]], ["1,234", ["1", "3"]],
    ["(40.00)", ["4"]], ["2026-11-01", ["1", "2", "3", "4"]], ["Nov 1, 2026", ["1", "2", "3", "4"]], ["row 2", ["2"]], ["gbp", ["1", "2", "3", "4"]],
    ["row ", ["1", "2", "3", "4"]], ["row  ", []], [" ", ["1", "2", "3", "4"]], ["nothing", []],
  ])("for “%s” finds %j: what is shown, what is stored, and amounts in anybody's marks", (search, ids) => {
    expect(found(search)).toEqual(ids);
  });

  it("finds what one has set oneself and the server does not have yet", () => {
    server.stop();
    session.edits.edit("ledger:2", "amount", "9876.50");
    session.edits.edit("ledger:2", "notes", "Asked the bank");
    for (const search of ["9,876.50", "9876.50", "asked"]) expect(found(search)).toEqual(["2"]);
    expect(found("20.00")).toEqual([]);
  });
});

describe("the list", () => {
  const list = (filter: RowFilter) => renderHook(() => useRows(filter), { wrapper: ({ children }) => <SessionProvider session={session}>{children}</SessionProvider> });
  const edit = (record_id: string, field_name: string, value: string) => act(async () => {
    server.editBy("bob", record_id, field_name, value);
    await session.seq.when((seq) => seq === server.seq);
  });

  it.each([["amount", ["4", "2", "1", "3"]], ["-amount", ["3", "1", "2", "4"]]])("sorted by %s says when an edit would move a row, and moves it when asked", async (sort, ids) => {
    const { result } = list({ sort });
    const listed = () => result.current.ids.map((id) => id.split(":")[1]);
    expect(listed()).toEqual(ids);
    await edit("ledger:2", "amount", "30.00");
    await edit("ledger:2", "description", "Elsewhere");
    expect(result.current.stale).toBe(0);
    await edit("ledger:2", "amount", "2000.00");
    expect(result.current.stale).toBe(1);
    expect(listed()).toEqual(ids);
    act(() => result.current.refresh());
    expect(result.current.stale).toBe(0);
    expect(listed()).toEqual(sort === "amount" ? ["4", "1", "2", "3"] : ["3", "2", "1", "4"]);
  });

  it("takes it back when the row fits again where it stands", async () => {
    const { result } = list({ sort: "amount" });
    await edit("ledger:2", "amount", "2000.00");
    await edit("ledger:2", "amount", "25.00");
    expect(result.current.stale).toBe(0);
  });

  it("that nobody sorted says nothing of amounts", async () => {
    const { result } = list({});
    await edit("ledger:2", "amount", "2000.00");
    expect(result.current.stale).toBe(0);
  });
});
