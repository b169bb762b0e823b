import { io, type Socket } from "socket.io-client";
import { about, ANSWER_TIMEOUT, NoAnswer, type Channel, type ChannelEvents } from "./channel";
import type { Ack, Envelope, Refusal } from "./contract";

const RETRY = { first: 500, longest: 5_000 };

export interface SocketChannelOptions {
  /** Origin of the server; empty: the page's own. */
  url?: string;
  /** Called for every attempt, so that a renewed token is used. */
  token: () => Promise<string>;
}

/** The channel over Socket.IO: the stock client, all broadcasts under the one event name `message`. */
export class SocketChannel implements Channel {
  readonly socket: Socket;
  #events: ChannelEvents | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ url = "", token }: SocketChannelOptions) {
    this.socket = io(`${url}/collaboration`, {
      autoConnect: false,
      forceNew: true,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      reconnectionDelay: RETRY.first,
      reconnectionDelayMax: RETRY.longest,
      auth: (send) => {
        token().then(
          (value) => send({ token: value, envelope: "message" }),
          () => send({ token: "", envelope: "message" }),
        );
      },
    });
    this.socket.on("connect", () => this.#events?.up());
    this.socket.on("disconnect", (reason) => {
      this.#events?.down(reason);
      // The server ended it (a restart, or an expired token): the stock client would stay away for good.
      if (reason === "io server disconnect") this.#again();
    });
    this.socket.on("connect_error", (error: Error & { data?: Refusal }) => {
      if (error.data?.code) this.#events?.refused(error.data);
      else {
        this.#events?.down(error.message);
        if (!this.socket.active) this.#again();
      }
    });
    this.socket.on("message", (envelope: Envelope) => this.#events?.envelope(envelope));
  }

  open(events: ChannelEvents): void {
    this.#events = events;
    this.socket.connect();
  }

  retry(): void {
    if (!this.socket.connected) this.reopen();
  }

  reopen(): void {
    if (!this.#events) return;
    clearTimeout(this.#timer);
    this.socket.disconnect();
    this.socket.connect();
  }

  close(): void {
    this.#events = undefined;
    clearTimeout(this.#timer);
    this.socket.disconnect();
  }

  async request<T>(event: string, body: object, timeout = ANSWER_TIMEOUT): Promise<Ack<T>> {
    if (!this.socket.connected) throw new NoAnswer("not connected");
    try {
      return (await this.socket.timeout(timeout).emitWithAck(event, body)) as Ack<T>;
    } catch (error) {
      throw new NoAnswer(error instanceof Error ? error.message : String(error));
    }
  }

  #again(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#events) this.socket.connect();
    }, about(RETRY.first));
  }
}
