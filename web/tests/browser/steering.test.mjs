// What people set and are told: rules with a dry run, sign-off settings, suggestions, notifications, the export.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { cell, holds, People, Server, setCell } from "./harness.mjs";

let server, people;
before(async () => {
  server = await Server.start();
  people = await People.start(server);
});
after(async () => {
  await people?.stop();
  await server?.stop();
});

const L1 = "ledger:L00001";

test("rules are ordered, added to, refused by field, tried out and saved; whoever has them open sees it", async () => {
  const session = await server.session("Rules");
  const alice = await people.enter("alice", session, { query: "?panel=rules" });
  const bob = await people.enter("bob", session, { query: "?panel=rules" });
  const rules = alice.getByRole("list", { name: "Rules in order" });
  const first = rules.locator("li.rule").first();
  await holds(first, "Same reference, same amount");
  const before = await rules.locator("li.rule").count();
  await alice.getByRole("button", { name: "Move Same reference, same amount down" }).click();
  await holds(first, "Same amount");
  await alice.getByRole("button", { name: "Add a rule" }).click();
  const added = rules.locator("li.rule").last();
  await added.getByText(/^Change/).click();
  await added.getByLabel("Name").fill("To the day");
  await added.getByLabel("Statement later by at most (days)").fill("999");
  await alice.getByRole("button", { name: "Save", exact: true }).click();
  await added.getByText(/366/).waitFor();
  assert.equal(await added.getByLabel("Statement later by at most (days)").getAttribute("aria-invalid"), "true");
  await added.getByLabel("Statement later by at most (days)").fill("0");
  await alice.getByRole("button", { name: "Try them out" }).click();
  await alice.getByText(/open records, \d+ would be in \d+ matches. Nothing was stored/).waitFor();
  await holds(bob.getByRole("list", { name: "Rules in order" }).locator("li.rule").first(), "Same reference, same amount");
  await alice.getByRole("button", { name: "Save", exact: true }).click();
  await holds(bob.getByRole("list", { name: "Rules in order" }).locator("li.rule").last(), "To the day");
  await holds(bob.locator(".panel"), "this session’s own rules");
  const kept = await server.rest("alice", "GET", `/sessions/${session}/reconciliation/rules`);
  assert.deepEqual([kept.rules.length, kept.rules[0].rule_id, kept.rules.at(-1).days_after], [before + 1, "exact", 0]);
  // Nothing was matched by trying.
  const { items } = await server.rest("alice", "GET", `/sessions/${session}/records?status=matched`);
  assert.deepEqual(items, []);
});

test("one's rules can be the project's, and new sessions begin with them", async () => {
  const session = await server.session("Project rules");
  const alice = await people.enter("alice", session, { query: "?panel=rules" });
  await alice.getByRole("button", { name: "Remove Amount differs a little" }).click();
  await alice.getByText("The project’s rules").click();
  await alice.getByRole("button", { name: "Save these for the project…" }).click();
  await alice.getByLabel("Anything to say with them?").fill("Exact or not at all");
  await alice.getByRole("button", { name: "Save these for the project", exact: true }).click();
  await alice.getByText(/Version 1, by You.*Exact or not at all/).waitFor();
  const next = await server.session("Begun after it");
  const { rules, project_version } = await server.rest("alice", "GET", `/sessions/${next}/reconciliation/rules`);
  assert.deepEqual([rules.some(({ rule_id }) => rule_id === "near"), project_version], [false, 1]);
});

test("who decides how the sign-off goes sets it, and everybody sees until when", async () => {
  const session = await server.session("Settings");
  await server.invite("erin", "approver");
  const erin = await people.enter("erin", session, { query: "?panel=rules&part=sign-off" });
  const alice = await people.enter("alice", session);
  await erin.getByLabel("Unexplained difference that may be submitted").fill("500");
  await holds(erin.locator(".panel"), "5.00 EUR");
  await erin.getByLabel("Due", { exact: true }).fill("2026-12-01");
  await erin.getByLabel(/^Two signatures/).fill("a lot");
  await erin.getByRole("button", { name: "Save", exact: true }).click();
  await erin.getByText("This is no whole number.").waitFor();
  assert.equal(await erin.getByLabel(/^Two signatures/).getAttribute("aria-invalid"), "true");
  await erin.getByLabel(/^Two signatures/).fill("");
  await erin.getByRole("button", { name: "Save", exact: true }).click();
  await holds(alice.getByRole("group", { name: "Sign-off" }), "due 1 Dec 2026");
  const { workflow } = await server.rest("alice", "GET", `/sessions/${session}/reconciliation/status`);
  assert.deepEqual([workflow.settings.threshold, workflow.settings.due_date], [500, "2026-12-01"]);
});

test("what happens while one is away waits for one, leads to its place, and stays read", async () => {
  const session = await server.session("Away");
  const mention = (text, record_id) => server.rest("bob", "POST", `/sessions/${session}/comments`, { text, record_id, mentions: ["alice"] });
  await mention("Is this the March invoice?", L1);
  // Before she enters any session: her list of sessions has the bell too.
  const context = await people.context();
  const home = await context.newPage();
  await home.goto(`${server.url}/#token=${server.token("alice")}`);
  await home.getByRole("button", { name: /^Notifications, \d+ unread/ }).click();
  await home.getByRole("button", { name: /Bob Brown mentions you at L00001: “Is this the March invoice/ }).first().click();
  await home.getByRole("complementary", { name: "Record" }).waitFor();
  await holds(home.getByRole("complementary", { name: "Record" }), "L00001");
  await home.getByRole("button", { name: "Notifications", exact: true }).waitFor();
  await mention("And this?", "ledger:L00002");
  await home.getByRole("button", { name: "Notifications, 1 unread" }).waitFor();
  await home.getByRole("region", { name: "Notifications" }).getByText(/mentions you at L00002: “And this/).waitFor();
  await home.getByRole("region", { name: "Notifications" }).getByRole("button", { name: "Show" }).click();
  await home.getByRole("button", { name: "Notifications", exact: true }).waitFor();
  await home.reload();
  await home.getByRole("button", { name: "Online", exact: true }).waitFor();
  await home.getByRole("button", { name: "Notifications", exact: true }).click();
  const list = home.getByRole("dialog", { name: "Notifications" });
  await list.getByText("All read.").waitFor();
  await list.getByText(/mentions you at L00001/).waitFor();
  await home.keyboard.press("Escape");
  await list.waitFor({ state: "detached" });
  await context.close();
});

test("a conflict comes with what could be decided, and why; following it decides it", async () => {
  const session = await server.session("Suggestion");
  // The statement says 10.00 as well, under the same reference.
  await server.rest("alice", "POST", `/sessions/${session}/records/${encodeURIComponent(L1)}/edit`, { field_name: "amount", new_value: "11.00", base_version: 0 });
  await server.rest("bob", "POST", `/sessions/${session}/records/${encodeURIComponent(L1)}/edit`, { field_name: "amount", new_value: "10.00", base_version: 0 });
  const carol = await people.enter("carol", session, { query: "?panel=conflicts" });
  const conflict = carol.getByRole("region", { name: /Conflict: Amount of L00001/ });
  const suggestion = conflict.getByRole("group", { name: "Suggestion" });
  await holds(suggestion, "10.00");
  await holds(suggestion, "% sure");
  await suggestion.getByRole("button", { name: "Choose it" }).click();
  await carol.keyboard.press("Control+Enter");
  await holds(cell(carol, L1, "amount"), "10.00");
  await carol.getByText("Nobody disagrees", { exact: false }).waitFor();
});

test("nothing in all that broke a page or its content security policy", () => {
  assert.deepEqual(people.problems, []);
});
