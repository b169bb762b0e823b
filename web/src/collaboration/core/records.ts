import type { Commit, MatchEntry, RecordRow, Source, Value } from "./contract";
import { Signal } from "./signal";

/** What somebody did last to a field, for a moment's highlight. */
export interface Change {
  user_id: string;
  seq: number;
  at: number;
}

/** A record as the person sees it: the server's values with their own unsent edits laid over. Never changed in place. */
export interface RecordView {
  readonly record_id: string;
  readonly source: Source;
  readonly external_id: string;
  readonly values: Readonly<Record<string, Value>>;
  readonly versions: Readonly<Record<string, number>>;
  /** Fields with an open conflict, and its id. */
  readonly conflicts: Readonly<Record<string, string>>;
  /** Fields whose shown value the server has not confirmed yet. */
  readonly pending: Readonly<Record<string, Value>>;
  readonly changes: Readonly<Record<string, Change>>;
}

interface FieldSet {
  record_id: string;
  field_name: string;
  new_value: Value;
}

const STATUS_OF_MATCH: Record<string, string> = { suggested: "suggested", confirmed: "matched" };

/** The fields that a commit sets, as of its `seq`. */
export function fieldsSet({ message_type, data }: Commit): FieldSet[] {
  if (message_type.startsWith("match.")) {
    const matches: MatchEntry[] = data.matches ?? [];
    return matches.flatMap(({ ledger, statement, status }) => {
      const new_value = (status && STATUS_OF_MATCH[status]) ?? "unmatched";
      return [...ledger, ...statement].map((record_id) => ({ record_id, field_name: "status", new_value }));
    });
  }
  switch (message_type) {
    case "edit.applied":
    case "edit.merged":
    case "conflict.resolved":
      return [data];
    case "edit.batch_applied":
      return data.edits;
    case "record.status_changed":
      return recordIds(data).map((record_id) => ({ record_id, field_name: "status", new_value: data.status }));
    case "record.assigned":
      return recordIds(data).map((record_id) => ({ record_id, field_name: "assignee", new_value: data.assignee }));
    default:
      return [];
  }
}

const recordIds = (data: { record_ids?: string[] }): string[] => data.record_ids ?? [];

/**
 * The records of a session. Rows arrive in pages that are as of some `seq`; commits arrive in order beside them. Every
 * field carries the `seq` that set it, so whichever comes first, the newer value stays.
 */
export class RecordTable {
  readonly #rows = new Map<string, RecordView>();
  readonly #overlays = new Map<string, Record<string, Value>>();
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #tableListeners = new Set<(changed: ReadonlySet<string>) => void>();
  #changed = new Set<string>();
  #recent: Commit[] = [];
  /** Grows whenever any record changes. */
  readonly revision = new Signal(0);
  readonly size = new Signal(0);

  get = (record_id: string): RecordView | undefined => this.#rows.get(record_id);

  values(): IterableIterator<RecordView> {
    return this.#rows.values();
  }

  subscribe(record_id: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(record_id) ?? new Set();
    this.#listeners.set(record_id, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(record_id) === listeners) this.#listeners.delete(record_id);
    };
  }

  /** Told once per turn of the event loop which records changed. */
  subscribeAll(listener: (changed: ReadonlySet<string>) => void): () => void {
    this.#tableListeners.add(listener);
    return () => this.#tableListeners.delete(listener);
  }

  /** A page of rows as of `asOf`. Commits after it that came earlier are applied again. */
  load(rows: readonly RecordRow[], asOf: number): void {
    const loaded = new Set<string>();
    for (const row of rows) {
      const known = this.#rows.get(row.record_id);
      loaded.add(row.record_id);
      this.#put(known ? newer(known, row) : view(row));
    }
    for (const commit of this.#recent) if (commit.seq > asOf) this.#applyTo(commit, loaded);
    this.size.set(this.#rows.size);
  }

  /** From now on commits are remembered, because pages that do not know them are still to come. */
  remember(): void {
    this.#recent = [];
  }

  /** All pages are there. */
  forget(): void {
    this.#recent = [];
  }

  clear(): void {
    this.#recent = [];
    const gone = [...this.#rows.keys()];
    this.#rows.clear();
    for (const id of gone) this.#tell(id);
    this.size.set(0);
  }

  apply(commit: Commit, loading: boolean): void {
    if (loading) this.#recent.push(commit);
    this.#applyTo(commit);
  }

  #applyTo(commit: Commit, only?: ReadonlySet<string>): void {
    for (const { record_id, field_name, new_value } of fieldsSet(commit)) {
      const row = this.#rows.get(record_id);
      if (!row || (only && !only.has(record_id)) || (row.versions[field_name] ?? 0) >= commit.seq) continue;
      const change = { user_id: commit.user_id, seq: commit.seq, at: Date.now() };
      this.#put({
        ...row,
        values: { ...row.values, [field_name]: new_value },
        versions: { ...row.versions, [field_name]: commit.seq },
        changes: { ...row.changes, [field_name]: change },
      });
    }
    const { record_id, field_name, conflict_id } = commit.data ?? {};
    const row = record_id === undefined ? undefined : this.#rows.get(record_id);
    if (!row || (only && !only.has(record_id))) return;
    if (commit.message_type === "conflict.detected") {
      this.#put({ ...row, conflicts: { ...row.conflicts, [field_name]: conflict_id } });
    } else if (commit.message_type === "conflict.resolved" && row.conflicts[field_name] === conflict_id) {
      const { [field_name]: _decided, ...conflicts } = row.conflicts;
      this.#put({ ...row, conflicts });
    }
  }

  /** What the server answered to one's own edit; the same as its broadcast, which may come before or after. */
  confirm(record_id: string, field_name: string, value: Value, version: number, user_id: string): void {
    const row = this.#rows.get(record_id);
    if (!row || (row.versions[field_name] ?? 0) >= version) return;
    this.#put({
      ...row,
      values: { ...row.values, [field_name]: value },
      versions: { ...row.versions, [field_name]: version },
      changes: { ...row.changes, [field_name]: { user_id, seq: version, at: Date.now() } },
    });
  }

  /** What the person has set and the server has not answered yet. */
  overlay(record_id: string, pending: Record<string, Value>): void {
    if (Object.keys(pending).length === 0) this.#overlays.delete(record_id);
    else this.#overlays.set(record_id, pending);
    const row = this.#rows.get(record_id);
    if (row) this.#put(row);
  }

  #put(row: RecordView): void {
    const pending = this.#overlays.get(row.record_id) ?? {};
    this.#rows.set(row.record_id, { ...row, pending });
    this.#tell(row.record_id);
  }

  #tell(record_id: string): void {
    if (this.#changed.size === 0) queueMicrotask(this.#flush);
    this.#changed.add(record_id);
  }

  readonly #flush = (): void => {
    const changed = this.#changed;
    this.#changed = new Set();
    for (const id of changed) for (const listener of [...(this.#listeners.get(id) ?? [])]) listener();
    for (const listener of [...this.#tableListeners]) listener(changed);
    this.revision.update((n) => n + 1);
  };
}

/** What is shown in a field: one's own unconfirmed value before the server's. */
export function shown(record: RecordView, field_name: string): Value {
  return field_name in record.pending ? record.pending[field_name]! : (record.values[field_name] ?? null);
}

const SETTLED = new Set(["matched", "exception", "excluded"]);

/** Neither matched nor set aside: it is to be explained still, and can be matched. What is suggested is open. */
export const isOpen = (record: RecordView): boolean => !SETTLED.has(String(shown(record, "status")));

function view(row: RecordRow): RecordView {
  const { record_id, source, external_id, values, versions, conflicts } = row;
  return { record_id, source, external_id, values, versions, conflicts, pending: {}, changes: {} };
}

function newer(known: RecordView, row: RecordRow): RecordView {
  const values = { ...row.values };
  const versions = { ...row.versions };
  for (const [name, version] of Object.entries(known.versions)) {
    if (version <= (versions[name] ?? 0)) continue;
    versions[name] = version;
    values[name] = known.values[name] ?? null;
  }
  return { ...known, values, versions, conflicts: row.conflicts };
}
