import { NoAnswer } from "./channel";
import type { Ack, Lock, Locked, Refusal } from "./contract";
import { Signal } from "./signal";

/** Seconds of a lease: short, because it is renewed for as long as somebody edits. */
export const LEASE = 120;
const RENEW_EVERY = (LEASE / 3) * 1_000;

export interface LeaseOptions {
  user_id: string;
  locks: Signal<ReadonlyMap<string, Lock>>;
  request(event: "lock" | "renew" | "unlock", body: object): Promise<Ack<Locked>>;
  /** Resolves when no edit of the record is on its way: edits name the lock under which they were made. */
  settled(record_id: string): Promise<unknown>;
}

export type LeaseAnswer = { ok: true } | { ok: false; error: Refusal };

const NO_CONNECTION: Refusal = {
  code: "unavailable",
  message: "There is no connection, so the record could not be locked. You can edit it all the same.",
  retryable: true,
};

/** Locks that this tab wants: renewed while wanted, taken again after an interruption, given back at the end. */
export class Leases {
  readonly #options: LeaseOptions;
  readonly #wanted = new Map<string, number>();
  /** Records that may be locked for nobody: the connection was lost before the server said what became of them. */
  readonly #unsure = new Set<string>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  mine(record_id: string): Lock | undefined {
    const lock = this.#options.locks.get().get(record_id);
    return lock?.holder.user_id === this.#options.user_id ? lock : undefined;
  }

  /** Several parts of a page may want the same lock; it is given back when the last has let go. */
  async acquire(record_id: string): Promise<LeaseAnswer> {
    this.#wanted.set(record_id, (this.#wanted.get(record_id) ?? 0) + 1);
    this.#timer ??= setInterval(() => void this.#renew(), RENEW_EVERY);
    const answer = await this.#lock(record_id);
    // Without a connection it is still wanted: the next join asks for it.
    if (!answer.ok && answer.error !== NO_CONNECTION) this.#drop(record_id);
    return answer;
  }

  async release(record_id: string): Promise<void> {
    if (!this.#wanted.has(record_id) || this.#drop(record_id) > 0) return;
    await this.#giveBack(record_id);
  }

  /** Somebody's lock has ended or changed hands. Another tab of the same person may have given back what is wanted here. */
  ended(record_id: string, user_id: string, cause: "released" | "expired" | "taken_over"): void {
    if (user_id !== this.#options.user_id || !this.#wanted.has(record_id)) return;
    if (cause === "taken_over") this.#wanted.delete(record_id);
    else void this.#lock(record_id);
  }

  /** Back in the session: leases may have ended meanwhile. */
  restored(): void {
    for (const record_id of this.#wanted.keys()) void this.#lock(record_id);
    const unsure = [...this.#unsure];
    this.#unsure.clear();
    for (const record_id of unsure) void this.#giveBack(record_id);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const record_id of this.#wanted.keys()) {
      const lock = this.mine(record_id);
      if (lock) void this.#ask("unlock", { record_id, token: lock.token });
    }
    this.#wanted.clear();
  }

  #drop(record_id: string): number {
    const left = (this.#wanted.get(record_id) ?? 1) - 1;
    if (left > 0) this.#wanted.set(record_id, left);
    else this.#wanted.delete(record_id);
    if (this.#wanted.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    return left;
  }

  async #renew(): Promise<void> {
    for (const record_id of this.#wanted.keys()) {
      const lock = this.mine(record_id);
      await (lock
        ? this.#ask("renew", { record_id, token: lock.token, ttl: LEASE })
        : this.#lock(record_id));
    }
  }

  /** Let go of while it was being asked for, a lock is given back: it would be held for nobody until the lease ends. */
  async #lock(record_id: string): Promise<LeaseAnswer> {
    const answer = await this.#ask("lock", { record_id, ttl: LEASE });
    if (answer.ok && !this.#wanted.has(record_id)) void this.#giveBack(record_id, answer.token);
    return answer.ok ? { ok: true } : answer;
  }

  /** Unless somebody here wants it again by then. `token`: where the lock's commit may not have come yet. */
  async #giveBack(record_id: string, token?: number): Promise<void> {
    await this.#options.settled(record_id);
    if (this.#wanted.has(record_id)) return;
    const held = token ?? this.mine(record_id)?.token;
    if (held !== undefined) await this.#ask("unlock", { record_id, token: held });
  }

  async #ask(event: "lock" | "renew" | "unlock", body: { record_id: string; token?: number; ttl?: number }): Promise<Ack<Locked>> {
    try {
      return await this.#options.request(event, body);
    } catch (error) {
      if (error instanceof NoAnswer) {
        this.#unsure.add(body.record_id);
        return { ok: false, error: NO_CONNECTION };
      }
      throw error;
    }
  }
}
