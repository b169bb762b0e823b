import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { Socket } from "socket.io-client";
import {
  fixedToken, SocketChannel, type Commit, type Conflict, type Connection, type HistoryPage, type HowToEdit, type Loading, type Lock, type MatchEntry, type Member,
  type Reconciliation, type RecordView, type Refusal, type Signal, type StoredEdit, type Value, RestError,
} from "./core";
import { Entry } from "./core/entry";
import { useSession } from "./provider";
import { useSignal } from "../ui/useSignal";

export { useSignal };

/** A signal's value, looked at again at most every `pause` milliseconds: for what takes long to draw. */
export function useNowAndThen<T>(signal: Signal<T>, pause: number): T {
  const [value, setValue] = useState(signal.get);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    setValue(signal.get);
    const stop = signal.subscribe(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        setValue(signal.get);
      }, pause);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [signal, pause]);
  return value;
}

/** A part of a signal's value: a redraw only when that part changes. */
export function useSelected<T, S>(signal: Signal<T>, select: (value: T) => S): S {
  const snapshot = () => select(signal.get());
  return useSyncExternalStore(signal.subscribe, snapshot, snapshot);
}

/** The socket of a session, for one's own events. The socket is null until it is made. */
export function useCollaborationWebSocket(
  sessionId: string,
  token: string,
  url = "",
): { socket: Socket | null; isConnected: boolean } {
  const [socket, setSocket] = useState<Socket | null>(null);
  const [isConnected, setConnected] = useState(false);
  useEffect(() => {
    const channel = new SocketChannel({ url, token: () => Promise.resolve(token) });
    setSocket(channel.socket);
    const entry = new Entry(sessionId, channel, fixedToken(token), {
      since: () => undefined,
      entered: () => setConnected(true),
      online: () => undefined,
      interrupted: () => setConnected(false),
      envelope: () => undefined,
    });
    entry.open();
    return () => {
      entry.close();
      setSocket(null);
      setConnected(false);
    };
  }, [sessionId, token, url]);
  return { socket, isConnected };
}

/** The other people in the session, by name. */
export function useOthers(): readonly Member[] {
  const session = useSession();
  const members = useSignal(session.members);
  return useMemo(
    () =>
      [...members.values()]
        .filter((member) => member.user_id !== session.user_id)
        .sort((a, b) => a.name.localeCompare(b.name)),
    [members, session],
  );
}

/** One record, and how to change it. `edit` shows the value at once and returns the edit's id. */
export function useRecord(record_id: string): {
  record: RecordView | undefined;
  edit: (field_name: string, value: Value, how?: HowToEdit) => string | undefined;
} {
  const session = useSession();
  const { records } = session;
  const subscribe = useCallback((listener: () => void) => records.subscribe(record_id, listener), [records, record_id]);
  const snapshot = () => records.get(record_id);
  const record = useSyncExternalStore(subscribe, snapshot, snapshot);
  const edit = useCallback(
    (field_name: string, value: Value, how?: HowToEdit) => session.edits.edit(record_id, field_name, value, how),
    [session, record_id],
  );
  return { record, edit };
}

/** A record's lock. With `wanted` it is taken, renewed, and given back afterwards; `refusal` says why it was not. */
export function useLock(record_id: string, wanted = false): { lock: Lock | undefined; mine: boolean; refusal?: Refusal } {
  const session = useSession();
  const lock = useSelected(session.locks, (locks) => locks.get(record_id));
  const [refusal, setRefusal] = useState<Refusal>();
  useEffect(() => {
    if (!wanted) return undefined;
    let here = true;
    void session.leases.acquire(record_id).then((answer) => here && setRefusal(answer.ok ? undefined : answer.error));
    return () => {
      here = false;
      setRefusal(undefined);
      void session.leases.release(record_id);
    };
  }, [session, record_id, wanted]);
  return { lock, mine: lock?.holder.user_id === session.user_id, ...(refusal && !lock ? { refusal } : {}) };
}

/** Open conflicts, oldest first, and how to decide one. */
export function useConflicts(): { conflicts: readonly Conflict[]; resolve: ReturnType<typeof useSession>["resolve"] } {
  const session = useSession();
  const conflicts = useSignal(session.conflicts);
  const sorted = useMemo(() => [...conflicts.values()].sort((a, b) => a.opened_at.localeCompare(b.opened_at)), [conflicts]);
  const resolve = useCallback<typeof session.resolve>((...request) => session.resolve(...request), [session]);
  return { conflicts: sorted, resolve };
}

export function useReconciliation(): Reconciliation {
  return useSignal(useSession().reconciliation);
}

/** Whether what one sees is what there is, and what waits to be sent. */
export function useSyncStatus(): {
  connection: Connection;
  queued: readonly StoredEdit[];
  loading: Loading;
  retry: () => void;
} {
  const session = useSession();
  const connection = useSignal(session.connection);
  const queued = useSignal(session.edits.queued);
  const loading = useSignal(session.loading);
  const retry = useCallback(() => session.retry(), [session]);
  return { connection, queued, loading, retry };
}

/** The newest commits of the session, or of one record: loaded, then followed. Newest first. */
export function useHistory(filter: { record_id?: string; limit?: number } = {}): {
  commits: readonly Commit[];
  loading: boolean;
  error?: Refusal;
} {
  const session = useSession();
  const { record_id, limit = 200 } = filter;
  const [commits, setCommits] = useState<readonly Commit[]>([]);
  const [state, setState] = useState<{ loading: boolean; error?: Refusal }>({ loading: true });
  const current = useRef(0);
  const from = useSignal(session.followedFrom);
  useEffect(() => {
    setCommits([]);
    setState({ loading: true });
    // Before that it is not known which are the newest, nor would those that follow be told.
    if (from === undefined) return undefined;
    const load = ++current.current;
    const add = (news: readonly Commit[]) =>
      setCommits((known) => {
        const seen = new Set(known.map((commit) => commit.seq));
        const all = [...known, ...news.filter((commit) => !seen.has(commit.seq))];
        return all.sort((a, b) => b.seq - a.seq).slice(0, limit);
      });
    const path = `/sessions/${encodeURIComponent(session.session_id)}/history`;
    const query = record_id === undefined ? { since: Math.max(0, session.seq.get() - limit), limit } : { since: 0, limit: 1_000, record_id };
    // In the order of the log: of a record the newest are on the last page.
    const loadAll = async () => {
      for await (const page of session.rest.pages<HistoryPage>(path, query)) {
        if (load !== current.current) return;
        add(page.items);
      }
      if (load === current.current) setState({ loading: false });
    };
    loadAll().catch((error: unknown) => {
      if (load === current.current && error instanceof RestError) setState({ loading: false, error: error.refusal });
    });
    const stop = session.onCommit((commit) => {
      if (record_id === undefined || recordsOf(commit).includes(record_id)) add([commit]);
    });
    return () => {
      current.current++;
      stop();
    };
  }, [session, record_id, limit, from]);
  return { commits, ...state };
}

/** The records that a commit is about. */
export function recordsOf({ data }: Commit): string[] {
  const edits: { record_id: string }[] = data?.edits ?? [];
  const matches: MatchEntry[] = data?.matches ?? [];
  const matched = matches.flatMap(({ ledger, statement }) => [...ledger, ...statement]);
  const named: unknown[] = [data?.record_id, ...(data?.record_ids ?? []), ...edits.map((edit) => edit.record_id), ...matched];
  return named.filter((id) => typeof id === "string");
}
