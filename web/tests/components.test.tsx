import { act, cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CollaborationSession, MemoryEditStorage, RestError, type Commit, type Refusal, type Standing } from "../src/collaboration/core";
import { ConflictInbox } from "../src/collaboration/components/ConflictResolver";
import Analytics from "../src/collaboration/components/Analytics";
import { draftOf, parsed } from "../src/collaboration/components/CellEditor";
import { Comments, mentioned } from "../src/collaboration/components/Comments";
import { decode, preview } from "../src/collaboration/components/csv";
import { HistoryDrawer } from "../src/collaboration/components/HistoryDrawer";
import ImportRecords from "../src/collaboration/components/ImportRecords";
import MatchWorkbench from "../src/collaboration/components/MatchWorkbench";
import { ReconciliationStatus } from "../src/collaboration/components/ReconciliationStatus";
import { RecordEditor } from "../src/collaboration/components/RecordEditor";
import { suggestions } from "../src/collaboration/components/candidates";
import { SignOffBar } from "../src/collaboration/components/SignOffBar";
import { UserPresence } from "../src/collaboration/components/UserPresence";
import { SyncBadge } from "../src/collaboration/components/SyncBadge";
import { Workspace, WorkspaceContext } from "../src/collaboration/components/workspace";
import { SessionProvider } from "../src/collaboration/provider";
import { fromUnits, money, parseMoney, typedMoney, units } from "../src/ui/format";
import { FakeServer } from "./fakeServer";

let server: FakeServer;
let session: CollaborationSession;
let workspace: Workspace;

beforeEach(async () => {
  server = new FakeServer();
  session = server.client("alice", new MemoryEditStorage());
  workspace = new Workspace();
  session.start();
  await session.loading.when((loading) => loading.state === "done");
});

afterEach(() => {
  cleanup();
  session.stop();
});

const show = (element: React.ReactNode) =>
  render(<WorkspaceContext value={workspace}><SessionProvider session={session}>{element}</SessionProvider></WorkspaceContext>);

describe("RecordEditor", () => {
  it("locks the record when one begins, sends what was changed, and gives the lock back", async () => {
    const user = userEvent.setup();
    show(<RecordEditor recordId="ledger:1" />);
    await user.clear(screen.getByLabelText("Amount"));
    await user.type(screen.getByLabelText("Amount"), "12.50");
    await session.locks.when((locks) => locks.has("ledger:1"));
    await user.click(screen.getByRole("button", { name: "Save" }));
    await session.locks.when((locks) => !locks.has("ledger:1"));
    expect(server.row("ledger:1").values.amount).toBe("12.50");
  });

  it("says who holds the lock and until when, and offers no field to type into", async () => {
    show(<RecordEditor recordId="ledger:1" />);
    server.lockBy("bob", "ledger:1");
    expect(await screen.findByText(/bob is editing this record until \d/)).toBeTruthy();
    expect(screen.queryByRole("textbox")).toBeNull();
  });

  it("keeps what one has typed when the field changes meanwhile, and sends it as what it is: made on the older value", async () => {
    const user = userEvent.setup();
    show(<RecordEditor recordId="ledger:1" />);
    await user.type(screen.getByLabelText("Description"), " (mine)");
    await session.locks.when((locks) => locks.has("ledger:1"));
    server.locks.clear();
    server.editBy("bob", "ledger:1", "description", "Theirs");
    await screen.findByText("bob has set this to Theirs since you began.");
    expect(screen.getByLabelText<HTMLTextAreaElement>("Description").value).toBe("Row 1 (mine)");
    await user.click(screen.getByRole("button", { name: "Save" }));
    const [verdict] = await session.edits.verdicts.when((verdicts) => verdicts.length === 1);
    expect(verdict!.kind).toBe("conflict");
  });
});

describe("what was changed in RecordEditor and not saved", () => {
  const amount = () => screen.getByLabelText<HTMLInputElement>("Amount");

  it("is there again after a look at another part, or at another record, and goes with the version it was made on", async () => {
    const user = userEvent.setup();
    const { rerender } = show(<RecordEditor recordId="ledger:1" />);
    const go = (record: string) => rerender(<WorkspaceContext value={workspace}><SessionProvider session={session}><RecordEditor recordId={record} /></SessionProvider></WorkspaceContext>);
    await user.clear(amount());
    await user.type(amount(), "12.50");
    await user.click(screen.getByRole("tab", { name: "Comments" }));
    await user.click(screen.getByRole("tab", { name: "Fields (unsaved)" }));
    expect(amount().value).toBe("12.50");
    go("ledger:2");
    expect(amount().value).toBe("10.00");
    screen.getByRole("tab", { name: "Fields" });
    await act(async () => {
      server.locks.clear();
      server.editBy("bob", "ledger:1", "amount", "11.00");
      await session.seq.when((seq) => seq === server.seq);
    });
    go("ledger:1");
    expect(amount().value).toBe("12.50");
    screen.getByText("bob has set this to 11.00 since you began.");
    await user.click(screen.getByRole("button", { name: "Save" }));
    const [verdict] = await session.edits.verdicts.when((verdicts) => verdicts.length === 1);
    expect(verdict!.kind).toBe("conflict");
    screen.getByRole("tab", { name: "Fields" });
  });

  it("is told to the others for as long as it waits, whatever is looked at", async () => {
    const user = userEvent.setup();
    const { unmount } = show(<RecordEditor recordId="ledger:1" />);
    await user.type(amount(), "1");
    unmount();
    const told = () => server.received.filter(({ event, body }) => event === "presence" && "drafts" in body).map(({ body }) => body.drafts);
    await waitFor(() => expect(told()).toEqual([[{ record_id: "ledger:1", field_name: "amount" }]]));
    show(<RecordEditor recordId="ledger:1" />);
    await user.click(screen.getByRole("button", { name: "Discard" }));
    expect(amount().value).toBe("10.00");
    await waitFor(() => expect(told().at(-1)).toBeNull());
  });

  it("can be read and not saved while somebody else holds the lock", async () => {
    const user = userEvent.setup();
    session.drafts.fields.set("ledger:1", { amount: { text: "12.50", base_version: 0 } });
    server.lockBy("bob", "ledger:1");
    show(<RecordEditor recordId="ledger:1" />);
    expect(await screen.findByText("Yours, unsaved: 12.50")).toBeTruthy();
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Save" }).disabled).toBe(true);
    await user.click(screen.getByRole("button", { name: "Discard" }));
    expect(screen.queryByText(/Yours, unsaved/)).toBeNull();
  });
});

describe("ConflictInbox", () => {
  it("shows what the field holds and what others wanted, and says who decides", async () => {
    show(<ConflictInbox />);
    expect(screen.getByText(/Nobody disagrees/)).toBeTruthy();
    server.behaviours.add("loses_broadcasts");
    server.editBy("bob", "ledger:1", "amount", "11.00");
    server.behaviours.delete("loses_broadcasts");
    session.edits.edit("ledger:1", "amount", "12.00");
    const conflict = await screen.findByRole("region", { name: /Conflict: Amount of 1/ });
    expect(within(conflict).getByText("11.00")).toBeTruthy();
    expect(within(conflict).getByText("12.00")).toBeTruthy();
    expect(within(conflict).getByText(/A reviewer decides this/)).toBeTruthy();
    expect(within(conflict).getAllByRole("radio")[0]!.closest("fieldset")!.disabled).toBe(true);
  });
});

describe("the connection", () => {
  it("is named in words, with how many changes wait", async () => {
    show(<SyncBadge />);
    expect(screen.getByRole("button", { name: "Online" })).toBeTruthy();
    server.stop();
    session.edits.edit("ledger:1", "amount", "20.00");
    expect(await screen.findByRole("button", { name: /Reconnecting, 1 queued/ })).toBeTruthy();
    session.network(false);
    expect(await screen.findByRole("button", { name: "Offline, 1 queued" })).toBeTruthy();
  });

  it("lists a refused change with its reason and a retry", async () => {
    const user = userEvent.setup();
    show(<SyncBadge />);
    server.refuses = "frozen";
    session.edits.edit("ledger:1", "amount", "20.00");
    await session.edits.verdicts.when((verdicts) => verdicts.length === 1);
    await user.click(screen.getByRole("button", { name: "Online" }));
    expect(screen.getByText(/Not saved: the session takes no changes\. refused: frozen/)).toBeTruthy();
    server.refuses = undefined;
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(server.row("ledger:1").values.amount).toBe("20.00"));
  });
});

it("UserPresence goes to where a person is", async () => {
  const user = userEvent.setup();
  session.members.set(new Map([["bob", {
    user_id: "bob", name: "Bob Brown", role: "preparer", status: "active", activity: "editing", last_seen: "", connections: 1,
    focus: { record_id: "ledger:2", field_name: "amount" },
  }]]));
  show(<UserPresence />);
  await user.click(screen.getByRole("button", { name: /Bob Brown, preparer: editing at 2, Amount/ }));
  expect(workspace.jump.get()).toEqual({ record_id: "ledger:2", field_name: "amount" });
});

it("UserPresence lists everybody, where there are more than have a place", async () => {
  const user = userEvent.setup();
  session.members.set(new Map(Array.from({ length: 9 }, (_, n) => [`u${n}`, {
    user_id: `u${n}`, name: `Person ${n}`, role: "preparer", status: "active", activity: null, last_seen: "", connections: 1,
    focus: n === 8 ? { record_id: "ledger:3", field_name: "amount" } : null,
  }])));
  show(<UserPresence />);
  await user.click(screen.getByRole("button", { name: "All 9 who are here" }));
  await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: /Person 8.*Preparer · at 3, Amount/ }));
  expect(workspace.jump.get()).toEqual({ record_id: "ledger:3", field_name: "amount" });
  expect(screen.queryByRole("dialog")).toBeNull();
});

it("ReconciliationStatus shows a run's progress, rate and time left, and what remains to be explained", async () => {
  session.reconciliation.set({ status: "running", total: 1_000, processed: 250, matched: 200, suggested: 10, exceptions: 1, rate: 125, seconds_left: 6 });
  show(<ReconciliationStatus />);
  expect(screen.getByRole("progressbar", { name: "Matching run" }).getAttribute("value")).toBe("250");
  expect(screen.getByText(/250 of 1,000 · 200 matched · 10 suggested · 1 exceptions · 125\/s · 6 s left/)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Pause for everyone" })).toBeTruthy();
  expect(screen.getByText("30.00")).toBeTruthy();
});

it("ReconciliationStatus reckons what remains by the statement's sign, as the server does", async () => {
  server.add("statement", "1", { amount: "-30.00" });
  session.reconciliation.set({ status: "completed", statement_sign: -1 });
  await session.reload();
  show(<ReconciliationStatus />);
  expect(screen.getByRole("definition").textContent).toBe("0.00");
});

describe("matching by hand", () => {
  const bar = () => document.querySelector(".match-bar")!.textContent;
  const line = (side: "Ledger" | "Statement", text: RegExp) =>
    within(screen.getByRole("region", { name: side })).queryByRole<HTMLInputElement>("checkbox", { name: text });
  const tick = (side: "Ledger" | "Statement", text: RegExp) => userEvent.click(line(side, text)!);
  const sent = () => server.received.filter(({ event }) => event === "match_create").map(({ body }) => body);

  async function begin(statement: Parameters<FakeServer["add"]>[2][]) {
    statement.forEach((values, n) => server.add("statement", `S${n + 1}`, values));
    await session.reload();
    show(<MatchWorkbench onSelect={() => undefined} />);
  }

  it("nets to zero as the server reckons, where the statement counts money out as positive", async () => {
    session.reconciliation.set({ status: "completed", statement_sign: -1 });
    await begin([{ amount: "-10.00" }, { amount: "10.00" }]);
    await tick("Ledger", /Row 1/);
    await tick("Statement", /Row S1.*same amount/);
    expect(bar()).toMatch(/Difference 0\.00 GBP.*counts money out as positive.*Match$/);
    await tick("Statement", /Row S1/);
    await tick("Statement", /Row S2/);
    expect(bar()).toMatch(/Difference 20\.00 GBP.*Match all the same…$/);
  });

  it("adds up no two currencies", async () => {
    server.add("ledger", "4", { amount: "5.00", currency: "USD" });
    await begin([{ amount: "15.00" }]);
    await tick("Ledger", /Row 1/);
    await tick("Ledger", /Row 4/);
    await tick("Statement", /Row S1/);
    expect(bar()).toMatch(/Ledger 10\.00 GBP, 5\.00 USD \(2\).*Difference -5\.00 GBP, 5\.00 USD.*Match all the same…$/);
  });

  it("lets go of what somebody else has matched meanwhile, and matches the rest", async () => {
    const user = userEvent.setup();
    await begin([{}, {}]);
    await tick("Ledger", /Row 1/);
    await tick("Statement", /Row S1/);
    act(() => void server.matchBy("bob", ["ledger:1"], ["statement:S1"]));
    await waitFor(() => expect(bar()).toMatch(/Ledger 0\.00 \(0\)Statement 0\.00 \(0\)/));
    await tick("Ledger", /Row 2/);
    await tick("Statement", /Row S2/);
    await user.click(screen.getByRole("button", { name: "Match" }));
    await waitFor(() => expect(sent()).toMatchObject([{ ledger: ["ledger:2"], statement: ["statement:S2"] }]));
  });

  it("lists whatever is chosen, so that it can be taken back, and nothing that is set aside", async () => {
    const user = userEvent.setup();
    server.add("ledger", "4", { status: "exception" });
    await begin([{ description: "Row S1", date: "2026-11-02" }]);
    expect(line("Ledger", /Row 4/)).toBeNull();
    await tick("Ledger", /Row 1/);
    await tick("Statement", /Row S1/);
    await user.type(screen.getByLabelText("Search the ledger"), "Row 2");
    await waitFor(() => expect(line("Ledger", /Row 3/)).toBeNull());
    await tick("Ledger", /Row 1/);
    expect(line("Ledger", /Row 1/)).toBeNull();
    expect(line("Statement", /Row S1/)!.checked).toBe(true);
    await tick("Statement", /Row S1/);
    expect(bar()).toMatch(/Ledger 0\.00 \(0\)Statement 0\.00 \(0\)/);
  });

  it("keeps a reason that was typed when the match is refused", async () => {
    const user = userEvent.setup();
    server.refusesMatch = { code: "locked", message: "bob is working on this record", retryable: true };
    await begin([{ amount: "9.50" }]);
    await tick("Ledger", /Row 1/);
    await tick("Statement", /Row S1/);
    await user.click(screen.getByRole("button", { name: "Match all the same…" }));
    await user.type(screen.getByLabelText(/Why do they belong together/), "The bank's fee");
    await user.click(screen.getByRole("button", { name: "Match all the same" }));
    await waitFor(() => expect(workspace.toasts.get().at(-1)?.text).toBe("Bob is working on this record."));
    expect(screen.getByLabelText<HTMLInputElement>(/Why do they belong together/).value).toBe("The bank's fee");
    server.refusesMatch = undefined;
    await user.click(screen.getByRole("button", { name: "Match all the same" }));
    await waitFor(() => expect(screen.queryByLabelText(/Why do they belong together/)).toBeNull());
    expect(sent()).toMatchObject([{ reason: "The bank's fee" }, { reason: "The bank's fee" }]);
  });

  it("asks for the reason that the server wants, though the page finds no difference", async () => {
    const user = userEvent.setup();
    server.refusesMatch = {
      code: "unbalanced", message: "the two sides differ by 2.00 GBP: give a reason, or change the match", retryable: false,
      details: { difference: { GBP: "2.00" } },
    };
    await begin([{}]);
    await tick("Ledger", /Row 1/);
    await tick("Statement", /Row S1/);
    await user.click(screen.getByRole("button", { name: "Match" }));
    const reason = await screen.findByLabelText(/Why do they belong together/);
    expect(document.activeElement).toBe(reason);
    server.refusesMatch = undefined;
    await user.type(reason, "Rounded{Enter}");
    await waitFor(() => expect(sent().at(-1)).toMatchObject({ reason: "Rounded" }));
  });
});

describe("SignOffBar", () => {
  const standing = (workflow: Partial<Standing["workflow"]>): Standing => ({
    seq: 1, rules_version: 0, records: 3, difference: { GBP: "0.00" },
    run: {
      status: "completed", matched: 2, suggested: 0, exceptions: 0, excluded: 0, matches_confirmed: 1, matches_suggested: 0,
    },
    workflow: {
      status: "in_progress", prepared_by: ["bob"], submitted_by: null, submitted_at: null, reason: null, signoffs: [],
      settings: { threshold: 0, period_locked: false }, ...workflow,
    },
  });
  const buttons = () => screen.queryAllByRole("button").map((button) => button.textContent.trim());

  it("lets a preparer submit when nothing stands in the way, and else says what does", () => {
    session.standing.set(standing({}));
    show(<SignOffBar />);
    expect(buttons()).toEqual(["Submit for review…"]);
    act(() => session.reconciliation.set({ status: "running" }));
    expect(buttons()).toEqual([]);
    expect(screen.getByText("To submit: a matching run is under way.")).toBeTruthy();
  });

  it("lets a reviewer sign or send back, but not one who prepared", () => {
    session.role.set("reviewer");
    session.standing.set(standing({ status: "in_review", submitted_by: "bob", submitted_at: "2026-11-22T10:00:00.000Z" }));
    show(<SignOffBar />);
    expect(buttons()).toEqual(["Sign…", "Send back…", "Export…"]);
    act(() => session.standing.set(standing({ status: "in_review", prepared_by: ["alice"] })));
    expect(buttons()).toEqual(["Export…"]);
    expect(screen.getByText(/somebody else signs/)).toBeTruthy();
  });

  it("keeps a signature visible that does not hold any more", () => {
    const signoff = { user_id: "carol", name: "Carol", role: "reviewer", at: "2026-11-22T10:00:00.000Z", seq: 8, final: true, comment: null, suspended_by: 9 };
    session.standing.set(standing({ signoffs: [signoff] }));
    show(<SignOffBar />);
    expect(screen.getByText(/Signature suspended: Carol, Reviewer/)).toBeTruthy();
  });
});

describe("amounts", () => {
  it.each([["1234567890123456.10", "1,234,567,890,123,456.10"], ["-0.5", "-0.5"], ["12", "12"]])("%s reads %s: no digit is lost", (amount, text) => {
    expect(money(amount)).toBe(text);
  });

  it.each([
    ["1,234.50", "1234.50"], ["1 234.5", "1234.5"], ["-7", "-7"], ["1.234,50", "1234.50"], ["1,23,456.50", "123456.50"], ["1.234.567", "1234567"],
    ["1,234", "1234"], ["1.234", "1.234"], ["12,5", "12.5"], [".5", "0.5"], ["(1,234.50)", "-1234.50"], ["\u22127.00", "-7.00"], ["1'000.00", "1000.00"],
    ["1.2,3.4", "1.2,3.4"], ["1,234.567,89", "1,234.567,89"], ["1.234.50", "1.234.50"], ["abc", "abc"], ["", ""], ["1e5", "1e5"], ["--5", "--5"], ["-", "-"], ["()", "()"],
  ])("%s typed is %s sent", (typed, sent) => {
    expect(parseMoney(typed)).toBe(sent);
  });

  it.each([["1.234", "1234"], ["1,234", "1.234"], ["1.234,50", "1234.50"], ["1234.50", "1234.50"], ["1,234.50", "1234.50"]])(
    "%s typed by a German is %s sent",
    (typed, sent) => {
      const languages = vi.spyOn(navigator, "languages", "get").mockReturnValue(["de-DE"]);
      expect(parseMoney(typed)).toBe(sent);
      expect(parseMoney(typedMoney("123.456"))).toBe("123.456");
      languages.mockRestore();
    },
  );

  it("that nobody changed is what it was, however it is written", () => {
    for (const amount of ["1.234", "1234.50", "-7"]) expect(parsed("amount", draftOf("amount", amount), amount)).toBe(amount);
  });

  it.each(["0.00", "-12.05", "99999999999999999.99"])("%s comes back from a sum as it was", (amount) => {
    expect(fromUnits(units(amount))).toBe(amount);
  });
});

describe("comments", () => {
  it.each([
    ["@Ann Lee, look", ["ann"]], ["@Ann Leery", ["leery"]], ["@Ann and @Bob", ["short", "bob"]], ["@Annette", []], ["ann@Bob.", ["bob"]], ["nobody", []],
  ])("%s names %j", (text, ids) => {
    const people = [["short", "Ann"], ["ann", "Ann Lee"], ["leery", "Ann Leery"], ["bob", "Bob"]] as const;
    expect(mentioned(text, people)).toEqual(ids);
  });

  it("are sent once, however often one presses and whatever becomes of the answer", async () => {
    const user = userEvent.setup();
    show(<Comments />);
    server.behaviours.add("drops_after_submit");
    await user.type(screen.getByLabelText("Comment"), "Why?{Control>}{Enter}{/Control}");
    await waitFor(() => expect(workspace.toasts.get().at(-1)?.text).toMatch(/Your text is still here/));
    await session.connection.when(({ state }) => state === "online");
    await user.type(screen.getByLabelText("Comment"), "{Control>}{Enter}{Enter}{/Control}");
    await waitFor(() => expect(screen.getByLabelText<HTMLTextAreaElement>("Comment").value).toBe(""));
    await user.type(screen.getByLabelText("Comment"), "Why?{Control>}{Enter}{/Control}");
    await waitFor(() => expect(screen.getByLabelText<HTMLTextAreaElement>("Comment").value).toBe(""));
    const ids = server.received.filter(({ event }) => event === "comment").map(({ body }) => body.request_id);
    expect(ids).toHaveLength(3);
    expect(ids[0]).toBe(ids[1]);
    expect(ids[2]).not.toBe(ids[1]);
  });

  it("stay with what they are about while one looks elsewhere, and go to that alone", async () => {
    const user = userEvent.setup();
    act(() => void server.commit("bob", "comment.added", { comment_id: "c", record_id: "ledger:1", parent_id: null, text: "Why?", mentions: [], name: "Bob" }));
    const { rerender } = show(<Comments recordId="ledger:1" />);
    const go = (element: React.ReactNode) => rerender(<WorkspaceContext value={workspace}><SessionProvider session={session}>{element}</SessionProvider></WorkspaceContext>);
    const box = (name: string) => screen.getByLabelText<HTMLTextAreaElement>(name);
    await user.type(box("Comment on 1"), "About the first");
    await user.click(await screen.findByRole("button", { name: "Reply" }));
    await user.type(box("Reply to Bob"), "Because");
    expect(box("Comment on 1").value).toBe("About the first");
    go(<Comments recordId="ledger:2" />);
    expect(box("Comment on 2").value).toBe("");
    expect(screen.queryByLabelText("Reply to Bob")).toBeNull();
    await user.type(box("Comment on 2"), "About the second{Control>}{Enter}{/Control}");
    await waitFor(() => expect(box("Comment on 2").value).toBe(""));
    go(<p>Something else</p>);
    go(<Comments recordId="ledger:1" />);
    expect([box("Comment on 1").value, box("Reply to Bob").value]).toEqual(["About the first", "Because"]);
    await user.type(box("Reply to Bob"), "{Control>}{Enter}{/Control}");
    await waitFor(() => expect(screen.queryByLabelText("Reply to Bob")).toBeNull());
    expect(box("Comment on 1").value).toBe("About the first");
    const sent = server.received.filter(({ event }) => event === "comment").map(({ body }) => [body.record_id, body.parent_id, body.text]);
    expect(sent).toEqual([["ledger:2", undefined, "About the second"], ["ledger:1", "c", "Because"]]);
  });

  it("that cannot be settled without a connection say so", async () => {
    const user = userEvent.setup();
    act(() => void server.commit("bob", "comment.added", { comment_id: "c", record_id: null, parent_id: null, text: "Why?", mentions: [], name: "Bob" }));
    show(<Comments />);
    const settle = await screen.findByRole("button", { name: "Settled" });
    act(() => server.stop());
    await user.click(settle);
    await waitFor(() => expect(workspace.toasts.get().at(-1)?.text).toMatch(/no connection/));
  });
});

describe("a record that is matched", () => {
  let refusal: Refusal | undefined;
  let made: Commit;
  beforeEach(async () => {
    made = server.matchBy("bob", ["ledger:1"], ["ledger:2"]);
    server.row("ledger:1").values.status = "matched";
    server.pages = (_, query) => {
      if (refusal) throw new RestError(refusal);
      return "message_type" in query && query.message_type === "match.created" ? [{ items: [made] }] : [];
    };
  });
  /** Somebody who comes after the match. */
  const come = async () => {
    session = server.client("carol");
    session.start();
    await session.loading.when((loading) => loading.state === "done");
    show(<><RecordEditor recordId="ledger:1" /><MatchWorkbench onSelect={() => undefined} /></>);
    await userEvent.click(screen.getByRole("tab", { name: /Suggested/ }));
  };

  it("waits for its match, and is neither set aside nor taken back meanwhile", async () => {
    refusal = { code: "unavailable", message: "The server cannot be reached.", retryable: true };
    await come();
    expect((await screen.findAllByText(/could not be loaded yet, and are asked for again: The server cannot/))).toHaveLength(2);
    expect(screen.queryByRole("button", { name: "Take back" })).toBeNull();
    expect(screen.queryByText(/Set aside/)).toBeNull();
    expect(screen.queryByText(/Nothing is suggested/)).toBeNull();
    refusal = undefined;
    expect(await screen.findByRole("button", { name: "Unmatch…" })).toBeTruthy();
    expect(screen.getByText(/Nothing is suggested/)).toBeTruthy();
  });

  it("says why its match cannot be loaded, with a way to try again", async () => {
    refusal = { code: "invalid", message: "No such page.", retryable: false };
    await come();
    await screen.findAllByText(/could not be loaded: No such page/);
    refusal = undefined;
    await userEvent.click(screen.getAllByRole("button", { name: "Load again" })[0]!);
    expect(await screen.findByRole("button", { name: "Unmatch…" })).toBeTruthy();
  });
});

it("a reason that could not be given stays as it was written", async () => {
  const user = userEvent.setup();
  show(<RecordEditor recordId="ledger:1" />);
  await user.click(screen.getByRole("button", { name: "Exception…" }));
  await user.type(screen.getByLabelText("Why is it an exception?"), "Paid twice");
  act(() => server.stop());
  await user.click(screen.getByRole("button", { name: "Exception" }));
  await waitFor(() => expect(workspace.toasts.get().at(-1)?.text).toMatch(/no connection/));
  expect(screen.getByLabelText<HTMLInputElement>("Why is it an exception?").value).toBe("Paid twice");
  server.reachable = true;
  session.network(true);
  await act(() => session.connection.when(({ state }) => state === "online"));
  await user.click(screen.getByRole("button", { name: "Exception" }));
  await waitFor(() => expect(screen.queryByLabelText("Why is it an exception?")).toBeNull());
});

it("Analytics asks for the figures now and then, not for each of the changes", async () => {
  const asked: string[] = [];
  server.http = (_, path) => {
    asked.push(path);
    return {
      as_of: 1, by_user: {}, by_day: {}, edits: { total: 7 }, locks: { acquired: 0, taken_over: 0 },
      conflicts: { detected: 0, automatic: 0, by_strategy: {}, share_resolved: null, time_to_resolve: { median: null } },
    };
  };
  show(<Analytics />);
  expect((await screen.findByText("Edits")).nextSibling!.textContent).toBe("7");
  await act(async () => {
    for (let n = 0; n < 60; n++) server.editBy("bob", "ledger:1", "amount", `${n}.50`);
    await session.seq.when((seq) => seq === server.seq);
  });
  expect(asked).toEqual(["/sessions/s/analytics"]);
});

describe("the history", () => {
  const commit = (seq: number): Commit => ({
    message_type: "comment.added", session_id: "s", project_id: "p", user_id: "bob", seq,
    timestamp: new Date(seq * 1000).toISOString(), data: { comment_id: `c${seq}`, record_id: "ledger:1", text: `Comment ${seq}` },
  });

  it("of a record shows the newest of all that ever happened to it, and its matches as they come", async () => {
    server.pages = (path) => (path.endsWith("/history")
      ? [{ items: Array.from({ length: 200 }, (_, n) => commit(n + 2)) }, { items: Array.from({ length: 50 }, (_, n) => commit(n + 202)) }] : []);
    const user = userEvent.setup();
    show(<RecordEditor recordId="ledger:1" />);
    await user.click(screen.getByRole("tab", { name: "History" }));
    const list = await screen.findByRole("list", { name: "Newest first" });
    await waitFor(() => expect(within(list).getAllByRole("listitem")).toHaveLength(200));
    expect(within(list).getAllByRole("listitem")[0]!.textContent).toContain("Comment 251");
    const match = { match_id: "m", ledger: ["ledger:1"], statement: ["ledger:2"], status: "confirmed", was: null, sums: [] };
    act(() => void server.log.push(...Array.from({ length: 250 }, (_, n) => commit(n + 2))));
    await act(async () => {
      server.commit("bob", "match.created", { matches: [match] });
      await session.matches.matches.when((matches) => matches.has("m"));
    });
    await waitFor(() => expect(within(list).getAllByRole("listitem")[0]!.textContent).toContain("matched 1 with 2"));
  });

  it("that is opened with the page asks for the newest once it is known which those are, and for no more", async () => {
    server.log.push(...Array.from({ length: 500 }, (_, n) => commit(n + 2)));
    const asked: object[] = [];
    server.pages = (path, query) => {
      if (!path.endsWith("/history") || "message_type" in query) return [];
      asked.push(query);
      return [{ items: server.log.slice((query as { since: number }).since) }];
    };
    const carol = server.client("carol");
    render(<WorkspaceContext value={workspace}><SessionProvider session={carol}><HistoryDrawer /></SessionProvider></WorkspaceContext>);
    act(() => carol.start());
    const list = await screen.findByRole("list", { name: "Newest first" });
    expect(within(list).getAllByRole("listitem")[0]!.textContent).toContain("#501");
    expect(asked).toEqual([{ since: 301, limit: 200 }]);
    carol.stop();
  });

  it("has no hole where more was missed than is told afterwards", async () => {
    server.replayLimit = 1;
    server.pages = (path, query) => (path.endsWith("/history") && !("message_type" in query) ? [{ items: server.log.slice((query as { since: number }).since) }] : []);
    show(<HistoryDrawer />);
    const numbers = () => screen.queryAllByRole("listitem").map((item) => Number(/#(\d+)/.exec(item.textContent)?.[1]));
    await waitFor(() => expect(numbers()).toEqual([1]));
    act(() => server.stop());
    for (const amount of ["11.00", "12.00", "13.00"]) server.editBy("bob", "ledger:1", "amount", amount);
    server.reachable = true;
    await act(async () => {
      session.network(true);
      await session.connection.when(({ state }) => state === "online");
    });
    await waitFor(() => expect(numbers()).toEqual([4, 3, 2, 1]));
  });

  it("asks for the past where the slider comes to rest, not for each step on the way", async () => {
    const asked: string[] = [];
    server.pages = () => [{ items: [commit(2), commit(3)] }];
    server.http = (_, path) => {
      asked.push(path);
      return { items: [], timestamp: new Date(0).toISOString(), session: null };
    };
    const user = userEvent.setup();
    show(<HistoryDrawer />);
    await user.click((await screen.findAllByRole("button", { name: "Show the session as it stood" }))[0]!);
    for (const at of [2, 1, 3, 2]) fireEvent.change(screen.getByRole("slider"), { target: { value: at } });
    await screen.findByText("None yet.");
    expect(asked).toEqual(["/sessions/s/state"]);
  });
});

describe("a file to import", () => {
  it("shows its columns whatever stands between them", () => {
    expect(preview('\uFEFFNr;"Betrag; EUR"\n1;"2,50"')).toEqual({ delimiter: ";", header: ["Nr", "Betrag; EUR"], rows: [["1", "2,50"]] });
    expect(preview("one column")).toBeUndefined();
  });

  it.each(["sep=;\r\n", '"sep=;"\n', "SEP=;\n"])("takes %j for what it is: no header, but what stands between the columns", (line) => {
    expect(preview(`\uFEFF${line}Nr;Betrag, EUR, brutto\n1;2`)).toEqual({ delimiter: ";", header: ["Nr", "Betrag, EUR, brutto"], rows: [["1", "2"]] });
  });

  const latin = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
  const wide = (text: string, littleEndian: boolean) => {
    const view = new DataView(new ArrayBuffer(2 * text.length));
    [...text].forEach((char, n) => view.setUint16(2 * n, char.charCodeAt(0), littleEndian));
    return new Uint8Array(view.buffer);
  };
  const text = "Nr;Währung\n";
  it.each([
    ["UTF-8", new TextEncoder().encode(text), text], ["UTF-8 with its mark", new TextEncoder().encode(`\uFEFF${text}`), text],
    ["Windows-1252", latin(text), text], ["Windows-1252 up to its last letter", latin("Nr;é"), "Nr;é"],
    ["UTF-16, the lower byte first", wide(`\uFEFF${text}`, true), text], ["UTF-16, the higher byte first", wide(`\uFEFF${text}`, false), text],
  ])("is read as the server reads it: %s", (_, bytes, read) => {
    expect(decode(bytes, false)).toBe(read);
  });

  it("is UTF-8 still where its beginning ends within a letter", () => {
    expect(decode(new TextEncoder().encode("Nr;é").slice(0, -1), true)).toBe("Nr;");
  });

  it("has its columns named as the server reads them", async () => {
    const user = userEvent.setup();
    const asked: object[] = [];
    server.http = (method, path, _, query) => asked.push({ method, path, ...query }) && {
      rows: 1, new: 1, changed: 0, unchanged: 0, conflicting: 0, kept: 0, refused: 0, errors: [],
    };
    show(<ImportRecords />);
    await user.upload(screen.getByLabelText(/^File/), new File([latin("sep=;\r\nNr;Währung\r\n1;EUR")], "july.csv"));
    await user.selectOptions(await screen.findByLabelText("Währung"), "currency");
    await user.click(screen.getByRole("button", { name: "Import" }));
    await screen.findByText(/1 rows: 1 new/);
    expect(asked).toMatchObject([{ method: "POST", path: "/sessions/s/records", mapping: '{"columns":{"currency":"Währung"}}' }]);
  });
});

it("candidates of the other side come likeliest first, with what speaks for them", () => {
  const row = (record_id: string, source: "ledger" | "statement", amount: string, description: string, date = "2026-11-01") => ({
    record_id, source, external_id: record_id, versions: {}, conflicts: {}, pending: {}, changes: {},
    values: { amount, description, date, currency: "EUR", status: "unmatched" },
  });
  const found = suggestions(row("L", "ledger", "10.00", "Rent Kavanagh"), [
    row("far", "statement", "99.00", "Other", "2026-03-01"), row("near", "statement", "10.00", "KAVANAGH", "2026-11-03"),
    row("same", "statement", "10.00", "Something", "2026-11-01"), row("side", "ledger", "10.00", "Rent Kavanagh"),
  ], 1n);
  expect(found.map(({ record }) => record.record_id)).toEqual(["near", "same"]);
  expect(found[0]!.reasons).toEqual(["same amount", "shares “kavanagh”", "2 days apart"]);
});
