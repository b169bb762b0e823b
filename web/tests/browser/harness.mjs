// What the browser tests share: a real server with a database of its own, and people with a browser each.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

// SERVER_ROOT: another checkout whose server is to be tried.
const ROOT = process.env.SERVER_ROOT ?? join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
export const CHROMIUM = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

/** Milliseconds that anything may take. Long, because the machine may be busy: what never comes fails all the same. */
const PATIENCE = 60_000;

/** Below the ports that outgoing connections take (32768 and above), so that it is still free after a restart. */
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const probe = createServer();
    const free = await new Promise((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** The server as `make run` starts it, on a free port and a folder of its own. */
export class Server {
  /** `settings`: variables of the environment. */
  static async start(settings = {}) {
    const server = new Server();
    server.settings = settings;
    server.folder = mkdtempSync(join(tmpdir(), "web-"));
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    await server.run();
    server.people = (await (await fetch(`${server.url}/sign-in.json`)).json()).demonstration;
    return server;
  }

  async run() {
    const env = { ...process.env, DATA_DIR: this.folder, WS_HOST: "127.0.0.1", WS_PORT: String(this.port), PYTHONPATH: ROOT, ...this.settings };
    this.process = spawn(process.env.PYTHON ?? "python3", ["-m", "realtime_server", "serve", "--demo"], { cwd: ROOT, env });
    this.said = "";
    this.process.stderr.on("data", (data) => (this.said += data));
    const ready = new Promise((resolve, reject) => {
      this.process.stdout.on("data", (data) => {
        this.said += data;
        if (this.said.includes("listens on")) resolve();
      });
      this.process.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${this.said}`)));
    });
    await ready;
  }

  /** Gone at once, as by a power cut, unless another signal is given. */
  async kill(signal = "SIGKILL") {
    const gone = once(this.process, "exit");
    this.process.kill(signal);
    await gone;
  }

  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }

  token(user) {
    return this.people.find((person) => person.user_id === user).token;
  }

  /** A token for somebody whom the demonstration does not have; from then on they can enter. */
  async invite(user, role, ttl = "8h") {
    const env = { ...process.env, DATA_DIR: this.folder, PYTHONPATH: ROOT, ...this.settings };
    const command = ["-m", "realtime_server", "token", "--user", user, "--project", "demo", "--role", role, "--ttl", ttl];
    const { stdout } = await promisify(execFile)(process.env.PYTHON ?? "python3", command, { cwd: ROOT, env });
    this.people.push({ user_id: user, name: user, role, token: stdout.trim() });
  }

  async rest(user, method, path, body, type = "application/json") {
    const response = await fetch(`${this.url}/api/collaboration${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.token(user)}`, ...(body === undefined ? {} : { "Content-Type": type }) },
      ...(body === undefined ? {} : { body: type === "application/json" ? JSON.stringify(body) : body }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** A session with a few records of both sides; its id. `sign`: "-" for a statement that counts the other way. */
  async session(name, count = 6, sign = "") {
    const { session_id } = await this.rest("alice", "POST", "/sessions", { project_id: "demo", session_name: name });
    for (const source of ["ledger", "statement"]) {
      const rows = Array.from({ length: count }, (_, n) => JSON.stringify({
        external_id: `${source[0].toUpperCase()}${String(n + 1).padStart(5, "0")}`, date: `2026-11-${String((n % 28) + 1).padStart(2, "0")}`,
        amount: `${source === "statement" ? sign : ""}${(n + 1) * 10}.00`, currency: "EUR", description: `Payment number ${n + 1}`, reference: `INV-${n + 1}`,
      }));
      await this.rest("alice", "POST", `/sessions/${session_id}/records?source=${source}`, rows.join("\n"), "application/x-ndjson");
    }
    return session_id;
  }
}

/** People, each with a browser context of their own; `problems` gathers what the pages complain about. */
export class People {
  static async start(server) {
    const people = new People();
    people.server = server;
    people.problems = [];
    people.browser = await chromium.launch({ executablePath: CHROMIUM, timeout: PATIENCE, args: ["--no-sandbox", "--disable-dev-shm-usage", "--lang=en-GB"] });
    return people;
  }

  async context(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", ...options });
    context.setDefaultTimeout(PATIENCE);
    return context;
  }

  async enter(user, session, { context, query = "", ...options } = {}) {
    const page = await (context ?? (await this.context(options))).newPage();
    page.on("pageerror", (error) => this.problems.push(`${user}: ${error.message}`));
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) this.problems.push(`${user}: ${message.text()}`);
    });
    await page.goto(`${this.server.url}/sessions/${session}${query}#token=${this.server.token(user)}`);
    await page.getByRole("button", { name: "Online", exact: true }).waitFor();
    await page.locator(options.viewport?.width < 761 ? ".card" : ".rows .row").first().waitFor();
    return page;
  }

  async stop() {
    await this.browser.close();
  }
}

export const cell = (page, record, field) => page.locator(`[data-record="${record}"] [data-field="${field}"]`);

export async function setCell(page, record, field, text) {
  await cell(page, record, field).dblclick();
  await page.locator(".cell-input").fill(text);
  await page.keyboard.press("Enter");
}

/** Waits until the element holds the text: any case for a string, to the letter for a regular expression. */
export async function holds(locator, text) {
  await locator.filter({ hasText: text }).waitFor();
}
