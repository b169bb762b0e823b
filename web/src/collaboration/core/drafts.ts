import { Signal } from "./signal";

/** A record's fields that were changed and not saved: as they were typed, with the version that the person saw. */
export type FieldDrafts = Readonly<Record<string, { text: string; base_version: number }>>;

export interface CommentDraft {
  text: string;
  /** Of this text: sent once more after an answer that was lost, it is the same comment. */
  request_id: string;
}

/** What is needed of the browser's storage. */
export type DraftStorage = Pick<Storage, "getItem" | "setItem">;

/** Beyond it what was touched longest ago is dropped: nobody has as much begun at once. */
export const MAX_DRAFTS = 200;

/**
 * What was begun and not sent, by what it is about; the last one touched stands last. With a storage it is there again for
 * whoever comes with the same key: after a reload, or when they have signed in anew.
 */
export class Drafts<T> {
  readonly all: Signal<ReadonlyMap<string, T>>;
  readonly #key: string;
  readonly #storage: DraftStorage | undefined;

  constructor(key: string, storage?: DraftStorage) {
    this.#key = key;
    this.#storage = storage;
    this.all = new Signal<ReadonlyMap<string, T>>(stored(key, storage));
  }

  get(about: string): T | undefined {
    return this.all.get().get(about);
  }

  /** Undefined where it was sent, or is not wanted any more. */
  set(about: string, draft: T | undefined): void {
    const next = new Map(this.all.get());
    next.delete(about);
    if (draft !== undefined) next.set(about, draft);
    const [oldest] = next.keys();
    if (next.size > MAX_DRAFTS) next.delete(oldest!);
    this.all.set(next);
    try {
      this.#storage?.setItem(this.#key, JSON.stringify([...next]));
    } catch {
      // Where the storage is full they live as long as the page.
    }
  }
}

function stored<T>(key: string, storage: DraftStorage | undefined): Map<string, T> {
  try {
    return new Map(JSON.parse(storage?.getItem(key) ?? "[]"));
  } catch {
    return new Map();
  }
}

/** Storage that lives with its tab; undefined where the browser allows none. */
export function tabStorage(): DraftStorage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}
