import { NoAnswer, type Channel } from "./channel";
import { LONG_AWAY, nextConnection, type Connection, type ConnectionEvent } from "./connection";
import type {
  Ack, Comment, Commit, Conflict, Edited, Envelope, Joined, Lock, Locked, Member, Reconciliation, Refusal, Role,
  Session, Standing, Strategy, Synced, Users, Value,
} from "./contract";
import { EditQueue } from "./edits";
import type { EditStorage } from "./editStorage";
import { Leases } from "./leases";
import { LogFollower } from "./log";
import { MatchBook } from "./matches";
import { PresenceReporter } from "./presence";
import { RecordTable } from "./records";
import { Rest, RestError } from "./rest";
import { Signal } from "./signal";
import { newId, type Tabs } from "./tabs";
import type { TokenSource } from "./tokens";

/** How far the records are loaded. `error`: why it stopped; `reload` goes on. */
export interface Loading {
  state: "waiting" | "loading" | "done" | "failed";
  loaded: number;
  error?: Refusal;
}

export interface Notice {
  id: string;
  kind: string;
  user_id: string;
  at: string;
  data: Record<string, unknown>;
}

export interface SessionOptions {
  session_id: string;
  /** Who the token stands for. */
  user_id: string;
  channel: Channel;
  rest: Pick<Rest, "records" | "get" | "pages" | "post">;
  storage: EditStorage;
  tabs: Tabs;
  tokens: TokenSource;
}

/** Newest entries that are kept for the list of what happened. */
const MAX_RECENT = 200;
const MAX_NOTICES = 100;
/** Milliseconds before the next attempt when the server refused for the moment. */
const TRY_AGAIN = 2_000;

/**
 * One person in one session: everything the page shows, and everything it can do. Knows no React. `start` connects and
 * keeps connected; each part is a signal of its own, so that a change redraws only what depends on it.
 */
export class CollaborationSession {
  readonly connection = new Signal<Connection>({ state: "closed" });
  readonly session = new Signal<Session | undefined>(undefined);
  readonly role = new Signal<Role | undefined>(undefined);
  readonly members = new Signal<ReadonlyMap<string, Member>>(new Map());
  readonly locks = new Signal<ReadonlyMap<string, Lock>>(new Map());
  readonly conflicts = new Signal<ReadonlyMap<string, Conflict>>(new Map());
  readonly comments = new Signal<ReadonlyMap<string, Comment>>(new Map());
  readonly reconciliation = new Signal<Reconciliation>({ status: "not_started" });
  readonly recent = new Signal<readonly Commit[]>([]);
  readonly notices = new Signal<readonly Notice[]>([]);
  readonly loading = new Signal<Loading>({ state: "waiting", loaded: 0 });
  readonly seq = new Signal(0);
  /** Names of people, gathered from wherever they appear. */
  readonly names = new Signal<ReadonlyMap<string, string>>(new Map());
  readonly records = new RecordTable();
  readonly matches = new MatchBook();
  /** The way to the sign-off and what remains unexplained; undefined until the server has told. */
  readonly standing = new Signal<Standing | undefined>(undefined);
  readonly edits: EditQueue;
  readonly leases: Leases;
  readonly presence: PresenceReporter;
  readonly #options: SessionOptions;
  readonly #log: LogFollower;
  readonly #commitListeners = new Set<(commit: Commit) => void>();
  #standingTimer: ReturnType<typeof setTimeout> | undefined;
  #awayTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #load = 0;
  #joined = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#log = new LogFollower({
      commit: (commit) => this.#commit(commit),
      reset: () => void this.reload(),
      sync: (since) => this.#sync(since),
    });
    this.leases = new Leases({
      user_id: options.user_id,
      locks: this.locks,
      request: (event, body) => this.request<Locked>(event, body),
      settled: (record_id) => this.edits.queued.when((queued) => !queued.some((edit) => edit.record_id === record_id)),
    });
    this.edits = new EditQueue({
      session_id: options.session_id,
      user_id: options.user_id,
      storage: options.storage,
      records: this.records,
      tabs: options.tabs,
      send: (request) => options.channel.request<Edited>("edit", request),
      lockToken: (record_id) => this.leases.mine(record_id)?.token,
    });
    this.presence = new PresenceReporter((doing) => this.request("presence", doing));
  }

  get session_id(): string {
    return this.#options.session_id;
  }

  get user_id(): string {
    return this.#options.user_id;
  }

  get rest(): SessionOptions["rest"] {
    return this.#options.rest;
  }

  start(): void {
    this.#event({ type: "open" });
    this.#away();
    void this.edits.restore();
    this.#options.channel.open({
      up: () => void this.#join(),
      down: () => this.#down(),
      refused: (error) => void this.#refused(error),
      envelope: (envelope) => this.#receive(envelope),
    });
  }

  stop(): void {
    this.leases.close();
    this.presence.close();
    clearTimeout(this.#awayTimer);
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#standingTimer);
    this.#load++;
    this.#joined++;
    this.edits.offline();
    this.#event({ type: "close" });
    this.#options.channel.close();
    this.#options.tabs.close();
  }

  /** The device says it has, or has lost, its network. */
  network(online: boolean): void {
    if (online) this.#options.channel.retry();
    else this.#event({ type: "long_away" });
  }

  /** After `refused`: the person has signed in again, or wants to try once more. */
  retry(): void {
    this.#event({ type: "open" });
    this.#options.channel.retry();
  }

  /** Ask for something in this session. Refusals are answers; `NoAnswer` is thrown when none came. */
  request<T extends object = object>(event: string, body: object = {}): Promise<Ack<T>> {
    return this.#options.channel.request<T>(event, { session_id: this.session_id, ...body });
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    this.#commitListeners.add(listener);
    return () => this.#commitListeners.delete(listener);
  }

  resolve(conflict_id: string, strategy: Strategy, choice: { edit_id?: string; value?: Value; reason?: string } = {}) {
    return this.request<{ seq: number; version: number; value: Value }>("resolve", {
      conflict_id, strategy, request_id: newId(), ...choice,
    });
  }

  comment(text: string, about: { record_id?: string; parent_id?: string; mentions?: string[] } = {}) {
    return this.request<{ comment_id: string }>("comment", { text, request_id: newId(), ...about });
  }

  takeOver(record_id: string, reason: string): Promise<Ack<Locked>> {
    return this.request<Locked>("takeover", { record_id, reason, request_id: newId() });
  }

  undo(seq?: number): Promise<Ack<{ seq: number }>> {
    return this.request("undo", { request_id: newId(), ...(seq === undefined ? {} : { seq }) });
  }

  redo(seq?: number): Promise<Ack<{ seq: number }>> {
    return this.request("redo", { request_id: newId(), ...(seq === undefined ? {} : { seq }) });
  }

  #event(event: ConnectionEvent): void {
    this.connection.update((connection) => nextConnection(connection, event));
  }

  #away(): void {
    clearTimeout(this.#awayTimer);
    this.#awayTimer = setTimeout(() => this.#event({ type: "long_away" }), LONG_AWAY);
  }

  #down(): void {
    const wasOnline = this.connection.get().state === "online";
    this.#joined++;
    this.edits.offline();
    this.#log.interrupted();
    this.#event({ type: "down" });
    if (wasOnline) this.#away();
  }

  async #refused(error: Refusal): Promise<void> {
    if (error.code === "token_expired" || error.code === "unauthenticated") {
      try {
        await this.#options.tokens.refresh();
        this.#options.channel.retry();
        return;
      } catch {
        // Only the person can help: below.
      }
    } else if (error.retryable) {
      this.#event({ type: "down" });
      this.#retryTimer = setTimeout(() => this.#options.channel.retry(), TRY_AGAIN);
      return;
    }
    clearTimeout(this.#awayTimer);
    this.edits.offline();
    this.#event({ type: "refused", error });
  }

  async #join(): Promise<void> {
    this.#event({ type: "up" });
    const attempt = ++this.#joined;
    const since = this.#log.seq;
    let answer: Ack<Joined>;
    try {
      answer = await this.request<Joined>("join", since === undefined ? {} : { since });
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (attempt === this.#joined) this.#options.channel.retry();
      return;
    }
    if (attempt !== this.#joined) return;
    if (answer.ok) this.#entered(answer, since);
    else if (answer.error.retryable) {
      this.#retryTimer = setTimeout(() => attempt === this.#joined && void this.#join(), TRY_AGAIN);
    } else await this.#refused(answer.error);
  }

  #entered(answer: Joined, since: number | undefined): void {
    clearTimeout(this.#awayTimer);
    this.session.set(answer.session);
    this.role.set(answer.role);
    this.#meet(answer.members);
    const caughtUp = since !== undefined && answer.recovered;
    if (caughtUp) for (const commit of answer.commits) this.#log.receive(commit);
    // The answer shows these as of its `seq`: they replace whatever was worked out on the way.
    this.members.set(new Map(answer.members.map((member) => [member.user_id, member])));
    this.locks.set(new Map(answer.locks.map((lock) => [lock.record_id, lock])));
    this.conflicts.set(new Map(answer.conflicts.map((conflict) => [conflict.conflict_id, conflict])));
    this.reconciliation.set(answer.reconciliation);
    if (!caughtUp) this.records.remember();
    this.#log.startAt(answer.seq);
    this.seq.update((seq) => Math.max(seq, answer.seq));
    this.#event({ type: "joined" });
    if (!caughtUp || this.loading.get().state === "failed") void this.reload();
    this.#askStanding(0);
    this.edits.online();
    this.leases.restored();
    this.presence.restored();
  }

  /** Load all records: after the first join, when too much was missed, or when records were imported. */
  async reload(): Promise<void> {
    const load = ++this.#load;
    this.records.remember();
    let loaded = 0;
    this.loading.set({ state: "loading", loaded });
    try {
      for await (const page of this.#options.rest.records(this.session_id)) {
        if (load !== this.#load) return;
        this.records.load(page.items, page.as_of);
        loaded += page.items.length;
        this.loading.set({ state: "loading", loaded });
      }
      this.records.forget();
      this.loading.set({ state: "done", loaded });
      void this.#loadTalk();
    } catch (error) {
      if (load !== this.#load) return;
      if (!(error instanceof RestError)) throw error;
      this.loading.set({ state: "failed", loaded, error: error.refusal });
    }
  }

  /** Who ever was here, and what was said. */
  async #loadTalk(): Promise<void> {
    const path = `/sessions/${encodeURIComponent(this.session_id)}/history`;
    try {
      const users = await this.#options.rest.get<Users>(`/sessions/${encodeURIComponent(this.session_id)}/users`);
      this.#meet(users.items);
      await this.matches.load(this.#options.rest, this.session_id);
      for (const message_type of ["comment.added", "comment.resolved"]) {
        for await (const page of this.#options.rest.pages<{ items: Commit[]; next_cursor: string | null }>(path, {
          message_type, limit: 1_000,
        })) {
          for (const commit of page.items) this.#comment(commit);
        }
      }
    } catch (error) {
      // Comments are an addition: the work goes on without the old ones, and the next load brings them.
      if (!(error instanceof RestError)) throw error;
    }
  }

  async #sync(since: number): Promise<Synced | undefined> {
    try {
      const answer = await this.request<Synced>("sync", { since });
      return answer.ok ? answer : undefined;
    } catch (error) {
      if (error instanceof NoAnswer) return undefined;
      throw error;
    }
  }

  #receive(envelope: Envelope): void {
    if (envelope.session_id !== null && envelope.session_id !== this.session_id) return;
    if (envelope.seq !== undefined) this.#log.receive(envelope as Commit);
    else if (envelope.message_type.startsWith("presence.")) this.#presence(envelope);
    else this.#notify(envelope);
  }

  #presence({ message_type, data }: Envelope): void {
    this.#meet([data]);
    this.members.update((members) => {
      const next = new Map(members);
      if (message_type === "presence.left") next.delete(data.user_id);
      else next.set(data.user_id, data);
      return next;
    });
  }

  #notify(envelope: Envelope): void {
    if (envelope.message_type === "notification.token_expiring") void this.#refresh();
    else if (envelope.message_type === "notification.access_revoked") {
      void this.#refused({ code: "forbidden", message: "You are not a member of this project any more.", retryable: false });
    }
    const { user_id, timestamp, data } = envelope;
    const notice = { id: newId(), kind: envelope.message_type, user_id, at: timestamp, data };
    if (!notice.kind.startsWith("notification.token")) {
      this.notices.update((all) => [...all.slice(1 - MAX_NOTICES), notice]);
    }
  }

  async #refresh(): Promise<void> {
    try {
      const token = await this.#options.tokens.refresh();
      await this.#options.channel.request("authenticate", { token });
    } catch {
      // The server ends the connection when the token does; `#refused` says the rest.
    }
  }

  #meet(people: readonly { user_id: string; name: string }[]): void {
    const known = this.names.get();
    const news = people.filter(({ user_id, name }) => known.get(user_id) !== name);
    if (news.length > 0) {
      this.names.set(new Map([...known, ...news.map(({ user_id, name }) => [user_id, name] as const)]));
    }
  }

  #commit(commit: Commit): void {
    this.seq.set(commit.seq);
    this.records.apply(commit, this.loading.get().state !== "done");
    this.edits.committed(commit);
    const family = commit.message_type.split(".")[0];
    if (family === "lock") this.#lock(commit);
    else if (family === "conflict") this.#conflict(commit);
    else if (family === "comment") this.#comment(commit);
    else if (family === "reconciliation") this.#reconcile(commit);
    else if (family === "session") this.#session(commit);
    else if (commit.message_type === "record.imported") void this.reload();
    else if (family === "match") this.matches.apply(commit);
    if (CONTENT.has(family!) && commit.message_type !== "reconciliation.progress") this.#askStanding();
    this.recent.update((all) => [...all.slice(1 - MAX_RECENT), commit]);
    for (const listener of [...this.#commitListeners]) listener(commit);
  }

  #lock({ message_type, data, user_id, timestamp }: Commit): void {
    if (data.holder) {
      this.#meet([data.holder]);
      const { record_id, holder, token, expires_at } = data;
      this.locks.update((locks) => {
        const acquired_at = locks.get(record_id)?.acquired_at ?? timestamp;
        return new Map(locks).set(record_id, { record_id, holder, token, expires_at, acquired_at });
      });
      if (message_type === "lock.taken_over") this.leases.ended(record_id, data.previous.user_id, "taken_over");
      return;
    }
    this.locks.update((locks) => {
      const next = new Map(locks);
      if (next.get(data.record_id)?.token === data.token) next.delete(data.record_id);
      return next;
    });
    this.leases.ended(data.record_id, data.user_id ?? user_id, message_type === "lock.expired" ? "expired" : "released");
  }

  #conflict({ message_type, data, timestamp }: Commit): void {
    this.conflicts.update((conflicts) => {
      const next = new Map(conflicts);
      const open = next.get(data.conflict_id);
      if (message_type === "conflict.resolved") next.delete(data.conflict_id);
      else if (message_type === "conflict.detected") next.set(data.conflict_id, { ...data, opened_at: timestamp });
      else if (open) {
        const candidates = [...open.candidates, data.candidate];
        next.set(data.conflict_id, { ...open, current: data.current, candidates });
      }
      return next;
    });
  }

  #comment({ message_type, data, user_id, timestamp }: Commit): void {
    this.comments.update((comments) => {
      const known = comments.get(data.comment_id);
      if (message_type === "comment.resolved") {
        return known ? new Map(comments).set(data.comment_id, { ...known, resolved: true }) : comments;
      }
      if (known) return comments;
      const { comment_id, record_id, parent_id, text, mentions, name } = data;
      const comment = { comment_id, record_id, parent_id, text, mentions, user_id, name, at: timestamp, resolved: false };
      return new Map(comments).set(comment_id, comment);
    });
  }

  #reconcile({ message_type, data }: Envelope): void {
    const event = message_type.split(".")[1] ?? "";
    if (STATUS_AFTER[event]) this.reconciliation.update((known) => ({ ...known, ...data, status: STATUS_AFTER[event]! }));
  }

  /** Ask anew how the reconciliation stands: soon, and once for many changes. */
  #askStanding(wait = STANDING_EVERY): void {
    this.#standingTimer ??= setTimeout(() => {
      this.#standingTimer = undefined;
      void this.#standing();
    }, wait);
  }

  async #standing(): Promise<void> {
    try {
      const answer = await this.request<Standing>("reconciliation_status");
      if (!answer.ok) return;
      this.standing.set(answer);
      // The run's own commits tell more quickly; an answer that is older than the last of them is not worth it.
      if (answer.seq >= this.seq.get()) this.reconciliation.update((known) => ({ ...known, ...answer.run }));
    } catch (error) {
      // The next join asks again.
      if (!(error instanceof NoAnswer)) throw error;
    }
  }

  #session({ message_type, data }: Commit): void {
    if (message_type === "session.updated") {
      this.#meet([data]);
      if (data.user_id === this.user_id) this.role.set(data.role);
    }
    if (message_type === "session.name_erased") this.#meet([{ user_id: data.user_id, name: data.user_id }]);
    const status = message_type === "session.ended" ? "ended" : message_type === "session.expired" ? "expired" : undefined;
    if (status) this.session.update((session) => session && { ...session, status });
  }
}

const STATUS_AFTER: Record<string, Reconciliation["status"]> = {
  started: "queued", resumed: "running", progress: "running", paused: "paused", completed: "completed", failed: "failed",
  cancelled: "cancelled",
};
/** Milliseconds between two questions how the reconciliation stands, while people work. */
const STANDING_EVERY = 1_000;
/** Families whose commits change what remains unexplained, or the way to the sign-off. */
const CONTENT: ReadonlySet<string> = new Set(["edit", "match", "record", "conflict", "reconciliation"]);
