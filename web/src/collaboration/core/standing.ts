import { NoAnswer } from "./channel";
import type { Ack, Commit, Standing } from "./contract";
import { Signal } from "./signal";

/** Milliseconds between two questions how the reconciliation stands, while people work. */
const EVERY = 1_000;
/** Milliseconds after which is asked again what the server could not answer for the moment. */
const AGAIN = 5_000;
/** Families whose commits change what remains unexplained, or the way to the sign-off. */
const CONTENT: ReadonlySet<string> = new Set(["edit", "match", "record", "conflict", "reconciliation"]);

/** How the reconciliation stands. The server counts it: it is asked anew soon after a change, once for many. */
export class StandingWatch {
  /** Undefined until the server has told. */
  readonly standing = new Signal<Standing | undefined>(undefined);
  readonly #ask: () => Promise<Ack<Standing>>;
  readonly #told: (standing: Standing) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: () => Promise<Ack<Standing>>, told: (standing: Standing) => void) {
    this.#ask = ask;
    this.#told = told;
  }

  committed({ message_type }: Commit): void {
    if (CONTENT.has(message_type.split(".")[0]!) && message_type !== "reconciliation.progress") this.ask();
  }

  ask(wait = EVERY): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#now();
    }, wait);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #now(): Promise<void> {
    try {
      const answer = await this.#ask();
      if (!answer.ok) {
        if (answer.error.retryable) this.ask(AGAIN);
        return;
      }
      this.standing.set(answer);
      this.#told(answer);
    } catch (error) {
      // The next join asks again.
      if (!(error instanceof NoAnswer)) throw error;
    }
  }
}
