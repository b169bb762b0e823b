import type { Commit, Synced } from "./contract";

export interface LogEvents {
  /** One commit, in order, none left out and none twice. */
  commit(commit: Commit): void;
  /** Too much was missed: everything is to be loaded anew, as of `seq` or later. */
  reset(seq: number): void;
  /** Ask for the commits after `since`. */
  sync(since: number): Promise<Synced | undefined>;
}

/** Most commits that wait for a gap to be filled; beyond it they are dropped, and the sync brings them again. */
const MAX_HELD = 5_000;
/** Milliseconds until a gap that could not be filled is asked for again. */
const AGAIN = 1_000;

/** Follows a session's log: notices gaps, fills them, passes every commit on exactly once and in order. */
export class LogFollower {
  #seq: number | undefined;
  #held = new Map<number, Commit>();
  #syncing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The newest commit that was seen, whether it could be passed on or not. */
  #newest = 0;
  readonly #events: LogEvents;

  constructor(events: LogEvents) {
    this.#events = events;
  }

  /** The last commit that was passed on; undefined before the first join. */
  get seq(): number | undefined {
    return this.#seq;
  }

  /** Start from here: everything up to `seq` is known some other way. Commits that came meanwhile follow. */
  startAt(seq: number): void {
    this.#seq = seq;
    this.#release();
    void this.#fill();
  }

  receive(commit: Commit): void {
    if (this.#seq !== undefined && commit.seq <= this.#seq) return;
    this.#newest = Math.max(this.#newest, commit.seq);
    if (this.#held.size < MAX_HELD) this.#held.set(commit.seq, commit);
    if (this.#seq === undefined) return;
    this.#release();
    void this.#fill();
  }

  #release(): void {
    for (;;) {
      const next = this.#seq === undefined ? undefined : this.#held.get(this.#seq + 1);
      if (next === undefined) break;
      this.#held.delete(next.seq);
      this.#seq = next.seq;
      this.#events.commit(next);
    }
    for (const seq of this.#held.keys()) if (this.#seq !== undefined && seq <= this.#seq) this.#held.delete(seq);
  }

  /** The connection is gone: what is held may have holes on both sides, and the next join brings it again. */
  interrupted(): void {
    this.#held.clear();
    this.#newest = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  get #isBehind(): boolean {
    return this.#seq !== undefined && this.#seq < this.#newest;
  }

  async #fill(): Promise<void> {
    if (this.#syncing || this.#timer !== undefined || this.#seq === undefined || !this.#isBehind) return;
    this.#syncing = true;
    try {
      const answer = await this.#events.sync(this.#seq);
      if (answer === undefined) return;
      for (const commit of answer.commits) if (commit.seq > this.#seq) this.#held.set(commit.seq, commit);
      this.#release();
      if (answer.reset && answer.seq > this.#seq) {
        this.#events.reset(answer.seq);
        this.startAt(answer.seq);
      }
    } finally {
      this.#syncing = false;
      if (this.#isBehind) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          void this.#fill();
        }, AGAIN);
      }
    }
  }
}
