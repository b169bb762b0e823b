// Rules, sign-off settings, notifications, suggestions, warnings, export: each on the fake server.
import { act, cleanup, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CollaborationSession, MemoryEditStorage, RestError, type Notification, type Rule, type Standing } from "../src/collaboration/core";
import { overlapText } from "../src/collaboration/components/Announcements";
import { ConflictInbox } from "../src/collaboration/components/ConflictResolver";
import { fileName } from "../src/collaboration/components/ExportButton";
import { notificationText, placeOf } from "../src/collaboration/components/notificationText";
import { NewsBell } from "../src/collaboration/components/Notifications";
import { draftsOf, errorsOf, moved, rulesOf } from "../src/collaboration/components/ruleDrafts";
import Rules from "../src/collaboration/components/Rules";
import { SignOffSettings } from "../src/collaboration/components/SignOffSettings";
import { Workspace, WorkspaceContext } from "../src/collaboration/components/workspace";
import { SessionProvider } from "../src/collaboration/provider";
import { FakeServer } from "./fakeServer";

let server: FakeServer;
let session: CollaborationSession;
let workspace: Workspace;
/** What was written over HTTP: method, path and body. */
let written: [string, string, any][];

beforeEach(async () => {
  history.replaceState(null, "", "/");
  server = new FakeServer();
  session = server.client("alice", new MemoryEditStorage());
  workspace = new Workspace();
  written = [];
  session.start();
  await session.loading.when((loading) => loading.state === "done");
});

afterEach(() => {
  cleanup();
  session.stop();
});

const show = (element: React.ReactNode) =>
  render(<WorkspaceContext value={workspace}><SessionProvider session={session}>{element}</SessionProvider></WorkspaceContext>);
const refuse = (code: string, message: string, details?: RestError["refusal"]["details"]): never => {
  throw new RestError({ code: code as never, message, retryable: false, ...(details ? { details } : {}) });
};

const RULES: Rule[] = [
  { rule_id: "exact", name: "Same amount", kind: "pair", min_score: 0.5 },
  { rule_id: "sum", name: "Batches", kind: "sum", enabled: false },
];

describe("Rules", () => {
  let kept: { version: number; rules: Rule[]; project_version: number | null };
  let project: { version: number; comment: string };
  let refusal: (() => never) | undefined;
  beforeEach(() => {
    project = { version: 2, comment: "Quieter" };
    kept = { version: 4, rules: RULES, project_version: null };
    refusal = undefined;
    server.http = (method, path, body: any) => {
      if (method !== "GET") written.push([method, path, body]);
      if (method !== "GET" && refusal) refusal();
      if (path.endsWith("/dry-run")) {
        return { seq: 1, records: 10, records_matched: 4, matches: 2, by_rule: { exact: { matches: 2, confirmed: 1 } }, examples: [
          { rule_id: "exact", score: 0.8, confirmed: false, reasons: ["same amount"], ledger: ["ledger:1"], statement: ["ledger:2"] },
        ] };
      }
      if (path.startsWith("/projects/")) return { project_id: "p", rules: RULES.slice(0, 1), saved_by: "bob", saved_at: "2026-11-22T10:00:00.000Z", ...project };
      if (method === "PUT") kept = { version: kept.version + 1, rules: body.rules, project_version: null };
      return method === "PUT" ? { seq: 9, version: kept.version } : kept;
    };
  });
  const titles = () => screen.getAllByRole("listitem").filter((item) => item.className.startsWith("rule")).map((item) => item.querySelector("b")!.textContent);

  it("are shown in order, moved, added to, removed, and saved as a whole on the version that was seen", async () => {
    const user = userEvent.setup();
    show(<Rules />);
    await screen.findByText("1. Same amount");
    expect(screen.getByText(/does not apply/)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Move Batches up" }));
    await user.click(screen.getByRole("button", { name: "Add a rule" }));
    await user.click(screen.getByRole("button", { name: "Remove Same amount" }));
    expect(titles()).toEqual(["1. Batches", "2. New rule"]);
    await user.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(written).toHaveLength(1));
    const [method, path, body] = written[0]!;
    expect([method, path, body.base_version]).toEqual(["PUT", "/sessions/s/reconciliation/rules", 4]);
    expect(body.rules.map((rule: Rule) => [rule.name, rule.kind, rule.enabled])).toEqual([["Batches", "sum", false], ["New rule", "pair", true]]);
    await waitFor(() => expect(workspace.toasts.get().at(-1)?.text).toMatch(/^Saved/));
  });

  it("show what is wrong beside the field, by the reader and by the server", async () => {
    const user = userEvent.setup();
    show(<Rules />);
    const rule = (await screen.findByText("1. Same amount")).closest("li")!;
    await user.click(within(rule).getByText(/Change/));
    const score = within(rule).getByLabelText(/Suggested from/);
    await user.clear(score);
    await user.click(screen.getByRole("button", { name: "Save" }));
    expect(within(rule).getByText("This is no number.")).toBeTruthy();
    expect(written).toEqual([]);
    await user.type(score, "3");
    refusal = () => refuse("invalid", "rule 1 cannot be", { fields: { rules: { "0": { min_score: ["min_score lies between 0.05 and 1"] } } } });
    await user.click(screen.getByRole("button", { name: "Save" }));
    expect(await within(rule).findByText("Min_score lies between 0.05 and 1")).toBeTruthy();
    expect(score.getAttribute("aria-invalid")).toBe("true");
    expect(score.getAttribute("aria-describedby")).toBe(within(rule).getByText(/lies between/).id);
    expect(titles()).toHaveLength(2);
  });

  it("are tried out as they are shown, and nothing is saved", async () => {
    const user = userEvent.setup();
    show(<Rules />);
    await screen.findByText("1. Same amount");
    await user.click(screen.getByRole("button", { name: "Try them out" }));
    expect(await screen.findByText(/Of 10 open records, 4 would be in 2 matches\. Nothing was stored\./)).toBeTruthy();
    expect(screen.getByText(/80% likely: same amount/)).toBeTruthy();
    expect(written.map(([method, path]) => `${method} ${path}`)).toEqual(["POST /sessions/s/reconciliation/dry-run"]);
    await user.click(screen.getByRole("button", { name: "1" }));
    expect(workspace.jump.get()).toEqual({ record_id: "ledger:1" });
  });

  it("that somebody else has changed meanwhile are not overwritten, and one's own are not lost unasked", async () => {
    const user = userEvent.setup();
    show(<Rules />);
    await screen.findByText("1. Same amount");
    await user.click(screen.getByRole("button", { name: "Remove Batches" }));
    kept = { version: 5, rules: [RULES[1]!], project_version: null };
    act(() => void server.commit("bob", "reconciliation.rules_changed", {}));
    expect(await screen.findByText(/Somebody else has changed the rules/)).toBeTruthy();
    expect(titles()).toEqual(["1. Same amount"]);
    await user.click(screen.getByRole("button", { name: "Take theirs" }));
    await waitFor(() => expect(titles()).toEqual(["1. Batches"]));
  });

  it("of the project can be used, and one's own be saved for it", async () => {
    const user = userEvent.setup();
    show(<Rules />);
    await screen.findByText("1. Same amount");
    await user.click(screen.getByText("The project’s rules"));
    await screen.findByText(/Version 2, by bob.*“Quieter”/);
    await user.click(screen.getByRole("button", { name: "Use them here" }));
    expect(titles()).toEqual(["1. Same amount"]);
    await user.click(screen.getByRole("button", { name: "Save these for the project…" }));
    await user.type(screen.getByLabelText("Anything to say with them?"), "Fewer");
    await user.click(screen.getByRole("button", { name: "Save these for the project" }));
    await waitFor(() => expect(written).toHaveLength(1));
    expect(written[0]).toMatchObject(["PUT", "/projects/p/rules", { base_version: 2, comment: "Fewer" }]);
  });

  /** Opens the project's rules and saves for it what is shown, with a comment. */
  const saveForProject = async (user: ReturnType<typeof userEvent.setup>) => {
    await user.click(screen.getByText("The project’s rules"));
    await user.click(await screen.findByRole("button", { name: "Save these for the project…" }));
    await user.type(screen.getByLabelText("Anything to say with them?"), "Fewer");
    await user.click(screen.getByRole("button", { name: "Save these for the project" }));
  };
  const comment = () => screen.getByLabelText<HTMLInputElement>("Anything to say with them?").value;

  it("that are refused for the project are not taken for saved: the reason is shown, and the comment stays", async () => {
    const user = userEvent.setup();
    show(<Rules />);
    const rule = (await screen.findByText("1. Same amount")).closest("li")!;
    refusal = () => refuse("invalid", "rule 1 cannot be", { fields: { rules: { "0": { min_score: ["min_score lies between 0.05 and 1"] } } } });
    await saveForProject(user);
    expect(await within(rule).findByText("Min_score lies between 0.05 and 1")).toBeTruthy();
    await waitFor(() => expect(screen.queryByRole("status")).toBeNull());
    expect(screen.getByRole("alert").textContent).toMatch(/Rule 1 cannot be/);
    expect(comment()).toBe("Fewer");
    expect(workspace.toasts.get()).toEqual([]);
  });

  it("with a number that cannot be read are not sent for the project either", async () => {
    const user = userEvent.setup();
    show(<Rules />);
    const rule = (await screen.findByText("1. Same amount")).closest("li")!;
    await user.clear(within(rule).getByLabelText(/Suggested from/));
    await saveForProject(user);
    expect(await within(rule).findByText("This is no number.")).toBeTruthy();
    await waitFor(() => expect(screen.queryByRole("status")).toBeNull());
    expect(within(rule).getByText("This is no number.")).toBeTruthy();
    expect(comment()).toBe("Fewer");
    expect(written).toEqual([]);
  });

  it("of a project whose rules somebody else has saved meanwhile are not overwritten: theirs are shown, one's own stay", async () => {
    const user = userEvent.setup();
    show(<Rules />);
    await screen.findByText("1. Same amount");
    await user.click(screen.getByRole("button", { name: "Remove Batches" }));
    refusal = () => {
      project = { version: 3, comment: "Mine first" };
      return refuse("version_stale", "the rules were changed since version 2");
    };
    await saveForProject(user);
    expect((await screen.findByRole("alert")).textContent).toMatch(/^Not saved: somebody else has saved rules for the project/);
    expect(screen.getByText(/Version 3, by bob.*“Mine first”/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Take theirs" })).toBeNull();
    expect(titles()).toEqual(["1. Same amount"]);
    expect(comment()).toBe("Fewer");
    refusal = undefined;
    await user.click(screen.getByRole("button", { name: "Save these for the project" }));
    await waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
    expect(written.at(-1)).toMatchObject(["PUT", "/projects/p/rules", { base_version: 3, comment: "Fewer", rules: [{ rule_id: "exact" }] }]);
  });

  it("cannot be changed by a reviewer, who can try them out", async () => {
    session.role.set("reviewer");
    show(<Rules />);
    await screen.findByText("1. Same amount");
    expect(screen.getAllByRole("button").map((button) => button.textContent)).toEqual(["Try them out"]);
  });

  it("go and come back as they were, and their errors find them by their place", () => {
    const drafts = draftsOf(RULES);
    expect(rulesOf(drafts).rules[0]).toMatchObject({ rule_id: "exact", min_score: 0.5, days_after: 45 });
    expect(errorsOf({ code: "invalid", message: "", retryable: false, details: { fields: { rules: { "1": { name: ["Too long."] } } } } }, drafts))
      .toEqual({ [drafts[1]!.key]: { name: "Too long." } });
    expect(moved(["a", "b", "c"], 2, -1)).toEqual(["a", "c", "b"]);
    expect(moved(["a", "b"], 0, -1)).toEqual(["a", "b"]);
  });
});

describe("SignOffSettings", () => {
  const standing: Standing = {
    seq: 1, rules_version: 0, records: 3, difference: { EUR: "0.00", JPY: "0" },
    run: { status: "completed", matched: 2, suggested: 0, exceptions: 0, excluded: 0, matches_confirmed: 1, matches_suggested: 0 },
    workflow: {
      status: "in_progress", prepared_by: ["bob"], submitted_by: null, submitted_at: null, reason: null, signoffs: [],
      settings: { threshold: 0, second_signature_above: null, auto_certify: false, period_locked: false, due_date: null },
    },
  };

  it("spells amounts in each currency and sends only what has changed", async () => {
    const user = userEvent.setup();
    server.http = (method, path, body) => written.push([method, path, body]) && {};
    session.role.set("approver");
    session.standing.set(standing);
    show(<SignOffSettings />);
    const threshold = screen.getByLabelText(/Unexplained difference/);
    await user.clear(threshold);
    await user.type(threshold, "500");
    expect(screen.getByText("5.00 EUR, 500 JPY")).toBeTruthy();
    await user.type(screen.getByLabelText("Due"), "2026-12-01");
    await user.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(written).toEqual([["PATCH", "/sessions/s/reconciliation/settings", { threshold: 500, due_date: "2026-12-01" }]]));
  });

  it("says beside the field what cannot be", async () => {
    const user = userEvent.setup();
    server.http = () => refuse("invalid", "the body is not valid: threshold", { fields: { threshold: ["Must be at most 1000."] } });
    session.role.set("admin");
    session.standing.set(standing);
    show(<SignOffSettings />);
    await user.type(screen.getByLabelText(/Two signatures/), "ten");
    await user.click(screen.getByRole("button", { name: "Save" }));
    expect(screen.getByText("This is no whole number.")).toBeTruthy();
    await user.clear(screen.getByLabelText(/Two signatures/));
    await user.type(screen.getByLabelText(/Unexplained difference/), "7000");
    await user.click(screen.getByRole("button", { name: "Save" }));
    expect(await screen.findByText("Must be at most 1000.")).toBeTruthy();
  });

  it("shows a preparer how it goes, and who may not sign", () => {
    session.standing.set(standing);
    show(<SignOffSettings />);
    expect(screen.getByText(/May not sign: bob/)).toBeTruthy();
    expect(screen.queryByRole("button")).toBeNull();
    expect(screen.getByLabelText(/Unexplained difference/).closest("fieldset")!.disabled).toBe(true);
  });
});

const told = (change: Partial<Notification> = {}): Notification => ({
  notification_id: "s.1.mentioned.x", kind: "mentioned", session_id: "s", session_name: "October", project_id: "p", seq: 1, user_id: "bob",
  name: "Bob Brown", at: "2026-11-22T10:00:00.000Z", read: false, record_ids: ["ledger:1"], records: 1, text: "Look", ...change,
});

describe("notifications", () => {
  const record = (id: string) => id.split(":")[1]!;

  it("from before one came are counted, listed, marked as read, and lead to where it happened", async () => {
    const user = userEvent.setup();
    const opened: Notification[] = [];
    const older = told({ notification_id: "s.0.assigned.x", kind: "assigned", records: 3, read: true, at: "2026-11-20T10:00:00.000Z" });
    server.http = (method, path, body) => {
      if (method !== "GET") written.push([method, path, body]);
      return method === "GET" ? { items: [told(), older], unread: 1, next_cursor: null } : { changed: 1, unread: 0 };
    };
    session.notifications.entered({ unread: 1, items: [told()] });
    show(<NewsBell book={session.notifications} record={record} onOpen={(item) => opened.push(item)} />);
    await user.click(screen.getByRole("button", { name: "Notifications, 1 unread" }));
    expect(await screen.findByText("Bob Brown gave you 3 records.")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: /Unread: ?Bob Brown mentions you at 1/ }));
    expect(opened.map(({ notification_id }) => notification_id)).toEqual(["s.1.mentioned.x"]);
    await waitFor(() => expect(written).toEqual([["POST", "/notifications/read", { notification_ids: ["s.1.mentioned.x"] }]]));
    expect(screen.getByRole("button", { name: "Notifications" })).toBeTruthy();
  });

  it("that come while one is here stand on top, once each, and are all marked as read up to the newest", async () => {
    const user = userEvent.setup();
    server.http = (method, path, body) => {
      if (method === "GET") return { items: session.notifications.items.get(), unread: 2, next_cursor: null };
      written.push([method, path, body]);
      return { changed: 2, unread: 0 };
    };
    const heard: string[] = [];
    session.notifications.onNew((item) => heard.push(item.notification_id));
    show(<NewsBell book={session.notifications} record={record} onOpen={() => undefined} />);
    const second = told({ notification_id: "s.2.rejected.x", kind: "rejected", record_ids: [], at: "2026-11-22T11:00:00.000Z" });
    act(() => {
      for (const item of [told(), told(), second]) server.tell("bob", `notification.${item.kind}`, item);
    });
    expect(heard).toEqual(["s.1.mentioned.x", "s.2.rejected.x"]);
    await user.click(screen.getByRole("button", { name: "Notifications, 2 unread" }));
    await user.click(await screen.findByRole("button", { name: "Mark all as read" }));
    await screen.findByText("All read.");
    expect(written).toEqual([["POST", "/notifications/read-all", { until: "2026-11-22T11:00:00.000Z" }]]);
  });

  it("of other sessions come too, and nothing else of theirs does", () => {
    const other = told({ notification_id: "t.1.mentioned.x", session_id: "t", session_name: "September" });
    act(() => {
      server.tell("bob", "presence.left", { user_id: "bob", name: "Bob Brown" }, "t");
      server.tell("bob", "notification.mentioned", other, "t");
    });
    expect(session.notifications.items.get()).toEqual([other]);
    expect(session.notifications.unread.get()).toBe(1);
  });

  it("of other projects are counted as well, on every join", async () => {
    const elsewhere = told({ notification_id: "t.1.mentioned.x", session_id: "t", project_id: "q" });
    server.http = () => ({ items: [told(), elsewhere], unread: 2, next_cursor: null });
    session.notifications.entered({ unread: 1, items: [told()] }, { otherProjects: true });
    await waitFor(() => expect(session.notifications.unread.get()).toBe(2));
    expect(session.notifications.items.get()).toEqual([told(), elsewhere]);
    session.notifications.entered({ unread: 1, items: [told()] }, { otherProjects: true });
    expect(session.notifications.unread.get()).toBe(2);
  });

  it("that come while the list is fetched are neither lost nor forgotten in the count", async () => {
    let answer = (_: unknown) => {};
    server.http = () => new Promise((resolve) => (answer = resolve));
    session.notifications.receive(told());
    const loaded = session.notifications.load();
    const late = told({ notification_id: "s.3.mentioned.x", at: "2026-11-22T12:00:00.000Z" });
    session.notifications.receive(late);
    answer({ items: [told()], unread: 1, next_cursor: null });
    await loaded;
    expect(session.notifications.items.get()).toEqual([late, told()]);
    expect(session.notifications.unread.get()).toBe(2);
  });

  it("that cannot be listed say so, with a retry", async () => {
    const user = userEvent.setup();
    show(<NewsBell book={session.notifications} record={record} onOpen={() => undefined} />);
    await user.click(screen.getByRole("button", { name: "Notifications" }));
    expect((await screen.findByRole("alert")).textContent).toMatch(/not here.*Try again/);
    server.http = () => ({ items: [told()], unread: 1, next_cursor: null });
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await screen.findByText(/mentions you at 1: “Look”/);
  });

  it.each([
    ["conflict", { panel: "conflicts", record: "ledger:1" }], ["assigned", { panel: "record", record: "ledger:1" }], ["run_finished", { view: "match" }],
  ] as const)("of kind %s lead to their place", (kind, place) => {
    expect(placeOf(told({ kind }))).toEqual(place);
    expect(notificationText(told({ kind, field_name: "amount" }), record)).toMatch(/\w+ .*[.”]/);
  });
});

describe("a suggestion", () => {
  it("is shown with how sure it is and why, and is chosen and followed by the keyboard", async () => {
    const user = userEvent.setup();
    session.role.set("reviewer");
    server.suggests = {
      value: "12.00", confidence: 92, code: "counterpart", strategy: "take_candidate", edit_id: "", reason: "The other side of the match says 12.00.",
      evidence: [{ code: "counterpart", reason: "The other side of the match says 12.00." }, { code: "role", reason: "The other was an administrator." }],
      against: [{ code: "stands", reason: "It holds 11.00 now." } as never],
    };
    show(<ConflictInbox />);
    server.behaviours.add("loses_broadcasts");
    server.editBy("bob", "ledger:1", "amount", "11.00");
    server.behaviours.delete("loses_broadcasts");
    const edit_id = session.edits.edit("ledger:1", "amount", "12.00")!;
    server.suggests.edit_id = edit_id;
    const suggestion = await screen.findByRole("group", { name: "Suggestion" });
    expect(suggestion.textContent).toMatch(/92% sure.*12\.00.*The other side of the match says 12\.00/);
    expect(within(suggestion).getByText("Against: It holds 11.00 now.")).toBeTruthy();
    const [keep, take] = screen.getAllByRole<HTMLInputElement>("radio");
    keep!.focus();
    await user.keyboard("s");
    expect(take!.checked).toBe(true);
    await user.keyboard("{Control>}{Enter}{/Control}");
    await waitFor(() => expect(server.received.find(({ event }) => event === "resolve")?.body).toMatchObject({ strategy: "take_candidate", edit_id }));
  });
});

describe("a warning before a clash", () => {
  const people = (mine: string, theirs: string) => [{ user_id: "alice", name: "Alice", doing: mine }, { user_id: "bob", name: "Bob", doing: theirs }] as never;
  it.each([
    ["same_field", "editing", "editing", /Bob is editing this field too/],
    ["same_field", "editing", "looking", /Bob is at Amount of 1 too/],
    ["unsent_change", "editing", "unsent", /Bob has a change of Amount of 1 that is not sent yet/],
    ["unsent_change", "unsent", "editing", /Bob begins on Amount of 1, where you have a change/],
    ["unreviewed_change", "editing", "changed", /Bob has changed Amount of 1, and nobody has reviewed/],
    ["open_conflict", "editing", "changed", /People disagree on Amount of 1 already/],
  ] as const)("of %s says what the other does", (cause, mine, theirs, text) => {
    expect(overlapText({ record_id: "ledger:1", field_name: "amount", cause, people: people(mine, theirs) }, "alice", "1")).toMatch(text);
  });

  it("is none while both only look, and is told once", async () => {
    expect(overlapText({ record_id: "ledger:1", field_name: "amount", cause: "same_field", people: people("looking", "looking") }, "alice", "1")).toBeUndefined();
    workspace.warn("ledger:1 amount", "Once");
    workspace.warn("ledger:1 amount", "Once");
    workspace.warn("ledger:2 amount", "Another");
    expect(workspace.toasts.get().map(({ text }) => text)).toEqual(["Once", "Another"]);
  });

  it("comes from the server and is no person who has come", async () => {
    const heard: unknown[] = [];
    session.onOverlap((overlap) => heard.push(overlap.cause));
    const before = session.members.get();
    server.tell("bob", "presence.overlap", { record_id: "ledger:1", field_name: "amount", cause: "same_field", people: people("editing", "editing") });
    expect(heard).toEqual(["same_field"]);
    expect(session.members.get()).toBe(before);
  });
});

it.each([
  ['attachment; filename="october.zip"', "october.zip"], ["attachment; filename*=UTF-8''M%C3%A4rz.zip", "März.zip"], ["", undefined],
])("an exported file is called as the server calls it: %s", (header, name) => {
  expect(fileName({ headers: new Headers(header ? { "Content-Disposition": header } : {}) })).toBe(name);
});
