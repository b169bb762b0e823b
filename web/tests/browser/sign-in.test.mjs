// Signing in with OpenID Connect, against an identity provider that this test plays.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { cell, holds, People, Server } from "./harness.mjs";

const ISSUER = "https://id.example";
const TOKENS = "https://tokens.example/token"; // on another host than the issuer, as some providers have it
let server, people;
before(async () => {
  server = await Server.start({ AUTH_ISSUER: ISSUER, WEB_OIDC_CLIENT_ID: "reconcile", WEB_OIDC_TOKEN_URL: TOKENS });
  people = await People.start(server);
});
after(async () => {
  await people?.stop();
  await server?.stop();
});

/** The provider's pages and endpoints; `asked` gathers what the client sent. */
async function provider(context, asked, answer = (parameters) => ({ code: "one-time", state: parameters.state })) {
  const headers = { "Access-Control-Allow-Origin": "*" };
  await context.route(`${ISSUER}/**`, async (route) => {
    const url = new URL(route.request().url());
    if (url.pathname === "/.well-known/openid-configuration") {
      await route.fulfill({ headers, json: { authorization_endpoint: `${ISSUER}/authorize?policy=staff`, token_endpoint: TOKENS } });
    } else if (url.pathname === "/authorize") {
      asked.authorize = Object.fromEntries(url.searchParams);
      const back = `${asked.authorize.redirect_uri}?${new URLSearchParams(answer(asked.authorize))}`;
      await route.fulfill({ contentType: "text/html", body: `<meta http-equiv="refresh" content="0;url=${back.replaceAll("&", "&amp;")}">` });
    } else {
      await route.abort();
    }
  });
  await context.route(TOKENS, async (route) => {
    asked.token = Object.fromEntries(new URLSearchParams(route.request().postData()));
    await route.fulfill({ headers, json: { access_token: server.token("alice"), token_type: "Bearer" } });
  });
}

test("the code is exchanged for a token with the proof that it is the same browser, and one is back where one was", async () => {
  const context = await people.context();
  const asked = {};
  await provider(context, asked);
  const page = await context.newPage();
  await page.goto(`${server.url}/sessions/demo?q=rent`);
  await page.getByRole("button", { name: "Sign in with your organisation" }).click();
  await page.getByRole("button", { name: "Online", exact: true }).waitFor();
  assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, "/sessions/demo?q=rent");
  const { code, code_verifier, client_id, redirect_uri } = asked.token;
  assert.deepEqual({ code, client_id, redirect_uri }, { code: "one-time", client_id: "reconcile", redirect_uri: `${server.url}/` });
  assert.equal(createHash("sha256").update(code_verifier).digest("base64url"), asked.authorize.code_challenge);
  assert.equal(asked.authorize.code_challenge_method, "S256");
  assert.equal(asked.authorize.policy, "staff");
  await context.close();
});

test("an answer that belongs to another attempt is not taken", async () => {
  const context = await people.context();
  const asked = {};
  await provider(context, asked, () => ({ code: "stolen", state: "somebody-else's" }));
  const page = await context.newPage();
  await page.goto(server.url);
  await page.getByRole("button", { name: "Sign in with your organisation" }).click();
  await page.getByText(/belongs to another attempt/).waitFor();
  assert.equal(asked.token, undefined);
  await context.close();
});

test("a token in the address signs in and does not stay there", async () => {
  const context = await people.context();
  const page = await context.newPage();
  await page.goto(`${server.url}/sessions/demo#token=${server.token("bob")}`);
  await page.getByRole("button", { name: "Online", exact: true }).waitFor();
  assert.equal(new URL(page.url()).hash, "");
  await context.close();
});

test("a token that is none is refused with what to do", async () => {
  const context = await people.context();
  const page = await context.newPage();
  await page.goto(server.url);
  await page.getByText("Sign in with a token").click();
  await page.getByLabel("Token").fill("nonsense");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("alert").getByText(/realtime-server token/).waitFor();
  await context.close();
});

test("a sign-in that runs out leaves in view what was read and begun, and it is there after the next", async () => {
  await server.invite("dora", "preparer", "20s");
  const page = await people.enter("dora", await server.session("Run out"), { query: "?panel=record&record=ledger%3AL00001" });
  const notes = page.getByRole("textbox", { name: "Notes" });
  await notes.fill("half a sentence");
  const told = page.getByRole("alert").filter({ hasText: "Your sign-in has run out" });
  await told.waitFor();
  assert.equal(await notes.inputValue(), "half a sentence");
  const { violations } = await new AxeBuilder({ page }).include(".urgent").withRules(["color-contrast"]).analyze();
  assert.deepEqual(violations, []);
  await told.getByRole("button", { name: "Sign in" }).click();
  await server.invite("dora", "preparer");
  await page.getByText("Sign in with a token").click();
  await page.getByLabel("Token").fill(server.people.at(-1).token);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("button", { name: "Online", exact: true }).waitFor();
  await notes.waitFor();
  assert.equal(await notes.inputValue(), "half a sentence");
  await page.getByRole("button", { name: "Save" }).click();
  await holds(cell(page, "ledger:L00001", "notes"), "half a sentence");
  await page.context().close();
});

test("whoever may not be here any more reads no further, not even while they try again", async () => {
  await server.invite("erin", "preparer");
  await server.invite("ada", "admin");
  const page = await people.enter("erin", await server.session("Out"));
  await server.rest("ada", "POST", "/projects/demo/users/erin/revoke", {});
  await page.getByRole("heading", { name: "You could not enter" }).waitFor();
  assert.equal(await page.locator(".row").count(), 0);
  await page.context().setOffline(true);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("Trying again…").waitFor();
  assert.equal(await page.locator(".row").count(), 0);
  await page.context().close();
});
