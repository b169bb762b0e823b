import { about } from "./channel";
import type { Commit, Page, Refusal, Users } from "./contract";
import type { MatchBook } from "./matches";
import type { RecordTable } from "./records";
import { RestError, type Rest } from "./rest";
import type { SharedState } from "./shared";
import { Signal } from "./signal";

/** How far the records are loaded. `error`: why it stopped; `reload` goes on. */
export interface Loading {
  state: "waiting" | "loading" | "done" | "failed";
  loaded: number;
  error?: Refusal;
}

/** Milliseconds between two looks at whether records that were imported can be loaded. */
const SOON = 1_000;
/** Milliseconds, about, until what the server could not answer for the moment is asked for again. */
const AGAIN = 3_000;

/** Loads over HTTP what the log is laid over: records first, then matches, people and comments. */
export class Loader {
  readonly loading = new Signal<Loading>({ state: "waiting", loaded: 0 });
  readonly #path: string;
  readonly #session_id: string;
  readonly #rest: Pick<Rest, "records" | "get" | "pages">;
  readonly #records: RecordTable;
  readonly #matches: MatchBook;
  readonly #shared: SharedState;
  /** Counts loads: pages of an older one are worth nothing. */
  #load = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #againTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(session_id: string, rest: Pick<Rest, "records" | "get" | "pages">, into: {
    records: RecordTable; matches: MatchBook; shared: SharedState;
  }) {
    this.#session_id = session_id;
    this.#path = `/sessions/${encodeURIComponent(session_id)}`;
    this.#rest = rest;
    this.#records = into.records;
    this.#matches = into.matches;
    this.#shared = into.shared;
  }

  stop(): void {
    this.#load++;
    clearTimeout(this.#timer);
    clearTimeout(this.#againTimer);
  }

  /** Records were imported. An import brings them in many pieces: they are loaded together, a load after the other. */
  imported(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.loading.get().state === "loading") this.imported();
      else void this.reload();
    }, SOON);
  }

  /** Load all records: after the first join, when too much was missed, or after an import. */
  async reload(): Promise<void> {
    const load = ++this.#load;
    clearTimeout(this.#againTimer);
    this.#records.remember();
    let loaded = 0;
    this.loading.set({ state: "loading", loaded });
    try {
      for await (const page of this.#rest.records(this.#session_id)) {
        if (load !== this.#load) return;
        this.#records.load(page.items, page.as_of);
        loaded += page.items.length;
        this.loading.set({ state: "loading", loaded });
      }
      this.#records.forget();
      this.loading.set({ state: "done", loaded });
      void this.#loadFurther(load, [() => this.#loadUsers(), () => this.#loadMatches(), () => this.#loadComments()]);
    } catch (error) {
      if (load !== this.#load) return;
      if (!(error instanceof RestError)) throw error;
      this.loading.set({ state: "failed", loaded, error: error.refusal });
    }
  }

  /** What the work can go on without: refused for the moment, it is asked for again, and refused for good, left out. */
  async #loadFurther(load: number, parts: readonly (() => Promise<void>)[]): Promise<void> {
    const again: (() => Promise<void>)[] = [];
    for (const part of parts) {
      if (load !== this.#load) return;
      try {
        await part();
      } catch (error) {
        if (!(error instanceof RestError)) throw error;
        if (error.refusal.retryable) again.push(part);
      }
    }
    if (again.length > 0 && load === this.#load) {
      this.#againTimer = setTimeout(() => void this.#loadFurther(load, again), about(AGAIN));
    }
  }

  /** Who ever was here. */
  async #loadUsers(): Promise<void> {
    const users = await this.#rest.get<Users>(`${this.#path}/users`);
    this.#shared.meet(users.items);
  }

  #loadMatches(): Promise<void> {
    return this.#matches.load(this.#rest, this.#session_id);
  }

  async #loadComments(): Promise<void> {
    for (const message_type of ["comment.added", "comment.resolved"]) {
      const pages = this.#rest.pages<Page<Commit>>(`${this.#path}/history`, { message_type, limit: 1_000 });
      for await (const page of pages) for (const commit of page.items) this.#shared.comment(commit);
    }
  }
}
