// Two and three people in real browsers, on the real server.
import assert from "node:assert/strict";
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

/** Waits until that many edits are safe in the browser's database: what is on its way there may be lost with the page. */
async function kept(page, count) {
  await page.waitForFunction(async (wanted) => {
    const asked = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await asked(indexedDB.open("collaboration"));
    const found = await asked(database.transaction("edits").objectStore("edits").count());
    database.close();
    return found === wanted;
  }, count);
}

const L1 = "ledger:L00001";
const L2 = "ledger:L00002";

test("the page that make run prints lets somebody in with one click", async () => {
  const context = await people.context();
  const page = await context.newPage();
  await page.goto(server.url);
  await page.getByRole("button", { name: /Alice Adams/ }).click();
  await page.getByRole("link", { name: /October close/ }).click();
  await page.getByRole("button", { name: "Online", exact: true }).waitFor();
  await holds(page.locator(".toolbar"), "2,000 records");
  await context.close();
});

test("whoever may not enter is told why, and asked for anew when they try again", async () => {
  const context = await people.context();
  const page = await context.newPage();
  await page.goto(`${server.url}/sessions/none#token=${server.token("bob")}`);
  const why = page.getByText("There is no such session", { exact: false });
  await why.waitFor();
  const another = page.waitForEvent("websocket");
  await page.getByRole("button", { name: "Try again" }).click();
  await another;
  await why.waitFor();
  await context.close();
});

test("each sees who is here, where they are, and what they write, as it happens", async () => {
  const session = await server.session("Presence");
  const alice = await people.enter("alice", session);
  const bob = await people.enter("bob", session);
  await alice.getByRole("button", { name: /Bob Brown/ }).waitFor();
  await cell(bob, L2, "description").click();
  await holds(cell(alice, L2, "description").locator(".watcher"), "Bob");
  await setCell(bob, L2, "description", "Rent for March");
  await holds(cell(alice, L2, "description"), "Rent for March");
  await cell(bob, "ledger:L00006", "amount").click();
  await holds(cell(alice, "ledger:L00006", "amount").locator(".watcher"), "Bob");
  await alice.getByRole("button", { name: /Bob Brown/ }).click();
  await alice.locator('[data-record="ledger:L00006"] [data-field="amount"]:focus').waitFor();
  // Where a filter hides the place, she is told, and goes there without it.
  const search = alice.getByPlaceholder("Search");
  await search.fill("Payment number 1");
  await alice.locator('[data-record="ledger:L00006"]').waitFor({ state: "detached" });
  await alice.getByRole("button", { name: /Bob Brown/ }).click();
  await alice.getByRole("button", { name: "List all" }).click();
  await alice.locator('[data-record="ledger:L00006"] [data-field="amount"]:focus').waitFor();
  assert.equal(await search.inputValue(), "");
  await bob.context().close();
  await alice.getByText("Only you are here", { exact: false }).first().waitFor({ state: "attached" });
});

test("somebody else's edit leaves my draft, my focus and my place alone", async () => {
  const session = await server.session("Drafts");
  const alice = await people.enter("alice", session);
  const bob = await people.enter("bob", session);
  await cell(alice, L1, "description").dblclick();
  await alice.locator(".cell-input").fill("half a sent");
  await setCell(bob, L1, "amount", "77.00");
  await holds(cell(alice, L1, "amount"), "77.00");
  assert.equal(await alice.locator(".cell-input").inputValue(), "half a sent");
  assert.ok(await alice.locator(".cell-input").evaluate((input) => input === document.activeElement));
  await alice.keyboard.press("Escape");
  await holds(cell(alice, L1, "description"), "Payment number 1");
});

test("a row that was clicked takes the keyboard from nobody when it is scrolled back into view", async () => {
  const session = await server.session("Keyboard", 60);
  const alice = await people.enter("alice", session);
  await cell(alice, L1, "amount").click();
  await alice.mouse.wheel(0, 3_000);
  await cell(alice, L1, "amount").waitFor({ state: "detached" });
  const search = alice.getByPlaceholder("Search");
  await search.click();
  await alice.keyboard.type("INV-");
  await cell(alice, "statement:S00040", "amount").hover();
  await alice.mouse.wheel(0, -9_000);
  await cell(alice, L1, "amount").waitFor();
  await alice.keyboard.type("1");
  assert.equal(await search.inputValue(), "INV-1");
  await holds(cell(alice, L1, "amount"), "10.00");
  assert.equal(await alice.locator(".cell-input").count(), 0);
});

test("a record that somebody edits is locked for others, who see by whom and until when", async () => {
  const session = await server.session("Locks");
  const alice = await people.enter("alice", session);
  const bob = await people.enter("bob", session);
  await cell(alice, L1, "external_id").click();
  await alice.getByRole("textbox", { name: "Notes" }).focus();
  await holds(cell(bob, L1, "external_id").locator(".lock-mark"), "Alice");
  await cell(bob, L1, "amount").dblclick();
  await bob.getByText(/Alice Adams is editing this record until/).waitFor();
  assert.equal(await bob.locator(".cell-input").count(), 0);
  await alice.getByRole("textbox", { name: "Notes" }).fill("checked with the bank");
  await alice.getByRole("button", { name: "Save" }).click();
  await cell(bob, L1, "external_id").locator(".lock-mark").waitFor({ state: "detached" });
  await holds(cell(bob, L1, "notes"), "checked with the bank");
});

test("a clash is kept, shown to all, and decided by a reviewer with the keyboard", async () => {
  const session = await server.session("Clash");
  const alice = await people.enter("alice", session);
  const bob = await people.enter("bob", session);
  const carol = await people.enter("carol", session);
  await bob.context().setOffline(true);
  await bob.getByRole("button", { name: /^Offline|^Reconnecting/ }).waitFor();
  await setCell(bob, L1, "amount", "12.00");
  await setCell(alice, L1, "amount", "11.00");
  await holds(cell(carol, L1, "amount"), "11.00");
  await bob.context().setOffline(false);
  await bob.getByText(/Your value waits in Conflicts/).waitFor();
  await holds(cell(bob, L1, "amount"), "11.00");
  await carol.getByRole("button", { name: "Conflicts 1 open" }).click();
  const conflict = carol.getByRole("region", { name: /Conflict: Amount of L00001/ });
  await conflict.getByText("12.00").waitFor();
  await conflict.getByRole("radio").first().focus();
  await carol.keyboard.press("2");
  await carol.keyboard.press("Control+Enter");
  for (const page of [alice, bob, carol]) await holds(cell(page, L1, "amount"), "12.00");
  await carol.getByText("Nobody disagrees", { exact: false }).waitFor();
});

test("edits made offline survive a reload without a network and are sent once, in order", async () => {
  const session = await server.session("Offline");
  const alice = await people.enter("alice", session);
  await alice.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await alice.reload(); // once with the service worker in charge, so that it knows the application's files
  await alice.getByRole("button", { name: "Online", exact: true }).waitFor();
  await alice.locator(".rows .row").first().waitFor();
  // Looked at in the same browser, it is not taken for the application.
  const other = await alice.context().newPage();
  await other.goto(`${server.url}/healthz`);
  await other.close();
  await alice.context().setOffline(true);
  await alice.getByRole("button", { name: /^Offline|^Reconnecting/ }).waitFor();
  await setCell(alice, L2, "amount", "22.00");
  await setCell(alice, L1, "amount", "21.00");
  await alice.getByRole("button", { name: /2 queued/ }).waitFor();
  await kept(alice, 2);
  await alice.reload();
  await alice.getByRole("button", { name: /2 queued/ }).waitFor();
  await alice.context().setOffline(false);
  await alice.getByRole("button", { name: "Online", exact: true }).waitFor();
  await holds(cell(alice, L1, "amount"), "21.00");
  await alice.getByRole("button", { name: "Online", exact: true }).click();
  await alice.getByText("Saved", { exact: false }).nth(1).waitFor();
  const { items } = await server.rest("alice", "GET", `/sessions/${session}/history?message_type=edit.applied`);
  assert.deepEqual(items.map(({ data }) => [data.record_id, data.new_value]), [[L2, "22.00"], [L1, "21.00"]]);
});

test("an edit of a server that is killed and comes back is applied once", async () => {
  const session = await server.session("Kill");
  const alice = await people.enter("alice", session);
  const bob = await people.enter("bob", session);
  await cell(alice, L1, "amount").dblclick();
  await alice.locator(".cell-input").fill("31.00");
  await server.kill();
  await alice.keyboard.press("Enter");
  await alice.getByRole("button", { name: /1 queued/ }).waitFor();
  await holds(cell(alice, L1, "amount"), "31.00");
  await server.run();
  for (const page of [alice, bob]) {
    await page.getByRole("button", { name: "Online", exact: true }).waitFor();
    await holds(cell(page, L1, "amount"), "31.00");
  }
  const { items } = await server.rest("alice", "GET", `/sessions/${session}/history?message_type=edit.applied`);
  assert.equal(items.length, 1);
});

test("undo and redo, comments with mentions, and the past can be read but not changed", async () => {
  const session = await server.session("Talk");
  const alice = await people.enter("alice", session);
  const bob = await people.enter("bob", session);
  await setCell(alice, L1, "amount", "41.00");
  await holds(cell(bob, L1, "amount"), "41.00");
  await alice.getByRole("button", { name: "Undo" }).click();
  await holds(cell(bob, L1, "amount"), "10.00");
  await alice.getByRole("button", { name: "Redo" }).click();
  await holds(cell(bob, L1, "amount"), "41.00");
  await alice.getByRole("button", { name: "Comments" }).click();
  await alice.getByLabel("Comment", { exact: true }).fill("Look here @Bob");
  await alice.getByRole("button", { name: "@Bob Brown" }).click();
  await alice.getByRole("button", { name: "Send" }).click();
  await bob.getByText(/Alice Adams mentions you/).waitFor();
  await alice.getByRole("button", { name: "History" }).click();
  await alice.getByRole("button", { name: "Show the session as it stood" }).first().click();
  await alice.getByText("The past, read only.").waitFor();
  assert.equal(await alice.getByRole("region", { name: "The session as it stood" }).getByRole("textbox").count(), 0);
  await alice.getByRole("button", { name: "Back to now" }).click();
});

test("two who edit one field are told before they clash", async () => {
  const session = await server.session("Warned");
  const alice = await people.enter("alice", session);
  const bob = await people.enter("bob", session);
  await cell(alice, L1, "amount").dblclick();
  await alice.locator(".cell-input").waitFor();
  await bob.getByRole("button", { name: /Alice Adams.*editing at L00001, Amount/ }).waitFor();
  await cell(bob, L1, "amount").dblclick();
  await bob.getByText(/Alice Adams is editing this field too/).waitFor();
});

test("a person with two tabs counts as one, and their edits reach the other tab", async () => {
  const session = await server.session("Tabs");
  const context = await people.context();
  const first = await people.enter("alice", session, { context });
  const second = await people.enter("alice", session, { context });
  const bob = await people.enter("bob", session);
  await bob.getByRole("button", { name: /Alice Adams/ }).waitFor();
  assert.equal(await bob.locator(".presence .avatar-button").count(), 1);
  await setCell(first, L1, "amount", "51.00");
  await holds(cell(second, L1, "amount"), "51.00");
  await second.close();
  await setCell(first, L1, "amount", "52.00");
  await holds(cell(bob, L1, "amount"), "52.00");
  assert.equal(await bob.locator(".presence .avatar-button").count(), 1);
});

test("a file is imported with its columns named by hand, and rows that cannot be taken are listed", async () => {
  const session = await server.session("Import", 1);
  const alice = await people.enter("alice", session, { query: "?panel=import" });
  const rows = ["Nr;Tag;Betrag;Waehrung;Text", "N1;2026-11-03;12,50;EUR;Miete", "N2;gestern;1,00;EUR;Falsch", "N3;2026-11-04;-3,00;EUR;Strom"];
  await alice.getByLabel(/^File/).setInputFiles({ name: "bank.csv", mimeType: "text/csv", buffer: Buffer.from(rows.join("\n")) });
  for (const [column, field] of [["Nr", "Number"], ["Tag", "Date"], ["Betrag", "Amount"], ["Waehrung", "Currency"], ["Text", "Description"]]) {
    await alice.getByLabel(column, { exact: true }).selectOption({ label: field });
  }
  assert.equal(await alice.getByLabel("Which side").inputValue(), "statement");
  await alice.getByRole("button", { name: "Import", exact: true }).nth(-1).click();
  await alice.getByText(/3 rows: 2 new, 1 refused/).waitFor();
  await holds(alice.getByRole("group", { name: "Rows that could not be taken" }), "3");
  await holds(cell(alice, "statement:N1", "amount"), "12.50");
  const next = ["Nr;Tag;Betrag;Waehrung;Text", "N4;2026-11-05;7,00;EUR;Wasser"];
  await alice.getByLabel(/^File/).setInputFiles({ name: "bank.csv", mimeType: "text/csv", buffer: Buffer.from(next.join("\n")) });
  await alice.getByRole("button", { name: "Import", exact: true }).nth(-1).click();
  await alice.getByText(/1 rows: 1 new/).waitFor();
  await holds(cell(alice, "statement:N4", "amount"), "7.00");
});

test("a file as Excel saves it has the columns that the server reads: its delimiter named, in Windows-1252", async () => {
  const session = await server.session("Excel", 1);
  const alice = await people.enter("alice", session, { query: "?panel=import" });
  const rows = ["sep=;", "Nr;Tag;Betrag in \x80;Währung;Text", "N1;2026-11-03;12,50;EUR;Büromöbel"];
  await alice.getByLabel(/^File/).setInputFiles({ name: "bank.csv", mimeType: "text/csv", buffer: Buffer.from(rows.join("\r\n"), "latin1") });
  for (const [column, field] of [["Nr", "Number"], ["Tag", "Date"], ["Betrag in €", "Amount"], ["Währung", "Currency"], ["Text", "Description"]]) {
    await alice.getByLabel(column, { exact: true }).selectOption({ label: field });
  }
  await alice.getByRole("button", { name: "Import", exact: true }).nth(-1).click();
  await alice.getByText(/1 rows: 1 new/).waitFor();
  await holds(cell(alice, "statement:N1", "description"), "Büromöbel");
});

test("nothing in all that broke a page or its content security policy", () => {
  assert.deepEqual(people.problems, []);
});
