import type { Ack, Focus, Place } from "./contract";

/** Milliseconds between two reports: quick enough to follow somebody, slow enough for fifty people at once. */
const EVERY = 150;
/** Milliseconds without a sign of life after which a person is called idle. */
export const IDLE_AFTER = 120_000;

interface Doing {
  status?: "active" | "idle";
  activity?: string | null;
  focus?: Focus | null;
  /** Fields with a change that is not sent yet: whoever begins on one of them is told. */
  drafts?: Place[] | null;
}

/** Tells where the person is and what they do: the newest only, not more often than `EVERY`. */
export class PresenceReporter {
  readonly #send: (doing: Doing) => Promise<Ack<object>>;
  #said: Doing = {};
  #next: Doing = {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = 0;

  constructor(send: (doing: Doing) => Promise<Ack<object>>) {
    this.#send = send;
  }

  say(doing: Doing): void {
    this.#next = { ...this.#next, ...doing };
    if (this.#timer === undefined) {
      const wait = Math.max(0, this.#last + EVERY - Date.now());
      this.#timer = setTimeout(() => void this.#flush(), wait);
    }
  }

  /** The server has forgotten: say all of it again. */
  restored(): void {
    this.#next = { ...this.#said, ...this.#next };
    this.#said = {};
    if (Object.keys(this.#next).length > 0) this.say({});
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    const news = Object.fromEntries(
      Object.entries(this.#next).filter(
        ([name, value]) => JSON.stringify(value) !== JSON.stringify(this.#said[name as keyof Doing]),
      ),
    );
    this.#next = {};
    if (Object.keys(news).length === 0) return;
    this.#last = Date.now();
    this.#said = { ...this.#said, ...news };
    await this.#send(news).catch(() => undefined);
  }
}
