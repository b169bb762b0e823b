// Figures for docs/web.md, not a test: npm run measure. First load, first records on a slow phone, and scrolling
// 10,000 rows while 60 edits a second arrive.
import { io } from "socket.io-client";
import { People, Server } from "./harness.mjs";

// As Lighthouse has it.
const SLOW_4G = { offline: false, latency: 150, downloadThroughput: (1_638 * 1024) / 8, uploadThroughput: (675 * 1024) / 8 };
const server = await Server.start();
const people = await People.start(server);
const token = server.token("alice");

async function firstLoad(name, options, slow) {
  const context = await people.context({ ...options, serviceWorkers: "block" });
  const page = await context.newPage();
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  const sizes = new Map();
  network.on("Network.responseReceived", ({ requestId, response }) => sizes.set(requestId, [response.url, 0]));
  network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => sizes.has(requestId) && (sizes.get(requestId)[1] = encodedDataLength));
  if (slow) {
    await network.send("Network.emulateNetworkConditions", SLOW_4G);
    await network.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  }
  await page.goto(`${server.url}/sign-in.json`);
  await page.evaluate((value) => sessionStorage.setItem("token", value), token);
  sizes.clear();
  const began = Date.now();
  await page.goto(`${server.url}/sessions/demo`, { waitUntil: "commit" });
  await page.locator(".rows .row, .card").first().waitFor({ timeout: 60_000 });
  const took = Date.now() - began;
  await page.waitForTimeout(slow ? 0 : 1_500);
  const files = [...sizes.values()].filter(([url]) => !url.includes("/api/") && !url.includes("/socket.io/"));
  const bytes = files.reduce((sum, [, size]) => sum + size, 0);
  console.log(`${name}: first records after ${took} ms${slow ? "" : `; ${files.length} files, ${(bytes / 1024).toFixed(0)} KiB as sent`}`);
  await context.close();
}

async function scrolling() {
  const session = await server.session("Scrolling", 5_000);
  const page = await people.enter("alice", session);
  await page.getByText("10,000 records", { exact: true }).waitFor({ timeout: 60_000 });
  const socket = io(`${server.url}/collaboration`, { auth: { token: server.token("bob") }, transports: ["websocket"] });
  await new Promise((resolve) => socket.on("connect", resolve));
  await socket.emitWithAck("join", { session_id: session });
  let n = 0;
  const edits = setInterval(() => {
    n++;
    const record_id = `ledger:L${String((n % 40) + 1).padStart(5, "0")}`;
    socket.emit("edit", { session_id: session, edit_id: `e${n}`, record_id, field_name: `load_${n}`, new_value: `v${n}`, base_version: 0 }, () => {});
  }, 1000 / 60);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Performance.enable");
  const work = async () => Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  const before = await work();
  const frames = await page.evaluate(async () => {
    const grid = document.querySelector(".grid-scroller");
    const gaps = [];
    let last = performance.now();
    const end = last + 5_000;
    while (last < end) {
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      gaps.push(now - last);
      last = now;
      grid.scrollTop += 120;
    }
    return gaps.sort((a, b) => a - b);
  });
  clearInterval(edits);
  const after = await work();
  const spent = (name) => `${(((after[name] - before[name]) / frames.length) * 1000).toFixed(1)} ms`;
  socket.disconnect();
  const at = (share) => frames[Math.floor(frames.length * share)].toFixed(1);
  console.log(`10,000 rows, 60 edits a second, scrolling for 5 s: ${frames.length} frames, gap p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, longest ${frames.at(-1).toFixed(1)} ms`);
  console.log(`  main thread per frame: ${spent("TaskDuration")}, of it scripts ${spent("ScriptDuration")}, styles ${spent("RecalcStyleDuration")}, layout ${spent("LayoutDuration")}`);
}

try {
  if (!process.env.ONLY) await firstLoad("desktop", {});
  if (!process.env.ONLY) await firstLoad("phone", { viewport: { width: 390, height: 844 }, isMobile: true });
  if (!process.env.ONLY) await firstLoad("phone, slow 4G (1.6 Mbit/s, 150 ms), CPU 4x slower", { viewport: { width: 390, height: 844 }, isMobile: true }, true);
  await scrolling();
} finally {
  await people.stop();
  await server.stop();
}
