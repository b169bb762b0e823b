import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import {
  browserTabs, claimsOf, fixedToken, IndexedDbEditStorage, newId, CollaborationSession, Rest, SocketChannel, tabStorage,
  type EditStorage, type TokenSource,
} from "./core";

const SessionContext = createContext<CollaborationSession | undefined>(undefined);

export interface CollaborationProviderProps {
  sessionId: string;
  /** A token, or where to get one and the next. */
  token: string | TokenSource;
  /** The server's origin; empty: the page's own. */
  url?: string;
  /** Shown until the device's storage is open, a moment at most. */
  fallback?: ReactNode;
  children: ReactNode;
}

/** Enters a session for as long as it is mounted. Everything below can use the hooks. */
export function CollaborationProvider({ sessionId, token, url = "", fallback, children }: CollaborationProviderProps) {
  const [storage, setStorage] = useState<EditStorage>();
  useEffect(() => {
    let here = true;
    void IndexedDbEditStorage.open().then((opened) => here && setStorage(opened));
    return () => {
      here = false;
    };
  }, []);
  if (!storage) return fallback ?? null;
  return (
    <Entered key={sessionId} {...{ sessionId, token, url, storage }}>
      {children}
    </Entered>
  );
}

interface EnteredProps {
  sessionId: string;
  token: string | TokenSource;
  url: string;
  storage: EditStorage;
  children: ReactNode;
}

function Entered({ sessionId, token, url, storage, children }: EnteredProps) {
  const [session, setSession] = useState<CollaborationSession>();
  const tokens = useMemo(() => (typeof token === "string" ? fixedToken(token) : token), [token]);
  useEffect(() => {
    let left = false;
    let entered: CollaborationSession | undefined;
    const online = () => entered?.network(true);
    const offline = () => entered?.network(false);
    void tokens.current().then((current) => {
      if (left) return;
      const claims = claimsOf(current);
      entered = new CollaborationSession({
        session_id: sessionId,
        user_id: claims?.sub ?? "",
        otherProjects: Object.keys(claims?.projects ?? {}).length > 1,
        channel: new SocketChannel({ url, token: tokens.current }),
        rest: new Rest({ url, token: tokens.current }),
        storage,
        draftStorage: tabStorage(),
        tabs: browserTabs(newId()),
        tokens,
      });
      entered.start();
      setSession(entered);
      addEventListener("online", online);
      addEventListener("offline", offline);
    });
    return () => {
      left = true;
      removeEventListener("online", online);
      removeEventListener("offline", offline);
      entered?.stop();
    };
  }, [sessionId, tokens, url, storage]);
  return session ? <SessionContext value={session}>{children}</SessionContext> : null;
}

/** Everything below reads and writes this session; for tests, and for whoever keeps sessions elsewhere. */
export function SessionProvider({ session, children }: { session: CollaborationSession; children: ReactNode }) {
  return <SessionContext value={session}>{children}</SessionContext>;
}

export function useSession(): CollaborationSession {
  const session = useContext(SessionContext);
  if (!session) throw new Error("This needs a CollaborationProvider around it.");
  return session;
}
