import { about, NoAnswer, type Channel } from "./channel";
import { LONG_AWAY, nextConnection, type Connection, type ConnectionEvent } from "./connection";
import type { Ack, Envelope, Joined, Refusal } from "./contract";
import { Signal } from "./signal";
import type { TokenSource } from "./tokens";

export interface EntryEvents {
  /** Up to which commit everything is known; undefined before the first join. */
  since(): number | undefined;
  /** In the session; the connection is called online after this. */
  entered(answer: Joined, since: number | undefined): void;
  /** In the session, and called so. */
  online(): void;
  /** Nothing that is sent now arrives. */
  interrupted(): void;
  envelope(envelope: Envelope): void;
}

/** Milliseconds before the next attempt when the server refused for the moment. */
const TRY_AGAIN = 2_000;

/** Gets into a session, and back into it: connects, joins, renews the token, tries again where that can help. */
export class Entry {
  readonly connection = new Signal<Connection>({ state: "closed" });
  readonly #session_id: string;
  readonly #channel: Channel;
  readonly #tokens: TokenSource;
  readonly #events: EntryEvents;
  #awayTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  /** Counts attempts to join: an answer to an older one is worth nothing. */
  #attempt = 0;
  /** Whether the token was renewed since the last join: one that is refused as well is not worth another. */
  #renewed = false;

  constructor(session_id: string, channel: Channel, tokens: TokenSource, events: EntryEvents) {
    this.#session_id = session_id;
    this.#channel = channel;
    this.#tokens = tokens;
    this.#events = events;
  }

  open(): void {
    this.#event({ type: "open" });
    this.#away();
    this.#channel.open({
      up: () => void this.#join(),
      down: () => this.#down(),
      refused: (error) => void this.refused(error),
      envelope: (envelope) => this.#events.envelope(envelope),
    });
  }

  close(): void {
    clearTimeout(this.#awayTimer);
    clearTimeout(this.#retryTimer);
    this.#attempt++;
    this.#event({ type: "close" });
    this.#channel.close();
  }

  /** The device says it has, or has lost, its network. */
  network(online: boolean): void {
    if (online) this.#channel.retry();
    else this.#event({ type: "long_away" });
  }

  /** After `refused`: the person has signed in again, or wants to try once more. */
  retry(): void {
    this.#renewed = false;
    this.#event({ type: "open" });
    this.#channel.reopen();
  }

  async refused(error: Refusal): Promise<void> {
    if (error.code === "token_expired" || error.code === "unauthenticated") {
      try {
        if (!this.#renewed) {
          await this.#tokens.refresh();
          this.#renewed = true;
          this.#channel.reopen();
          return;
        }
      } catch {
        // Only the person can help: below.
      }
    } else if (error.retryable) {
      this.#event({ type: "down" });
      this.#retryTimer = setTimeout(() => this.#channel.retry(), about(TRY_AGAIN));
      return;
    }
    clearTimeout(this.#awayTimer);
    this.#events.interrupted();
    this.#event({ type: "refused", error });
  }

  /** The token ends soon: another one for the open connection. */
  async renewToken(): Promise<void> {
    try {
      const token = await this.#tokens.refresh();
      await this.#channel.request("authenticate", { token });
    } catch {
      // The server ends the connection when the token does; `refused` says the rest.
    }
  }

  #event(event: ConnectionEvent): void {
    this.connection.update((connection) => nextConnection(connection, event));
  }

  #away(): void {
    clearTimeout(this.#awayTimer);
    this.#awayTimer = setTimeout(() => this.#event({ type: "long_away" }), LONG_AWAY);
  }

  #down(): void {
    const wasOnline = this.connection.get().state === "online";
    this.#attempt++;
    this.#events.interrupted();
    this.#event({ type: "down" });
    if (wasOnline) this.#away();
  }

  async #join(): Promise<void> {
    this.#event({ type: "up" });
    const attempt = ++this.#attempt;
    const since = this.#events.since();
    let answer: Ack<Joined>;
    try {
      answer = await this.#channel.request<Joined>("join", { session_id: this.#session_id, ...(since === undefined ? {} : { since }) });
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      // Where the connection is there all the same, nothing else would bring the next attempt.
      this.#joinLater(attempt);
      return;
    }
    if (attempt !== this.#attempt) return;
    if (answer.ok) {
      this.#renewed = false;
      clearTimeout(this.#awayTimer);
      this.#events.entered(answer, since);
      this.#event({ type: "joined" });
      this.#events.online();
    } else if (answer.error.retryable) this.#joinLater(attempt);
    else await this.refused(answer.error);
  }

  #joinLater(attempt: number): void {
    if (attempt === this.#attempt) {
      this.#retryTimer = setTimeout(() => attempt === this.#attempt && void this.#join(), about(TRY_AGAIN));
    }
  }
}
