import type { Comment, Commit, Conflict, Envelope, Joined, Lock, Member, Reconciliation, Role, Session } from "./contract";
import { Signal } from "./signal";

export interface SharedEvents {
  /** Somebody's lock is gone, or another's now. */
  lockEnded(record_id: string, user_id: string, cause: "released" | "expired" | "taken_over"): void;
}

/** What everybody in a session sees alike, but for its records and matches: one signal each, moved on by commits. */
export class SharedState {
  readonly session = new Signal<Session | undefined>(undefined);
  readonly role = new Signal<Role | undefined>(undefined);
  readonly members = new Signal<ReadonlyMap<string, Member>>(new Map());
  /** Names of people, gathered from wherever they appear. */
  readonly names = new Signal<ReadonlyMap<string, string>>(new Map());
  readonly locks = new Signal<ReadonlyMap<string, Lock>>(new Map());
  readonly conflicts = new Signal<ReadonlyMap<string, Conflict>>(new Map());
  readonly comments = new Signal<ReadonlyMap<string, Comment>>(new Map());
  readonly reconciliation = new Signal<Reconciliation>({ status: "not_started" });
  readonly #user_id: string;
  readonly #events: SharedEvents;

  constructor(user_id: string, events: SharedEvents) {
    this.#user_id = user_id;
    this.#events = events;
  }

  /** As of the join: replaces whatever was worked out on the way. */
  entered(answer: Joined): void {
    this.session.set(answer.session);
    this.role.set(answer.role);
    this.meet(answer.members);
    this.members.set(new Map(answer.members.map((member) => [member.user_id, member])));
    this.locks.set(new Map(answer.locks.map((lock) => [lock.record_id, lock])));
    this.conflicts.set(new Map(answer.conflicts.map((conflict) => [conflict.conflict_id, conflict])));
    this.reconciliation.set(answer.reconciliation);
  }

  apply(commit: Commit): void {
    const family = commit.message_type.split(".")[0];
    if (family === "lock") this.#lock(commit);
    else if (family === "conflict") this.#conflict(commit);
    else if (family === "comment") this.comment(commit);
    else if (family === "reconciliation") this.#reconcile(commit);
    else if (family === "session") this.#session(commit);
  }

  presence({ message_type, data }: Envelope): void {
    this.meet([data]);
    this.members.update((members) => {
      const next = new Map(members);
      if (message_type === "presence.left") next.delete(data.user_id);
      else next.set(data.user_id, data);
      return next;
    });
  }

  meet(people: readonly { user_id: string; name: string }[]): void {
    const known = this.names.get();
    const news = people.filter(({ user_id, name }) => known.get(user_id) !== name);
    if (news.length > 0) {
      this.names.set(new Map([...known, ...news.map(({ user_id, name }) => [user_id, name] as const)]));
    }
  }

  comment({ message_type, data, user_id, timestamp }: Commit): void {
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

  #lock({ message_type, data, user_id, timestamp }: Commit): void {
    if (data.holder) {
      this.meet([data.holder]);
      const { record_id, holder, token, expires_at } = data;
      this.locks.update((locks) => {
        const acquired_at = locks.get(record_id)?.acquired_at ?? timestamp;
        return new Map(locks).set(record_id, { record_id, holder, token, expires_at, acquired_at });
      });
      if (message_type === "lock.taken_over") this.#events.lockEnded(record_id, data.previous.user_id, "taken_over");
      return;
    }
    this.locks.update((locks) => {
      const next = new Map(locks);
      if (next.get(data.record_id)?.token === data.token) next.delete(data.record_id);
      return next;
    });
    const cause = message_type === "lock.expired" ? "expired" : "released";
    this.#events.lockEnded(data.record_id, data.user_id ?? user_id, cause);
  }

  #conflict({ message_type, data, timestamp }: Commit): void {
    this.conflicts.update((conflicts) => {
      const next = new Map(conflicts);
      const open = next.get(data.conflict_id);
      if (message_type === "conflict.resolved") next.delete(data.conflict_id);
      else if (message_type === "conflict.detected") {
        next.set(data.conflict_id, { ...data, suggestion: data.suggestion ?? null, opened_at: timestamp });
      } else if (open) {
        const candidates = [...open.candidates, data.candidate];
        next.set(data.conflict_id, { ...open, current: data.current, candidates, suggestion: data.suggestion ?? null });
      }
      return next;
    });
  }

  #reconcile({ message_type, data }: Commit): void {
    const status = STATUS_AFTER[message_type.split(".")[1] ?? ""];
    if (status) this.reconciliation.update((known) => ({ ...known, ...data, status }));
  }

  #session({ message_type, data }: Commit): void {
    if (message_type === "session.updated") {
      this.meet([data]);
      if (data.user_id === this.#user_id) this.role.set(data.role);
    }
    if (message_type === "session.name_erased") this.meet([{ user_id: data.user_id, name: data.user_id }]);
    const status = message_type === "session.ended" ? "ended" : message_type === "session.expired" ? "expired" : undefined;
    if (status) this.session.update((session) => session && { ...session, status });
  }
}

const STATUS_AFTER: Record<string, Reconciliation["status"]> = {
  started: "queued", resumed: "running", progress: "running", paused: "paused", completed: "completed", failed: "failed",
  cancelled: "cancelled",
};
