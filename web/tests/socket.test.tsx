// The hook `useCollaborationWebSocket` on a real Socket.IO server.
import { createServer, type Server as HttpServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { cleanup, renderHook, waitFor } from "@testing-library/react";
import { Server, type Namespace } from "socket.io";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { useCollaborationWebSocket } from "../src/collaboration/hooks";

let http: HttpServer;
let server: Server;
let space: Namespace;
let url: string;
/** Who has joined what, in order. */
let joins: string[];
let answer: (token: string, session_id: string) => object;

beforeEach(async () => {
  joins = [];
  answer = () => ({ ok: true });
  http = createServer();
  server = new Server(http, { cors: { origin: "*" } });
  space = server.of("/collaboration");
  space.use((socket, next) => {
    const refused = Object.assign(new Error("refused"), { data: { code: "unauthenticated", message: "No such token", retryable: false } });
    next(socket.handshake.auth.token === "bad" ? refused : undefined);
  });
  space.on("connection", (socket) => {
    socket.on("join", ({ session_id }, done) => {
      const { token } = socket.handshake.auth;
      joins.push(`${token} ${session_id}`);
      done(answer(token, session_id));
    });
    socket.on("whoami", (done) => done(socket.handshake.auth.token));
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});

afterEach(async () => {
  cleanup();
  await server.close();
});

const use = (session = "s", token = "alice") =>
  renderHook(({ session, token }) => useCollaborationWebSocket(session, token, url), { initialProps: { session, token } });

describe("useCollaborationWebSocket", () => {
  it("is connected once the session has been joined, and gives a socket to speak through", async () => {
    const { result } = use();
    expect(result.current.isConnected).toBe(false);
    await waitFor(() => expect(result.current.isConnected).toBe(true));
    expect(joins).toEqual(["alice s"]);
    expect(await result.current.socket!.emitWithAck("whoami")).toBe("alice");
  });

  it("is not connected when the session may not be joined", async () => {
    answer = () => ({ ok: false, error: { code: "forbidden", message: "Not yours", retryable: false } });
    const { result } = use();
    await waitFor(() => expect(joins).toHaveLength(1));
    await waitFor(() => expect(result.current.socket!.connected).toBe(true));
    expect(result.current.isConnected).toBe(false);
  });

  it("is not connected with a token that the server does not know", async () => {
    const { result } = use("s", "bad");
    const refused = new Promise<Error>((resolve) => result.current.socket!.once("connect_error", resolve));
    expect((await refused).message).toBe("refused");
    expect(result.current.isConnected).toBe(false);
    expect(joins).toEqual([]);
  });

  it("says when the connection is lost, and joins again when it is back", async () => {
    const { result } = use();
    await waitFor(() => expect(result.current.isConnected).toBe(true));
    answer = () => ({ ok: false, error: { code: "unavailable", message: "Not yet", retryable: true } });
    space.disconnectSockets(true);
    await waitFor(() => expect(joins).toHaveLength(2));
    expect(result.current.isConnected).toBe(false);
    answer = () => ({ ok: true });
    await waitFor(() => expect(result.current.isConnected).toBe(true));
    expect(joins).toHaveLength(3);
  });

  it("leaves one session for another, and the server when it is not shown any more", async () => {
    const { result, rerender, unmount } = use();
    await waitFor(() => expect(result.current.isConnected).toBe(true));
    const first = result.current.socket!;
    rerender({ session: "t", token: "bob" });
    await waitFor(() => expect(result.current.isConnected && result.current.socket !== first).toBe(true));
    expect(joins).toEqual(["alice s", "bob t"]);
    expect(first.connected).toBe(false);
    const gone = once(space.sockets.values().next().value!, "disconnect");
    unmount();
    await gone;
  });
});
