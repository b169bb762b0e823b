// Every screen against WCAG 2.2 AA as far as a machine can tell, light and dark, desktop and phone; and by keyboard.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { cell, holds, People, Server, setCell } from "./harness.mjs";

let server, people, session;
before(async () => {
  server = await Server.start();
  people = await People.start(server);
  session = await server.session("Accessible", 40);
  // Something to decide, with a suggestion, and something to be told.
  for (const [user, new_value] of [["alice", "11.00"], ["bob", "12.00"]]) {
    await server.rest(user, "POST", `/sessions/${session}/records/ledger%3AL00001/edit`, { field_name: "amount", new_value, base_version: 0 });
  }
  await server.rest("bob", "POST", `/sessions/${session}/comments`, { text: "Look", record_id: "ledger:L00002", mentions: ["alice", "carol"] });
});
after(async () => {
  await people?.stop();
  await server?.stop();
});

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** Violations, and contrasts that could not be settled: those count as failures too. */
async function complaints(page, dark, within) {
  // Rows are all alike: the first three stand for them.
  const axe = new AxeBuilder({ page }).exclude(".rows .row:nth-child(n+4)").exclude("[role=listitem]:nth-child(n+4)").exclude(".side-list li:nth-child(n+4)");
  if (within) axe.include(within);
  // In the dark only colours differ.
  const { violations, incomplete } = await (dark ? axe.withRules(["color-contrast"]) : axe.withTags(TAGS)).analyze();
  const unsettled = incomplete.filter(({ id }) => id === "color-contrast");
  return [...violations, ...unsettled].map(({ id, nodes }) => `${id}: ${nodes.slice(0, 4).map((node) => `${node.target} ${node.any[0]?.message ?? ""}`).join(" | ")}`);
}

/** What stands in the address, and what is there only when the screen has come. */
const SCREENS = {
  "": ".rows .row, .card",
  "?panel=record&record=ledger%3AL00001": ".panel .fields",
  "?panel=conflicts": ".panel .conflict",
  "?panel=comments": ".panel .comments",
  "?panel=history": ".panel .timeline li",
  "?panel=analytics": ".panel .tiles",
  "?panel=rules": ".panel .rule",
  "?panel=rules&part=sign-off": ".panel form h3",
  "?panel=import": ".panel #import-file",
  "?view=match": ".workbench .line",
};
const IN_THE_DARK = ["", "?panel=record&record=ledger%3AL00001", "?panel=conflicts", "?panel=history", "?panel=rules", "?panel=rules&part=sign-off", "?view=match"];

async function goTo(page, screen) {
  await page.evaluate((search) => {
    history.replaceState(null, "", location.pathname + search);
    dispatchEvent(new Event("addresschange"));
  }, screen);
  if (!screen.includes("panel")) await page.locator(".panel").waitFor({ state: "detached" });
  await page.locator(SCREENS[screen]).first().waitFor();
}

for (const [name, options] of [
  ["on a desktop", { colorScheme: "light" }], ["in the dark", { colorScheme: "dark" }],
  ["on a phone", { ...PHONE, colorScheme: "light" }],
]) {
  test(`no screen breaks a rule ${name}`, async () => {
    const dark = options.colorScheme === "dark";
    const context = await people.context(options);
    const signIn = await context.newPage();
    await signIn.goto(server.url);
    await signIn.getByRole("button", { name: /Alice Adams/ }).waitFor();
    assert.deepEqual(await complaints(signIn, dark), [], "sign-in");
    await signIn.getByRole("button", { name: /Alice Adams/ }).click();
    await signIn.getByRole("link", { name: /October close/ }).waitFor();
    assert.deepEqual(await complaints(signIn, dark), [], "sessions");
    const page = await people.enter("alice", session, { context, viewport: options.viewport });
    for (const screen of dark ? IN_THE_DARK : Object.keys(SCREENS)) {
      await goTo(page, screen);
      // A panel stands beside what was looked at before.
      assert.deepEqual(await complaints(page, dark, screen.includes("panel") ? ".panel" : undefined), [], screen || "records");
      const { scrolls, width } = await page.evaluate(() => ({ scrolls: document.documentElement.scrollWidth, width: innerWidth }));
      assert.ok(scrolls <= width, `${screen || "records"} is wider than the page`);
      if (screen === "?panel=rules") {
        await page.getByText(/^Change/).first().click();
        await page.getByLabel("Name").first().waitFor();
        assert.deepEqual(await complaints(page, dark, ".panel"), [], "a rule's form");
      }
    }
    await goTo(page, "");
    await page.getByRole("button", { name: /^Notifications/ }).click();
    await page.getByRole("dialog").getByText(/mentions you/).first().waitFor();
    assert.deepEqual(await complaints(page, dark, "dialog"), [], "notifications");
    await context.close();
    const carol = await people.enter("carol", session, options);
    await carol.getByRole("button", { name: "Export…" }).click();
    await carol.getByRole("dialog", { name: "Export" }).waitFor();
    assert.deepEqual(await complaints(carol, dark, "dialog"), [], "export");
    await carol.context().close();
  });
}

test("everything that can be pressed on a phone is 24 pixels at least", async () => {
  const page = await people.enter("alice", session, PHONE);
  for (const screen of Object.keys(SCREENS)) {
    await goTo(page, screen);
    const small = await page.evaluate(() =>
      [...document.querySelectorAll("button, a[href], input, select, textarea, summary")]
        .map((element) => [element.closest("label")?.contains(element) && element.matches("[type=radio], [type=checkbox]") ? element.closest("label") : element, element])
        .map(([target, element]) => ({ text: element.outerHTML.slice(0, 90), ...target.getBoundingClientRect().toJSON() }))
        .filter(({ width, height }) => width > 0 && (width < 24 || height < 24))
        .map(({ text, width, height }) => `${Math.round(width)}x${Math.round(height)} ${text}`));
    assert.deepEqual(small, [], screen || "records");
  }
  await page.context().close();
});

test("the grid is walked, edited and left by keyboard alone", async () => {
  const page = await people.enter("alice", session);
  const place = () => page.evaluate(() => {
    const element = document.activeElement;
    return `${element.closest("[data-record]")?.dataset.record} ${element.dataset.field}`;
  });
  await cell(page, "ledger:L00001", "date").click();
  const walk = async (key, expected) => {
    await page.keyboard.press(key);
    await page.waitForFunction((wanted) => {
      const element = document.activeElement;
      return `${element.closest("[data-record]")?.dataset.record} ${element.dataset.field}` === wanted;
    }, expected).catch(async () => assert.equal(await place(), expected, key));
  };
  await walk("ArrowRight", "ledger:L00001 amount");
  await walk("ArrowDown", "ledger:L00002 amount");
  await walk("End", "ledger:L00002 notes");
  await walk("Home", "ledger:L00002 external_id");
  await walk("Control+End", "statement:S00040 notes");
  await walk("Control+Home", "ledger:L00001 external_id");
  await walk("ArrowRight", "ledger:L00001 source");
  for (const field of ["date", "amount", "currency", "status", "description"]) await walk("ArrowRight", `ledger:L00001 ${field}`);
  await page.keyboard.press("F2");
  await page.locator(".cell-input").fill("not kept");
  await walk("Escape", "ledger:L00001 description");
  await holds(cell(page, "ledger:L00001", "description"), "Payment number 1");
  await page.keyboard.press("Enter");
  await page.locator(".cell-input").fill("kept");
  await walk("Tab", "ledger:L00001 reference");
  await holds(cell(page, "ledger:L00001", "description"), "kept");
  await page.keyboard.type("R-1");
  await walk("Enter", "ledger:L00002 reference");
  await holds(cell(page, "ledger:L00001", "reference"), "R-1");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => !document.activeElement.closest("[role=grid]")), "Tab leaves the grid");
  assert.equal(await page.getByRole("grid").getAttribute("aria-rowcount"), "81");
  await page.context().close();
});

test("on a phone a card opens a full-screen editor, and what is saved there reaches the others", async () => {
  const phone = await people.enter("alice", session, PHONE);
  const desktop = await people.enter("bob", session);
  await phone.locator('[data-record="ledger:L00003"]').click();
  const { width, height } = await phone.getByRole("complementary", { name: "Record" }).boundingBox();
  assert.deepEqual([width, height], [390, 844]);
  await phone.getByRole("textbox", { name: "Amount" }).fill("33.00");
  await phone.getByRole("button", { name: "Save" }).click();
  await holds(cell(desktop, "ledger:L00003", "amount"), "33.00");
  await setCell(desktop, "ledger:L00004", "amount", "44.00");
  await phone.getByRole("button", { name: "Close Record" }).click();
  await holds(phone.locator('[data-record="ledger:L00004"]'), "44.00");
  // The way back leads from the editor to the list.
  await phone.locator('[data-record="ledger:L00005"]').click();
  await phone.getByRole("textbox", { name: "Amount" }).fill("55.00");
  await phone.goBack();
  await phone.locator(".panel").waitFor({ state: "detached" });
  await holds(phone.locator('[data-record="ledger:L00005"]'), "Unsaved");
  // A list that leaves it out says so, and leads there.
  await phone.getByLabel("Side").selectOption("statement");
  await phone.getByRole("button", { name: "1 unsaved, not listed" }).click();
  assert.equal(await phone.getByRole("textbox", { name: "Amount" }).inputValue(), "55.00");
  await phone.context().close();
});

test("nothing in all that broke a page or its content security policy", () => {
  assert.deepEqual(people.problems, []);
});
