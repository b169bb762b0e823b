import { NoAnswer } from "./channel";
import type { Ack, Commit, Edited, EditRequest, ErrorCode, Refusal, Value } from "./contract";
import type { EditStorage, StoredEdit } from "./editStorage";
import { shown, type RecordTable, type RecordView } from "./records";
import { Signal } from "./signal";
import { newId, type Tabs } from "./tabs";

/** What became of an edit. `closed`: the session has ended, or its content is frozen. `refused`: for another reason. */
export type VerdictKind =
  | "applied" | "merged" | "unchanged" | "conflict" | "locked" | "closed" | "forbidden" | "refused";

export interface Verdict {
  edit: StoredEdit;
  kind: VerdictKind;
  at: number;
  /** What the field holds now, after `merged`. */
  value?: Value;
  conflict_id?: string;
  error?: Refusal;
}

const KINDS: Partial<Record<ErrorCode, VerdictKind>> = {
  locked: "locked",
  lock_lost: "locked",
  session_ended: "closed",
  frozen: "closed",
  forbidden: "forbidden",
  separation_of_duties: "forbidden",
};
/** Codes after which the same edit may be sent again by itself: they say nothing about the edit. */
const AGAIN: ReadonlySet<ErrorCode> = new Set([
  "rate_limited", "overloaded", "unavailable", "internal", "not_joined", "token_expired", "unauthenticated",
]);
const PAUSE = { first: 300, longest: 5_000 };
const MAX_VERDICTS = 200;
/** Bound of the queue: beyond it an edit is refused at once rather than kept on a device that may be lost. */
export const MAX_QUEUED = 2_000;
const FULL: Refusal = {
  code: "overloaded",
  message: `${MAX_QUEUED} changes wait on this device to be sent, and it keeps no more`,
  retryable: true,
};

export interface HowToEdit {
  /** Kept in the audit trail. */
  reason?: string;
  /** The field's version when the person began to edit; without it, the newest. */
  base_version?: number;
}

export interface EditQueueOptions {
  session_id: string;
  user_id: string;
  storage: EditStorage;
  records: RecordTable;
  tabs: Tabs;
  send(request: EditRequest): Promise<Ack<Edited>>;
  lockToken(record_id: string): number | undefined;
  clock?: () => number;
}

/**
 * Edits on their way to the server: shown at once, stored before they are sent, sent one after another in the order in
 * which they were made, sent again by the same id until there is an answer, and taken back with the reason if refused.
 */
export class EditQueue {
  readonly queued = new Signal<readonly StoredEdit[]>([]);
  readonly verdicts = new Signal<readonly Verdict[]>([]);
  readonly #options: EditQueueOptions;
  readonly #clock: () => number;
  readonly #listeners = new Set<(verdict: Verdict) => void>();
  /** Edits whose storing has not finished: they are sent after it. */
  readonly #storing = new Map<string, Promise<void>>();
  /** Edits that were sent at least once: the server may have them, so they may not change any more. */
  readonly #sent = new Set<string>();
  #online = false;
  #draining = false;
  #order = 0;

  constructor(options: EditQueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? Date.now;
  }

  onVerdict(listener: (verdict: Verdict) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Take over what was left on this device by this person, in this session: at once, or when its tab is gone. */
  async restore(): Promise<void> {
    const { storage, tabs, user_id, session_id } = this.#options;
    const owners = new Set<string>();
    for (const edit of await storage.list(user_id, session_id)) {
      this.#order = Math.max(this.#order, edit.order);
      if (edit.owner !== tabs.id) owners.add(edit.owner);
    }
    await Promise.all([...owners].map((owner) => tabs.gone(owner).then(() => this.#takeOver(owner))));
  }

  async #takeOver(owner: string): Promise<void> {
    const { storage, tabs, user_id, session_id } = this.#options;
    const found: StoredEdit[] = [];
    for (const edit of await storage.list(user_id, session_id)) {
      if (edit.owner !== owner) continue;
      const mine = { ...edit, owner: tabs.id, offline: true };
      // Where that cannot be, the storage has it under the other name, and whoever comes next finds it there.
      await storage.put(mine).catch(() => undefined);
      this.#sent.add(mine.edit_id);
      found.push(mine);
    }
    if (found.length === 0) return;
    const order = [...found, ...this.queued.get()].sort((a, b) => a.order - b.order);
    this.#setQueue(order, new Set(found.map((edit) => edit.record_id)));
    void this.#drain();
  }

  /**
   * Set a field. Its new value shows at once; the returned id leads to the verdict. Undefined where there is nothing to do:
   * the field holds the value already, or the record is not here.
   */
  edit(record_id: string, field_name: string, new_value: Value, how: HowToEdit = {}): string | undefined {
    const { records, session_id, user_id, tabs } = this.#options;
    const record = records.get(record_id);
    if (!record) return undefined;
    const old_value = shown(record, field_name);
    if (same(old_value, new_value)) return undefined;
    const waiting = this.#unsent(record_id, field_name);
    const edit: StoredEdit = {
      edit_id: waiting?.edit_id ?? newId(),
      user_id,
      session_id,
      owner: tabs.id,
      order: waiting?.order ?? this.#nextOrder(),
      record_id,
      field_name,
      new_value,
      old_value: waiting?.old_value ?? old_value,
      base_version: waiting?.base_version ?? this.#base(record, field_name, how.base_version),
      created_at: this.#clock(),
      offline: !this.#online,
      ...(how.reason ? { edit_reason: how.reason } : {}),
    };
    if (!waiting && this.queued.get().length >= MAX_QUEUED) {
      this.#tell({ edit, kind: "refused", at: edit.created_at, error: FULL });
      return edit.edit_id;
    }
    const others = this.queued.get().filter((item) => item.edit_id !== edit.edit_id);
    this.#setQueue([...others, edit].sort((a, b) => a.order - b.order), new Set([record_id]));
    this.#store(edit);
    void this.#drain();
    return edit.edit_id;
  }

  /** Send a refused edit anew, on top of what the field holds now. */
  retry(verdict: Verdict): string | undefined {
    const { record_id, field_name, new_value, edit_reason } = verdict.edit;
    this.dismiss(verdict);
    return this.edit(record_id, field_name, new_value, edit_reason ? { reason: edit_reason } : {});
  }

  /** What the author had seen: the version when they began, unless only they themselves have set the field since. */
  #base(record: RecordView, field_name: string, seen: number | undefined): number {
    const now = record.versions[field_name] ?? 0;
    return seen === undefined || record.changes[field_name]?.user_id === this.#options.user_id ? now : Math.min(seen, now);
  }

  dismiss(verdict: Verdict): void {
    this.verdicts.update((all) => all.filter((item) => item !== verdict));
  }

  /** The order is by time of day, so that what one tab takes over from another falls into its place. */
  #nextOrder(): number {
    this.#order = Math.max(this.#order + 1, this.#clock());
    return this.#order;
  }

  /** The last edit of the field, if it has not left this device: a newer value takes its place. */
  #unsent(record_id: string, field_name: string): StoredEdit | undefined {
    const last = this.queued.get().findLast((e) => e.record_id === record_id && e.field_name === field_name);
    return last && !this.#sent.has(last.edit_id) ? last : undefined;
  }

  #store(edit: StoredEdit): void {
    const stored = this.#options.storage.put(edit).catch(() => undefined);
    this.#storing.set(edit.edit_id, stored);
    void stored.then(() => {
      if (this.#storing.get(edit.edit_id) === stored) this.#storing.delete(edit.edit_id);
    });
  }

  online(): void {
    this.#online = true;
    void this.#drain();
  }

  offline(): void {
    this.#online = false;
  }

  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    let pause = PAUSE.first;
    try {
      for (let edit = this.#head(); edit !== undefined; edit = this.#head()) {
        const storing = this.#storing.get(edit.edit_id);
        if (storing) {
          await storing;
          continue; // another value may have taken its place meanwhile, and be on its way to the storage itself
        }
        this.#sent.add(edit.edit_id);
        const answer = await this.#ask(edit);
        if (answer !== undefined && (answer.ok || !AGAIN.has(answer.error.code))) {
          this.#answered(edit, answer);
          pause = PAUSE.first;
        } else {
          await new Promise((resolve) => setTimeout(resolve, pause));
          pause = Math.min(pause * 2, PAUSE.longest);
        }
      }
    } finally {
      this.#draining = false;
    }
  }

  #head(): StoredEdit | undefined {
    return this.#online ? this.queued.get()[0] : undefined;
  }

  async #ask(edit: StoredEdit): Promise<Ack<Edited> | undefined> {
    const token = this.#options.lockToken(edit.record_id);
    try {
      return await this.#options.send({
        session_id: edit.session_id,
        edit_id: edit.edit_id,
        record_id: edit.record_id,
        field_name: edit.field_name,
        new_value: edit.new_value,
        base_version: edit.base_version,
        ...(token === undefined ? {} : { lock_token: token }),
        ...(edit.edit_reason ? { edit_reason: edit.edit_reason } : {}),
      });
    } catch (error) {
      if (error instanceof NoAnswer) return undefined;
      throw error;
    }
  }

  #answered(edit: StoredEdit, answer: Ack<Edited>): void {
    if (!this.queued.get().some((item) => item.edit_id === edit.edit_id)) return; // its broadcast was quicker
    if (!answer.ok) {
      this.#settle(edit, { edit, kind: KINDS[answer.error.code] ?? "refused", at: this.#clock(), error: answer.error });
      return;
    }
    const { status, version, value, conflict_id } = answer;
    if (status !== "conflict") {
      const holds = value === undefined ? edit.new_value : value;
      this.#options.records.confirm(edit.record_id, edit.field_name, holds, version, this.#options.user_id);
    }
    this.#settle(edit, {
      edit,
      kind: status,
      at: this.#clock(),
      ...(value === undefined ? {} : { value }),
      ...(conflict_id === undefined ? {} : { conflict_id }),
    }, status === "conflict" ? undefined : version);
  }

  /** A commit of one's own says the same as its answer, which may have been lost. */
  committed(commit: Commit): void {
    if (commit.user_id !== this.#options.user_id) return;
    const { message_type, data } = commit;
    const edit_id: unknown = message_type === "conflict.detected" ? data.candidates?.[0]?.edit_id
      : message_type === "conflict.extended" ? data.candidate?.edit_id : data.edit_id;
    const edit = this.queued.get().find((item) => item.edit_id === edit_id);
    if (!edit) return;
    const at = this.#clock();
    if (message_type === "edit.applied") this.#settle(edit, { edit, kind: "applied", at }, commit.seq);
    else if (message_type === "edit.merged") {
      this.#settle(edit, { edit, kind: "merged", at, value: data.new_value }, commit.seq);
    } else if (message_type === "conflict.detected" || message_type === "conflict.extended") {
      this.#settle(edit, { edit, kind: "conflict", at, conflict_id: data.conflict_id });
    }
  }

  #settle(edit: StoredEdit, verdict: Verdict, version?: number): void {
    this.#sent.delete(edit.edit_id);
    void this.#options.storage.remove(edit.edit_id).catch(() => undefined);
    const rest = this.queued.get().filter((item) => item.edit_id !== edit.edit_id);
    const next = rest.map((item) => {
      const follows = item.record_id === edit.record_id && item.field_name === edit.field_name;
      if (version === undefined || !follows || item.base_version >= version) return item;
      // Made on top of this one, whose version is known only now.
      const moved = { ...item, base_version: version };
      this.#store(moved);
      return moved;
    });
    this.#setQueue(next, new Set([edit.record_id]));
    this.#tell(verdict);
  }

  #tell(verdict: Verdict): void {
    this.verdicts.update((all) => [...all.slice(1 - MAX_VERDICTS), verdict]);
    for (const listener of [...this.#listeners]) listener(verdict);
  }

  #setQueue(queue: readonly StoredEdit[], touched: ReadonlySet<string>): void {
    this.queued.set(queue);
    for (const record_id of touched) this.#overlay(record_id);
  }

  #overlay(record_id: string): void {
    const pending: Record<string, Value> = {};
    for (const edit of this.queued.get()) if (edit.record_id === record_id) pending[edit.field_name] = edit.new_value;
    this.#options.records.overlay(record_id, pending);
  }
}

export function same(a: Value, b: Value): boolean {
  return Array.isArray(a) || Array.isArray(b) ? JSON.stringify(a) === JSON.stringify(b) : a === b;
}
