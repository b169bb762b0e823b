import type { Ack, Envelope, Refusal } from "./contract";

/** No answer came: the request may or may not have been done. Sending it again with the same id is harmless. */
export class NoAnswer extends Error {}

/** What a channel tells. `down`: it tries again by itself unless `final`. `refused`: the server said no. */
export interface ChannelEvents {
  up(): void;
  down(reason: string): void;
  refused(error: Refusal): void;
  envelope(envelope: Envelope): void;
}

/** A connection to the server: requests with answers one way, envelopes the other, both in order. */
export interface Channel {
  /** Begin, or begin again after `refused`. */
  open(events: ChannelEvents): void;
  /** Try now rather than after the pause between attempts; nothing where there is a connection. */
  retry(): void;
  /** Connect anew, with the token of now, whether there is a connection or not. */
  reopen(): void;
  close(): void;
  /** Rejects with `NoAnswer` when the connection is lost or `timeout` (ms) passes first. */
  request<T>(event: string, body: object, timeout?: number): Promise<Ack<T>>;
}

export const ANSWER_TIMEOUT = 10_000;

/** About so many milliseconds: what many clients wait for at the same time, they do not ask for at the same time. */
export const about = (milliseconds: number): number => milliseconds * (0.5 + Math.random());
