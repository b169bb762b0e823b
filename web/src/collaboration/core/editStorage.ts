import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { Value } from "./contract";

/** An edit that the server has not answered yet. */
export interface StoredEdit {
  edit_id: string;
  /** Whose, and where: a device may be shared. */
  user_id: string;
  session_id: string;
  /** Which tab looks after it. */
  owner: string;
  order: number;
  record_id: string;
  field_name: string;
  new_value: Value;
  old_value: Value;
  base_version: number;
  edit_reason?: string;
  /** Milliseconds since 1970. */
  created_at: number;
  /** Made without a connection, or found again after a reload: the person wants to hear what became of it. */
  offline: boolean;
}

/** Where unanswered edits survive a reload. `put` resolves when the edit is safe. */
export interface EditStorage {
  put(edit: StoredEdit): Promise<void>;
  remove(edit_id: string): Promise<void>;
  /** In the order in which they were made. */
  list(user_id: string, session_id: string): Promise<StoredEdit[]>;
  readonly durable: boolean;
}

export class MemoryEditStorage implements EditStorage {
  readonly durable = false;
  readonly edits = new Map<string, StoredEdit>();

  async put(edit: StoredEdit): Promise<void> {
    this.edits.set(edit.edit_id, structuredClone(edit));
  }

  async remove(edit_id: string): Promise<void> {
    this.edits.delete(edit_id);
  }

  async list(user_id: string, session_id: string): Promise<StoredEdit[]> {
    return [...this.edits.values()]
      .filter((edit) => edit.user_id === user_id && edit.session_id === session_id)
      .sort(inOrder);
  }
}

const inOrder = (a: StoredEdit, b: StoredEdit): number => a.order - b.order;

interface Schema extends DBSchema {
  edits: { key: string; value: StoredEdit; indexes: { place: [string, string] } };
}

export class IndexedDbEditStorage implements EditStorage {
  readonly durable = true;
  readonly #database: IDBPDatabase<Schema>;

  private constructor(database: IDBPDatabase<Schema>) {
    this.#database = database;
  }

  /** Falls back to memory where the browser has no database to give (some private modes). */
  static async open(name = "collaboration"): Promise<EditStorage> {
    try {
      const database = await openDB<Schema>(name, 1, {
        upgrade(db) {
          db.createObjectStore("edits", { keyPath: "edit_id" }).createIndex("place", ["user_id", "session_id"]);
        },
      });
      return new IndexedDbEditStorage(database);
    } catch {
      return new MemoryEditStorage();
    }
  }

  async put(edit: StoredEdit): Promise<void> {
    await this.#database.put("edits", edit);
  }

  async remove(edit_id: string): Promise<void> {
    await this.#database.delete("edits", edit_id);
  }

  async list(user_id: string, session_id: string): Promise<StoredEdit[]> {
    return (await this.#database.getAllFromIndex("edits", "place", [user_id, session_id])).sort(inOrder);
  }

  close(): void {
    this.#database.close();
  }
}
