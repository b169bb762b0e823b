import type { Refusal } from "./contract";

/**
 * - `connecting`    the first attempt
 * - `joining`       connected; asking to enter the session
 * - `online`        in the session, and up to date
 * - `reconnecting`  the connection was lost a moment ago
 * - `offline`       it has been away for longer, or the device says that it has no network
 * - `refused`       the server said no, and trying again would not help
 * - `closed`        this client left
 */
export type ConnectionState =
  | "connecting" | "joining" | "online" | "reconnecting" | "offline" | "refused" | "closed";

export interface Connection {
  state: ConnectionState;
  /** Why, in the states `refused`, `reconnecting` and `offline`. */
  error?: Refusal;
}

export type ConnectionEvent =
  | { type: "up" } | { type: "joined" } | { type: "down" } | { type: "long_away" } | { type: "open" } | { type: "close" }
  | { type: "refused"; error: Refusal };

/** What follows, by state and event; what is not listed changes nothing. */
const NEXT: Record<ConnectionState, Partial<Record<ConnectionEvent["type"], ConnectionState>>> = {
  connecting: { up: "joining", down: "reconnecting", long_away: "offline", refused: "refused", close: "closed" },
  joining: { joined: "online", down: "reconnecting", long_away: "offline", refused: "refused", close: "closed" },
  online: { down: "reconnecting", long_away: "offline", refused: "refused", close: "closed" },
  reconnecting: { up: "joining", long_away: "offline", refused: "refused", close: "closed" },
  offline: { up: "joining", refused: "refused", close: "closed" },
  refused: { up: "joining", open: "connecting", close: "closed" },
  closed: { open: "connecting" },
};

export function nextConnection(connection: Connection, event: ConnectionEvent): Connection {
  const state = NEXT[connection.state][event.type];
  if (state === undefined) return connection;
  return event.type === "refused" ? { state, error: event.error } : { state };
}

/** How long a lost connection is called `reconnecting` before it is called `offline`, in milliseconds. */
export const LONG_AWAY = 4_000;
