// As much of Socket.IO v5 over Engine.IO v4 as a page needs to try events: one WebSocket, text packets, acknowledgements.

/** Milliseconds until an acknowledgement is given up. */
const PATIENCE = 15_000;

/** Connects to a namespace. `on`: {state(text), event(name, payload), closed(reason)}. */
export function connect(url, namespace, auth, on) {
  const waiting = new Map();
  let nextId = 0;
  let reason = "the connection was closed";
  const web = new WebSocket(`${url}?EIO=4&transport=websocket`);
  on.state("connecting…");

  function packet(text) {
    // "2" = event, "3" = acknowledgement, "0" = connected, "4" = refused, "1" = disconnected.
    const match = /^(\d)(?:\/([^,]*),)?(\d+)?([\s\S]*)$/.exec(text);
    if (!match || `/${match[2] ?? ""}` !== namespace) return;
    const [, kind, , id, rest] = match;
    const data = rest ? JSON.parse(rest) : undefined;
    if (kind === "0") on.state("connected");
    if (kind === "1") end("the server disconnected");
    if (kind === "2") on.event(data[0], data[1]);
    if (kind === "3") settle(Number(id), data[0]);
    if (kind === "4") end(`${data?.data?.code ?? ""} ${data?.message ?? ""}`.trim());
  }

  function settle(id, answer) {
    waiting.get(id)?.resolve(answer);
    waiting.delete(id);
  }

  function end(text) {
    reason = text;
    web.close();
  }

  web.onmessage = ({ data }) => {
    if (typeof data !== "string") return;
    if (data[0] === "0") web.send(`40${namespace},${JSON.stringify(auth)}`);
    if (data[0] === "2") web.send("3");
    if (data[0] === "4") packet(data.slice(1));
  };
  web.onclose = () => {
    for (const { reject } of waiting.values()) reject(new Error(reason));
    waiting.clear();
    on.closed(reason);
  };

  return {
    /** Sends an event; a promise of its acknowledgement. */
    emit(name, payload) {
      if (web.readyState !== WebSocket.OPEN) return Promise.reject(new Error("not connected"));
      const id = nextId++;
      web.send(`42${namespace},${id}${JSON.stringify([name, payload])}`);
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        setTimeout(() => {
          if (waiting.delete(id)) reject(new Error("no acknowledgement came"));
        }, PATIENCE);
      });
    },
    close: () => end("you closed it"),
  };
}
