import type { Commit, HistoryPage, MatchEntry, Refusal } from "./contract";
import { RestError, type Rest } from "./rest";
import { Signal } from "./signal";

const TYPES = ["suggested", "confirmed", "rejected", "created", "removed", "split"].map((kind) => `match.${kind}`);

/** The matches of a session: those that stand, and which one a record is in. */
export class MatchBook {
  readonly matches = new Signal<ReadonlyMap<string, MatchEntry>>(new Map());
  /** Whether what was matched before this client came is known; `error`: why the last attempt to load it has failed. */
  readonly loading = new Signal<{ done: boolean; error?: Refusal }>({ done: false });
  readonly #seen = new Map<string, number>();
  #byRecord = new Map<string, string>();
  #changed: Map<string, MatchEntry> | undefined;

  of(record_id: string): MatchEntry | undefined {
    const id = this.#byRecord.get(record_id);
    return id === undefined ? undefined : this.#current().get(id);
  }

  apply({ message_type, data, seq }: Commit): void {
    if (!message_type.startsWith("match.")) return;
    for (const entry of (data.matches ?? []) as MatchEntry[]) this.#put(entry, seq);
  }

  /** What was matched before this client came, from the log. Throws what it is refused with, too. */
  async load(rest: Pick<Rest, "pages">, session_id: string): Promise<void> {
    const path = `/sessions/${encodeURIComponent(session_id)}/history`;
    try {
      for (const message_type of TYPES) {
        for await (const page of rest.pages<HistoryPage>(path, { message_type, limit: 1_000 })) {
          for (const commit of page.items) this.apply(commit);
        }
      }
      this.loading.set({ done: true });
    } catch (error) {
      if (error instanceof RestError) this.loading.set({ done: false, error: error.refusal });
      throw error;
    }
  }

  #current(): ReadonlyMap<string, MatchEntry> {
    return this.#changed ?? this.matches.get();
  }

  /** What comes in any order ends as the newest commit about the match has it. */
  #put(entry: MatchEntry, seq: number): void {
    if ((this.#seen.get(entry.match_id) ?? 0) >= seq) return;
    this.#seen.set(entry.match_id, seq);
    const next = this.#change();
    if (entry.status === null) next.delete(entry.match_id);
    else next.set(entry.match_id, entry);
    for (const record_id of [...entry.ledger, ...entry.statement]) {
      if (entry.status !== null) this.#byRecord.set(record_id, entry.match_id);
      else if (this.#byRecord.get(record_id) === entry.match_id) this.#byRecord.delete(record_id);
    }
  }

  /** A chunk of a run brings hundreds of matches: they are shown together. */
  #change(): Map<string, MatchEntry> {
    if (this.#changed === undefined) {
      const changed = new Map(this.matches.get());
      this.#changed = changed;
      queueMicrotask(() => {
        this.#changed = undefined;
        this.matches.set(changed);
      });
    }
    return this.#changed;
  }
}
