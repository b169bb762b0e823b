import type { Channel, ChannelEvents } from "../src/collaboration/core/channel";
import { NoAnswer } from "../src/collaboration/core/channel";
import type {
  Ack, Commit, Conflict, Edited, EditRequest, ErrorCode, Lock, Member, RecordRow, RecordsPage, Refusal, Unread, Value,
} from "../src/collaboration/core/contract";
import { RestError } from "../src/collaboration/core/rest";
import { MemoryEditStorage, type EditStorage } from "../src/collaboration/core/editStorage";
import { CollaborationSession } from "../src/collaboration/core/session";
import type { Tabs } from "../src/collaboration/core/tabs";

/**
 * How the server misbehaves, one name each:
 * - `drops_after_submit`  the edit, lock or comment is done, and the connection breaks before its answer leaves
 * - `answers_late`        answers to edits wait until `release()`
 * - `locks_late`          locks wait until `release()`
 * - `loses_broadcasts`    broadcasts do not arrive, until the next that does shows the gap
 * - `refuses_sync`        the next question for what was missed is refused for the moment
 * - `silent_join`         the next join is not answered
 */
export type Behaviour =
  | "drops_after_submit" | "answers_late" | "locks_late" | "loses_broadcasts" | "refuses_sync" | "silent_join";

interface Connected { user_id: string; events: ChannelEvents; joined: boolean }

/** A session's server in memory: the same rules for versions, conflicts, locks and repeats, without a network. */
export class FakeServer {
  readonly log: Commit[] = [];
  readonly rows = new Map<string, RecordRow>();
  readonly received: { event: string; body: Record<string, unknown> }[] = [];
  readonly behaviours = new Set<Behaviour>();
  reachable = true;
  replayLimit = 100;
  refuses: ErrorCode | undefined;
  refusesJoin: ErrorCode | undefined;
  refusesMatch: Refusal | undefined;
  /** Answers to paged lists. */
  pages: (path: string, query: object) => object[] = () => [];
  /** How tokens are renewed. */
  refresh = (): Promise<string> => Promise.reject(new Error("no"));
  /** How often all records were asked for. */
  loads = 0;
  /** What concerns whoever comes and is not read yet. */
  waiting: Unread = { unread: 0, items: [] };
  /** Answers over HTTP beside the records; throws a `RestError` for what is refused. */
  http: (method: string, path: string, body?: unknown, query?: object) => unknown = () => {
    throw new RestError({ code: "not_found", message: "not here", retryable: false });
  };
  /** What goes with the next conflict. */
  suggests: Conflict["suggestion"] = null;
  readonly #answered = new Map<string, Ack<Edited>>();
  readonly locks = new Map<string, Lock>();
  readonly #conflicts = new Map<string, Conflict>();
  readonly #clients = new Set<Connected>();
  #late: (() => void)[] = [];

  constructor(count = 3) {
    for (let n = 1; n <= count; n++) this.add("ledger", `${n}`);
    this.commit("system", "session.created", { name: "Test" });
  }

  get seq(): number {
    return this.log.length;
  }

  row(record_id: string): RecordRow {
    return this.rows.get(record_id)!;
  }

  /** One more record, for whoever loads them after this. */
  add(source: RecordRow["source"], external_id: string, values: Record<string, Value> = {}): void {
    const record_id = `${source}:${external_id}`;
    const usual = { amount: "10.00", currency: "GBP", date: "2026-11-01", description: `Row ${external_id}`, status: "unmatched" };
    this.rows.set(record_id, {
      record_id, source, external_id, values: { ...usual, ...values }, versions: {}, conflicts: {}, seq: 0,
    });
  }

  /** Let the answers go that `answers_late` held back. */
  release(): void {
    this.behaviours.delete("answers_late");
    this.behaviours.delete("locks_late");
    for (const answer of this.#late.splice(0)) answer();
  }

  disconnectAll(): void {
    for (const client of [...this.#clients]) this.#drop(client);
  }

  /** Down: connections break, attempts fail. */
  stop(): void {
    this.reachable = false;
    this.disconnectAll();
  }

  commit(user_id: string, message_type: string, data: object): Commit {
    const commit: Commit = {
      message_type, session_id: "s", project_id: "p", user_id, timestamp: new Date(this.seq * 1000).toISOString(),
      seq: this.seq + 1, data,
    };
    this.log.push(commit);
    if (!this.behaviours.has("loses_broadcasts")) {
      for (const client of this.#clients) if (client.joined) queueMicrotask(() => client.events?.envelope(commit));
    }
    return commit;
  }

  /** Something of no lasting worth, told to all who are here; `session_id`: what it is about. */
  tell(user_id: string, message_type: string, data: object, session_id = "s"): void {
    const envelope = { message_type, session_id, project_id: "p", user_id, timestamp: new Date(0).toISOString(), data };
    for (const client of this.#clients) if (client.joined) client.events.envelope(envelope);
  }

  /** Somebody else's edit, on top of what is there. */
  editBy(user_id: string, record_id: string, field_name: string, new_value: string): void {
    const base_version = this.row(record_id).versions[field_name] ?? 0;
    this.#edit(user_id, {
      session_id: "s", edit_id: `${user_id}-${this.seq}`, record_id, field_name, new_value, base_version,
    });
  }

  /** Somebody's match by hand. */
  matchBy(user_id: string, ledger: string[], statement: string[]): Commit {
    const match_id = `${ledger[0]}.${this.seq + 1}`;
    return this.commit(user_id, "match.created", { matches: [{ match_id, ledger, statement, sums: [], was: null, status: "confirmed" }] });
  }

  lockBy(user_id: string, record_id: string): void {
    const lock = { record_id, holder: { user_id, name: user_id }, expires_at: new Date(Date.now() + 3e5).toISOString() };
    const commit = this.commit(user_id, "lock.acquired", { ...lock, token: this.seq + 1 });
    this.locks.set(record_id, { ...lock, token: commit.seq });
  }

  resolve(conflict_id: string, new_value: string): void {
    const conflict = this.#conflicts.get(conflict_id)!;
    const commit = this.commit("carol", "conflict.resolved", { ...conflict, new_value, strategy: "custom" });
    this.#set(conflict.record_id, conflict.field_name, new_value, commit.seq);
    this.#conflicts.delete(conflict_id);
  }

  /** A client of this server, with its own storage unless one is given. */
  client(user_id: string, storage: EditStorage = new MemoryEditStorage(), tab = `tab-${Math.random()}`): CollaborationSession {
    const tabs: Tabs = { id: tab, gone: () => Promise.resolve(), close: () => undefined };
    return new CollaborationSession({
      session_id: "s",
      user_id,
      channel: this.#channel(user_id),
      rest: this.#rest(),
      storage,
      tabs,
      tokens: { current: () => Promise.resolve("t"), refresh: () => this.refresh() },
    });
  }

  #rest() {
    const server = this;
    return {
      async *records(): AsyncGenerator<RecordsPage> {
        server.loads++;
        const as_of = server.seq;
        const items = structuredClone([...server.rows.values()]);
        const half = Math.ceil(items.length / 2);
        yield { items: items.slice(0, half), next_cursor: "2", as_of };
        await server.pageBreak;
        yield { items: items.slice(half), next_cursor: null, as_of };
      },
      get: async (path: string) => server.http("GET", path) as never,
      write: async (method: string, path: string, body: unknown) => server.http(method, path, body) as never,
      post: async (path: string, body: unknown, _headers?: object, query?: object) => server.http("POST", path, body, query) as never,
      fetch: async (method: string, path: string) => server.http(method, path) as never,
      async *pages(path: string, query: object): AsyncGenerator<never> {
        yield* server.pages(path, query) as never[];
      },
    };
  }

  /** The second page of records waits for this. */
  pageBreak: Promise<void> = Promise.resolve();

  #channel(user_id: string): Channel {
    const server = this;
    const client: Connected = { user_id, events: undefined as unknown as ChannelEvents, joined: false };
    const connect = () => {
      if (!server.reachable) {
        client.events?.down("unreachable");
        setTimeout(() => client.events && !server.#clients.has(client) && connect(), 5);
        return;
      }
      if (!client.events) return; // closed meanwhile
      server.#clients.add(client);
      client.events.up();
    };
    return {
      open: (events) => {
        client.events = events;
        queueMicrotask(connect);
      },
      retry: () => {
        if (!server.#clients.has(client)) queueMicrotask(connect);
      },
      reopen: () => {
        if (server.#clients.has(client)) server.#drop(client);
        queueMicrotask(connect);
      },
      close: () => {
        server.#clients.delete(client);
        client.events = undefined as unknown as ChannelEvents;
      },
      request: <T>(event: string, body: object) => server.#request<T>(client, event, body, connect),
    };
  }

  #drop(client: Connected, again?: () => void): void {
    this.#clients.delete(client);
    client.joined = false;
    client.events?.down("transport close");
    if (again) setTimeout(again, 5);
  }

  async #request<T>(client: Connected, event: string, body: object, again: () => void): Promise<Ack<T>> {
    if (!this.#clients.has(client)) throw new NoAnswer("not connected");
    this.received.push({ event, body: body as Record<string, unknown> });
    if (event === "join" && this.behaviours.delete("silent_join")) throw new NoAnswer("operation has timed out");
    if (event === "lock" && this.behaviours.has("locks_late")) await new Promise<void>((resolve) => this.#late.push(resolve));
    const answer = this.#answer(client, event, body) as Ack<T>;
    if (["edit", "lock", "comment"].includes(event) && this.behaviours.delete("drops_after_submit")) {
      this.#drop(client, again);
      throw new NoAnswer("socket has been disconnected");
    }
    if (event === "edit" && this.behaviours.has("answers_late")) {
      await new Promise<void>((resolve) => this.#late.push(resolve));
    }
    return structuredClone(answer);
  }

  #answer(client: Connected, event: string, body: object): Ack<object> {
    if (event === "join") return this.#join(client, body as { since?: number });
    if (event === "sync") {
      if (this.behaviours.delete("refuses_sync")) return refuse("overloaded");
      const { since } = body as { since: number };
      return { ok: true, seq: this.seq, commits: this.log.slice(since) } as Ack<object>;
    }
    if (event === "edit") return this.#edit(client.user_id, body as EditRequest);
    if (event === "lock") {
      const { record_id } = body as { record_id: string };
      const held = this.locks.get(record_id);
      if (held && held.holder.user_id !== client.user_id) return refuse("locked");
      if (!held) this.lockBy(client.user_id, record_id);
      const { token, expires_at } = this.locks.get(record_id)!;
      return { ok: true, seq: this.seq, token, expires_at } as Ack<object>;
    }
    if (event === "match_create") {
      if (this.refusesMatch) return { ok: false, error: this.refusesMatch };
      const { ledger, statement } = body as { ledger: string[]; statement: string[] };
      return { ok: true, seq: this.matchBy(client.user_id, ledger, statement).seq, results: [{ ok: true }] } as Ack<object>;
    }
    if (event.startsWith("reconciliation_")) return refuse("not_found");
    if (event === "unlock") {
      const { record_id, token } = body as { record_id: string; token: number };
      this.locks.delete(record_id);
      this.commit(client.user_id, "lock.released", { record_id, token, user_id: client.user_id });
    }
    return { ok: true } as Ack<object>;
  }

  #join(client: Connected, { since }: { since?: number }): Ack<object> {
    if (this.refusesJoin) return refuse(this.refusesJoin);
    client.joined = true;
    const recovered = since !== undefined && this.seq - since <= this.replayLimit;
    const members: Member[] = [...this.#clients].map(({ user_id }) => ({
      user_id, name: user_id, role: "preparer", status: "active", activity: null, focus: null,
      last_seen: new Date(0).toISOString(), connections: 1,
    }));
    return {
      ok: true, seq: this.seq, role: "preparer", members, locks: [...this.locks.values()],
      conflicts: [...this.#conflicts.values()], reconciliation: { status: "not_started" }, recovered,
      commits: recovered ? this.log.slice(since) : [], notifications: this.waiting,
      session: {
        session_id: "s", project_id: "p", name: "Test", status: "active", created_by: "system",
        created_at: new Date(0).toISOString(), expires_at: null, field_policies: {},
      },
    } as Ack<object>;
  }

  #edit(user_id: string, request: EditRequest): Ack<Edited> {
    const known = this.#answered.get(request.edit_id);
    if (known) return known;
    const answer = this.#decide(user_id, request);
    if (answer.ok) this.#answered.set(request.edit_id, answer);
    return answer;
  }

  #decide(user_id: string, request: EditRequest): Ack<Edited> {
    const { edit_id, record_id, field_name, new_value, base_version } = request;
    if (this.refuses) return refuse(this.refuses);
    const lock = this.locks.get(record_id);
    if (lock && lock.holder.user_id !== user_id) return refuse("locked");
    const row = this.row(record_id);
    const version = row.versions[field_name] ?? 0;
    if (base_version < version && row.values[field_name] !== new_value) {
      const candidate = { edit_id, user_id, value: new_value, base_version };
      const current = { version, value: row.values[field_name]!, user_id: "bob" };
      const conflict_id = `conflict-${this.seq + 1}`;
      const data = {
        conflict_id, record_id, field_name, policy: "manual" as const, current, candidates: [candidate], suggestion: this.suggests,
        base: { version: base_version, value: null, known: false },
      };
      const commit = this.commit(user_id, "conflict.detected", data);
      this.#conflicts.set(conflict_id, { ...data, opened_at: commit.timestamp });
      row.conflicts[field_name] = conflict_id;
      return { ok: true, seq: commit.seq, status: "conflict", version, conflict_id };
    }
    const old_value = row.values[field_name]!;
    const commit = this.commit(user_id, "edit.applied", {
      edit_id, record_id, field_name, old_value, new_value, base_version, version: this.seq + 1,
    });
    this.#set(record_id, field_name, new_value as string, commit.seq);
    return { ok: true, seq: commit.seq, status: "applied", version: commit.seq, value: new_value };
  }

  #set(record_id: string, field_name: string, value: string, version: number): void {
    const row = this.row(record_id);
    row.values[field_name] = value;
    row.versions[field_name] = version;
    row.seq = version;
  }
}

function refuse(code: ErrorCode): Ack<never> {
  return { ok: false, error: { code, message: `refused: ${code}`, retryable: code === "locked" || code === "overloaded" } };
}
