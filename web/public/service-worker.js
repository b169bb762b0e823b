// The application's own files, so that a page reloads without a connection. Data is never kept here.
const CACHE = "application";
// Files of earlier versions are let go when there are more than this.
const KEPT = 80;

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("/assets/")) event.respondWith(cached(request));
  else if (request.mode === "navigate" && isPage(url.pathname)) event.respondWith(newest(request));
});

// The server has other addresses that a person may look at: what they show is not the application.
const isPage = (path) => path === "/" || path.startsWith("/sessions/");

// Their names carry a hash of their content: what is here is right for ever.
async function cached(request) {
  const cache = await caches.open(CACHE);
  const known = await cache.match(request);
  if (known) return known;
  const response = await fetch(request);
  if (response.ok) {
    await cache.put(request, response.clone());
    const keys = await cache.keys();
    for (const old of keys.slice(0, Math.max(0, keys.length - KEPT))) await cache.delete(old);
  }
  return response;
}

async function newest(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put("/", response.clone());
    return response;
  } catch {
    return (await cache.match("/")) ?? Response.error();
  }
}
