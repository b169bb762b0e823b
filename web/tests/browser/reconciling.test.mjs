// The matching run beside people, matches by hand, and the sign-off by two people.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cell, holds, People, Server } from "./harness.mjs";

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
const S1 = "statement:S00001";

test("two match by hand what nets to zero, and everybody sees it and what remains to be explained", async () => {
  const session = await server.session("By hand");
  const alice = await people.enter("alice", session);
  const bob = await people.enter("bob", session);
  await alice.getByRole("button", { name: "Match", exact: true }).click();
  const ledger = alice.getByRole("region", { name: "Ledger" });
  const statement = alice.getByRole("region", { name: "Statement" });
  await ledger.getByRole("checkbox", { name: /Payment number 1 / }).check();
  await statement.getByRole("checkbox", { name: /Payment number 1 / }).check();
  await alice.getByRole("contentinfo").or(alice.locator(".match-bar")).getByRole("button", { name: "Match", exact: true }).click();
  for (const id of [L1, S1]) await holds(cell(bob, id, "status"), /Matched/);
  await cell(bob, L1, "external_id").click();
  await bob.getByRole("region", { name: "Match" }).getByText("S00001").waitFor();
  await bob.getByRole("button", { name: "Unmatch…" }).click();
  await bob.getByLabel("Why?").fill("Not the same payment");
  await bob.getByRole("button", { name: "Unmatch", exact: true }).click();
  await holds(cell(bob, L1, "status"), "Unmatched");
});

test("a record is set aside only with a reason, and can be taken back", async () => {
  const session = await server.session("Aside");
  const alice = await people.enter("alice", session);
  await cell(alice, L1, "external_id").click();
  await alice.getByRole("button", { name: "Exception…" }).click();
  assert.ok(await alice.getByRole("button", { name: "Exception", exact: true }).isDisabled());
  await alice.getByLabel("Why is it an exception?").fill("The bank has lost it");
  await alice.getByRole("button", { name: "Exception", exact: true }).click();
  await holds(cell(alice, L1, "status"), "Exception");
  await alice.getByRole("button", { name: "Take back" }).click();
  await holds(cell(alice, L1, "status"), "Unmatched");
});

test("a run is begun by one, seen by all, and leaves suggestions and matches that people judge", async () => {
  const alice = await people.enter("alice", "demo");
  const bob = await people.enter("bob", "demo");
  await alice.getByRole("button", { name: "Start matching" }).click();
  for (const page of [alice, bob]) await holds(page.getByRole("group", { name: "Matching run" }), "Completed");
  await bob.locator(".status-matched").first().waitFor();
  await bob.getByRole("button", { name: "Match", exact: true }).click();
  await bob.getByRole("tab", { name: /Suggested/ }).click();
  await bob.getByRole("region", { name: "Suggested matches" }).getByRole("button", { name: "Confirm", exact: true }).first().click();
  await bob.getByText("Confirmed.", { exact: true }).waitFor();
});

test("the sign by which a run has read the statement holds for matches by hand", async () => {
  const session = await server.session("Turned", 14, "-");
  const alice = await people.enter("alice", session);
  await alice.getByRole("button", { name: "Start matching" }).click();
  await holds(alice.getByRole("group", { name: "Matching run" }), "Completed");
  for (const [source, amount] of [["ledger", "-7.35"], ["statement", "7.35"]]) {
    const late = { external_id: `${source}-late`, date: "2026-11-20", amount, currency: "EUR", description: "Cleaning" };
    await server.rest("alice", "POST", `/sessions/${session}/records?source=${source}`, JSON.stringify(late), "application/x-ndjson");
  }
  await alice.getByRole("button", { name: "Match", exact: true }).click();
  await alice.getByRole("region", { name: "Ledger" }).getByRole("checkbox", { name: /Cleaning/ }).check();
  await alice.getByRole("region", { name: "Statement" }).getByRole("checkbox", { name: /Cleaning/ }).check();
  await holds(alice.locator(".match-bar"), "Difference 0.00 EUR");
  await alice.locator(".match-bar").getByRole("button", { name: "Match", exact: true }).click();
  await alice.getByText("Matched 1 with 1.").waitFor();
});

test("a run is paused and resumed for everyone by anyone who works", async () => {
  const session = await server.session("Pause", 40);
  const alice = await people.enter("alice", session);
  const bob = await people.enter("bob", session);
  // A run waits for what somebody holds: so there is time to pause it, however quick the machine is.
  await cell(bob, L1, "external_id").click();
  await bob.getByRole("textbox", { name: "Notes" }).focus();
  await cell(alice, L1, "external_id").locator(".lock-mark").waitFor();
  await alice.getByRole("button", { name: "Start matching" }).click();
  for (const page of [alice, bob]) await page.getByRole("progressbar", { name: "Matching run" }).waitFor();
  await bob.getByRole("button", { name: "Pause for everyone" }).click();
  for (const page of [alice, bob]) await holds(page.getByRole("group", { name: "Matching run" }), "Paused");
  await bob.getByRole("button", { name: "Done", exact: true }).click();
  await cell(alice, L1, "external_id").locator(".lock-mark").waitFor({ state: "detached" });
  await alice.getByRole("button", { name: "Resume for everyone" }).click();
  for (const page of [alice, bob]) await holds(page.getByRole("group", { name: "Matching run" }), "Completed");
});

test("one submits, another signs; what is submitted is frozen, and what is sent back says why", async () => {
  const session = await server.session("Sign-off", 2);
  const alice = await people.enter("alice", session);
  const carol = await people.enter("carol", session);
  for (const n of [1, 2]) {
    await server.rest("alice", "POST", `/sessions/${session}/matches`, { ledger: [`ledger:L0000${n}`], statement: [`statement:S0000${n}`] });
  }
  await alice.getByRole("button", { name: "Submit for review…" }).click();
  await alice.getByRole("button", { name: "Submit for review", exact: true }).click();
  await holds(carol.getByRole("group", { name: "Sign-off" }), "In review");
  await cell(alice, L1, "notes").dblclick();
  await alice.locator(".cell-input").fill("too late");
  await alice.keyboard.press("Enter");
  await alice.getByText(/Not saved: the session takes no changes/).first().waitFor();
  await holds(cell(alice, L1, "status"), /Matched/);
  await carol.getByRole("button", { name: "Send back…" }).click();
  await carol.getByLabel(/Why\? The preparers read this/).fill("Explain L00001");
  await carol.getByRole("button", { name: "Send back", exact: true }).click();
  await alice.getByText("Sent back: “Explain L00001”").waitFor();
  await holds(carol.getByRole("group", { name: "Sign-off" }), "In progress");
  await alice.getByRole("button", { name: "Submit for review…" }).click();
  await alice.getByRole("button", { name: "Submit for review", exact: true }).click();
  await carol.getByRole("button", { name: "Sign…" }).click();
  await carol.getByRole("button", { name: "Sign", exact: true }).click();
  for (const page of [alice, carol]) await holds(page.getByRole("group", { name: "Sign-off" }), "Signed off");
  await holds(alice.getByRole("group", { name: "Sign-off" }), "Signed: Carol Clark");
});

test("nothing in all that broke a page or its content security policy", () => {
  assert.deepEqual(people.problems, []);
});
