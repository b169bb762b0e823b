// Pictures of the main screens, made from the real server with people at work on it: npm run screenshots
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cell, holds, People, Server, setCell } from "./harness.mjs";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "docs", "screenshots");
mkdirSync(FOLDER, { recursive: true });
const server = await Server.start();
const people = await People.start(server);
const SIZE = { width: 1440, height: 860 };
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

/** The same picture whenever it is taken, as far as that is possible: no flash, no caret, no toast on its way out. */
async function picture(page, name) {
  await page.waitForTimeout(2_200);
  const dismiss = page.getByRole("button", { name: "Dismiss" });
  while ((await dismiss.count()) > 0) await dismiss.first().click({ timeout: 2_000 }).catch(() => undefined);
  await page.screenshot({ path: join(FOLDER, `${name}.png`), caret: "hide", animations: "disabled" });
  console.log(`docs/screenshots/${name}.png`);
}

const rows = async (page) => page.locator(".rows .row").evaluateAll((all) =>
  all.map((row) => [row.dataset.record, new DOMMatrix(getComputedStyle(row).transform).f]).sort((a, b) => a[1] - b[1]).map(([id]) => id));

try {
  const signIn = await (await people.context({ viewport: { width: 900, height: 700 } })).newPage();
  await signIn.goto(server.url);
  await signIn.getByRole("button", { name: /Alice Adams/ }).waitFor();
  await picture(signIn, "sign-in");

  const alice = await people.enter("alice", "demo", { viewport: SIZE });
  const bob = await people.enter("bob", "demo", { viewport: SIZE });
  const carol = await people.enter("carol", "demo", { viewport: SIZE });
  await holds(alice.locator(".toolbar"), "2,000 records");
  const ids = await rows(alice);

  // Bob disagrees with Alice on an amount, and both on a date.
  await bob.context().setOffline(true);
  await bob.getByRole("button", { name: /^Offline|^Reconnecting/ }).waitFor();
  await setCell(bob, ids[2], "amount", "-8216.51");
  await setCell(bob, ids[6], "date", "2026-10-07");
  await setCell(alice, ids[2], "amount", "-8261.15");
  await setCell(alice, ids[6], "date", "2026-10-09");
  await bob.context().setOffline(false);
  await bob.getByRole("button", { name: "Online", exact: true }).waitFor();
  await carol.getByRole("button", { name: "Conflicts 2 open" }).click();

  await cell(bob, ids[4], "external_id").click();
  await bob.getByRole("textbox", { name: "Notes" }).fill("Asked the bank about this one");
  await cell(carol, ids[8], "description").click();
  await cell(alice, ids[10], "reference").click();
  await picture(alice, "grid");
  await carol.getByRole("radio").nth(1).check();
  await picture(carol, "conflict");

  await bob.getByRole("button", { name: "Save" }).click();
  await bob.getByRole("tab", { name: "Comments" }).click();
  await bob.getByLabel("Comment", { exact: true }).fill("Is this the second half of the March invoice? @Alice");
  await bob.getByRole("button", { name: "@Alice Adams" }).click();
  await bob.getByRole("button", { name: "Send" }).click();
  await bob.getByText("second half of the March invoice", { exact: false }).first().waitFor();
  await bob.getByRole("button", { name: "Close Record" }).click();
  await bob.getByRole("button", { name: "History" }).click();
  await bob.getByRole("button", { name: "Show the session as it stood" }).nth(3).click();
  await bob.getByText("The past, read only.").waitFor();
  await picture(bob, "history");

  await alice.getByRole("button", { name: "Match", exact: true }).click();
  await alice.locator(".line input").nth(3).check();
  await alice.locator("section[aria-label=Statement] .line input").first().check();
  await picture(alice, "match");
  await alice.getByRole("button", { name: "Start matching" }).click();
  await alice.getByRole("group", { name: "Matching run" }).getByText(/Completed/).waitFor({ timeout: 60_000 });
  await alice.getByRole("tab", { name: /Suggested/ }).click();
  if (await alice.getByRole("button", { name: "Close Record" }).isVisible()) await alice.getByRole("button", { name: "Close Record" }).click();
  await alice.waitForTimeout(5_000);
  await picture(alice, "run");
  await alice.getByRole("button", { name: "Rules", exact: true }).click();
  await alice.locator(".panel .rule").nth(1).getByText(/^Change/).click();
  await picture(alice, "rules");
  await alice.getByRole("button", { name: "Close Rules" }).click();
  await alice.getByRole("button", { name: /^Notifications/ }).click();
  await alice.getByRole("dialog").getByText(/mentions you/).first().waitFor();
  await picture(alice, "notifications");
  await alice.keyboard.press("Escape");

  const small = await server.session("Petty cash, October", 12);
  for (let n = 1; n <= 12; n++) {
    const id = `0000${n}`.slice(-5).padStart(5, "0");
    await server.rest("alice", "POST", `/sessions/${small}/matches`, { ledger: [`ledger:L${id}`], statement: [`statement:S${id}`] });
  }
  const author = await people.enter("alice", small, { viewport: SIZE });
  await server.rest("alice", "POST", `/sessions/${small}/reconciliation/submit`, { comment: "All twelve agree" });
  const reviewer = await people.enter("carol", small, { viewport: SIZE });
  await reviewer.getByRole("button", { name: "Sign…" }).click();
  await reviewer.getByRole("button", { name: "History" }).click();
  await picture(reviewer, "sign-off");
  await author.close();

  await carol.getByRole("button", { name: "Analytics" }).click();
  await carol.getByRole("button", { name: "Dark colours" }).click();
  await cell(carol, ids[1], "amount").click();
  await picture(carol, "dark");

  const phone = await people.enter("alice", "demo", PHONE);
  await picture(phone, "phone");
  await phone.locator(".card").nth(1).click();
  await picture(phone, "phone-editor");
} finally {
  await people.stop();
  await server.stop();
}
