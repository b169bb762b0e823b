import { NoAnswer, type Channel } from "./channel";
import type { Ack, Commit, Edited, Envelope, Joined, Locked, Overlap, Standing, Strategy, Synced, Value } from "./contract";
import { Drafts, type CommentDraft, type DraftStorage, type FieldDrafts } from "./drafts";
import { EditQueue } from "./edits";
import type { EditStorage } from "./editStorage";
import { Entry } from "./entry";
import { Leases } from "./leases";
import { Loader } from "./loader";
import { LogFollower } from "./log";
import { MatchBook } from "./matches";
import { NotificationBook } from "./notifications";
import { PresenceReporter } from "./presence";
import { RecordTable } from "./records";
import type { Rest } from "./rest";
import { SharedState } from "./shared";
import { Signal } from "./signal";
import { StandingWatch } from "./standing";
import { newId, type Tabs } from "./tabs";
import type { TokenSource } from "./tokens";

export interface SessionOptions {
  session_id: string;
  /** Who the token stands for. */
  user_id: string;
  /** Whether they have a part in other projects too: then a join does not say all that concerns them. */
  otherProjects?: boolean;
  channel: Channel;
  rest: Pick<Rest, "records" | "get" | "pages" | "post" | "write" | "fetch">;
  storage: EditStorage;
  /** Where drafts are kept; without it they are gone with the session's object. */
  draftStorage?: DraftStorage | undefined;
  tabs: Tabs;
  tokens: TokenSource;
}

/** Fields whose unsent change the others are told of: as many as the server takes. */
const MAX_TOLD = 20;

/**
 * One person in one session: everything the page shows, and everything it can do. Knows no React. `start` connects and
 * keeps connected; each part is a signal of its own, so that a change redraws only what depends on it. The work is done
 * by the parts; this puts them together.
 */
export class CollaborationSession {
  readonly seq = new Signal(0);
  /**
   * From which commit on each one is told to `onCommit`, none left out; undefined before the first join. It moves on where too
   * much was missed: whoever gathers commits begins again from there.
   */
  readonly followedFrom = new Signal<number | undefined>(undefined);
  readonly records = new RecordTable();
  readonly matches = new MatchBook();
  readonly edits: EditQueue;
  readonly leases: Leases;
  readonly presence: PresenceReporter;
  /** What this person has begun and not sent: fields by record, and comments by what they are on. */
  readonly drafts: { readonly fields: Drafts<FieldDrafts>; readonly comments: Drafts<CommentDraft> };
  /** What concerns this person, also from before they came. */
  readonly notifications: NotificationBook;
  readonly #options: SessionOptions;
  readonly #shared: SharedState;
  readonly #entry: Entry;
  readonly #loader: Loader;
  readonly #standing: StandingWatch;
  readonly #log: LogFollower;
  readonly #commitListeners = new Set<(commit: Commit) => void>();
  readonly #overlapListeners = new Set<(overlap: Overlap) => void>();

  constructor(options: SessionOptions) {
    this.#options = options;
    const { session_id, user_id, rest, channel } = options;
    this.#log = new LogFollower({
      commit: (commit) => this.#commit(commit),
      reset: (seq) => this.#skip(seq),
      sync: (since) => this.#sync(since),
    });
    this.#shared = new SharedState(user_id, { lockEnded: (...what) => this.leases.ended(...what) });
    this.#entry = new Entry(session_id, channel, options.tokens, {
      since: () => this.#log.seq,
      entered: (answer, since) => this.#entered(answer, since),
      online: () => this.#online(),
      interrupted: () => this.#interrupted(),
      envelope: (envelope) => this.#receive(envelope),
    });
    this.#loader = new Loader(session_id, rest, { records: this.records, matches: this.matches, shared: this.#shared });
    this.#standing = new StandingWatch(
      () => this.request<Standing>("reconciliation_status"),
      (told) => {
        // The run's own commits tell more quickly; an answer that is older than the last of them is not worth it.
        if (told.seq >= this.seq.get()) this.reconciliation.update((known) => ({ ...known, ...told.run }));
      },
    );
    this.leases = new Leases({
      user_id,
      locks: this.locks,
      request: (event, body) => this.request<Locked>(event, body),
      settled: (record_id) => this.edits.queued.when((queued) => !queued.some((edit) => edit.record_id === record_id)),
    });
    this.edits = new EditQueue({
      session_id,
      user_id,
      storage: options.storage,
      records: this.records,
      tabs: options.tabs,
      send: (request) => channel.request<Edited>("edit", request),
      lockToken: (record_id) => this.leases.mine(record_id)?.token,
    });
    this.notifications = new NotificationBook(rest);
    this.presence = new PresenceReporter((doing) => this.request("presence", doing));
    this.drafts = {
      fields: new Drafts(`drafts of fields ${user_id} ${session_id}`, options.draftStorage),
      comments: new Drafts(`drafts of comments ${user_id} ${session_id}`, options.draftStorage),
    };
    this.drafts.fields.all.subscribe(() => this.#tellDrafts());
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

  get connection() {
    return this.#entry.connection;
  }

  get loading() {
    return this.#loader.loading;
  }

  /** The way to the sign-off and what remains unexplained; undefined until the server has told. */
  get standing() {
    return this.#standing.standing;
  }

  get session() {
    return this.#shared.session;
  }

  get role() {
    return this.#shared.role;
  }

  get members() {
    return this.#shared.members;
  }

  get names() {
    return this.#shared.names;
  }

  get locks() {
    return this.#shared.locks;
  }

  get conflicts() {
    return this.#shared.conflicts;
  }

  get comments() {
    return this.#shared.comments;
  }

  get reconciliation() {
    return this.#shared.reconciliation;
  }

  start(): void {
    void this.edits.restore().catch(() => undefined); // a storage that cannot be read has nothing to bring
    if (this.drafts.fields.all.get().size > 0) this.#tellDrafts();
    this.#entry.open();
  }

  stop(): void {
    this.leases.close();
    this.presence.close();
    this.#standing.stop();
    this.#loader.stop();
    this.edits.offline();
    this.#log.interrupted();
    this.#entry.close();
    this.#options.tabs.close();
  }

  /** The device says it has, or has lost, its network. */
  network(online: boolean): void {
    this.#entry.network(online);
  }

  /** After `refused`: the person has signed in again, or wants to try once more. */
  retry(): void {
    this.#entry.retry();
  }

  reload(): Promise<void> {
    return this.#loader.reload();
  }

  /** Ask for something in this session. Refusals are answers; `NoAnswer` is thrown when none came. */
  request<T extends object = object>(event: string, body: object = {}): Promise<Ack<T>> {
    return this.#options.channel.request<T>(event, { session_id: this.session_id, ...body });
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    this.#commitListeners.add(listener);
    return () => this.#commitListeners.delete(listener);
  }

  /** The server's warning that this person and somebody else are about to clash. */
  onOverlap(listener: (overlap: Overlap) => void): () => void {
    this.#overlapListeners.add(listener);
    return () => this.#overlapListeners.delete(listener);
  }

  resolve(conflict_id: string, strategy: Strategy, choice: { edit_id?: string; value?: Value; reason?: string } = {}) {
    return this.request<{ seq: number; version: number; value: Value }>("resolve", {
      conflict_id, strategy, request_id: newId(), ...choice,
    });
  }

  /** `request_id`: the same for the same comment, so that it is made once however often it is sent. */
  comment(text: string, about: { record_id?: string; parent_id?: string; mentions?: string[]; request_id?: string } = {}) {
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

  /** Whoever begins on one of these fields is told that there is a change of it already. */
  #tellDrafts(): void {
    const places = [...this.drafts.fields.all.get()].flatMap(([record_id, fields]) =>
      Object.keys(fields).map((field_name) => ({ record_id, field_name })));
    this.presence.say({ drafts: places.length > 0 ? places.slice(-MAX_TOLD) : null });
  }

  #entered(answer: Joined, since: number | undefined): void {
    const caughtUp = since !== undefined && answer.recovered;
    if (caughtUp) for (const commit of answer.commits) this.#log.receive(commit);
    this.#shared.entered(answer);
    this.notifications.entered(answer.notifications, { otherProjects: this.#options.otherProjects ?? false });
    if (!caughtUp) this.records.remember();
    this.#log.startAt(answer.seq);
    this.seq.update((seq) => Math.max(seq, answer.seq));
    if (!caughtUp) this.#skip(answer.seq);
    else if (this.loading.get().state === "failed") void this.reload();
  }

  /** The log is followed from here on: what came before is loaded. */
  #skip(seq: number): void {
    this.seq.update((known) => Math.max(known, seq));
    this.followedFrom.set(seq);
    void this.reload();
  }

  #online(): void {
    this.#standing.ask(0);
    this.edits.online();
    this.leases.restored();
    this.presence.restored();
  }

  #interrupted(): void {
    this.edits.offline();
    this.#log.interrupted();
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
    const { session_id, message_type, seq } = envelope;
    // What concerns one comes from every session, not from this one alone.
    if (message_type.startsWith("notification.") && "notification_id" in envelope.data) return this.notifications.receive(envelope.data);
    if (session_id !== null && session_id !== this.session_id) return;
    if (seq !== undefined) this.#log.receive(envelope as Commit);
    else if (message_type === "presence.overlap") for (const listener of [...this.#overlapListeners]) listener(envelope.data);
    else if (message_type.startsWith("presence.")) this.#shared.presence(envelope);
    else if (message_type === "notification.token_expiring") void this.#entry.renewToken();
    else if (message_type === "notification.access_revoked") {
      void this.#entry.refused({ code: "forbidden", message: "You are not a member of this project any more.", retryable: false });
    }
  }

  #commit(commit: Commit): void {
    this.seq.set(commit.seq);
    const { state } = this.loading.get();
    this.records.apply(commit, state === "waiting" || state === "loading");
    this.edits.committed(commit);
    this.matches.apply(commit);
    this.#shared.apply(commit);
    if (commit.message_type === "record.imported") this.#loader.imported();
    this.#standing.committed(commit);
    for (const listener of [...this.#commitListeners]) listener(commit);
  }
}
